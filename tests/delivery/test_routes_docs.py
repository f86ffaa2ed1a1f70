"""docs/delivery.md says every key that the structs have, with its default, and every code."""

from __future__ import annotations

import re
from typing import Any, get_args

import msgspec
import pytest

from footfall.admin import config_yaml
from footfall.delivery import reasons, routes_row, templates
from footfall.delivery.channels.email import UNSUBSCRIBE_URL
from footfall.delivery.message import Person
from footfall.delivery.routes import BYTES_MAX, parse, read
from footfall.delivery.routes_keys import KEYS
from footfall.delivery.routes_reading import CHANNELS, WHERE_VALUES_MAX, Code
from footfall.view import trigger_fields
from tests.test_docs import ROOT, page, rows, section
from tests.test_docs import names as spans

PAGE = page("delivery.md")


def default(field: msgspec.structs.FieldInfo) -> str:
    """A default as the page writes it."""
    if field.required:
        return "needed"
    value: Any = field.default if field.default is not msgspec.NODEFAULT \
        else field.default_factory()
    if isinstance(value, msgspec.Struct):
        return "as below"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    if not value:
        return "none"
    return f"`[{', '.join(map(str, value))}]`" if isinstance(value, tuple) else f"`{value}`"


@pytest.mark.parametrize("heading", KEYS)
def test_every_key_is_documented(heading: str) -> None:
    """With the words that editors show and the default, and no other key."""
    part = re.split(r"^##", PAGE.partition(f"### {heading}\n")[2], flags=re.MULTILINE)[0]
    struct, meanings = KEYS[heading]
    fields = {one.encode_name: one for one in msgspec.structs.fields(struct)}

    assert [[f"`{key}`", meaning, default(fields[key])] for key, meaning in meanings.items()] == [
        [cell.strip() for cell in row] for row in rows(part)]


def test_every_struct_is_documented() -> None:
    """None of routes_row.py is without its table."""
    structs = {one for one in vars(routes_row).values() if isinstance(one, type)
               and issubclass(one, msgspec.Struct) and one is not msgspec.Struct}

    assert structs == {struct for struct, _keys in KEYS.values()}
    assert [] == [channel for channel in CHANNELS if f"`{channel}`" not in PAGE]


def test_every_code_is_documented_with_its_level() -> None:
    """Those of the check, and no other."""
    documented = {spans(row[0])[0] for row in rows(section(PAGE, "Checking"))}

    assert set(get_args(Code)) == documented


def test_limits_are_those_of_the_code() -> None:
    """Each number stands in the section."""
    text = section(PAGE, "Limits").replace(",", "")
    for limit in (routes_row.DESTINATIONS_MAX, routes_row.ROUTES_MAX, config_yaml.VALUES_MAX,
                  config_yaml.DEPTH_MAX, WHERE_VALUES_MAX, trigger_fields.PATH_CHARS_MAX,
                  trigger_fields.DEPTH_MAX, trigger_fields.VALUE_CHARS_MAX):
        assert re.search(rf"\b{limit}\b", text), limit
    assert f"{BYTES_MAX // 1_000_000} MB" in text


def test_the_first_example_can_be_used() -> None:
    """It is what it says: two destinations, three names of triggers."""
    first, _mail = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = parse(first, "routes.yaml")

    assert ["crm"] == found.targets("cart_abandoned", {})
    assert ["crm", "risk_desk"] == found.targets("risk_level_changed", {"level": "high"})
    assert [] == found.targets("risk_level_changed", {"level": "low"})


def test_the_second_example_can_be_used() -> None:
    """The same mail as in docs/routes.yaml."""
    _first, mail = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    found = parse(mail, "routes.yaml")

    assert read(ROOT / "docs/routes.yaml").destinations["cart_mail"] == \
        found.destinations["cart_mail"]
    assert ["cart_mail"] == found.targets("cart_abandoned", {})


def test_statuses_and_reasons_are_those_of_the_code() -> None:
    """Every one with the statuses that it may have, and no other."""
    statuses = section(PAGE, "From trigger to message")
    reached: dict[str, set[str]] = {}
    for status, of_it in reasons.REASONS.items():
        for reason in of_it:
            reached.setdefault(reason, set()).add(status)

    assert list(reasons.STATUSES) == [spans(row[0])[0] for row in rows(statuses)]
    assert reached == {spans(row[0])[0]: set(row[1].split(", "))
                       for row in rows(section(PAGE, "Reasons"))}


@pytest.mark.parametrize("file", ["templates/cart.txt", "templates/cart.html"])
def test_the_templates_of_the_example_can_be_filled(file: str) -> None:
    """With a name and without one; what a customer typed is no markup."""
    is_html = file.endswith("html")
    template = templates.load(ROOT / "docs", file, escape_html=is_html,
                              names=templates.NAMES | {UNSUBSCRIBE_URL})
    document = msgspec.json.encode({"data": {"lines": [
        {"product_id": "p1", "name": "Shoe <b>", "quantity": "2"},
        {"product_id": "p2", "quantity": "1"}]}})
    link = {UNSUBSCRIBE_URL: "https://events.shop.example/v1/unsubscribe/t"}

    known = template.render(templates.variables(
        document, Person(traits={"first_name": "Anna"}), **link))
    unknown = template.render(templates.variables(document, Person(), **link))

    assert "Hello Anna," in known
    assert "Hello," in unknown
    assert ("Shoe &lt;b&gt;" if is_html else "2 x Shoe <b>") in known
    assert "p2" in known
    assert link[UNSUBSCRIBE_URL] in known

"""The pages on templates and e-mail name what the code has, and nothing that it has not."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from footfall.delivery import template_filters, templates
from footfall.delivery.channels import email, email_mime, email_smtp
from footfall.delivery.message import MESSAGE_BYTES_MAX
from footfall.delivery.routes_row import Destination, EmailDestination, Smtp
from footfall.delivery.template_filters import Number
from footfall.delivery.templates import Template
from footfall.events.unsubscribe import EVENT
from tests.delivery.channels.mails import ANNA, rendered, resources
from tests.test_docs import code_of, names, page, rows, section

TEMPLATES = page("templates.md")
EMAIL = page("delivery-email.md")
INNER = {"content", "illegal", "output", "#"}


def test_every_tag_and_filter_is_named() -> None:
    """And no other."""
    made = templates._Environment(None, is_html=False)
    tags, filters = section(TEMPLATES, "Tags and filters").split("Filters: ")

    assert made.tags.keys() - INNER == set(re.findall(r"`([a-z_]+)`", tags))
    assert made.filters.keys() == set(names(filters))
    assert not any(f"`{name}`" in TEMPLATES for name in template_filters.LEFT_OUT)


def test_every_variable_is_named() -> None:
    """With those of e-mail."""
    said = {names(row[0])[0] for row in rows(section(TEMPLATES, "Variables"))}

    assert templates.NAMES | {email.UNSUBSCRIBE_URL} == said


def test_the_example_is_a_template() -> None:
    """As it stands on the page."""
    (source,) = re.findall(r"```liquid\n(.*?)```", TEMPLATES, re.DOTALL)
    text = Template(source, "t").render({
        "trigger": {"occurred_at": "2026-07-01T10:00:00.000Z"},
        "data": {"items": [{"quantity": 2, "name": "Tea"}, {"quantity": 1}],
                 "total": Number("10.00")},
        "customer": {"traits": {}, "zone": "Europe/Berlin"}})

    assert ["Hello you,", "- 2 x Tea", "- 1 x a product", "11.90 EUR wait since 12:00."] == [
        line for line in text.splitlines() if line]


def test_limits_are_those_of_the_code() -> None:
    """Each number stands in its row."""
    table = section(TEMPLATES, "Limits")
    for limit in (templates.SOURCE_BYTES_MAX, templates.OUTPUT_BYTES_MAX, templates.ITERATIONS_MAX,
                  templates.PARTS_MAX, templates.NESTING_MAX, templates.LOCALS_BYTES_MAX,
                  template_filters.TEXT_CHARS_MAX, template_filters.LIST_ITEMS_MAX,
                  template_filters.DIGITS_MAX):
        assert re.search(rf"\| (?:.* )?{limit:,} ", table), limit
    for limit in (MESSAGE_BYTES_MAX, email_mime.SUBJECT_CHARS_MAX, email_mime.ADDRESS_CHARS_MAX,
                  email_mime.LOCAL_CHARS_MAX, email_smtp.MAILS_MAX, email.PUBLIC_URL_CHARS_MAX):
        assert f"{limit:,} " in EMAIL, limit
    assert f"{email_smtp.IDLE_S_MAX:g} s of rest" in EMAIL


@pytest.mark.parametrize(("struct", "passed"), [
    (EmailDestination, Destination.__struct_fields__), (Smtp, ())])
def test_every_setting_has_its_row(struct: type[msgspec.Struct], passed: tuple[str, ...]) -> None:
    """With its default."""
    table = section(EMAIL, "Settings").split("| key of `smtp`")[struct is Smtp]
    said = {names(row[0])[0]: row[1].strip("`") for row in rows(table)}
    there = {field.encode_name: "required" if field.required else field.default
             for field in msgspec.structs.fields(struct) if field.name not in passed}

    assert {name: {True: "true", "": "none", None: "none"}.get(default, str(default))
            for name, default in there.items()} == said


def test_every_outcome_is_named() -> None:
    """Those that the channel gives, each once."""
    code = Path(email_smtp.__file__).read_text()
    given = set(re.findall(r'Outcome\("(?:retry|dead)", "([a-z_]+)"', code)) | {"tls",
                                                                                "answer_invalid"}
    table = section(EMAIL, "What became of it").partition("\n\n")[0]

    assert given == set(re.findall(r"(?:again|dead): `([a-z_]+)`", table))
    assert f"`{EVENT}`" in EMAIL


async def test_the_example_opens(tmp_path: Path) -> None:
    """The destination of the page, as `routes.yaml` is read, makes a mail."""
    from ruamel.yaml import YAML

    (block,) = re.findall(r"```yaml\n(.*?)```", EMAIL, re.DOTALL)
    given = YAML(typ="safe").load(block)["destinations"]["cart_mail"]
    has = resources(tmp_path, environment={"SMTP_PASSWORD": "p"})
    (tmp_path / "mails").mkdir()
    for name in ("cart.txt", "cart.html"):
        (tmp_path / name).rename(tmp_path / "mails" / name)
    channel = await email.open_channel("cart_mail", msgspec.convert(given, EmailDestination), has)

    assert "Subject: Anna, your cart is waiting" in rendered(channel, ANNA).body
    assert "FOOTFALL_HTTP_PUBLIC_URL" in code_of(EMAIL)

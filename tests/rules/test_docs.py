"""docs/rules.md says every key that the structs have, every code of the lint, every recipe."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from footfall.admin import config_yaml
from footfall.admin.config import checked
from footfall.admin.config_document import TESTS
from footfall.events import outcomes
from footfall.events.reserved_row import DeliveryPayload
from footfall.rules.check_command import REFUSED
from footfall.rules.keys import KEYS
from footfall.rules.lint import Code
from footfall.rules.recipes import names, recipe
from footfall.tables import computed_row, rules_row, rules_told
from footfall.tables.rules_book import CHAIN_MAX
from tests.test_docs import names as spans
from tests.test_docs import page, rows, section

PAGE = page("rules.md")


@pytest.mark.parametrize("heading", KEYS)
def test_every_key_is_documented(heading: str) -> None:
    """With the words that editors show, and no other key."""
    part = re.split(r"^##", PAGE.partition(f"### {heading}\n")[2], flags=re.MULTILINE)[0]
    struct, keys = KEYS[heading]
    assert set(keys) == {spans(row[0])[0] for row in rows(part)}, struct
    assert list(keys.values()) == [row[1] for row in rows(part)]


def test_every_finding_is_documented() -> None:
    assert {*get_args(Code), REFUSED} == {
        spans(row[0])[0] for row in rows(section(PAGE, "Checking"))}


def test_every_recipe_is_documented_with_its_parameters() -> None:
    documented = {spans(row[0])[0]: row for row in rows(section(PAGE, "Recipes"))}
    assert documented.keys() == set(names())
    for name, row in documented.items():
        found = recipe(name)
        assert found.about == row[1]
        assert [f"`--{one.name}` {one.usual}" for one in found.parameters] == row[2].split(", ")


def test_limits_are_those_of_the_code() -> None:
    text = section(PAGE, "Limits").replace(",", "")
    for limit in (rules_row.RULES_MAX, rules_row.SEGMENTS_MAX, rules_row.CONDITIONS_MAX,
                  rules_row.CONDITION_DEPTH_MAX, computed_row.IN_MAX, computed_row.TEXT_CHARS_MAX,
                  rules_row.CEL_CHARS_MAX, rules_row.DATA_MAX, rules_told.WAITS_MAX,
                  rules_told.ONCE_MAX, CHAIN_MAX):
        assert re.search(rf"\b{limit}\b", text), limit
    assert f"at most {rules_row.SPAN_MS_MAX // 86_400_000} days" in PAGE


def test_the_examples_can_be_applied() -> None:
    first, second = map(config_yaml.load, re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    assert first.pop(TESTS)
    assert [["big_cart_left"], ["unreachable", "remind_again"]] == [
        [one.name for one in checked(document).sections["rules"].definitions]
        for document in (first, second)]


def test_the_outcomes_and_their_properties_are_documented() -> None:
    """Where the page on rules sends those who ask."""
    text = section(page("events.md"), "Deliveries")
    for name in (*outcomes.NAMES, *outcomes.PASSIVE):
        assert f"`{name}`" in text, name
    payload = DeliveryPayload("sent", "", "", "", "", "", "")
    said = json.loads(outcomes.seen(payload, "m")["personal"])["properties"]
    assert set() == {name for name in said if f"`{name}`" not in text}


def test_the_schema_lies_beside_the_examples() -> None:
    """As the package has it: the two are links to what the repository shows at its top."""
    root = Path(__file__).parents[2]
    for name in ("examples", "rules.schema.json"):
        linked = root / "src/footfall/rules" / name
        assert (root / "rules" / name) == linked.resolve()

"""A trigger as each role sees it: nothing above its clearance, and all that lies below."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from footfall import tables
from footfall.events.schema_rules import CLASSES
from footfall.view.why_classes import ExplanationMask

MASK = ExplanationMask(tables.ALL)
HEAD = {"trigger_id": "0" * 32, "customer_key": "user_id:K", "ids": {"email": "ann@example.org"},
        "occurred_at": "", "emitted_at": "", "config_version": "1:x", "held_out": False}
RULE = {"rule": "win_back", "version": 3, "cooldown": "7d",
        "on": {"call": "page", "conditions": [
            {"condition": {"field": "event.properties.plan", "equals": "pro"},
             "value": "personal-plan", "holds": True}]},
        "conditions": [
            {"condition": {"field": "orders.count", "at_least": 3}, "value": "4", "holds": True},
            {"condition": {"field": "event.properties.plan", "equals": "pro"},
             "value": "personal-plan", "holds": True},
            {"condition": "of another Footfall", "value": "personal-plan"}, "odd"]}


def seen(clearance: Any, name: str, data: Any, evidence: Any) -> tuple[Any, str]:
    shown = MASK.trigger({**HEAD, "name": name, "data": data, "evidence": evidence}, clearance)
    return shown, msgspec.json.encode(shown).decode()


def test_who_sees_everything_gets_it_as_it_is() -> None:
    shown, _text = seen("sensitive", "of_another_footfall", {"x": 1}, {"y": 2})
    assert ({"x": 1}, {"y": 2}, HEAD["ids"]) == (shown["data"], shown["evidence"], shown["ids"])


def test_values_of_a_rule_are_masked_and_its_thresholds_are_not() -> None:
    shown, text = seen("internal", "win_back", {"plan": "personal-plan"}, RULE)
    assert "personal-plan" not in text
    assert "ann@example.org" not in text
    evidence = shown["evidence"]
    assert ("win_back", "7d", "page") == (evidence["rule"], evidence["cooldown"],
                                          evidence["on"]["call"])
    assert RULE["conditions"][0] == evidence["conditions"][0]
    assert {"masked": "personal"} == evidence["conditions"][1]["value"]
    assert "pro" == evidence["conditions"][1]["condition"]["equals"]
    assert {"plan": {"masked": "personal"}} == shown["data"]
    assert RULE["on"]["conditions"][0]["value"] == "personal-plan"  # the original is untouched


def test_a_role_that_may_see_persons_sees_a_rules_values() -> None:
    shown, _text = seen("personal", "win_back", {"plan": "personal-plan"}, RULE)
    assert RULE["conditions"][1] == shown["evidence"]["conditions"][1]
    assert {"masked": "sensitive"} == shown["evidence"]["conditions"][3]
    assert {"plan": "personal-plan"} == shown["data"]


@pytest.mark.parametrize("evidence", [
    {"rule": "r", "on": {}, "conditions": "secret"}, {"rule": "r", "on": {"conditions": "secret"}},
    {"rule": "r", "on": {}, "conditions": [["secret"], {"value": "secret"}]},
    {"rule": "r", "on": "secret"}, {"rule": {"x": "secret"}}])
def test_evidence_of_any_shape_hides_what_nobody_has_classed(evidence: Any) -> None:
    _shown, text = seen("internal", "of_another_footfall", {}, evidence)
    assert "secret" not in text


@pytest.mark.parametrize("clearance", CLASSES[:-1])
@pytest.mark.parametrize("name", [name for table in tables.ALL for name in table.triggers])
def test_a_field_that_somebody_adds_is_not_seen_by_chance(name: str, clearance: Any) -> None:
    """Not by the lowest role in any trigger, and of a table of persons by none below it."""
    table = next(t for t in tables.ALL if name in t.triggers)
    highest = max(table.classes.values(), key=CLASSES.index, default="sensitive")
    shown, _text = seen(clearance, name, {"added": "x"}, {"added": "x"})
    if CLASSES.index(clearance) < CLASSES.index("internal"):
        assert {"masked"} == shown["data"]["added"].keys() == shown["evidence"]["added"].keys()
    if clearance == highest:
        assert "x" == shown["data"]["added"]

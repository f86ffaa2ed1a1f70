"""The lint of rules: what cannot be meant is found, and what can be is left alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from footfall import tables
from footfall.rules.lint import Finding, lint
from footfall.tables.config import Config

NOW = 1_700_000_000_000
ORDERED = {"call": "track", "event": "Order Completed"}
VIEWED = {"call": "track", "event": "Product Viewed"}


def found(*rules: dict[str, Any], segments: list[dict[str, Any]] | None = None,
          known: list[str] | None = None) -> list[Finding]:
    document = {"rules": {"definitions": rules}, "segments": {"definitions": segments or []}}
    config = Config(tables.ALL, 1, msgspec.json.encode(document))
    return lint(tables.ALL, config, NOW, known or [])


def rule(name: str = "a", on: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": 1, "on": on or ORDERED, **more}


def segment(name: str, condition: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": 1, "if": condition}


def codes(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.level, one.code) for one in findings]


def count(**more: Any) -> dict[str, Any]:
    return {"of": "count", "over": VIEWED, "window": "24h", **more}


def average(**more: Any) -> dict[str, Any]:
    return {"of": "average", "value": "properties.total", "over": ORDERED, **more}


def last(**more: Any) -> dict[str, Any]:
    return {"of": "last", "value": "properties.plan", "over": ORDERED, **more}


def since(**more: Any) -> dict[str, Any]:
    return {"of": "time_since_last", "over": VIEWED, **more}


NEVER = [
    {"all": [count(greater=5), count(less=3)]},
    {"all": [count(greater=2), count(less=3)]},
    {"all": [average(at_least=3), average(less=3)]},
    {"all": [average(at_most="2.5"), average(greater=2.5)]},
    {"all": [last(equals="gold"), last(equals="free")]},
    {"all": [last(equals="gold"), last(**{"in": ["free", "basic"]})]},
    {"all": [last(equals="gold"), last(not_equals="gold")]},
    {"all": [last(equals="gold"), last(exists=False)]},
    {"all": [last(equals="gold"), {"none": [last(equals="gold")]}]},
    {"all": [count(equals=5), count(less=3)]},
    {"all": [average(at_least=10), {"none": [average(at_least=5)]}]},
    {"all": [last(equals="gold"), {"all": [last(equals="free"), count(less=9)]}]},
    {"all": [since(older_than="7d"), since(newer_than="3d")]},
    count(less=0),
    count(exists=False),
    {"any": [count(less=0), count(at_most=-1)]},
    {"none": [count(at_least=0)]},
    # Of a list neither: none may be equal.
    {"all": [{"field": "event.properties.a", "equals": 1},
             {"field": "event.properties.a", "not_equals": 1}]},
    {"all": [{"field": "event.properties.a", "greater": 1},
             {"field": "event.properties.a", "exists": False}]},
    {"all": [{"segment": "buyers"}, {"none": [{"segment": "buyers"}]}]},
    {"all": [{"segment": "buyers"}, {"of": "count", "over": ORDERED, "equals": 0}]},
    {"field": "event.type", "equals": "page"},
]
ALWAYS = [
    count(at_least=0),
    count(greater=-1),
    {"any": [count(at_least=0), last(equals="gold")]},
    {"any": [last(equals="gold"), {"field": "event.properties.a", "exists": True},
             {"field": "event.properties.a", "exists": False}]},
    {"any": [{"field": "event.properties.a", "equals": 1},
             {"field": "event.properties.a", "not_equals": 1}]},
    {"none": [count(less=0)]},
    {"of": "sum", "value": "properties.total", "over": ORDERED, "exists": True},
]
DEPENDS = [
    {"all": [count(at_least=2), count(less=3)]},
    {"all": [count(greater=2), count(at_most=3)]},
    {"all": [average(greater=2), average(less=3)]},
    {"all": [average(at_least=3), average(at_most=3)]},
    {"all": [last(equals="gold"), last(**{"in": ["gold", "free"]})]},
    {"all": [last(**{"in": ["gold", "free"]}), last(not_equals="gold")]},
    {"all": [since(older_than="3d"), since(newer_than="7d")]},
    {"all": [count(greater=5), {**count(less=3), "window": "1h"}]},
    {"all": [count(greater=5), {**count(less=3), "over": ORDERED}]},
    # An array may have one of each.
    {"all": [{"field": "event.properties.a", "greater": 5},
             {"field": "event.properties.a", "less": 3}]},
    {"all": [{"field": "event.properties.a", "equals": "x"},
             {"field": "event.properties.a", "equals": "y"}]},
    {"any": [count(greater=5), count(less=3)]},
    {"none": [count(greater=5), count(less=3)]},
    {"all": [{"field": "event.properties.a", "equals": 5},
             {"field": "event.properties.a", "equals": "5"}]},
    {"of": "sum", "value": "properties.total", "over": ORDERED, "less": 0},
    {"segment": "buyers"},
    last(exists=False),
]
BUYERS = segment("buyers", {"of": "count", "over": ORDERED, "at_least": 1})


@pytest.mark.parametrize("condition", NEVER, ids=repr)
def test_a_condition_that_never_holds_is_an_error(condition: dict[str, Any]) -> None:
    findings = found(rule(**{"if": condition}), segments=[BUYERS])
    assert ("error", "always_false") in codes(findings)
    assert [] == [one for one in findings if one.code not in ("always_false", "always_true")]
    assert all(one.path[:4] == ("rules", "definitions", 0, "if") for one in findings)


@pytest.mark.parametrize("condition", ALWAYS, ids=repr)
def test_a_condition_that_always_holds_is_a_warning(condition: dict[str, Any]) -> None:
    findings = codes(found(rule(**{"if": condition}), segments=[BUYERS]))
    assert ("warning", "always_true") in findings or ("warning", "always_false") in findings
    assert "error" not in {level for level, _code in findings}


@pytest.mark.parametrize("condition", DEPENDS, ids=repr)
def test_a_condition_that_may_hold_is_left_alone(condition: dict[str, Any]) -> None:
    assert [] == found(rule(**{"if": condition}), segments=[BUYERS])


def test_a_finding_leads_to_the_member_that_contradicts() -> None:
    one, = found(rule(**{"if": {"all": [
        count(greater=5), {"all": [last(exists=True), count(less=3)]}]}}))
    assert ("rules", "definitions", 0, "if", "all", 1, "all", 1) == one.path
    assert "is never true: count over 24h cannot be greater 5 and less 3" == one.message


def test_what_a_rule_acts_on_and_its_condition_are_taken_together() -> None:
    one, = found(rule(on={"when": count(at_least=5)}, **{"if": count(less=3)}))
    assert ("error", "always_false") == (one.level, one.code)
    assert "it" in one.message
    assert [] == found(rule(on={"when": count(at_least=5), "becomes": False},
                            **{"if": count(less=3)}))
    one, = found(rule(on={"enters": "buyers"},
                      **{"if": {"of": "count", "over": ORDERED, "equals": 0}}),
                 segments=[BUYERS])
    assert "error" == one.level
    one, = found(rule(on={"leaves": "buyers"}, **{"if": {"segment": "buyers"}}), segments=[BUYERS])
    assert ("rules", "definitions", 0, "if") == one.path


def test_a_segment_that_nobody_or_everybody_is_in() -> None:
    nobody, everybody = segment("nobody", count(less=0)), segment("everybody", count(at_least=0))
    findings = found(rule("a", {"enters": "nobody"}), rule("b", {"leaves": "everybody"}),
                     rule("c", {"enters": "everybody"}), segments=[nobody, everybody])
    assert [("rules", 0, "error", "never_fires"), ("rules", 1, "error", "never_fires"),
            ("segments", 0, "error", "always_false"), ("segments", 1, "warning", "always_true"),
            ] == [(one.path[0], one.path[2], one.level, one.code) for one in findings]


def test_a_rule_that_has_ended_and_those_that_act_on_it() -> None:
    findings = found(rule("a", ends_at="2023-11-14T22:13:20Z"), rule("b", {"trigger": "a"}),
                     rule("c", {"trigger": "b"}), rule("d", ends_at="2023-11-14T22:13:21Z"))
    assert [("a", "ended"), ("b", "never_fires"), ("c", "never_fires")] == [
        (one.name, one.code) for one in findings]
    assert {"warning"} == {one.level for one in findings}


def test_a_wait_that_what_begins_it_ends() -> None:
    """As the engine does: of one event the end is taken with the beginning."""
    for over in (VIEWED, {}, {"call": "track"}, {"call": "track", "event": "product_viewed"}):
        one, = found(rule(on=VIEWED, wait="30m", unless=over))
        assert ("error", "never_fires", "unless") == (one.level, one.code, one.path[-1])
    for over in (ORDERED, {"call": "page"},
                 {**VIEWED, "where": {"path": "properties.a", "exists": True}}):
        assert [] == found(rule(on=VIEWED, wait="30m", unless=over))


def test_a_condition_that_cannot_become_false_and_an_effect_that_is_none() -> None:
    one, *_ = found(rule(on={"when": count(at_least=0), "becomes": False}))
    assert ("error", "never_fires") in codes([one, *_])
    one, = found(rule(once=True, cooldown="7d"))
    assert ("warning", "no_effect") == (one.level, one.code)
    assert [] == found(rule(once=True, cooldown="7d", key="event.properties.shop"))


def test_expires_before_any_wait_can_be_told() -> None:
    document = {"rules": {"definitions": [rule(wait="1h", expires="1s")]}, "clock": {"grace_s": 2}}
    config = Config(tables.ALL, 1, msgspec.json.encode(document))
    one, = lint(tables.ALL, config, NOW)
    assert ("error", "never_fires") == (one.level, one.code)
    assert [] == found(rule(wait="1h", expires="1s"))


def test_rules_and_segments_that_say_the_same() -> None:
    one, = found(rule("a"), rule("b", version=3, description="again"))
    assert ("warning", "duplicate", "b") == (one.level, one.code, one.name)
    assert "says the same as 'a'" == one.message
    one, = found(segments=[segment("a", count(at_least=1)), segment("b", count(at_least=1))])
    assert "duplicate" == one.code


def test_a_rule_of_a_group_that_never_comes_first() -> None:
    high = rule("high", priority=90, group="g", **{"if": average(at_least=50)})
    low = rule("low", group="g", **{"if": {"all": [average(at_least=80), count(at_least=1)]}})
    one, = found(low, high)
    assert ("warning", "shadowed", "low") == (one.level, one.code, one.name)
    for other in (
            {**low, "group": "h"}, {**low, "wait": "1h"}, {**low, "on": VIEWED},
            {**low, "if": average(at_least=40)}, {**low, "priority": 95}):
        assert [] == found(other, high)
    for other in ({**high, "cooldown": "1h"}, {**high, "once": True}, {**high, "wait": "1h"},
                  {**high, "starts_at": "2023-01-01T00:00:00Z"}):
        assert [] == found(low, other)


def test_an_event_that_is_misspelt() -> None:
    one, = found(rule(on={"call": "track", "event": "Order Complted"}))
    assert ("hint", "event_unknown") == (one.level, one.code)
    assert "nothing else mentions 'Order Complted'; is 'Order Completed' meant?" == one.message
    assert [] == found(rule(on={"call": "track", "event": "Boat Rented"}))
    assert [] == found(rule(on={"call": "track", "event": "Order Complted"}),
                       known=["order_complted"])
    one, = found(rule(on={"call": "track", "event": "Boat Rentd"}),
                 known=["Boat Rented", "boat_rented"])
    assert "'Boat Rented'" in one.message


def test_what_becomes_of_a_delivery_is_no_event_of_customers() -> None:
    """`{}` does not end a wait for it; its names are known."""
    sent = {"call": "delivery", "event": "delivery_sent"}
    assert [] == found(rule(on=sent, wait="2d", unless={}))
    assert [] == found(rule(on=sent, wait="2d", unless={**sent, "event": "delivery_opened"}))
    one, = found(rule(on=sent, wait="2d", unless={"call": "delivery"}))
    assert ("error", "never_fires", "unless") == (one.level, one.code, one.path[-1])
    one, = found(rule(on=sent, **{"if": {"field": "event.type", "equals": "track"}}))
    assert ("error", "always_false") == (one.level, one.code)

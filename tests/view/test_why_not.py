"""Why a rule did not fire: what is said follows from what was recorded of that rule alone."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall import tables
from footfall.tables import rules_outcomes
from footfall.tables.config import Config
from footfall.tables.record import CustomerRecord
from footfall.tables.rules_conditions import code_of
from footfall.tables.rules_outcomes import OUTCOMES
from footfall.tables.rules_row import Condition, Rule, RulesConfig, span_ms
from footfall.tables.rules_told import Outcome, RulesFacts, RulesTold, Standing, Wait
from footfall.tables.spec import TableSpec, keeps_own, says_nothing
from footfall.tables.stored import Row
from footfall.view.document import Held
from footfall.view.rule_text import numbered, of_condition, of_on
from footfall.view.why_classes import ExplanationMask
from footfall.view.why_not import UNSEEN, explained, why_not
from tests.tables.logs import ANNA

NOW = 1_790_000_000_000
DAY_MS = 86_400_000
CODE = code_of("offer")
OTHER = code_of("other")
INSTANTS = st.integers(NOW - 40 * DAY_MS, NOW + 40 * DAY_MS)
SPANS = st.sampled_from(("90s", "30m", "24h", "7d", "2w"))
LEAVES = st.sampled_from((
    {"field": "orders.count", "at_least": 3}, {"field": "risk.level", "equals": "high"},
    {"field": "profile.traits.plan", "in": ["a", "b"]}, {"segment": "vip"},
    {"field": "orders.last_at", "older_than": "30d"}, {"cel": "1 == 1"},
    {"of": "count", "over": {"call": "track", "event": "Order Completed"}, "window": "30d",
     "greater": 2}))
CONDITIONS = st.recursive(LEAVES, lambda inner: st.builds(
    lambda group, members: {group: members}, st.sampled_from(("all", "any", "none")),
    st.lists(inner, min_size=1, max_size=3)), max_leaves=6)
ONS = st.sampled_from((
    {"call": "track", "event": "Order Completed"}, {"trigger": "cart_abandoned"},
    {"when": {"field": "orders.count", "at_least": 3}}, {"enters": "vip"}, {"call": "page"}))


def made(**said: Any) -> Rule:
    """A rule named offer."""
    return msgspec.convert({"name": "offer", "version": 2, "on": {"call": "page"}, **said}, Rule)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    said: dict[str, Any] = {"on": draw(ONS)}
    for key, strategy in (("if", CONDITIONS), ("wait", SPANS), ("cooldown", SPANS),
                          ("once", st.just(True)), ("expires", SPANS), ("group", st.just("g"))):
        if draw(st.booleans()):
            said[key] = draw(strategy)
    if "wait" in said and draw(st.booleans()):
        said |= {"still": draw(CONDITIONS), "unless": {"call": "track", "event": "Paid"}}
    if draw(st.booleans()):
        said["starts_at"] = draw(st.sampled_from(("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z")))
    return made(**said)


STANDINGS = st.builds(Standing, st.sampled_from((CODE, OTHER)), INSTANTS, st.integers(0, 5),
                      st.booleans(), st.integers(0, 9))
WAITS = st.builds(Wait, st.sampled_from((CODE, OTHER)), st.sampled_from(("", "c1", "c2")),
                  INSTANTS, INSTANTS | st.just(0), INSTANTS | st.just(0), st.text(max_size=8))
RECORDED = st.builds(Outcome, st.sampled_from((CODE, OTHER)), INSTANTS,
                     st.sampled_from((*OUTCOMES, 200)), st.integers(0, 12),
                     st.text(max_size=8), st.text(max_size=8))


@st.composite
def tolds(draw: st.DrawFn) -> RulesTold:
    return RulesTold(
        standings=tuple(draw(st.lists(STANDINGS, max_size=3, unique_by=lambda s: s.rule))),
        waits=tuple(draw(st.lists(WAITS, max_size=4, unique_by=lambda w: (w.rule, w.key)))),
        outcomes=tuple(draw(st.lists(RECORDED, max_size=3, unique_by=lambda o: o.rule))))


@given(rules(), tolds(), INSTANTS)
def test_what_is_said_is_what_was_recorded(rule: Rule, told: RulesTold, now: int) -> None:
    """Against the rules of docs/why.md, in their order; of one rule's record alone."""
    shown = explained(rule, CODE, told, now)
    json.dumps(shown)
    ours = RulesTold(standings=tuple(s for s in told.standings if s.rule == CODE),
                     waits=tuple(w for w in told.waits if w.rule == CODE),
                     outcomes=tuple(o for o in told.outcomes if o.rule == CODE))
    assert explained(rule, CODE, ours, now) == shown

    fired = [s for s in ours.standings if s.fired]
    assert [s.fired for s in fired] == ([shown["fired"]["times"]] if shown["fired"] else [])
    # What stopped the wait of key "" stopped those of every key.
    every = max((w.stopped for w in ours.waits if not w.key), default=0)
    active = {w.key for w in ours.waits if w.started > max(w.stopped, every, w.told)}
    assert (active if rule.wait else set()) == {wait["key"] for wait in shown["waiting"]}
    cools = bool(rule.cooldown and fired and now < fired[0].fired_at + span_ms(rule.cooldown))
    assert cools == bool(shown["cooldown"] and shown["cooldown"]["until"])
    last = [o for o in ours.outcomes
            if not any(s.fired_at > o.at for s in ours.standings)]
    assert bool(last) == (shown["last"] is not None)
    if shown["waiting"]:
        expected = "waiting"
    elif last:
        expected = OUTCOMES[last[0].why][0] if last[0].why in OUTCOMES else "code_200"
    elif fired:
        expected = "fired"
    else:
        begins = rule.starts_at == "2030-01-01T00:00:00Z"
        expected = "not_started" if begins else UNSEEN
    assert (expected, True) == (shown["reason"], bool(shown["text"]))


@given(CONDITIONS)
def test_conditions_are_numbered_as_they_are_written(said: Any) -> None:
    """A group before its members; below `none` it is what holds that is in the way."""
    seen: list[tuple[Any, bool]] = []

    def walk(one: Any, must_hold: bool) -> None:
        seen.append((one, must_hold))
        for group in ("all", "any", "none"):
            for member in one.get(group, ()):
                walk(member, must_hold != (group == "none"))

    walk(said, True)
    found = numbered(msgspec.convert(said, Condition))
    assert list(range(1, len(seen) + 1)) == [one.number for one in found]
    assert seen == [(json.loads(msgspec.json.encode(one.condition)), one.must_hold)
                    for one in found]


@pytest.mark.parametrize(("said", "text"), [
    ({"field": "orders.count", "at_least": 3}, "orders.count at_least 3"),
    ({"field": "profile.traits.plan", "in": ["a", "b"]}, "profile.traits.plan in a, b"),
    ({"field": "profile.traits.vip", "exists": False}, "profile.traits.vip exists false"),
    ({"segment": "vip"}, "in segment vip"), ({"cel": "a > 1"}, "a > 1"),
    ({"of": "sum", "over": {"call": "track", "event": "Order Completed"}, "window": "30d",
      "value": "properties.total", "less": "10.50"},
     "sum properties.total over track Order Completed in 30d less 10.50"),
    ({"of": "count", "over": {}, "greater": 2}, "count over any event greater 2"),
    ({"any": [{"segment": "a"}, {"none": [{"segment": "b"}]}]},
     "any of (in segment a; none of (in segment b))")])
def test_a_condition_reads_as_it_is_written(said: Any, text: str) -> None:
    assert text == of_condition(msgspec.convert(said, Condition))


@pytest.mark.parametrize(("said", "text"), [
    ({"call": "track", "event": "Order Completed"}, "track Order Completed"),
    ({"call": "page"}, "page"), ({"trigger": "cart_abandoned"}, "trigger cart_abandoned"),
    ({"enters": "vip"}, "entering segment vip"), ({"leaves": "vip"}, "leaving segment vip"),
    ({"when": {"segment": "vip"}, "becomes": False}, "in segment vip becoming false"),
    ({"schedule": {"at": "09:00", "days": ["mon"]}},
     "09:00 on mon in the customer's zone, else UTC")])
def test_what_a_rule_acts_on_reads_as_it_is_written(said: Any, text: str) -> None:
    assert text == of_on(made(on=said).on)


@pytest.mark.parametrize(("why", "said", "text"), [
    (rules_outcomes.CONDITION, {"if": {"all": [{"segment": "vip"}, {
        "field": "orders.count", "at_least": 3}]}},
     "of `if`: orders.count at_least 3 did not hold"),
    (rules_outcomes.CONDITION, {"if": {"none": [{"segment": "vip"}, {
        "field": "orders.count", "at_least": 3}]}},
     "of `if`: orders.count at_least 3 held, and must not"),
    (rules_outcomes.STILL, {"wait": "30m", "still": {"any": [{"segment": "vip"}, {
        "field": "orders.count", "at_least": 3}]}},
     "of `still`: orders.count at_least 3 did not hold"),
    # Since then the rule has lost that condition: what was said stands, without it.
    (rules_outcomes.CONDITION, {"if": {"segment": "vip"}}, "a condition of `if` did not hold"),
    (rules_outcomes.UNLESS, {"wait": "30m", "unless": {"call": "track", "event": "Paid"}},
     "an event of `unless` came while it waited: track Paid"),
    (rules_outcomes.NOT_STARTED, {"starts_at": "2030-01-01T00:00:00Z"},
     "the rule had not started: `starts_at` 2030-01-01T00:00:00Z"),
    (rules_outcomes.OUTRANKED, {"group": "offers"},
     "another rule of its group fired in the same step: offers")])
def test_the_condition_that_failed_is_named_with_its_threshold(why: int, said: Any, text: str
                                                               ) -> None:
    told = RulesTold(outcomes=(Outcome(CODE, NOW, why, 3, "2"),))
    shown = explained(made(**said), CODE, told, NOW)
    assert text == shown["text"]
    assert "2" == shown["last"]["value"]
    if "at_least" in text:
        assert (3, "at_least", "orders.count") == tuple(
            shown["last"]["condition"][name] for name in ("threshold", "operator", "field"))


def test_a_cooldown_says_until_when() -> None:
    rule = made(cooldown="7d")
    told = RulesTold(standings=(Standing(CODE, NOW - DAY_MS, 1),),
                     outcomes=(Outcome(CODE, NOW - 1, rules_outcomes.COOLDOWN),))
    shown = explained(rule, CODE, told, NOW)
    assert "it may fire again from 2026-09-27T" in shown["text"]
    assert shown["cooldown"]["until"] in shown["text"]
    without = explained(made(), CODE, told, NOW)
    assert ("cooldown", None) == (without["reason"], without["cooldown"]), "it has none any more"
    over = explained(rule, CODE, told, NOW + 7 * DAY_MS)
    assert ("cooldown", None) == (over["reason"], over["cooldown"]["until"])


# -- of a customer as it is held -------------------------------------------------------------------

#: The table as far as it matters here, where there is none yet.
RULES: TableSpec[Any, Any, Any] = TableSpec(
    name="rules", version=1, facts=RulesFacts, told=RulesTold, config=RulesConfig,
    wants=lambda _event: False, observe=lambda facts, _event, _when: facts,
    announce=says_nothing, merge_facts=keeps_own, merge_told=keeps_own)
TABLES = tables.ALL if any(t.name == "rules" for t in tables.ALL) else (*tables.ALL, RULES)


def held(told: RulesTold | None, *definitions: dict[str, Any], **sections: Any) -> Held:
    """A customer with what was told, under these rules, whatever they name."""
    config = Config(TABLES, 1, msgspec.json.encode(sections))
    config.sections = {**config.sections, "rules": RulesConfig(tuple(
        made(**said) for said in definitions))}
    rows = {} if told is None else {"rules": Row(1, RulesFacts(), told)}
    return Held(CustomerRecord(), rows, 0, NOW, config, 0)


def test_of_an_unknown_rule_those_alike_are_named() -> None:
    there = [{"name": name} for name in ("welcome", "win_back", "win_back_late", "review")]
    shown = why_not(ANNA, held(None, *there), "winback", NOW)
    assert ("rule_unknown", ["win_back", "win_back_late"]) == (shown["reason"], shown["alike"])
    assert "4 rules are in force" in shown["text"]
    assert "rule_unknown" == why_not(ANNA, held(None), "x" * 10_000, NOW)["reason"]


def test_of_a_customer_without_a_row_nothing_was_seen() -> None:
    shown = why_not(ANNA, held(None, {"name": "offer", "on": {"trigger": "cart_abandoned"}}),
                    "offer", NOW)
    assert UNSEEN == shown["reason"]
    assert shown["text"].endswith("trigger cart_abandoned")
    assert ANNA.decode() == shown["customer_key"]


@pytest.mark.parametrize(("gate", "said", "reason", "closed"), [
    ({}, {}, UNSEEN, []),
    ({"cart": "necessary"}, {"on": {"trigger": "cart_abandoned"}}, UNSEEN, []),
    ({"cart": "ads"}, {"on": {"trigger": "cart_abandoned"}}, "consent", ["cart"]),
    ({"cart": "ads"}, {"on": {"when": {"field": "cart.value.EUR", "greater": 9}}}, "consent",
     ["cart"]),
    ({"computed": "ads"}, {"on": {"when": {"of": "count", "over": {}, "greater": 9}}}, "consent",
     ["computed"]),
    # It would be asked all the same; but what it asks for is not there.
    ({"orders": "ads", "cart": "ads"}, {"if": {"none": [{"field": "orders.count", "less": 1}]}},
     UNSEEN, ["orders"]),
    ({"personal": "ads"}, {}, UNSEEN, ["personal"])])
def test_what_the_consent_gate_keeps_out_is_said(gate: dict[str, str], said: Any, reason: str,
                                                 closed: list[str]) -> None:
    """Of what the rule acts on or asks for; that it is why, where nothing else can have come."""
    shown = why_not(ANNA, held(None, {"name": "offer", **said}, consent={"gate": gate}), "offer",
                    NOW)
    assert (reason, [{"what": what, "purpose": "ads", "status": "unknown"} for what in closed]) == (
        shown["reason"], shown["consent"])


@pytest.mark.parametrize(("condition", "said"), [
    ({"field": "profile.traits.plan", "equals": "pro"}, "personal"),
    ({"field": "event.properties.email", "equals": "a"}, "personal"),
    ({"field": "event.name", "equals": "a"}, None), ({"field": "orders.count", "less": 2}, None),
    ({"field": "risk.level", "equals": "high"}, "personal"),
    ({"field": "engagement.level", "equals": "high"}, None), ({"cel": "a"}, "personal"),
    ({"field": "engagement.devices.id", "equals": "d"}, "personal"),
    ({"segment": "vip"}, None), ({"of": "count", "over": {}, "less": 2}, "personal")])
def test_a_value_is_masked_by_the_class_of_its_field(condition: Any, said: str | None) -> None:
    """Thresholds are of the configuration: everybody sees them. Nor does the sentence tell."""
    told = RulesTold(outcomes=(Outcome(CODE, NOW, rules_outcomes.CONDITION, 1, "found-value"),))
    shown = why_not(ANNA, held(told, {"name": "offer", "if": condition}), "offer", NOW)
    mask = ExplanationMask(TABLES)
    for clearance, is_masked in (("internal", said is not None), ("personal", False),
                                 ("sensitive", False)):
        seen = mask.why_not(shown, clearance)  # type: ignore[arg-type]
        assert ({"masked": said} if is_masked else "found-value") == seen["last"]["value"]
        assert is_masked == ("found-value" not in json.dumps(seen))
        assert shown["text"] == seen["text"]


def test_the_key_of_a_wait_is_masked_as_what_an_event_carried() -> None:
    told = RulesTold(waits=(Wait(CODE, "secret-cart", NOW),))
    rule = {"name": "offer", "wait": "30m", "key": "event.properties.cart_id"}
    shown = why_not(ANNA, held(told, rule), "offer", NOW)
    assert "secret-cart" == shown["waiting"][0]["key"]
    assert "secret-cart" not in json.dumps(ExplanationMask(TABLES).why_not(shown, "internal"))
    assert "secret-cart" in json.dumps(ExplanationMask(TABLES).why_not(shown, "personal"))


def test_a_condition_of_another_version_of_the_rule_is_not_read_as_one_of_this() -> None:
    told = RulesTold(outcomes=(
        Outcome(CODE, NOW, rules_outcomes.CONDITION, 1, "2", "m1", 7),))
    rule = {"name": "offer", "version": 8, "if": {
        "field": "event.properties.plan", "equals": "pro"}}
    last = why_not(ANNA, held(told, rule), "offer", NOW)["last"]
    assert (7, None, "2") == (last["version"], last["condition"], last["value"])

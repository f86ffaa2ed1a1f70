"""Why and why-not of what the engine of rules does: every trigger, and every other answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from footfall import testing
from footfall.tables.outputs import TRIGGER
from footfall.tables.rules_outcomes import OUTCOMES
from footfall.view.document import Document, Held
from footfall.view.why import why
from footfall.view.why_not import UNSEEN, why_not

PAGE = {"call": "page"}
RULES: list[dict[str, Any]] = [
    {"name": "plain", "on": PAGE},
    {"name": "pro", "on": PAGE, "if": {"all": [
        {"field": "event.properties.plan", "equals": "pro"},
        {"field": "event.properties.price", "at_least": 10}]}},
    {"name": "not_pro", "on": PAGE, "if": {"none": [
        {"field": "event.properties.plan", "equals": "pro"}]}},
    {"name": "cools", "on": PAGE, "cooldown": "1h"},
    {"name": "once", "on": PAGE, "once": True},
    {"name": "waits", "on": PAGE, "wait": "30m", "unless": {"call": "track", "event": "Paid"}},
    {"name": "holds_out", "on": PAGE, "holdout_percent": 99},
    {"name": "late", "on": PAGE, "starts_at": "2030-01-01T00:00:00Z"},
    {"name": "early", "on": PAGE, "ends_at": "2020-01-01T00:00:00Z"},
    {"name": "first", "on": PAGE, "group": "g", "priority": 90},
    {"name": "second", "on": PAGE, "group": "g", "priority": 10},
    {"name": "chained", "on": {"trigger": "plain"}},
    {"name": "paid", "on": {"call": "track", "event": "Paid"}}]
SEEN = ("anna", "ben")


def shop() -> Any:
    return testing.Harness({"rules": {"definitions": [{"version": 1, **rule} for rule in RULES]}})


def view(harness: Any, user: str, **properties: Any) -> None:
    harness.send(type="page", userId=user, name="Home", properties=properties)


def explained(harness: Any, rule: str, user: str) -> Document:
    """As the worker that owns the customer answers."""
    key = harness.identifier(f"user_id:{user}").key.encode()
    fold = harness._log.fold_of(key)
    rows = {t.name: row for t in fold.tables if (row := fold.row(key, t.name)) is not None}
    held = Held(fold.records.peek(key), rows, fold.partition, fold.clock, fold.config, 0)
    return why_not(key, held, rule, harness._now)


def told(harness: Any) -> list[Document]:
    """Every trigger, explained."""
    codec = harness._log.installation.codecs.trigger
    return [why(codec.decode(output.value)) for _partition, output in harness._log.sent
            if output.kind == TRIGGER]


def test_each_rule_that_did_not_fire_says_why() -> None:
    """One by one, as somebody would ask."""
    harness = shop()
    view(harness, "anna", plan="basic", price=5)
    harness.advance("1m")
    view(harness, "anna", plan="pro", price=5)
    harness.advance("1m")
    found = {rule["name"]: explained(harness, rule["name"], "anna") for rule in RULES}
    reasons = {name: shown["reason"] for name, shown in found.items()}
    assert {
        "plain": "fired", "pro": "condition", "not_pro": "condition", "cools": "cooldown",
        "once": "once", "waits": "waiting", "late": "not_started", "early": "ended",
        "first": "fired", "second": "outranked", "chained": "fired", "paid": UNSEEN,
        "holds_out": reasons["holds_out"]} == reasons
    assert reasons["holds_out"] in ("held_out", "fired")
    assert "event.properties.price at_least 10 did not hold" in found["pro"]["text"]
    assert "5" == found["pro"]["last"]["value"]
    assert "event.properties.plan equals pro held, and must not" in found["not_pro"]["text"]
    assert found["cools"]["cooldown"]["until"] in found["cools"]["text"]
    assert "track Paid" in found["paid"]["text"]

    harness.send(type="track", userId="anna", event="Paid", properties={})
    assert "unless" == explained(harness, "waits", "anna")["reason"]
    assert "fired" == explained(harness, "paid", "anna")["reason"]


STEPS = st.lists(
    st.tuples(st.just("page"), st.sampled_from(SEEN), st.sampled_from(("pro", "basic")),
              st.integers(1, 20))
    | st.tuples(st.just("paid"), st.sampled_from(SEEN))
    | st.tuples(st.just("pass"), st.sampled_from(("1m", "40m", "2h"))), max_size=8)


@settings(deadline=None, max_examples=30)
@given(STEPS)
def test_every_trigger_and_every_other_answer_is_explained(steps: list[Any]) -> None:
    """A trigger names its rule, what it acted on and conditions that held; where there was no
    trigger, why-not never says that it fired, and where nothing was seen it says so.
    """
    harness = shop()
    seen: set[str] = set()
    for step in steps:
        if step[0] == "pass":
            harness.advance(step[1])
            continue
        seen.add(step[1])
        if step[0] == "page":
            view(harness, step[1], plan=step[2], price=step[3])
        else:
            harness.send(type="track", userId=step[1], event="Paid", properties={})
    names = {rule["name"]: rule for rule in RULES}
    fired: dict[tuple[str, str], list[Document]] = {}
    for shown in told(harness):
        if shown["name"] not in names:
            continue
        assert ({"name": shown["name"], "version": 1}, True) == (shown["rule"], bool(shown["on"]))
        # Of `none` what is compared did not hold.
        must_hold = shown["name"] != "not_pro"
        assert all(one["holds"] is must_hold for one in shown["conditions"])
        caused = shown["caused_by"]
        assert bool(caused["message_ids"]) != bool(caused["trigger_id"])
        fired.setdefault((shown["name"], shown["ids"]["user_id"]), []).append(shown)
    reasons = {reason for reason, _text in OUTCOMES.values()} | {UNSEEN}
    for user in seen:
        for name in names:
            answer = explained(harness, name, user)
            assert answer["reason"] in reasons and answer["text"]
            triggers = fired.get((name, user), [])
            ids = {one["trigger_id"] for one in triggers}
            assert (answer["fired"] or {"times": 0})["times"] == len(ids)
            if not triggers:
                assert answer["reason"] not in ("fired", "held_out", "cooldown", "once")
            if answer["reason"] == "fired":
                # A timer is stepped at its instant, and what it tells emitted a grace later.
                last = max(datetime.fromisoformat(one["emitted_at"]) for one in triggers)
                at = datetime.fromisoformat(answer["fired"]["last_at"])
                assert timedelta() <= last - at <= timedelta(seconds=1)

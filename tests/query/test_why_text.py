"""Explanations on a terminal: all that matters is there, and nothing that a terminal obeys."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from footfall.query.why_text import why_not_text, why_text
from footfall.view.why import why
from footfall.view.why_classes import ExplanationMask
from footfall.view.why_not import explained
from tests.events.records import a_trigger
from tests.view.test_why_not import CODE, INSTANTS, TABLES, rules, tolds

JSON = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)
CONDITION = st.fixed_dictionaries({"condition": JSON | st.just(
    {"field": "orders.count", "at_least": 3}), "value": JSON, "holds": JSON})
EVIDENCE = st.dictionaries(st.text(max_size=6), JSON, max_size=3) | st.fixed_dictionaries({
    "rule": st.text(max_size=8), "version": JSON, "on": st.dictionaries(
        st.sampled_from(("call", "event", "trigger_id", "cause", "conditions")), JSON, max_size=4),
    "conditions": JSON | st.lists(CONDITION, max_size=3)})


def printed(part: Any) -> str:
    console = Console(width=200, highlight=False, force_terminal=False)
    with console.capture() as shown:
        console.print(part)
    return shown.get()


@given(EVIDENCE, st.dictionaries(st.text(max_size=6), JSON, max_size=3), st.booleans(),
       st.sampled_from(("internal", "personal", "sensitive")))
def test_whatever_was_recorded_is_shown(evidence: Any, data: Any, held_out: bool, clearance: Any
                                        ) -> None:
    """Without an error, for every role, as JSON and as text; control characters as such."""
    shown = why(a_trigger(evidence=msgspec.json.encode(evidence), held_out=held_out,
                          data=msgspec.json.encode(data)))
    seen = ExplanationMask(TABLES).why(shown, clearance)
    msgspec.json.encode(seen)
    text = printed(why_text(seen))
    assert "cart_abandoned" in text
    assert held_out == ("nobody: the customer is in the held-out part" in text)
    assert all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize(("held_out", "headline"), [
    (True, "cart_abandoned  held out"), (False, "cart_abandoned")])
def test_the_headline_says_who_was_held_out(held_out: bool, headline: str) -> None:
    """Asked of a trigger that carries nothing: its data could say "held out" as well."""
    shown = why(a_trigger(evidence=b"{}", held_out=held_out, data=b"{}"))
    assert headline == printed(why_text(shown)).splitlines()[0].rstrip()


@given(rules(), tolds(), INSTANTS)
def test_whatever_was_remembered_is_shown(rule: Any, told: Any, now: int) -> None:
    shown = {"rule": "offer", "customer_key": "user_id:x", "clock": "", "config_version": "1:a",
             "source": {"kind": "worker"}, "triggers": None,
             **explained(rule, CODE, told, now)}
    text = printed(why_not_text(shown))
    assert shown["reason"] in text
    assert all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize(("evidence", "caused"), [
    ({"message_ids": ["a", "b"]}, (["a", "b"], None)), ({"message_id": "a"}, (["a"], None)),
    ({"rule": "r", "on": {"message_id": "m"}}, (["m"], None)),
    ({"rule": "r", "on": {"trigger": "t", "trigger_id": "e" * 32}}, ([], "e" * 32)),
    ({"rule": "r", "on": {"waited_for": "30m", "cause": "m"}}, (["m"], None)),
    ({"rule": "r", "on": {"waited_for": "30m", "cause": "e" * 32}}, ([], "e" * 32)),
    ({}, ([], None))])
def test_what_caused_it_is_named(evidence: Any, caused: Any) -> None:
    shown = why(a_trigger(evidence=msgspec.json.encode(evidence)))["caused_by"]
    assert caused == (shown["message_ids"], shown["trigger_id"])

"""The demo's screen can show every trigger of every table, and of tables that come later."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.events.codec import TriggerRecord
from footfall.up.demo_line import describe


def made(name: str, data: Any, evidence: Any = None, **ids: str) -> TriggerRecord:
    """A trigger with this in it."""
    return TriggerRecord(
        trigger_id="t1", name=name, customer_key="user_id:abc", occurred_at=0, emitted_at=0,
        config_version="0:0", data=json.dumps(data).encode(), key_id=None,
        evidence=json.dumps(evidence or {}).encode(),
        personal=json.dumps({"ids": ids}).encode(), held_out=False)


LINE = {"quantity": "2", "name": "Mug", "product_id": "p1"}


@pytest.mark.parametrize(("data", "evidence", "text"), [
    ({"cart_id": "c1", "value": {"EUR": "9.90"}, "lines": [LINE]},
     {"idle_s": "5", "deadline": "x"}, "c1  9.90 EUR  2 x Mug  no move for 5 s"),
    ({"cart_id": "c1", "order_id": "o1", "value": {"EUR": "9.90"}, "currency": "EUR",
      "after_ms": 1500}, {}, "o1  9.90 EUR  ordered 1.5 s after it was left"),
    ({"order_id": "o1", "value": "9.90", "currency": "EUR", "lines": [LINE] * 5}, {},
     "o1  9.90 EUR  2 x Mug + 2 x Mug + 2 x Mug and 2 more"),
    ({"order_id": "o1", "amount": "3", "value": "9.90", "currency": "EUR"}, {}, "o1  3 EUR"),
    ({"order_id": "o1", "amount": None, "value": None, "currency": ""}, {}, "o1"),
    ({"level": "high", "previous": "low", "score": 80, "factors": [
        {"name": "velocity", "points": 0}, {"name": "failed_logins", "points": 38},
        {"name": "failed_payments", "points": 40}]}, {},
     "low -> high, score 80  failed_payments 40, failed_logins 38"),
    ({"from": "low", "to": "medium", "score": 41, "parts": {}}, {}, "low -> medium, score 41"),
    ({"number": 2, "away_ms": 3_600_000}, {"idle_s": "1800"}, "session 2  back after 60 min"),
    ({"number": 3, "away_ms": 5 * 86_400_000 - 1}, {}, "session 3  back after 4 days"),
    ({"number": 1, "away_ms": None}, {"idle_s": "1800"}, "session 1"),
    ({"later": "thing", "n": 3, "deep": {"a": 1}}, {}, "later thing  n 3"),
    ({}, {}, ""),
])
def test_a_trigger_is_a_readable_line(data: Any, evidence: Any, text: str) -> None:
    assert text == describe(made("any", data, evidence, user_id="ann")).text


def test_who_it_is_about_is_shown_without_orders_to_the_terminal() -> None:
    assert "ann" == describe(made("any", {}, anonymous_id="a1", user_id="ann")).customer
    assert "user_id:abc" == describe(made("any", {})).customer
    shown = describe(made("any", {"cart_id": "\x1b[2J"}, user_id="\x07"))
    assert ("\\x07", "\\x1b[2J") == (shown.customer, shown.text)


AMOUNT = st.none() | st.text(max_size=5) | st.dictionaries(st.text(max_size=3), st.text(max_size=5))


@given(data=st.dictionaries(
    st.sampled_from(["value", "amount", "currency", "from", "to", "level", "order_id", "cart_id"]),
    AMOUNT))
def test_no_form_of_a_value_fails(data: dict[str, Any]) -> None:
    """Some tables have text where others have a mapping, or null."""
    shown = describe(made("any", data))
    assert "any" == shown.name
    assert shown.text.isprintable()

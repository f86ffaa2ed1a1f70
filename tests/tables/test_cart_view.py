"""What people are shown of carts and identifiers is what the oracle says, and what was told."""

from __future__ import annotations

import json
from datetime import datetime
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from footfall.tables import cart, identity
from footfall.tables.cart_row import CartConfig, CartFacts, CartTold
from footfall.tables.fold import Fold
from footfall.tables.spec import NoConfig
from tests import oracle
from tests.tables import events
from tests.tables.logs import ANNA, BERT, START, Appended, config, fold, tick
from tests.tables.test_oracle import _logs


def shown(folded: Fold, key: bytes = ANNA, now: int = START) -> dict[str, Any]:
    """The view as its readers get it."""
    row = folded.row(key, "cart")
    assert row is not None and cart.TABLE.view is not None
    made = cart.TABLE.view(row.facts, row.told, now, folded.config.sections["cart"])
    read: dict[str, Any] = json.loads(msgspec.json.encode(made))
    return read


def moment(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def contents(view: dict[str, Any]) -> dict[str, oracle.CartContent]:
    """Carts that hold products, in the oracle's terms."""
    return {c["cart_id"]: oracle.CartContent(
        {(x["product_id"], x["variant"]): (
            Fraction(x["quantity"]), None if x["price"] is None else Fraction(x["price"]),
            x["currency"]) for x in c["lines"]},
        {currency: Fraction(v) for currency, v in c["value"].items()},
        moment(c["last_activity"])) for c in view["carts"] if c["lines"]}


@settings(deadline=None, max_examples=200)
@given(_logs())
def test_carts_are_those_of_the_oracle_and_states_are_what_was_told(log: list[Appended]) -> None:
    """Over late events, outages and configuration; after a long silence none is open."""
    log = [*log, tick(log[-1].at + 30_000), tick(log[-1].at + 60_000), tick(log[-1].at + 200_000)]
    expected = oracle.fold(log)
    folded = fold(log)
    now = folded.clock
    for key in (ANNA, BERT):
        if folded.row(key, "cart") is None:
            assert key not in expected.carts
            continue
        view = shown(folded, key, now)
        assert expected.carts.get(key, {}) == contents(view)
        causes = {(name, cart_id, deadline)
                  for k, name, cart_id, deadline in expected.triggers if k == key}
        for left in view["abandonments"]:
            deadline = moment(left["deadline"])
            assert ("cart_abandoned", left["cart_id"], deadline) in causes
            if ("cart_recovered", left["cart_id"], deadline) in causes:
                assert left["recovered"]
        for one in view["carts"]:
            assert now - moment(one["last_activity"]) == one["idle_ms"]
            assert (one["state"] in ("abandoned", "recovered")) == bool(one["lines"])
            assert one["deadline"] is None


def at(*log: Appended, until: int = START) -> dict[str, Any]:
    folded = fold([*log, tick(until)])
    (one,) = shown(folded, ANNA, until)["carts"]
    return dict(one)


ADDED = Appended(START, ANNA, events.added(START, "m1", price="9.90", quantity="2"))


def test_an_open_cart_says_when_it_will_be_abandoned() -> None:
    """And how long it has been left alone."""
    one = at(config(START, 1, idle_s=60), ADDED, until=START + 1_500)

    assert ("open", {"EUR": "19.8"}, 1_500, START + 60_000) == (
        one["state"], one["value"], one["idle_ms"], moment(one["deadline"]))


def test_a_deadline_that_is_past_but_not_told_is_still_open() -> None:
    """A reader must not see what no receiver was told: it waits for its grace."""
    assert "open" == at(ADDED, until=START + 1_800_100)["state"]
    assert "abandoned" == at(ADDED, until=START + 1_800_501)["state"]


@pytest.mark.parametrize(("event", "state"), [
    (events.ordered(START + 1, "m2", total="5"), "ordered"),
    (events.removed(START + 1, "m2", quantity="2"), "empty"),
    (events.viewed(START + 1, "m2"), "empty")])
def test_what_emptied_a_cart_is_told(event: Any, state: str) -> None:
    """An order, or the customer."""
    event["commerce"]["cart_id"] = "c1"
    added = events.added(START, "m1", quantity="2", cart_id="c1")
    folded = fold([Appended(START, ANNA, added), Appended(START + 1, ANNA, event)])

    assert [(state, [], None)] == [(c["state"], c["lines"], c["deadline"])
                                   for c in shown(folded)["carts"] if c["cart_id"] == "c1"]


def test_an_order_and_what_it_recovered() -> None:
    """Newest first, amounts exact."""
    late = START + 1_800_600
    order = Appended(late, ANNA, events.ordered(late, "m2", order_id="o1", total="0.000000001"))
    view = shown(fold([ADDED, tick(START + 1_800_501), order]), now=late)

    assert [{"order_id": "o1", "cart_id": "", "ordered_at": view["orders"][0]["ordered_at"],
             "value": {"EUR": "0.000000001"}}] == view["orders"]
    assert [("", True)] == [(a["cart_id"], a["recovered"]) for a in view["abandonments"]]
    assert "1800" == view["idle_s"]


def test_identifiers_with_when_they_were_first_named() -> None:
    """All that are kept, and those that triggers show."""
    log = [Appended(START, ANNA, events.plain(START, "m1", {"userId": "u1", "anonymousId": "a1"})),
           Appended(START, ANNA, events.plain(START - 5, "m2", {"userId": "u1"})),
           Appended(START, ANNA, events.plain(START, "m3", {"anonymousId": "a2"}))]
    row = fold(log).row(ANNA, "identity")
    assert row is not None and identity.TABLE.view is not None
    view: Any = identity.TABLE.view(row.facts, row.told, START, NoConfig())

    assert {"user_id": "u1", "anonymous_id": "a2"} == view["ids"]
    assert {("user_id", "u1", START - 5), ("anonymous_id", "a1", START),
            ("anonymous_id", "a2", START)} == {
        (n["kind"], n["value"], moment(n["since"])) for n in view["named"]}
    assert view["limited"] is False


def test_an_empty_row_is_shown_as_empty() -> None:
    """A customer who never had a cart."""
    assert cart.TABLE.view is not None
    assert {"carts": [], "abandonments": [], "orders": [], "idle_s": "0.001"} == cart.TABLE.view(
        CartFacts(), CartTold(), START, CartConfig(0.001))

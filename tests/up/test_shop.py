"""The demo's shop is the same for the same seed, keeps its bounds, and means what it marks."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.up.shop import EVENTS_A_SECOND_MAX, RECORDS_MAX, paced, shop
from footfall.up.shop_journeys import ACTIONS_MAX, CHEATS, HONEST, MOVES_MAX
from footfall.up.shop_visitor import Action, Hours, Visitor

SEEDS = range(6)


def of(actions: list[Action], event: str) -> list[Action]:
    return [a for a in actions if a.item.get("event") == event]


def test_a_seed_is_a_shop() -> None:
    """Equal for equal seeds, different for others."""
    assert list(shop(1, 120, 5)) == list(shop(1, 120, 5))
    assert list(shop(1, 120, 5)) != list(shop(2, 120, 5))


@pytest.mark.parametrize("seed", SEEDS)
def test_messages_are_distinct_and_in_order(seed: int) -> None:
    made = list(shop(seed, 120, 5))

    assert made == sorted(made, key=lambda action: action.at_s)
    assert len({action.item["messageId"] for action in made}) == len(made)
    assert all(action.when_s <= action.at_s for action in made)


@pytest.mark.parametrize("seed", SEEDS)
def test_carts_marked_as_left_are_those_that_a_recount_finds(seed: int) -> None:
    """Recounted from the items alone: a cart of which nothing was heard for `idle_s`."""
    idle_s = 5.0
    touched: dict[str, list[tuple[float, str]]] = {}
    for action in shop(seed, 120, idle_s):
        item: Any = action.item
        if item.get("event") in ("Product Added", "Product Removed", "Order Completed"):
            cart = item["properties"].get("cart_id")
            if cart:
                touched.setdefault(cart, []).append((action.when_s, item["event"]))
    left, recovered = set(), set()
    for cart, moves in touched.items():
        for (before, event), (after, then) in pairwise([*moves, (120.0, "end")]):
            if event != "Order Completed" and after - before > idle_s:
                left.add(cart)
                if then == "Order Completed":
                    recovered.add(cart)

    made = list(shop(seed, 120, idle_s))
    assert left == {a.left for a in made if a.left}
    assert recovered == {a.recovered for a in made if a.recovered}
    assert recovered < left


def test_two_minutes_have_every_kind_of_customer() -> None:
    """Hundreds of them: orders, carts left, refunds, bursts of failures, history, channels."""
    for seed in SEEDS:
        made = list(shop(seed, 120, 5))
        failed = Counter((a.item["anonymousId"], a.item["event"]) for a in made
                         if a.item.get("event") in ("Payment Failed", "Login Failed"))

        assert len({a.item["anonymousId"] for a in made}) > 200
        assert {"web", "app", "store"} == {a.item["channel"] for a in made}
        assert any(n >= 6 for (_, event), n in failed.items() if event == "Payment Failed")
        assert any(n >= 10 for (_, event), n in failed.items() if event == "Login Failed")
        assert of(made, "Order Refunded")
        assert any(a.when_s < -86_400 for a in made)


def test_orders_state_what_is_in_the_cart() -> None:
    """Added up again from what was put in and taken out."""
    carts: dict[str, Counter[str]] = {}
    prices: dict[str, Decimal] = {}
    orders = 0
    for action in shop(1, 300, 5):
        said: Any = action.item.get("properties", {})
        cart = said.get("cart_id")
        if action.item.get("event") in ("Product Added", "Product Removed"):
            sign = 1 if action.item["event"] == "Product Added" else -1
            carts.setdefault(cart, Counter())[said["product_id"]] += sign * said["quantity"]
            prices[said["product_id"]] = Decimal(said["price"])
        elif action.item.get("event") == "Order Completed" and cart:
            value = sum(prices[p] * n for p, n in carts[cart].items())
            times = Decimal(said["total"]) / value
            assert times in (1, 20)
            orders += 1
    assert orders > 50


@pytest.mark.parametrize("seconds", [30, 120, 1800, 24 * 3600])
def test_bounds_hold_for_any_length(seconds: float) -> None:
    """At most 100 in any second, 200,000 in all; the shop stays open to the end."""
    sent: list[float] = [action.at_s for action in shop(1, seconds, 5)]

    assert 100 < len(sent) <= RECORDS_MAX
    assert all(later - first >= 1.0 - 1e-6 for first, later in
               zip(sent, islice(sent, EVENTS_A_SECOND_MAX, None), strict=False))
    assert sent[-1] <= seconds
    assert sent[-1] > seconds - 30


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 3), min_size=1, max_size=400))
def test_pacing_puts_off_and_loses_nothing(instants: list[float]) -> None:
    """Never earlier than meant, in the same order, never too many in a second."""
    actions = [Action(at, at, {"n": n}) for n, at in enumerate(sorted(instants))]
    made = list(paced(actions))

    assert [a.item for a in actions] == [a.item for a in made]
    assert all(a.at_s <= b.at_s for a, b in zip(actions, made, strict=True))
    for first, later in zip(made, made[EVENTS_A_SECOND_MAX:], strict=False):
        assert later.at_s - first.at_s >= 1.0 - 1e-6


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(), journey=st.sampled_from([*HONEST, *CHEATS]))
def test_a_journey_keeps_its_bounds(seed: int, journey: Any) -> None:
    """The bounds on moves and actions that the shop closes and ends by."""
    import random

    visitor = Visitor(random.Random(seed), 1, 10.0, Hours(5.0, 0.6, 10_000.0))
    journey(visitor)
    moves = [a for a in visitor.actions if a.when_s == a.at_s]

    assert len(visitor.actions) <= ACTIONS_MAX
    assert len(moves) <= 2 * MOVES_MAX

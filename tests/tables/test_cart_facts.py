"""What is in a cart, and how much of it is kept."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.events import amount
from footfall.events.interaction import Interaction
from footfall.tables import cart
from footfall.tables.cart_facts import CART_BYTES_MAX, CARTS_BYTES_MAX, CARTS_MAX, is_limited, merge
from footfall.tables.cart_operations import ABSOLUTE_BYTES_MAX
from footfall.tables.cart_reading import VALUE_PLACES, read
from footfall.tables.cart_row import CartConfig, CartFacts, CartState, CartTold
from tests.tables import events
from tests.tables.events import added, line, ordered, removed, viewed
from tests.tables.logs import START
from tests.tables.strategies import EVENTS


def facts_of(*happened: Interaction) -> CartFacts:
    facts = CartFacts()
    for event in happened:
        facts = cart.TABLE.observe(facts, event, event["event_time"])
    return facts


def state_of(*happened: Interaction, cart_id: str = "") -> CartState | None:
    return read(facts_of(*happened)).get(cart_id)


def pieces(state: CartState | None) -> dict[str, str]:
    return {} if state is None else {
        x.product_id: amount.text(x.quantity) for x in state.lines}


def values(state: CartState) -> dict[str, str]:
    return {c: amount.text(v, VALUE_PLACES) for c, v in state.value.items()}


CONTENTS: dict[str, tuple[list[Interaction], dict[str, str]]] = {
    "added twice is two": ([added(1, "a"), added(2, "b")], {"p1": "2"}),
    "removed is a decrement": ([added(1, "a", quantity="3"), removed(2, "b")], {"p1": "2"}),
    "never below none": ([removed(1, "a", quantity="5"), added(2, "b")], {"p1": "1"}),
    "removed to none": ([added(1, "a"), removed(2, "b", quantity="2")], {}),
    "a late one is put in its place": (
        [removed(2, "b"), added(3, "c"), added(1, "a")], {"p1": "1"}),
    "ties by messageId: add a, remove b": ([removed(1, "b"), added(1, "a")], {}),
    "ties by messageId: remove a, add b": ([removed(1, "a"), added(1, "b")], {"p1": "1"}),
    "viewed is absolute": (
        [added(1, "a"), viewed(2, "b", [line("p2", quantity="4")])], {"p2": "4"}),
    "viewed again is not twice": (
        [viewed(1, "a", [line("p2")]), viewed(2, "b", [line("p2")])], {"p2": "1"}),
    "viewed empty empties": ([added(1, "a"), viewed(2, "b")], {}),
    "what came before a view changes nothing": (
        [viewed(2, "b", [line("p2")]), added(1, "a")], {"p2": "1"}),
    "what comes after a view does": (
        [added(3, "c"), viewed(2, "b", [line("p2")])], {"p2": "1", "p1": "1"}),
    "ordered empties": ([added(1, "a"), ordered(2, "b")], {}),
    "bought again after an order": ([ordered(2, "b"), added(3, "c"), added(1, "a")], {"p1": "1"}),
    "an order that names another cart empties the default one": (
        [added(1, "a"), ordered(2, "b", cart_id="c9")], {}),
    "parts of a piece": (
        [added(1, "a", quantity="0.5"), added(2, "b", quantity="0.25")], {"p1": "0.75"}),
    "no pieces, no line": ([added(1, "a", quantity="0")], {}),
    "the same message again": ([added(1, "a"), added(1, "a")], {"p1": "1"}),
    "a retry with another time counts once": ([added(1, "a"), added(9, "a")], {"p1": "1"}),
    "from the wishlist": (
        [events.commerce("wishlist_product_added_to_cart", 1, "a", line())], {"p1": "1"}),
    "checkout changes nothing": (
        [added(1, "a"), events.commerce("checkout_started", 2, "b", line("p2"))], {"p1": "1"}),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_content(name: str) -> None:
    """Operations are replayed in order of event time, then messageId (counterexample 14)."""
    happened, expected = CONTENTS[name]
    assert expected == pieces(state_of(*happened))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_one_message_id_with_two_contents_is_the_same_in_any_order(data: st.DataObject) -> None:
    """More than the law asks: a retry may carry another time, and reach another identity."""
    left, right = data.draw(EVENTS["cart"]), data.draw(EVENTS["cart"])
    rows = []
    for happenings in (left, right, data.draw(st.permutations([*left, *right]))):
        facts = CartFacts()
        for event, when in happenings:
            facts = cart.TABLE.observe(facts, event, when)
        rows.append(facts)
    assert rows[2] == merge(rows[0], rows[1])


def test_variants_are_lines_of_their_own() -> None:
    """A line is one (product_id, variant)."""
    state = state_of(events.commerce("product_added", 1, "a", line(variant="red")),
                     events.commerce("product_added", 2, "b", line(variant="blue")))
    assert state is not None
    assert ["red", "blue"] == [x.variant for x in state.lines]


def test_carts_are_apart() -> None:
    """An order that names its cart leaves other named carts as they are."""
    happened = [added(1, "a", cart_id="c1"), added(2, "b", cart_id="c2"),
                ordered(3, "c", cart_id="c1")]
    assert {} == pieces(state_of(*happened, cart_id="c1"))
    assert {"p1": "1"} == pieces(state_of(*happened, cart_id="c2"))


def test_an_order_without_a_cart_empties_every_cart() -> None:
    """Many shops leave cart_id out of Order Completed; late adds stay bought too."""
    happened = [added(1, "a", cart_id="c1"), added(2, "b", cart_id="c2"), ordered(5, "c"),
                added(3, "d", cart_id="c1"), added(6, "e", cart_id="c2")]
    assert {} == pieces(state_of(*happened, cart_id="c1"))
    assert {"p1": "1"} == pieces(state_of(*happened, cart_id="c2"))


def test_value_is_exact_and_per_currency() -> None:
    """Products of two amounts of 27 digits, and sums of them, lose nothing (law 3)."""
    largest = "999999999999999999.999999999"
    state = state_of(
        added(1, "a", "p1", "0.1", "3"), added(2, "b", "p2", "1.1", "3", currency="USD"),
        added(3, "c", "p3", largest, largest), added(4, "d", "p4", None))
    assert state is not None
    whole = "999999999999999999999999998000000000"
    assert {"EUR": f"{whole}.300000000000000001", "USD": "3.3"} == values(state)


def test_the_newest_price_and_name_hold() -> None:
    """What an event leaves out stays as it was stated."""
    state = state_of(
        events.commerce("product_added", 1, "a", line(price="10", name="Shirt", sku="s1")),
        events.commerce("product_added", 3, "c", line(price=None)),
        events.commerce("product_added", 2, "b", line(price="9")))
    assert state is not None
    (only,) = state.lines
    assert ("Shirt", "s1", "27") == (only.name, only.sku, values(state)["EUR"])


@pytest.mark.parametrize(("stated", "expected"), [
    ({"total": "12", "revenue": "10"}, "12"), ({"revenue": "10"}, "10"), ({}, "0"),
])
def test_an_orders_value_is_total_else_revenue(stated: dict[str, str], expected: str) -> None:
    """What the customer pays, where the shop said so."""
    (order,) = facts_of(ordered(1, "a", **stated)).orders
    assert expected == amount.text(amount.from_bytes(order.value), VALUE_PLACES)


def test_an_orders_value_is_else_that_of_its_lines() -> None:
    """Price times quantity, exactly."""
    bought = events.commerce("order_completed", 1, "a", line("p1", "1.1", "3"), line("p2", "2"))
    (order,) = facts_of(bought).orders
    assert "5.3" == amount.text(amount.from_bytes(order.value), VALUE_PLACES)


# -- limits ------------------------------------------------------------------------------------


def size(value: Any) -> int:
    return len(msgspec.msgpack.encode(value))


def test_a_cart_of_three_lines_is_small() -> None:
    """At most 400 bytes with UUIDs for messageIds; what is told of it, 20."""
    facts = facts_of(*(
        events.commerce("product_added", START + n, f"0b5e3b0e-6f0a-4c36-9d6b-{n:012}",
                        line(f"SKU-1000{n}", "19.99", name="Blue cotton T-shirt"))
        for n in range(3)))
    said = cart.announce(CartTold(), facts, START, CartConfig(), None)
    assert size(facts) < 400
    assert size(said.told) < 20


def test_a_cart_keeps_its_newest_operations_in_any_order() -> None:
    """Past its bytes the oldest go, marked; which ones does not depend on the order of arrival."""
    many = [events.commerce("product_added", n, f"m{n:03}", line(f"p{n}", name="ü" * (n % 90)))
            for n in range(400)]
    forwards, backwards = facts_of(*many), facts_of(*reversed(many))
    halves = merge(facts_of(*many[::2]), facts_of(*many[1::2]))
    assert forwards == backwards == halves
    assert is_limited(forwards)
    assert CART_BYTES_MAX // 2 < size(forwards) < CART_BYTES_MAX
    state = read(forwards)[""]
    assert (True, 399) == (state.limited, state.last_activity)

    after = viewed(398, "v", [line("p2")])
    assert facts_of(*many, after) == facts_of(after, *many)
    assert not is_limited(facts_of(*many, after))


def test_a_large_view_is_cut_to_its_first_products() -> None:
    """By content alone, and it says so."""
    state = state_of(viewed(1, "a", [line(f"p{n}", name="n" * 500) for n in range(250)]))
    assert state is not None
    assert state.limited
    assert [f"p{n}" for n in range(len(state.lines))] == [x.product_id for x in state.lines]
    assert 100 < len(state.lines) < 250


def test_facts_stay_small_whatever_comes() -> None:
    """Every text as long as it may be, in four-byte characters, in more carts than are kept."""
    wide = "\U0001f6d2"
    facts = CartFacts()
    for n in range(CARTS_MAX + 3):
        big = [line(wide * 500, "1", variant=wide * 500, sku=wide * 500, name=wide * 500)
               for _ in range(250)]
        cart_id = f"{n}" + wide * 499
        made = [viewed(n * 100, f"v{n}", big, cart_id=cart_id)]
        made += [events.commerce("product_added", n * 100 + k, f"{n}-{k}" + wide * 90, big[0],
                                 cart_id=cart_id, currency=wide * 500) for k in range(1, 40)]
        made.append(ordered(n, f"o{n}" + wide * 90, cart_id="x", order_id=wide * 500))
        for event in made:
            facts = cart.TABLE.observe(facts, event, event["event_time"])
    kept = [f"{n}" + wide * 500 for n in (10, 8, 9)]  # and the small one of the orders
    assert [*(cart_id[:200] for cart_id in kept), "x"] == [c.cart_id for c in facts.carts]
    assert is_limited(facts)
    assert CARTS_BYTES_MAX // 2 < size(facts) < CARTS_BYTES_MAX + 10_000


def large(cart_id: str, at: int, operations: int = 20) -> list[Interaction]:
    """A view and operations after it: with 20 they are as large as one cart may be."""
    lines = [line(f"p{n}", name="n" * 60) for n in range(250)]
    return [viewed(at, f"{cart_id}-{at}", lines, cart_id=cart_id),
            *(events.commerce("product_added", at + n, f"{cart_id}-{at}-{n}",
                              line("p", name="n" * 1_800), cart_id=cart_id)
              for n in range(1, operations + 1))]


def test_three_of_the_largest_carts_fit() -> None:
    """So a cart alone never falls to the limit on all of them."""
    facts = facts_of(*large("a", 0), *large("b", 100), *large("c", 200))
    assert ["a", "b", "c"] == [c.cart_id for c in facts.carts]
    assert facts.cut_at < 0
    assert 3 * (CART_BYTES_MAX + ABSOLUTE_BYTES_MAX) * 0.9 < size(facts) < CARTS_BYTES_MAX


@pytest.mark.parametrize("grows", [False, True])
def test_carts_too_large_together_lose_the_oldest(grows: bool) -> None:
    """Whether one is new or an old one grows; the row says so, and many small ones are kept."""
    happened = [*large("a", 0), *large("b", 100), *large("c", 200, 1 if grows else 20),
                *large("d", 300, 1)]
    if grows:
        assert ["a", "b", "c", "d"] == [c.cart_id for c in facts_of(*happened).carts]
        happened += large("c", 400)
    facts = facts_of(*happened)
    assert ["b", "c", "d"] == [c.cart_id for c in facts.carts]
    assert (20, True) == (facts.cut_at, is_limited(facts))
    small = facts_of(*(added(n, f"m{n}", cart_id=f"{n}") for n in range(CARTS_MAX)))
    assert (CARTS_MAX, False) == (len(small.carts), is_limited(small))

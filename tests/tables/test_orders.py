"""What an order is made of, what is told of it, and how much is kept."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import msgspec
import pytest

from footfall.events.interaction import Interaction
from footfall.tables import orders, orders_row
from footfall.tables.orders_facts import (
    LINES_BYTES_ALL_MAX,
    ORDERS_BYTES_MAX,
    ORDERS_MAX,
    REFUNDS_MAX,
    is_limited,
    merge,
)
from footfall.tables.orders_messages import LINES_BYTES_MAX
from footfall.tables.orders_row import OrdersFacts
from footfall.tables.spec import NoConfig
from tests.tables.events import commerce, line, ordered
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, START

UUID = "0b5e3b0e-6f0a-4c36-9d6b-{:012}"


def facts_of(*happened: Interaction) -> OrdersFacts:
    facts = OrdersFacts()
    for event in happened:
        facts = orders.TABLE.observe(facts, event, event["event_time"])
    return facts


def view_of(*happened: Interaction) -> dict[str, Any]:
    made = orders.orders_reading.view(facts_of(*happened), None, 1_000, None)
    read: dict[str, Any] = json.loads(msgspec.json.encode(made))
    return read


def bought(at: int, message_id: str, order_id: str = "o1", total: str | None = "100",
           properties: dict[str, Any] | None = None, **rest: Any) -> Interaction:
    event = ordered(at, message_id, order_id=order_id, total=total, **rest)
    if properties:
        event["personal"] = json.dumps({"properties": properties}).encode()
    return event


def refund(at: int, message_id: str, total: str | None = None, *lines: Any,
           order_id: str = "o1", **rest: Any) -> Interaction:
    return commerce("order_refunded", at, message_id, *lines, order_id=order_id, total=total,
                    **rest)


def other(action: str, at: int, message_id: str, *lines: Any, **rest: Any) -> Interaction:
    return commerce(action, at, message_id, *lines, order_id="o1", **rest)


#: happened -> (status, value, refunded, left) of the only order.
ORDERS: dict[str, tuple[list[Interaction], tuple[str, str | None, str, str | None]]] = {
    "bought": ([bought(1, "a")], ("completed", "100", "0", "100")),
    "an update states it anew": (
        [bought(1, "a"), other("order_updated", 2, "b", total="80")],
        ("completed", "80", "0", "80")),
    "a late message of before changes nothing": (
        [bought(5, "a"), other("order_updated", 2, "b", total="80")],
        ("completed", "100", "0", "100")),
    "an update that says nothing": (
        [bought(1, "a"), other("order_updated", 2, "b")], ("completed", "100", "0", "100")),
    "completed twice, the second without a value": (
        [bought(1, "a"), bought(2, "b", total=None)], ("completed", "100", "0", "100")),
    "refunded in part": (
        [bought(1, "a"), refund(2, "b", "30")], ("partly_refunded", "100", "30", "70")),
    "two parts": (
        [bought(1, "a"), refund(2, "b", "30"), refund(2, "c", "30")],
        ("partly_refunded", "100", "60", "40")),
    "products with prices": (
        [bought(1, "a"), refund(2, "b", None, line("p1", "12.5", "2"))],
        ("partly_refunded", "100", "25", "75")),
    "products without prices": (
        [bought(1, "a"), refund(2, "b", None, line("p1", None))],
        ("partly_refunded", "100", "0", "100")),
    "in full, nothing said": (
        [bought(1, "a"), refund(2, "b")], ("refunded", "100", "100", "0")),
    "the rest after a part": (
        [bought(1, "a"), refund(2, "b", "30"), refund(3, "c")], ("refunded", "100", "100", "0")),
    "in full, said": ([bought(1, "a"), refund(2, "b", "100")], ("refunded", "100", "100", "0")),
    "said as a negative amount": (
        [bought(1, "a"), refund(2, "b", "-30")], ("partly_refunded", "100", "30", "70")),
    "more than it was worth": (
        [bought(1, "a"), refund(2, "b", "130")], ("refunded", "100", "130", "0")),
    "in another currency": (
        [bought(1, "a"), refund(2, "b", "30", currency="USD")],
        ("partly_refunded", "100", "0", "100")),
    "cancelled": (
        [bought(1, "a"), other("order_cancelled", 2, "b")], ("cancelled", "100", "0", "100")),
    "cancelled and paid back": (
        [bought(1, "a"), other("order_cancelled", 2, "b"), refund(3, "c")],
        ("cancelled", "100", "100", "0")),
    "goods came back": (
        [bought(1, "a"), other("order_returned", 2, "b")], ("returned", "100", "0", "100")),
    "only a refund is known": ([refund(2, "b", "30")], ("partly_refunded", None, "30", None)),
    "no value is known": ([bought(1, "a", total=None)], ("completed", None, "0", None)),
}


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_in_any_order_of_arrival(name: str) -> None:
    """Messages about one order give one row, whichever comes first."""
    happened, expected = ORDERS[name]
    for arrived in permutations(happened):
        (only,) = view_of(*arrived)["orders"]
        assert expected == (only["status"], only["value"], only["refunded"], only["left"])


def test_cancelled_orders_count_nowhere() -> None:
    """Neither they nor their refunds."""
    view = view_of(bought(1, "a"), bought(2, "b", "o2", "7"), other("order_cancelled", 3, "c"),
                   refund(4, "d"))

    assert (1, {"EUR"}) == (view["count"], set(view["by_currency"]))
    assert {"orders": 1, "value": "7", "average": "7", "refunds": 0, "refunded": "0",
            "refund_share": "0"} == view["by_currency"]["EUR"]


def test_averages_and_shares_are_rounded_once_half_even() -> None:
    """A third of ten has 18 places; a share four."""
    view = view_of(bought(1, "a", "", "3"), bought(2, "b", "", "3"), bought(3, "c", "", "4"),
                   refund(4, "d", "1", order_id=""))

    assert ("3.333333333333333333", "0.1") == (
        view["by_currency"]["EUR"]["average"], view["by_currency"]["EUR"]["refund_share"])


@pytest.mark.parametrize(("channel", "properties", "expected"), [
    ("web", {}, ("web", False)), ("", {"channel": "POS"}, ("pos", True)),
    ("server", {"sales_channel": "In-Store"}, ("in-store", True)),
    ("mobile", {"channel": 7}, ("mobile", False))])
def test_where_an_order_was_made(channel: str, properties: dict[str, Any],
                                 expected: tuple[str, bool]) -> None:
    """A property before the channel of the call; one that is no text counts as absent."""
    event = bought(1, "a", properties=properties)
    event["channel"] = channel
    (only,) = view_of(event)["orders"]
    assert expected == (only["channel"], only["offline"])


@pytest.mark.parametrize(("action", "properties", "kind"), [
    ("order_completed", {}, "order"), ("order_completed", {"renewal": True}, "renewal"),
    ("order_completed", {"subscription": {"id": 1}}, "subscription"),
    ("order_completed", {"subscription_id": "s"}, "subscription"),
    ("order_completed", {"subscription_id": "s", "renewal": True}, "renewal"),
    ("subscription_renewed", {}, "renewal")])
def test_what_kind_of_order(action: str, properties: dict[str, Any], kind: str) -> None:
    """Renewals are orders, and told apart."""
    event = other(action, 1, "a", total="5")
    event["personal"] = json.dumps({"properties": properties}).encode()
    view = view_of(event)
    assert (1, kind, kind == "renewal") == (
        view["count"], view["orders"][0]["kind"], view["kept"]["renewals"] == 1)


# -- what is told ------------------------------------------------------------------------------


def log_of(*happened: tuple[int, bytes, Interaction]) -> Log:
    log = Log([orders.TABLE], partitions=1)
    for at, key, event in happened:
        log.append(key, event, at)
    return log.run()


def test_the_first_order_is_told_once_also_where_an_earlier_one_comes_late() -> None:
    """With what a receiver needs; the second, and the late earlier one, tell nothing."""
    first = bought(START, "a", total="9.50")
    log = log_of((START, ANNA, first), (START + 1, ANNA, bought(START + 1, "b", "o2")),
                 (START + 2, ANNA, bought(START - 99, "c", "o0")))
    (told,) = log.triggers()

    assert ("order_completed_first", START) == (told["name"], told["occurred_at"])
    assert ("o1", "9.5", "EUR", False, "order", []) == tuple(
        told["data"][f] for f in ("order_id", "value", "currency", "offline", "kind", "lines"))
    assert ["a"] == told["evidence"]["message_ids"]


def test_each_customer_has_a_first_order() -> None:
    """Two customers, two triggers."""
    log = log_of((START, ANNA, bought(START, "a")), (START, BERT, bought(START, "a")))
    assert 2 == len(log.triggers("order_completed_first"))


def test_a_merge_that_reveals_an_earlier_first_order_tells_nothing() -> None:
    """Each side told its own first order; together there is none to tell."""
    config = NoConfig()
    rows = []
    for n in range(2):
        facts = facts_of(bought(10 - n, f"m{n}", f"o{n}"), refund(20, f"r{n}", order_id=f"o{n}"))
        said = orders.announce(orders_row.OrdersTold(), facts, 30, config, None)
        assert ["order_completed_first", "order_refunded"] == [t.name for t in said.triggers]
        rows.append((facts, said.told))
    (facts, told), (more, other_told) = rows
    both = orders.announce(orders.merge_told(told, other_told), merge(facts, more), 31, config,
                           None)
    assert () == both.triggers
    again = orders.announce(both.told, merge(facts, more), 32, config, None)
    assert (both.told, ()) == (again.told, again.triggers)


def test_a_cancelled_order_is_not_the_first() -> None:
    """Cancelled before it was known to be completed; the next one is."""
    log = log_of((START, ANNA, other("order_cancelled", START, "a")),
                 (START + 1, ANNA, bought(START - 1, "b")),
                 (START + 2, ANNA, bought(START + 2, "c", "o2")))
    assert ["o2"] == [t["data"]["order_id"] for t in log.triggers("order_completed_first")]


def test_every_refund_is_told_once_with_what_is_left() -> None:
    """By messageId, over repeats and late ones; value and rest as known when it is told."""
    part = refund(START + 5, "r1", "30")
    log = log_of((START, ANNA, bought(START, "a")), (START + 5, ANNA, part),
                 (START + 6, ANNA, part), (START + 7, ANNA, refund(START + 7, "r2")),
                 (START + 8, ANNA, refund(START + 2, "r0", "1")),
                 (START + 9, ANNA, refund(START + 9, "r3", "4", order_id="o9")))
    told = log.triggers("order_refunded")

    assert [("o1", "30", False, "70"), ("o1", None, True, "0"), ("o1", "1", True, "0"),
            ("o9", "4", False, None)] == [
        (t["data"]["order_id"], t["data"]["amount"], t["data"]["full"], t["data"]["left"])
        for t in told]
    assert [["r1", "a"], ["r2", "a"], ["r0", "a"], ["r3"]] == [
        t["evidence"]["message_ids"] for t in told]
    assert log.outputs() == log.fold_again().outputs()


# -- limits ------------------------------------------------------------------------------------


def size(value: Any) -> int:
    return len(msgspec.msgpack.encode(value))


def test_an_order_is_small() -> None:
    """At most 100 bytes with a UUID as messageId and without its products."""
    event = bought(START, UUID.format(1), "1000012345", "129.95")
    event["channel"] = "web"
    assert size(facts_of(event).orders[0]) <= 100


def test_products_are_kept_up_to_a_bound() -> None:
    """The first that fit, and how many there were."""
    (only,) = view_of(bought(1, "a", total=None) | {"commerce": ordered(1, "a")["commerce"] | {
        "lines": [line(f"p{n}", "1", name="n" * 500) for n in range(250)]}})["orders"]

    assert ("250", 250) == (only["value"], only["lines_sent"])
    assert [f"p{n}" for n in range(len(only["lines"]))] == [p["product_id"] for p in only["lines"]]
    assert 10 < len(only["lines"]) < 20
    assert {"n" * 50} == {p["name"] for p in only["lines"]}


def test_products_of_the_oldest_orders_go_first_in_any_order() -> None:
    """Their size is kept, so that the limit falls at the same order whatever came when."""
    many = [commerce("order_completed", n, f"m{n:03}", *[line(f"p{k}", "1") for k in range(40)],
                     order_id=f"o{n}") for n in range(60)]
    forwards, backwards = facts_of(*many), facts_of(*reversed(many))
    halves = merge(facts_of(*many[::2]), facts_of(*many[1::2]))
    assert forwards == backwards == halves
    assert is_limited(forwards)
    kept = [bool(o.stated and o.stated.lines) for o in forwards.orders]
    assert sorted(kept) == kept
    assert LINES_BYTES_ALL_MAX // LINES_BYTES_MAX <= sum(kept) < 60
    assert {40} == {o["lines_sent"] for o in view_of(*many)["orders"] if o["lines"]}


def test_many_refunds_of_one_order_still_add_up() -> None:
    """The oldest are summed; each was told when it came."""
    happened = [bought(0, "a")] + [refund(n, f"r{n:02}", "1") for n in range(1, 41)]
    told, facts, causes = orders_row.OrdersTold(), OrdersFacts(), set()
    for event in happened:
        facts = orders.TABLE.observe(facts, event, event["event_time"])
        said = orders.announce(told, facts, 99, NoConfig(), None)
        told = said.told
        causes |= {t.cause for t in said.triggers if t.name == "order_refunded"}
    (only,) = view_of(*happened)["orders"]

    assert ("40", "60", 40) == (only["refunded"], only["left"], len(causes))
    assert facts == merge(facts_of(*happened[::2]), facts_of(*happened[1::2]))
    assert REFUNDS_MAX == len(facts.orders[0].refunds) == len(told.refunds)


def test_facts_stay_small_whatever_comes() -> None:
    """Every text as long as it may be, in four-byte characters, on more orders than are kept."""
    wide = "\U0001f6d2"
    happened = []
    for n in range(3 * ORDERS_MAX):
        big = [line(wide * 500, "1", variant=wide * 500, name=wide * 500) for _ in range(30)]
        order_id = f"{n}" + wide * 499
        event = commerce("order_completed", n, f"{n}" + wide * 95, *big, order_id=order_id,
                         currency=wide * 500)
        event["personal"] = json.dumps({"properties": {"channel": wide * 500}}).encode()
        happened.append(event)
        happened += [refund(n, f"{n}-{k}" + wide * 95, "1", order_id=order_id, currency=f"{k}")
                     for k in range(12)]
    facts = facts_of(*happened)
    assert is_limited(facts)
    assert size(facts) < 2 * (ORDERS_BYTES_MAX + LINES_BYTES_ALL_MAX) < 100_000
    assert 3 * ORDERS_MAX == view_of(*happened)["count"]

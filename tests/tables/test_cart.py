"""When a cart was left and when it came back; through the real fold, with made-up times."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from footfall.events.interaction import Interaction
from footfall.tables import cart
from footfall.tables.cart_facts import merge
from footfall.tables.cart_row import CartConfig, CartFacts, CartTold
from tests.tables import events
from tests.tables.events import added, line, ordered, removed, viewed
from tests.tables.logs import ANNA, START, Appended, config, fold, tick, triggers

MINUTE = 60_000
IDLE = 30 * MINUTE
DAY = 24 * 60 * MINUTE


def facts_of(*happened: Interaction) -> CartFacts:
    facts = CartFacts()
    for event in happened:
        facts = cart.TABLE.observe(facts, event, event["event_time"])
    return facts


def log_of(*happened: Interaction, until: int) -> list[Appended]:
    """Each event appended as it happened, and ticks so close that no silence is an outage."""
    log = [Appended(START + e["event_time"], ANNA, {**e, "event_time": START + e["event_time"]})
           for e in happened]
    return sorted([*log, *ticks(START, START + until)], key=lambda a: a.at)


def ticks(since: int, until: int) -> list[Appended]:
    return [tick(at) for at in range(since + 4_000, until, 4_000)]


def told_by(log: list[Appended]) -> list[tuple[str, str, int]]:
    """(name, cart_id, when it became true) of each trigger, times in ms from START."""
    return [(t["name"], t["data"]["cart_id"], t["occurred_at"] - START)
            for t in triggers(fold(log))]


# -- when it was left --------------------------------------------------------------------------


def test_silence_is_told_once_with_what_a_receiver_needs() -> None:
    """One trigger, half a second of grace after the deadline, with data and evidence."""
    log = [Appended(START, ANNA, events.plain(START, "who", {"userId": "anna"})), *log_of(
        events.commerce("product_added", 1_000, "m1",
                        line("p1", "19.99", "3", variant="red", name="Shirt", sku="s1")),
        added(2_000, "m2", "p2", None), until=3 * IDLE)]
    (told,) = triggers(fold(log))
    deadline = START + 2_000 + IDLE
    assert ("cart_abandoned", deadline, deadline + 500) == (
        told["name"], told["occurred_at"], told["emitted_at"])
    assert {"user_id": "anna"} == told["ids"]
    assert {
        "cart_id": "",
        "lines": [
            {"product_id": "p1", "variant": "red", "sku": "s1", "name": "Shirt", "price": "19.99",
             "currency": "EUR", "quantity": "3"},
            {"product_id": "p2", "variant": "", "sku": "", "name": "", "price": None,
             "currency": "", "quantity": "1"},
        ],
        "value": {"EUR": "59.97"},
        "last_activity": "2023-11-14T22:13:22.000Z",
        "deadline": "2023-11-14T22:43:22.000Z",
        "late": False,
        "limited": False,
    } == told["data"]
    assert {
        "idle_s": "1800",
        "last_activity": "2023-11-14T22:13:22.000Z",
        "deadline": "2023-11-14T22:43:22.000Z",
        "silent_until": "2023-11-14T22:43:22.000Z",
        "message_ids": ["m2"],
    } == told["evidence"]


#: Events with times from START -> what is told; all appended as they happen.
SILENCES: dict[str, tuple[list[Interaction], list[tuple[str, str, int]]]] = {
    "left": ([added(0, "a")], [("cart_abandoned", "", IDLE)]),
    "ordered in time": ([added(0, "a"), ordered(IDLE - 1, "b")], []),
    "ordered without its cart_id": ([added(0, "a", cart_id="c1"), ordered(MINUTE, "b")], []),
    "emptied": ([added(0, "a"), removed(1, "b")], []),
    "viewed empty": ([added(0, "a"), viewed(1, "b")], []),
    "activity moves the deadline": (
        [added(0, "a"), added(MINUTE, "b")], [("cart_abandoned", "", IDLE + MINUTE)]),
    "a view is activity": (
        [added(0, "a"), viewed(MINUTE, "b", [line()])], [("cart_abandoned", "", IDLE + MINUTE)]),
    "so is taking out one of two": (
        [added(0, "a", quantity="2"), removed(MINUTE, "b")],
        [("cart_abandoned", "", IDLE + MINUTE)]),
    "other carts have their own silence": (
        [added(0, "a", cart_id="c1"), added(MINUTE, "b", cart_id="c2")],
        [("cart_abandoned", "c1", IDLE), ("cart_abandoned", "c2", IDLE + MINUTE)]),
    "each quiet stretch": (
        [added(0, "a"), added(2 * IDLE, "b")],
        [("cart_abandoned", "", IDLE), ("cart_abandoned", "", 3 * IDLE)]),
    "came back": (
        [added(0, "a"), ordered(2 * IDLE, "b", total="10")],
        [("cart_abandoned", "", IDLE), ("cart_recovered", "", 2 * IDLE)]),
    "came back once": (
        [added(0, "a"), ordered(2 * IDLE, "b"), ordered(2 * IDLE + 1, "c")],
        [("cart_abandoned", "", IDLE), ("cart_recovered", "", 2 * IDLE)]),
    "an order of another cart brings none back": (
        [added(0, "a", cart_id="c1"), ordered(2 * IDLE, "b", cart_id="c2")],
        [("cart_abandoned", "c1", IDLE)]),
    "one order brings back one cart, the newest": (
        [added(0, "a", cart_id="c1"), added(1, "b", cart_id="c2"), ordered(2 * IDLE, "c"),
         ordered(3 * IDLE, "d")],
        [("cart_abandoned", "c1", IDLE), ("cart_abandoned", "c2", IDLE + 1),
         ("cart_recovered", "c2", 2 * IDLE)]),
    "or the one it names": (
        [added(0, "a", cart_id="c1"), added(1, "b"), ordered(2 * IDLE, "c", cart_id="c1")],
        [("cart_abandoned", "c1", IDLE), ("cart_abandoned", "", IDLE + 1),
         ("cart_recovered", "c1", 2 * IDLE)]),
    "left again after the order": (
        [added(0, "a"), ordered(2 * IDLE, "b"), added(2 * IDLE + MINUTE, "c")],
        [("cart_abandoned", "", IDLE), ("cart_recovered", "", 2 * IDLE),
         ("cart_abandoned", "", 3 * IDLE + MINUTE)]),
}


@pytest.mark.parametrize("name", SILENCES)
def test_silence(name: str) -> None:
    """Each quiet stretch of a cart with products, once."""
    happened, expected = SILENCES[name]
    assert expected == sorted(told_by(log_of(*happened, until=5 * IDLE)), key=lambda t: t[2])


def test_recovery_says_what_it_brought() -> None:
    """Time and value of the order, and how long after."""
    log = log_of(added(0, "a", cart_id="c1"), until=IDLE + MINUTE)
    log.append(Appended(START + 2 * IDLE, ANNA, ordered(
        START + 2 * IDLE, "b", cart_id="c1", order_id="o7", currency="USD", total="12.50")))
    told = triggers(fold(log))[1]
    assert {
        "cart_id": "c1", "order_id": "o7", "value": {"USD": "12.5"}, "currency": "USD",
        "ordered_at": "2023-11-14T23:13:20.000Z", "abandoned_at": "2023-11-14T22:43:20.000Z",
        "after_ms": IDLE, "late": False,
    } == told["data"]
    assert {
        "deadline": "2023-11-14T22:43:20.000Z", "last_activity": "2023-11-14T22:13:20.000Z",
        "message_ids": ["a", "b"],
    } == told["evidence"]


def test_an_order_that_arrives_late_still_stops_the_reminder() -> None:
    """It was made before the deadline and came after the announcement: told, as late."""
    log = log_of(added(0, "a"), until=IDLE + MINUTE)
    log.append(Appended(START + IDLE + MINUTE, ANNA, ordered(START + MINUTE, "b")))
    first, second = triggers(fold(log))
    assert ("cart_abandoned", "cart_recovered") == (first["name"], second["name"])
    assert (True, MINUTE - IDLE) == (second["data"]["late"], second["data"]["after_ms"])


def test_late_activity_before_the_deadline_is_not_told_again() -> None:
    """Review R5: silent since 10:00, told 10:30, an event of 10:03 arrives at 10:31."""
    log = log_of(added(0, "a"), until=IDLE + MINUTE)
    log.append(Appended(START + IDLE + MINUTE, ANNA, added(START + 3 * MINUTE, "b", "p2")))
    log += ticks(log[-1].at, START + 3 * IDLE)
    assert [("cart_abandoned", "", IDLE)] == told_by(log)


def test_late_activity_after_the_deadline_is_a_new_silence() -> None:
    """It says that the customer had come back."""
    log = log_of(added(0, "a"), until=IDLE + 5 * MINUTE)
    log.append(Appended(log[-1].at, ANNA, added(START + IDLE + MINUTE, "b", "p2")))
    log += ticks(log[-1].at, START + 3 * IDLE)
    assert [("cart_abandoned", "", IDLE), ("cart_abandoned", "", 2 * IDLE + MINUTE)] == told_by(log)


# -- late and long past (law 4) ----------------------------------------------------------------


def test_an_offline_device_that_bought_is_left_alone() -> None:
    """Added two days ago, ordered five minutes after it; both arrive now."""
    now = START + 2 * DAY
    log = [tick(now), Appended(now, ANNA, added(START, "a")),
           Appended(now + 20, ANNA, ordered(START + 5 * MINUTE, "b")),
           *ticks(now, now + 10 * MINUTE)]
    assert [] == told_by(log)


def test_an_offline_device_that_did_not_is_told_once_as_late() -> None:
    """The cause is the first deadline, though more came while it settled."""
    now = START + 2 * DAY
    log = [tick(now), Appended(now, ANNA, added(START, "a")),
           Appended(now + 20, ANNA, added(START + 2 * IDLE, "b")), *ticks(now, now + 10 * MINUTE)]
    (told,) = triggers(fold(log))
    assert START + IDLE == told["occurred_at"]
    assert told["data"]["late"]
    assert "2023-11-14T23:13:20.000Z" == told["data"]["last_activity"]


def test_activity_within_the_grace_moves_the_cause() -> None:
    """Nothing settles here: the deadline that woke is the cause, though the first was past too."""
    log = [config(START, 1, idle_s=2), Appended(START, ANNA, added(START, "a")),
           Appended(START + 2_300, ANNA, added(START + 100, "b")),
           *ticks(START + 2_300, START + MINUTE)]
    assert [("cart_abandoned", "", 2_100)] == told_by(log)


def test_first_deadlines_are_kept_for_each_cart() -> None:
    """Two carts settle together; activity of either does not change the cause of the other."""
    now = START + 2 * DAY
    log = [tick(now),
           Appended(now, ANNA, added(START, "a", cart_id="c1")),
           Appended(now + 10, ANNA, added(START + MINUTE, "b", cart_id="c2")),
           Appended(now + 20, ANNA, added(START + 9 * MINUTE, "c", cart_id="c1")),
           Appended(now + 30, ANNA, added(START + 8 * MINUTE, "d", cart_id="c2")),
           *ticks(now, now + 10 * MINUTE)]
    assert [("cart_abandoned", "c1", IDLE), ("cart_abandoned", "c2", IDLE + MINUTE)] == told_by(log)


def test_an_outage_is_not_silence_for_those_who_bought() -> None:
    """Counterexample 20: away for 35 minutes; the order was in the collector's spool."""
    back = START + 40 * MINUTE
    log = [Appended(START, ANNA, added(START, "a")), tick(START + 5 * MINUTE), tick(back),
           Appended(back + 50, ANNA, ordered(START + 10 * MINUTE, "b")),
           *ticks(back, back + 10 * MINUTE)]
    assert [] == told_by(log)


def test_a_future_time_does_not_hold_the_cart_for_ever() -> None:
    """Counterexample 15: an event dated 2099 counts as of when it was appended."""
    log = [Appended(START, ANNA, added(4_070_908_800_000, "a")), *ticks(START, START + 2 * IDLE)]
    assert [("cart_abandoned", "", IDLE)] == told_by(log)


def test_the_idle_time_in_force_decides() -> None:
    """Counterexample 18: it comes through the log; a record steps nobody by itself."""
    log = [config(START, 1, idle_s=2), Appended(START, ANNA, added(START, "a")),
           *ticks(START, START + MINUTE), config(START + MINUTE, 2, idle_s=600),
           Appended(START + MINUTE, ANNA, added(START + MINUTE, "b")),
           *ticks(START + MINUTE, START + 20 * MINUTE)]
    found = triggers(fold(log))
    assert ["2", "600"] == [t["evidence"]["idle_s"] for t in found]
    assert [2_000, 11 * MINUTE] == [t["occurred_at"] - START for t in found]


@pytest.mark.parametrize("idle_s", [0, -1, 7_776_001, "2"])
def test_bad_configuration_is_refused(idle_s: Any) -> None:
    """The idle time has bounds."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"idle_s": idle_s}, CartConfig)


# -- identities that join ----------------------------------------------------------------------


def announced(*happened: Interaction, now: int) -> tuple[CartFacts, CartTold]:
    facts = facts_of(*happened)
    said = cart.announce(CartTold(), facts, now, CartConfig(), None)
    if said.due is not None and said.due < now:
        said = cart.announce(said.told, facts, now, CartConfig(), said.due)
    return facts, said.told


def test_a_merge_after_the_announcement_tells_nothing_again() -> None:
    """Causes are remembered, not trigger ids, which change with the customer (review R5)."""
    facts, told = announced(added(0, "a"), now=2 * IDLE)
    other = facts_of(added(1, "b"))
    both = merge(other, facts)
    said = cart.announce(cart.merge_told(CartTold(), told), both, 2 * IDLE,
                         CartConfig(), None)
    assert (None, ()) == (said.due, said.triggers)


def test_an_order_of_the_other_identity_brings_the_cart_back() -> None:
    """Left as a guest, bought after logging in: known once the two have joined."""
    facts, told = announced(added(0, "a", cart_id="c1"), now=2 * IDLE)
    both = merge(facts_of(ordered(2 * IDLE, "b")), facts)
    said = cart.announce(cart.merge_told(CartTold(), told), both, 3 * IDLE,
                         CartConfig(), None)
    assert ["cart_recovered"] == [t.name for t in said.triggers]


def test_only_a_timer_tells_by_time() -> None:
    """A late event reveals a deadline long past: the answer is that deadline, no trigger."""
    said = cart.announce(CartTold(), facts_of(added(0, "a")), 99 * IDLE, CartConfig(),
                         None)
    assert (IDLE, ()) == (said.due, said.triggers)


def test_told_forgets_no_cause_within_its_limit() -> None:
    """What the limit drops still counts as told, up to where it was dropped."""
    told = CartTold()
    for n in range(cart.ABANDONMENTS_MAX + 9):
        facts = facts_of(added(n * IDLE, "a", cart_id=f"c{n}"))
        now = (n + 2) * IDLE
        told = cart.announce(told, facts, now, CartConfig(), now).told
    assert cart.ABANDONMENTS_MAX == len(told.carts)
    again = cart.announce(told, facts_of(added(0, "a", cart_id="c0")), 99 * IDLE,
                          CartConfig(), 99 * IDLE)
    assert () == again.triggers


#: Events with times from START -> until when -> the level that metrics count.
LEVELS: dict[str, tuple[list[Interaction], int, str]] = {
    "filled": ([added(0, "a")], MINUTE, "open"),
    "left": ([added(0, "a")], 2 * IDLE, "abandoned"),
    "ordered in time": ([added(0, "a"), ordered(MINUTE, "b")], 2 * IDLE, "closed"),
    "came back": ([added(0, "a"), ordered(2 * IDLE, "b")], 3 * IDLE, "recovered"),
    "filled again": ([added(0, "a"), ordered(2 * IDLE, "b"), added(3 * IDLE, "c")],
                     3 * IDLE + MINUTE, "open"),
    "one is left and one came back": (
        [added(0, "a", cart_id="c1"), added(1, "b", cart_id="c2"),
         ordered(2 * IDLE, "c", cart_id="c1")], 3 * IDLE, "abandoned"),
}


@pytest.mark.parametrize("name", LEVELS)
def test_customers_are_counted_by_their_carts(name: str) -> None:
    """From the record's marks, as metrics do."""
    happened, until, expected = LEVELS[name]
    folded = fold(log_of(*happened, until=until))
    folded.snapshot()
    counted = {level for (table, level), n in folded.records.levels().items()
               if table == "cart" and n}
    assert {expected} == counted
    assert expected in cart.LEVELS

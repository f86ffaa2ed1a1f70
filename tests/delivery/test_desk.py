"""Delivery as a whole, on virtual time: each trigger reaches whom it must, once, when allowed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.delivery import reasons, row
from footfall.delivery.message import Attempt, Outcome
from footfall.events import topics
from footfall.stream.partition import partition_of
from tests.delivery.desk import PARTITIONS, SENT, Desk
from tests.delivery.log import CODECS, KEYS, START, Entry

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ONE = """
destinations:
  crm: {channel: webhook, url: https://crm.example/x, purpose: necessary}
routes:
  - {triggers: [cart_abandoned], to: [crm]}
"""
TROUBLE = Outcome("retry", "status", 500)
#: 64 customers, over both partitions.
CUSTOMERS = [f"user_id:{n:022x}" for n in range(64)]


def run(what: Coroutine[Any, Any, None]) -> None:
    asyncio.run(what)


def test_a_trigger_is_sent_once_and_accounted_for() -> None:
    """Intent, then outcome; the body is the trigger as everybody gets it."""
    async def main() -> None:
        desk = Desk(ONE)
        told = desk.tell(KEYS[0], "c1")
        await desk.flow()
        assert [(s.destination, s.message_id, s.number) for s in desk.sent] == [("crm", told, 1)]
        assert desk.told() == [(reasons.SENDING, ""), (reasons.SENT, "")]
        assert set(desk.said(0)) == {"trigger", "message"}
        assert desk.said(0)["message"]["body"] == desk.sent[0].body
    run(main())


def test_one_that_fails_is_tried_again_by_the_schedule_with_the_same_bytes() -> None:
    """5 s, 5 min, 30 min, with up to a tenth more; id and body stay."""
    async def main() -> None:
        desk = Desk(ONE, lambda _name, attempt: TROUBLE if attempt.number < 4 else SENT)
        desk.tell(KEYS[0], "c1")
        await desk.run_until(START + 2 * HOUR_MS)
        waits = [b.at - a.at for a, b in zip(desk.sent, desk.sent[1:], strict=False)]
        assert [5_000 <= waits[0] <= 5_500, 300_000 <= waits[1] <= 330_000,
                1_800_000 <= waits[2] <= 1_980_000] == [True, True, True]
        assert len({(s.message_id, s.body) for s in desk.sent}) == 1
        assert [s.number for s in desk.sent] == [1, 2, 3, 4]
        assert desk.told()[-1] == (reasons.SENT, "")
    run(main())


def test_one_whose_retries_are_over_is_dead_and_can_be_sent_again() -> None:
    """Its last record holds all that is needed."""
    async def main() -> None:
        desk = Desk(ONE.replace("purpose", "retry: {delays_s: [1, 1]}, purpose"),
                    lambda *_: TROUBLE)
        desk.tell(KEYS[0], "c1")
        await desk.run_until(START + HOUR_MS)
        assert desk.told()[-2:] == [(reasons.FAILED, "status"), (reasons.DEAD, "retries_exhausted")]
        assert set(desk.said(-1)) == {"trigger", "message"}

        desk.answer = lambda *_: SENT
        dead = desk.records()[-1]
        again = {**dead, "status": reasons.REDRIVEN, "reason": "", "attempt": 0, "at": desk.at,
                 "due_at": desk.at}
        desk.append(again, KEYS[0].encode(), partition_of(KEYS[0].encode(), PARTITIONS))
        await desk.flow()
        assert desk.told()[-1] == (reasons.SENT, "")
        assert desk.sent[-1].body == desk.sent[0].body
    run(main())


def test_order_is_kept_while_one_is_tried_again() -> None:
    """A customer's later triggers wait for an earlier one; other customers do not."""
    async def main() -> None:
        def answer(_name: str, attempt: Attempt) -> Outcome:
            return TROUBLE if attempt.message_id == first and attempt.number < 3 else SENT

        desk = Desk(ONE, answer)
        first = desk.tell(KEYS[0], "c1")
        await desk.flow()
        later = [desk.tell(KEYS[0], f"c{n}") for n in range(2, 5)]
        other = desk.tell(KEYS[1], "c1")
        await desk.flow()
        assert [s.message_id for s in desk.sent] == [first, other]
        await desk.run_until(START + HOUR_MS)
        assert [s.message_id for s in desk.sent if s.message_id != other] == [first] * 3 + later
    run(main())


def test_without_order_nothing_waits_for_another() -> None:
    """`order: none`: a failing one holds up nobody."""
    async def main() -> None:
        desk = Desk(ONE.replace("purpose", "order: none, purpose"),
                    lambda _name, attempt: TROUBLE if attempt.message_id == first else SENT)
        first = desk.tell(KEYS[0], "c1")
        await desk.flow()
        second = desk.tell(KEYS[0], "c2")
        await desk.flow()
        assert [s.message_id for s in desk.sent] == [first, second]
    run(main())


def test_one_destination_that_hangs_harms_no_other() -> None:
    """Its places are taken and its backlog waits; everything else goes out."""
    text = """
destinations:
  slow: {channel: webhook, url: https://a.example/x, purpose: necessary, concurrency_max: 3}
  fast: {channel: webhook, url: https://b.example/x, purpose: necessary}
routes: [{triggers: ["*"], to: [slow, fast]}]
"""
    async def main() -> None:
        gate = asyncio.Event()

        async def hangs() -> Outcome:
            await gate.wait()
            return SENT

        desk = Desk(text, lambda name, _attempt: hangs() if name == "slow" else SENT)
        for customer in CUSTOMERS:
            desk.tell(customer, "c1")
        await desk.flow()
        got = Counter(s.destination for s in desk.sent)
        assert got == {"slow": 3, "fast": len(CUSTOMERS)}
        waiting = sum(p.fold.rows.waiting["slow"] for p in desk.engine.partitions.values())
        assert waiting == len(CUSTOMERS)
        gate.set()
        await desk.flow()
        assert Counter(s.destination for s in desk.sent)["slow"] == len(CUSTOMERS)
    run(main())


def test_a_destination_that_is_down_is_left_alone_and_then_disabled() -> None:
    """The breaker asks now and then; after five days it is disabled, which is told once, and
    everything that waited is dead, to be sent again.
    """
    async def main() -> None:
        desk = Desk(ONE, lambda *_: TROUBLE)
        told = {desk.tell(customer, "c1") for customer in CUSTOMERS}
        await desk.run_until(START + DAY_MS)
        tries = len(desk.sent)
        assert tries < 2 * len(CUSTOMERS) + DAY_MS / 600_000 * 1.1
        await desk.run_until(START + 5 * DAY_MS + HOUR_MS)
        assert desk.told().count((reasons.DISABLED, "failing")) == PARTITIONS
        last = {r["trigger_id"]: (r["status"], r["reason"]) for r in desk.records()
                if r["trigger_id"]}
        assert set(last.values()) <= {(reasons.DEAD, "destination_disabled"),
                                      (reasons.DEAD, "retries_exhausted")}
        assert last.keys() == told
        ids = {CODECS.trigger.decode(e.value)["trigger_id"] for n in range(PARTITIONS)
               for e in desk.topics["footfall.triggers", n] if e.key == b"$destination:crm"}
        assert len(ids) == 1
        before = desk.told().count((reasons.DEAD, "destination_disabled"))
        desk.tell(KEYS[0], "later")
        await desk.flow()
        assert desk.told().count((reasons.DEAD, "destination_disabled")) == before + 1
    run(main())


def test_one_that_is_gone_is_disabled_at_once() -> None:
    """410: nobody is there any more."""
    async def main() -> None:
        desk = Desk(ONE, lambda *_: Outcome("gone", "gone", 410))
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        desk.tell(KEYS[1], "c1")
        await desk.flow()
        assert len(desk.sent) == 1
        assert Counter(desk.told()) == {
            (reasons.SENDING, ""): 1, (reasons.FAILED, "gone"): 1, (reasons.DEAD, "gone"): 1,
            (reasons.DISABLED, "gone"): PARTITIONS, (reasons.DEAD, "destination_disabled"): 1}
    run(main())


def test_that_it_was_disabled_is_delivered_once() -> None:
    """All partitions say so; whoever a route names for it hears it once."""
    text = ONE.replace("routes:", """
  ops: {channel: webhook, url: https://o.example/x, purpose: necessary}
routes:
  - {triggers: [destination_disabled], to: [ops]}""")

    async def main() -> None:
        desk = Desk(text, lambda name, _: SENT if name == "ops" else Outcome("gone", "gone", 410))
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        assert desk.told().count((reasons.DISABLED, "gone")) == PARTITIONS
        assert [s.destination for s in desk.sent] == ["crm", "ops"]
    run(main())


def test_a_fault_in_a_channel_is_one_failed_attempt() -> None:
    """The process goes on, and the delivery is tried again."""
    async def main() -> None:
        def answer(_name: str, attempt: Attempt) -> Outcome:
            if attempt.number == 1:
                raise KeyError("a fault")
            return SENT

        desk = Desk(ONE, answer)
        desk.tell(KEYS[0], "c1")
        await desk.run_until(START + HOUR_MS)
        assert (reasons.FAILED, "internal") in desk.told()
        assert desk.told()[-1] == (reasons.SENT, "")
    run(main())


def test_an_administrator_enables_it_again() -> None:
    """What comes from then on is sent."""
    async def main() -> None:
        desk = Desk(ONE, lambda *_: Outcome("gone", "gone", 410))
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        desk.answer = lambda *_: SENT
        for number in range(PARTITIONS):
            enabled = desk.engine.lanes["crm"].about.of_itself(reasons.ENABLED, "", desk.at)
            desk.append(enabled, row.health_key("crm"), number)
        await desk.flow()
        desk.tell(KEYS[1], "c2")
        await desk.flow()
        assert desk.told().count((reasons.SENT, "")) == 1
    run(main())


@pytest.mark.parametrize("point", ["before_send", "after_send"])
def test_a_crash_repeats_the_send_in_flight_and_nothing_else(point: str) -> None:
    """Killed between intent and outcome: the same attempt again, the same id and bytes."""
    class Killed(BaseException):
        pass

    async def main() -> None:
        desk = Desk(ONE)
        desk.tell(KEYS[0], "c1")
        desk.tell(KEYS[1], "c1")
        await desk.flow()
        desk.checkpoint()

        def kill(passed: str) -> None:
            if passed == point:
                raise Killed

        desk.passed = kill
        third = desk.tell(KEYS[0], "c2")
        desk.engine.fail = lambda _error: None
        await desk.flow()
        desk.passed = lambda _point: None
        await desk.crash()
        await desk.flow()
        again = [s for s in desk.sent if s.message_id == third]
        assert [s.number for s in again] == [1] * (2 if point == "after_send" else 1)
        assert len({s.body for s in again}) == 1
        assert len(desk.sent) == 2 + len(again)
        assert desk.told()[-1] == (reasons.SENT, "")
    run(main())


def test_what_is_held_out_is_never_sent() -> None:
    """The held-out part of a rule: recorded, and nobody is told."""
    async def main() -> None:
        desk = Desk(ONE)
        desk.tell(KEYS[0], "c1", held_out=True)
        await desk.flow()
        assert (desk.sent, desk.told()) == ([], [(reasons.SUPPRESSED, "held_out")])
    run(main())


@pytest.mark.parametrize(("more", "reason"), [
    ({"depth": 5}, "too_deep"),
    ({"integrations": b'{"All":false}'}, "integrations"),
    ({"integrations": b'{"crm":false}'}, "integrations"),
    ({"integrations": b'{"webhook":false}'}, "integrations"),
    ({"integrations": b'{"All":false,"crm":true}'}, ""), ({"depth": 4}, "")])
def test_what_its_cause_forbids_is_not_sent(more: dict[str, Any], reason: str) -> None:
    """`integrations` of the causing event, and rings of deliveries that cause each other."""
    async def main() -> None:
        desk = Desk(ONE)
        desk.tell(KEYS[0], "c1", **more)
        await desk.flow()
        assert len(desk.sent) == (reason == "")
        assert desk.told()[-1] == ((reasons.SUPPRESSED, reason) if reason else (reasons.SENT, ""))
    run(main())


def test_outcomes_enter_the_log_of_interactions() -> None:
    """What has ended, once; what goes on, and what is held out, does not."""
    async def main() -> None:
        desk = Desk(ONE.replace("purpose", "retry: {delays_s: [1]}, purpose"), lambda *_: TROUBLE)
        desk.tell(KEYS[0], "c1")
        desk.tell(KEYS[0], "c2", held_out=True)
        await desk.run_until(START + HOUR_MS)
        desk.answer = lambda *_: SENT
        desk.tell(KEYS[0], "c3")
        desk.tell(KEYS[0], "c4", depth=5)
        await desk.flow()
        assert sorted(desk.fed_back()) == [
            ("delivery_dead", "retries_exhausted"), ("delivery_sent", ""),
            ("delivery_suppressed", "too_deep")]
    run(main())


def test_what_is_no_trigger_is_put_away() -> None:
    """With its bytes; those behind it are delivered."""
    async def main() -> None:
        desk = Desk(ONE)
        number = partition_of(KEYS[0].encode(), PARTITIONS)
        desk.topics[topics.TRIGGERS, number].append(Entry(0, START, b"x", b"no trigger"))
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        assert len(desk.sent) == 1
        (put,) = desk.topics[topics.REJECTED, number]
        rejected = CODECS.rejected.decode(put.value)
        assert (rejected["stage"], rejected["topic"], rejected["offset"], rejected["personal"]) == (
            "delivery", topics.TRIGGERS, 0, b"no trigger")
    run(main())


def test_too_much_for_one_customer_is_dead_and_kept_in_the_log() -> None:
    """A row has a limit; what is over it can be sent again from the log."""
    async def main() -> None:
        desk = Desk(ONE, lambda *_: TROUBLE)
        for n in range(150):
            desk.tell(KEYS[0], f"c{n}")
        await desk.flow()
        assert Counter(desk.told())[reasons.DEAD, "backlog_full"] == 50
        dead = [n for n, r in enumerate(desk.records()) if r["status"] == reasons.DEAD]
        assert all("trigger" in desk.said(n) for n in dead)
    run(main())


def test_a_destination_that_routes_no_longer_have() -> None:
    """What waits for it is dead, with a reason, not forgotten."""
    async def main() -> None:
        desk = Desk(ONE, lambda *_: TROUBLE)
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        desk.checkpoint()
        desk._text = ONE.replace("crm", "other")
        await desk.crash()
        await desk.flow()
        assert desk.told()[-1] == (reasons.DEAD, "destination_unknown")
    run(main())


happenings = st.lists(st.one_of(
    st.tuples(st.just("tell"), st.integers(0, 3), st.integers(0, 5)),
    st.tuples(st.just("rounds"), st.integers(1, 6)),
    st.tuples(st.just("pass"), st.integers(1, 400_000)),
    st.tuples(st.just("checkpoint")),
    st.tuples(st.just("crash"), st.integers(0, 4), st.integers(0, 3)),
), max_size=30)


@settings(max_examples=1500, deadline=None)
@given(happenings, st.integers(0, 2**32), st.sampled_from(["customer", "none"]))
def test_whatever_happens_each_trigger_is_delivered_in_order(
        made: list[tuple[Any, ...]], seed: int, order: str) -> None:
    """Crashes at any instant, with any part of a checkpoint written, and a destination that fails
    at random: every trigger arrives under its id with the same bytes, in order, and none is sent
    again whose outcome was recorded.
    """
    async def main() -> None:
        draws = iter(range(10**9))

        def answer(_name: str, _attempt: Attempt) -> Outcome:
            return TROUBLE if hash((seed, next(draws))) % 3 == 0 else SENT

        desk = Desk(ONE.replace("purpose", f"order: {order}, breaker: {{failures: 3, open_s: 1}}, "
                                f"purpose"), answer)
        told: dict[str, list[str]] = {}
        for what, *of in made:
            if what == "tell":
                customer = CUSTOMERS[of[0]]
                ids = told.setdefault(customer, [])
                trigger_id = desk.tell(customer, f"c{of[1]}")
                if trigger_id not in ids:
                    ids.append(trigger_id)
            elif what == "rounds":
                for _ in range(of[0]):
                    await desk.step()
            elif what == "pass":
                await desk.run_until(desk.at + of[0])
            elif what == "checkpoint":
                desk.checkpoint()
            else:
                desk.checkpoint(dict.fromkeys(range(PARTITIONS), of[0]))
                await desk.crash(of[1])
        desk.answer = lambda *_: SENT
        await desk.run_until(desk.at + DAY_MS)

        assert {s.message_id for s in desk.sent} == {i for ids in told.values() for i in ids}
        assert all(len({s.body for s in desk.sent if s.message_id == i}) == 1
                   for ids in told.values() for i in ids)
        ended = [r["trigger_id"] for r in desk.records() if r["status"] == reasons.SENT]
        assert Counter(ended) == Counter(set(ended))
        if order == "customer":
            for ids in told.values():
                first_sent = list(dict.fromkeys(
                    s.message_id for s in desk.sent if s.message_id in ids))
                assert first_sent == ids
    run(main())

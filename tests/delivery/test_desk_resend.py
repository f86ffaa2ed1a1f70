"""Triggers sent again, on virtual time: the same id, what delivery decides now, each run once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any

import msgspec
import pytest

from footfall.delivery import reasons
from footfall.delivery.deliveries_account import Place
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_redrive import kept_in, redriven
from footfall.delivery.message import Attempt, Outcome, Person
from footfall.delivery.record import About
from footfall.delivery.routes import channel_of, medium_of
from footfall.events import topics
from footfall.events.codec import DeliveryRecord
from footfall.replay.resend.carry_out import Kept, resent
from footfall.replay.resend.documents import document, record_of
from footfall.replay.resend.survey import NEVER, Asked, Found, Survey
from footfall.replay.selected import Selection
from footfall.stream.partition import partition_of
from tests.delivery.desk import PARTITIONS, SENT, Desk
from tests.delivery.log import CODECS, KEYS, START
from tests.delivery.test_desk import CUSTOMERS, DAY_MS, HOUR_MS, ONE, TROUBLE
from tests.delivery.test_policy import granted

TWO = """
destinations:
  crm: {channel: webhook, url: https://crm.example/x, purpose: necessary}
  new: {channel: webhook, url: https://new.example/x, purpose: necessary}
routes:
  - {triggers: [cart_abandoned], to: [crm]}
"""


def run(what: Coroutine[Any, Any, None]) -> None:
    asyncio.run(what)


def asked_of(desk: Desk, to: str, run: str, **more: Any) -> Asked:
    """A resend to one of the desk's destinations."""
    found = desk.engine.routes.destinations[to]
    about = About(to, channel_of(found), medium_of(found), found.purpose,
                  desk.engine.routes.version)
    return Asked(more.pop("selection", Selection()), about, found, run, desk.at, **more)


def surveyed(desk: Desk, asked: Asked) -> Found:
    """What there is to be sent again, of all partitions."""
    found = Found()
    for number in range(PARTITIONS):
        survey = Survey(number, asked)
        if asked.deliveries is None:
            for entry in desk.topics[topics.TRIGGERS, number]:
                survey.take_trigger(CODECS.trigger.decode(entry.value), entry.offset)
        for entry in desk.topics[topics.DELIVERIES, number]:
            record = CODECS.delivery.decode(entry.value)
            if not record["trigger_id"] or asked.concerned.concerns(record):
                survey.take_step(record, Place(number, entry.offset, entry.timestamp))
        one = survey.found()
        found.planned += one.planned
        found.left_out += one.left_out
    return found


def records_of(desk: Desk, asked: Asked, found: Found) -> Iterable[tuple[int, DeliveryRecord]]:
    """What a run writes."""
    for one in found.planned:
        if asked.deliveries is None:
            entry = desk.topics[topics.TRIGGERS, one.partition][one.trigger_at]
            trigger = CODECS.trigger.decode(entry.value)
            kept = Kept(trigger, document(trigger))
        else:
            entry = desk.topics[topics.DELIVERIES, one.partition][one.trigger_at]
            text = bytes(kept_in(CODECS.delivery.decode(entry.value))["trigger"])
            kept = Kept(record_of(text), text)
        message = b""
        if one.message_at >= 0:
            step = desk.topics[topics.DELIVERIES, one.partition][one.message_at]
            message = bytes(kept_in(CODECS.delivery.decode(step.value))["message"])
        yield one.partition, resent(kept, message, asked.to, asked.run, asked.now)


def resend(desk: Desk, to: str, run: str = "r1", **more: Any) -> Found:
    """A whole run; what it found."""
    asked = asked_of(desk, to, run, **more)
    found = surveyed(desk, asked)
    for number, record in records_of(desk, asked, found):
        desk.append(record, record["customer_key"].encode(), number)
    return found


def last(desk: Desk) -> tuple[str, str, str]:
    """Status, reason and run of the last record."""
    records = [r for r in desk.records() if r["trigger_id"]]
    one = sorted(records, key=lambda record: record["at"])[-1]
    return one["status"], one["reason"], one["run"]


def test_one_that_was_sent_goes_again_under_its_id_byte_for_byte() -> None:
    """All of its steps name the run; what is live does not count them."""
    async def main() -> None:
        desk = Desk(ONE)
        told = desk.tell(KEYS[0], "c1")
        await desk.flow()
        desk.at += HOUR_MS
        assert [("sent", False)] == [
            (one.before, one.is_again) for one in resend(desk, "crm").planned]
        await desk.flow()
        first, second = desk.sent
        assert (told, first.body, 1) == (second.message_id, second.body, second.number)
        assert [(reasons.SENDING, ""), (reasons.SENT, ""), (reasons.RESENT, "r1"),
                (reasons.SENDING, "r1"), (reasons.SENT, "r1")] == [
            (record["status"], record["run"]) for record in desk.records()]
        (fold,) = (p.fold for p in desk.engine.partitions.values() if p.fold.counts)
        assert {("crm", "sending", ""): 1, ("crm", "sent", ""): 1} == fold.counts
        assert {("crm", "resent", ""): 1, ("crm", "sending", ""): 1,
                ("crm", "sent", ""): 1} == fold.resent
    run(main())


def test_one_that_never_went_there_is_rendered() -> None:
    """A new destination gets what others got; the trigger is known there from then on."""
    async def main() -> None:
        desk = Desk(TWO)
        told = desk.tell(KEYS[0], "c1")
        await desk.flow()
        (one,) = resend(desk, "new").planned
        assert (NEVER, -1) == (one.before, one.message_at)
        await desk.flow()
        assert [("crm", told), ("new", told)] == [(s.destination, s.message_id) for s in desk.sent]
        assert desk.sent[0].body == desk.sent[1].body
        # Chosen by its delivery to the other one it is the same trigger.
        by_delivery = Filter(destinations=("crm",), statuses=("sent",))
        found = resend(desk, "new", "r2", deliveries=by_delivery)
        assert [("sent", True)] == [(one.before, one.is_again) for one in found.planned]
        await desk.flow()
        assert ["crm", "new", "new"] == [s.destination for s in desk.sent]
        assert desk.sent[1].body == desk.sent[2].body
        assert [] == resend(desk, "new", "r3", deliveries=Filter(
            destinations=("crm",), statuses=("dead",))).planned
    run(main())


def test_a_run_sends_each_once_however_often_it_is_written() -> None:
    """Resumed, written twice, written by two: the fold takes a run's word once; another run's is
    another. A process that comes later knows it, too.
    """
    async def main() -> None:
        desk = Desk(ONE)
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        asked = asked_of(desk, "crm", "r1")
        found = surveyed(desk, asked)
        for _ in range(2):
            for number, record in records_of(desk, asked, found):
                desk.append(record, record["customer_key"].encode(), number)
        await desk.flow()
        assert 2 == len(desk.sent)
        assert {"done": 1} == resend(desk, "crm", "r1").left_out
        desk.checkpoint()
        await desk.crash()
        desk.at += DAY_MS
        for number, record in records_of(desk, asked, found):
            desk.append(record, record["customer_key"].encode(), number)
        await desk.flow()
        assert 2 == len(desk.sent)
        (again,) = resend(desk, "crm", "r2").planned
        assert again.is_again
        await desk.flow()
        assert 3 == len(desk.sent)
        assert 1 == len({(s.message_id, s.body) for s in desk.sent})
    run(main())


def test_what_is_on_its_way_is_not_sent_beside_it() -> None:
    """A delivery that has not ended goes by itself; a record for it all the same changes nothing.
    """
    async def main() -> None:
        desk = Desk(ONE, lambda *_: TROUBLE)
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        assert ([], {"pending": 1}) == (
            (found := resend(desk, "crm")).planned, dict(found.left_out))
        trigger = CODECS.trigger.decode(
            desk.topics[topics.TRIGGERS, partition_of(KEYS[0].encode(), PARTITIONS)][0].value)
        asked = asked_of(desk, "crm", "r1")
        desk.append(resent(Kept(trigger, document(trigger)), b"", asked.to, "r1", desk.at),
                    KEYS[0].encode(), partition_of(KEYS[0].encode(), PARTITIONS))
        await desk.flow()
        assert (1, (reasons.RESENT, "")) == (len(desk.sent), desk.told()[-1])
        desk.answer = lambda *_: SENT
        await desk.run_until(START + HOUR_MS)
        assert [1, 2] == [s.number for s in desk.sent]
        assert (reasons.SENT, "", "") == last(desk)
    run(main())


def test_consent_that_was_withdrawn_since_is_honoured() -> None:
    """Sent with consent, sent again without: suppressed, and told why. So is what would go to one
    whom the view does not know any more.
    """
    async def main() -> None:
        people: list[Person | None] = [granted("webhook")]
        desk = Desk(ONE.replace("necessary", "marketing"), people=lambda *_: people[0])
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        assert (reasons.SENT, "", "") == last(desk)
        for n, (person, reason) in enumerate((
                (granted("webhook", but="webhook"), "consent_withdrawn"),
                (None, "consent_unknown"))):
            people[0] = person
            desk.at += HOUR_MS
            resend(desk, "crm", f"r{n}")
            await desk.flow()
            assert (reasons.SUPPRESSED, reason, f"r{n}") == last(desk)
            assert ("delivery_suppressed", reason) == desk.fed_back()[-1]
        assert 1 == len(desk.sent)
    run(main())


def test_caps_count_what_is_sent_again() -> None:
    """One a day: today's has gone, the next day's resend of it is the one, and no other."""
    async def main() -> None:
        desk = Desk(ONE.replace("purpose", "caps: [{max: 1, per: day}], purpose"),
                    people=lambda *_: Person(zone="UTC"))
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        resend(desk, "crm", "r1")
        await desk.flow()
        assert (reasons.SUPPRESSED, "frequency_cap", "r1") == last(desk)
        desk.at += DAY_MS
        resend(desk, "crm", "r2")
        await desk.flow()
        assert (reasons.SENT, "", "r2") == last(desk)
        desk.tell(KEYS[0], "c2")
        await desk.flow()
        assert (reasons.SUPPRESSED, "frequency_cap", "") == last(desk)
        assert 2 == len(desk.sent)
    run(main())


def test_what_is_never_sent_again() -> None:
    """Held out, kept from there by its event, too deep, too late: left out, each by its reason."""
    async def main() -> None:
        desk = Desk(TWO.replace("  new: {", "  new: {expires_s: 3600, "))
        desk.tell(KEYS[0], "old")
        await desk.flow()
        desk.at += 2 * HOUR_MS
        desk.tell(KEYS[0], "held", held_out=True)
        desk.tell(KEYS[0], "kept", integrations=b'{"new":false}')
        desk.tell(KEYS[0], "deep", depth=5)
        told = desk.tell(KEYS[0], "plain")
        await desk.flow()
        before = len(desk.sent)
        found = resend(desk, "new")
        assert {"held_out": 1, "integrations": 1, "too_deep": 1, "expired": 1} == found.left_out
        assert [told] == [one.trigger_id for one in found.planned]
        await desk.flow()
        assert [("new", told)] == [(s.destination, s.message_id) for s in desk.sent[before:]]
    run(main())


def test_one_that_died_after_it_was_sent_again_can_be_redriven() -> None:
    """It stays what it is: of its run, and counted apart; the same run does not begin it anew."""
    async def main() -> None:
        desk = Desk(ONE.replace("purpose", "retry: {delays_s: []}, purpose"))
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        desk.answer = lambda *_: TROUBLE
        resend(desk, "crm")
        await desk.flow()
        assert (reasons.DEAD, "retries_exhausted", "r1") == last(desk)
        assert {"done": 1} == surveyed(desk, asked_of(desk, "crm", "r1")).left_out
        desk.answer = lambda *_: SENT
        dead = next(r for r in desk.records() if r["status"] == reasons.DEAD)
        again = redriven(dead, kept_in(dead), desk.at)
        assert again is not None
        desk.append(again, KEYS[0].encode(), partition_of(KEYS[0].encode(), PARTITIONS))
        await desk.flow()
        assert (reasons.SENT, "", "r1") == last(desk)
        assert 1 == len({s.body for s in desk.sent})
        (fold,) = (p.fold for p in desk.engine.partitions.values() if p.fold.counts)
        assert 1 == fold.counts["crm", "sent", ""] == fold.resent["crm", "sent", ""]
    run(main())


def test_of_one_customer_so_many_at_a_time() -> None:
    """The first ones; the same run, again, when they are through."""
    async def main() -> None:
        desk = Desk(TWO)
        told = [desk.tell(KEYS[0], f"c{n}") for n in range(7)]
        other = desk.tell(KEYS[1], "c")
        await desk.flow()
        desk.sent.clear()
        left = []
        for _ in range(4):
            found = resend(desk, "new", customer_max=3)
            left.append((len(found.planned), found.left_out["later"], found.left_out["done"]))
            await desk.flow()
        assert [(4, 4, 0), (3, 1, 4), (1, 0, 7), (0, 0, 8)] == left
        assert told == [s.message_id for s in desk.sent if s.message_id != other]
        assert 8 == len(desk.sent)

        desk.answer = lambda *_: TROUBLE
        assert 4 == len(resend(desk, "new", "r2", customer_max=3).planned)
        await desk.flow()
        # Those wait for the first of them, which is tried again.
        assert {"pending": 4, "later": 4} == surveyed(
            desk, asked_of(desk, "new", "r3", customer_max=3)).left_out
    run(main())


def test_a_trigger_without_its_record_is_told() -> None:
    """Of a delivery whose first step is gone nothing is left that could be sent."""
    async def main() -> None:
        desk = Desk(ONE)
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        number = partition_of(KEYS[0].encode(), PARTITIONS)
        by_delivery = Filter(destinations=("crm",), statuses=("sent",))
        asked = asked_of(desk, "crm", "r1", deliveries=by_delivery)
        survey = Survey(number, asked)
        (_sending, sent) = desk.topics[topics.DELIVERIES, number]
        survey.take_step(CODECS.delivery.decode(sent.value), Place(number, 1, sent.timestamp))
        assert ([], {"no_trigger": 1}) == (
            (found := survey.found()).planned, dict(found.left_out))
    run(main())


@pytest.mark.parametrize("seed", range(25))
def test_killed_anywhere_and_resumed_each_is_sent_once_more(seed: int) -> None:
    """Whoever resends is killed after some of its records, delivery at any step, with what was not
    acknowledged lost; both go on. In the end each trigger went once live and once by the run, and
    what was repeated after a crash is the same attempt with the same bytes.
    """
    async def main() -> None:
        dice = random.Random(seed)

        def answer(_name: str, attempt: Attempt) -> Outcome:
            return TROUBLE if attempt.number == 1 and not dice.randrange(4) else SENT

        desk = Desk(ONE, answer)
        told = {desk.tell(customer, "c1") for customer in CUSTOMERS[:24]}
        await desk.run_until(START + HOUR_MS)
        live = Counter(s.message_id for s in desk.sent)
        bodies = {s.message_id: s.body for s in desk.sent}
        desk.checkpoint()
        desk.at += HOUR_MS
        desk.sent.clear()
        rounds = 0
        while True:
            asked = asked_of(desk, "crm", "r1")
            found = surveyed(desk, asked)
            rounds += 1
            if rounds > 3 and not found.planned:
                break
            records = list(records_of(desk, asked, found))
            for number, record in records[:dice.randrange(len(records) + 1)]:
                desk.append(record, record["customer_key"].encode(), number)
                if not dice.randrange(6):
                    await desk.step()
            for _ in range(dice.randrange(4)):
                await desk.step()
            if dice.randrange(2):
                desk.checkpoint()
            if dice.randrange(3):
                await desk.crash(lost=dice.randrange(3))
            if rounds > 3:
                await desk.run_until(desk.at + HOUR_MS)
        await desk.run_until(desk.at + HOUR_MS)

        steps = [r for r in desk.records() if r["run"]]
        ended = Counter(r["trigger_id"] for r in steps if r["status"] == reasons.SENT)
        assert dict.fromkeys(told, 1) == ended
        assert told == live.keys() == {s.message_id for s in desk.sent}
        assert bodies == {s.message_id: s.body for s in desk.sent}
        assert {(s.message_id, s.body) for s in desk.sent} == set(bodies.items())
    run(main())


def test_what_an_older_footfall_stored_is_read() -> None:
    """Rows of deliveries that were stored before runs were known, and the other way round."""
    from footfall.delivery.row import Pending

    class Before(msgspec.Struct, array_like=True):
        """As it was."""

        trigger_id: str
        name: str
        state: int
        attempt: int
        queued_at: int
        due_at: int
        emitted_at: int
        depth: int
        document: bytes
        message: bytes = b""

    old = Before("t", "n", 0, 0, 1, 2, 3, 0, b"{}", b"m")
    new = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Pending)
    assert Pending("t", "n", 0, 0, 1, 2, 3, 0, b"{}", b"m", "") == new
    new.run = "r1"
    assert old == msgspec.msgpack.decode(msgspec.msgpack.encode(new), type=Before)

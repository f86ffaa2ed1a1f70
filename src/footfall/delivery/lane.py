"""The way to one destination: whose turn it is, how many at a time, and what became of each.

Each destination has a task of its own, its own places and its own queue, so that one that hangs
harms no other (bulkhead). An attempt is recorded, and the record acknowledged, before it is made;
what became of it is recorded before its place is given to another. Decides order, places, rate and
breaker; what may go is `decide.py`'s, what is sent is the channel's. Must never keep anything that
is not in a row: whatever this holds may be lost at any instant.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from footfall import telemetry
from footfall.delivery import decide, health, reasons, row
from footfall.delivery.decide import EXPIRED, Verdict
from footfall.delivery.health import Health
from footfall.delivery.message import Attempt, Channel, Message, Outcome, Person, RenderError
from footfall.delivery.people import Stale
from footfall.delivery.queue import Place, Queue
from footfall.delivery.rate import Rate
from footfall.delivery.record import About, whole
from footfall.delivery.routes import channel_of, medium_of
from footfall.delivery.routes_row import AnyDestination
from footfall.delivery.row import Pending
from footfall.logs import bound

if TYPE_CHECKING:
    from footfall.delivery.engine import DeliveryEngine
    from footfall.delivery.partition import DeliveryPartition

logger = logging.getLogger(__name__)

#: Decided in one go, before others get the event loop.
TURN_MAX = 100
#: How soon a customer is looked at again of whom the view knew less than their trigger.
STALE_MS = 50
#: What a channel may take beyond its own time-out.
GRACE_S = 2.0
TELL_S = 10.0
NOBODY = Person()


class Case(NamedTuple):
    """A delivery whose turn it is. `offset`: of its trigger, where nothing is recorded of it yet.
    """

    partition: DeliveryPartition
    key: bytes
    pending: Pending
    offset: int = -1

    @property
    def customer_key(self) -> str:
        """Whose it is."""
        return row.parts(self.key)[0]


class Try(NamedTuple):
    """An attempt: what is sent, and which one it is."""

    case: Case
    message: bytes
    number: int


class Lane:
    """One destination's."""

    def __init__(self, engine: DeliveryEngine, name: str, destination: AnyDestination,
                 channel: Channel) -> None:
        self.name = name
        self.destination = destination
        self.channel = channel
        self.about = About(name, channel_of(destination), medium_of(destination),
                           destination.purpose, engine.routes.version)
        self.counted_as = row.counted_as(self.about.medium, destination.purpose)
        self.needs_person = channel.needs_person or decide.needs_person(destination)
        self.health = Health()
        self.in_flight = 0
        self._engine = engine
        self._rate = Rate(destination.rate_per_s)
        self.queue = Queue()
        self._wake = asyncio.Event()
        self._told_at = -TELL_S

    # -- whose turn it is ------------------------------------------------------------------------

    def look(self, partition: DeliveryPartition, key: bytes) -> None:
        """Something of a customer's deliveries to here has changed."""
        one, look_at = self._next(partition, key)
        if one is not None:
            self.queue.offer(Place(partition, key))
        elif look_at:
            self.queue.put_off(Place(partition, key), look_at)
        self._wake.set()

    def changed(self, found: Health, partitions: Iterable[DeliveryPartition]) -> None:
        """It was disabled or enabled: everything that waits for it is looked at."""
        self.health = found
        for partition in partitions:
            for key in partition.fold.rows.waiting_keys():
                if row.parts(key)[1] == self.name:
                    self.look(partition, key)
        self._wake.set()

    async def run(self) -> None:
        """Runs as long as the process."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self.queue.wait_s(self._engine.now()))
            self._wake.clear()
            while await self.turn():
                self._engine.alive()
                await asyncio.sleep(0)

    def room(self) -> int:
        """How many may begin now."""
        now = self._engine.now()
        may = health.may_send(self.health, now, is_probing=self.in_flight > 0)
        if self._engine.is_stopping or may == "no":
            return 0
        places = self.destination.concurrency_max - self.in_flight
        return min(places, 1 if may == "probe" else TURN_MAX, self._rate.room(time.monotonic()))

    async def turn(self) -> bool:
        """Decide about those whose turn it is; whether there may be more."""
        engine, now = self._engine, self._engine.now()
        self.queue.take_up(now)
        room = TURN_MAX if self.health.disabled_at and not engine.is_stopping else self.room()
        cases = self._cases(room)
        if not cases:
            return False
        people = await asyncio.gather(*map(self._person, cases), return_exceptions=True)
        for case, person in zip(cases, people, strict=True):
            place = Place(case.partition, case.key)
            if not self._is_so_still(case):
                self.queue.offer(place)
            elif isinstance(person, Stale):
                if decide.is_expired(self.destination, case.pending.emitted_at, engine.now()):
                    self.carry_out(case, EXPIRED)
                else:
                    telemetry.DELIVERY_STALE.labels(self.name).inc()
                    self.queue.put_off(place, engine.now() + STALE_MS)
            elif isinstance(person, BaseException):
                raise person
            else:
                self.decide(case, person)
        return bool(self.queue) and (bool(self.health.disabled_at) or self.room() > 0)

    def _cases(self, room: int) -> list[Case]:
        cases: list[Case] = []
        for _ in range(len(self.queue)):
            if len(cases) >= room:
                break
            partition, key = place = self.queue.pop()
            if not self._engine.holds(partition):
                continue
            customer_key = row.parts(key)[0]
            if partition.unfolded(customer_key):
                partition.pass_over(customer_key, key)
                continue
            one, look_at = self._next(partition, key)
            if one is not None:
                cases.append(Case(partition, key, one))
            elif look_at:
                self.queue.put_off(place, look_at)
        return cases

    def _next(self, partition: DeliveryPartition, key: bytes) -> tuple[Pending | None, int]:
        """What is next of a customer, or when to look again; of a destination that is disabled
        everything is.
        """
        going = partition.going.get(key, ())
        pending = partition.fold.rows.destination_row(key).pending
        if self.health.disabled_at:
            return next((one for one in pending if one.trigger_id not in going), None), 0
        return decide.turn(pending, self.destination.order, going, self._engine.now())

    def _is_so_still(self, case: Case) -> bool:
        """Whether nothing has changed while the view was asked."""
        partition = case.partition
        return (self._engine.holds(partition) and not partition.unfolded(case.customer_key)
                and any(case.pending is one
                        for one in partition.fold.rows.destination_row(case.key).pending))

    async def _person(self, case: Case) -> Person | None:
        if not self.needs_person or self.health.disabled_at:
            return NOBODY
        return await self._engine.person(case.customer_key, case.pending.emitted_at)

    # -- what is decided -------------------------------------------------------------------------

    def decide(self, case: Case, person: Person | None) -> None:
        """Record what becomes of a delivery now, and see to it."""
        self.carry_out(case, *self._verdict(case, person))

    def _verdict(self, case: Case, person: Person | None) -> tuple[Verdict, bytes]:
        """What becomes of it, and its message where there is one."""
        now, pending = self._engine.now(), case.pending
        if self.health.disabled_at:
            return Verdict(reasons.DEAD, "destination_disabled"), pending.message
        found = decide.may_go(
            self.destination, self.about.medium, person, emitted_at=pending.emitted_at, now=now,
            sent_at=case.partition.sent_at(case.key, self.counted_as, now))
        if found.status != reasons.SENDING or pending.message:
            return found, pending.message
        try:
            trigger = msgspec.json.decode(pending.document)
            message = self.channel.render(trigger, pending.document, person or NOBODY)
            return found, msgspec.json.encode(message)
        except RenderError as error:
            if error.is_suppression:
                return Verdict(reasons.SUPPRESSED, error.reason), b""
            self._tell("rendering failed", error.reason)
            return Verdict(reasons.DEAD, error.reason), b""
        except Exception as error:  # only its kind: the text may hold what is sent
            self._tell("rendering failed", type(error).__name__)
            return Verdict(reasons.DEAD, "render_failed"), b""

    def _tell(self, what: str, error: str) -> None:
        """In the log, now and then: what is wrong for one is wrong for thousands, and each has its
        record.
        """
        now = time.monotonic()
        if now >= self._told_at + TELL_S:
            self._told_at = now
            logger.error(what, extra={"destination": self.name, "error": error})

    def carry_out(self, case: Case, verdict: Verdict, message: bytes = b"") -> None:
        """Record a verdict; where it goes, send once the record is acknowledged."""
        partition, key, pending, offset = case
        number, then = pending.attempt, None
        if verdict.status == reasons.SENDING:
            # One that began and whose end is not known is the same attempt.
            number += pending.state != row.GOES
            self.in_flight += 1
            self._rate.take()
            partition.begin(key, pending.trigger_id)
            attempt = Try(case, message, number)

            def then() -> None:
                self._engine.keep(asyncio.create_task(self._send(attempt)))
        said: dict[str, Any] = {}
        if offset >= 0 or verdict.status == reasons.DEAD:
            said = whole(pending, message)
        elif message and not pending.message:
            said = {"message": msgspec.Raw(message)}
        self._engine.record(partition, self.about.step(
            case.customer_key, pending, verdict, now=self._engine.now(), attempt=number, said=said,
            trigger_offset=offset), then)

    async def _send(self, attempt: Try) -> None:
        pending = attempt.case.pending
        of_run = {"run": pending.run} if pending.run else {}
        with bound(trigger_id=pending.trigger_id, destination=self.name, **of_run):
            await self._send_one(attempt)

    async def _send_one(self, attempt: Try) -> None:
        (partition, key, pending, _offset), message, number = attempt
        told = Attempt(pending.trigger_id, pending.trigger_id, pending.name,
                       attempt.case.customer_key, number, self._engine.now() / 1000)
        began = time.monotonic()
        self._engine.crash_point("before_send")
        try:
            outcome = await asyncio.wait_for(
                self.channel.send(msgspec.json.decode(message, type=Message), told),
                self.destination.timeout_s + GRACE_S)
        except TimeoutError:
            outcome = Outcome("retry", "timeout")
        except Exception as error:  # a fault of ours, or of a library, in one destination
            self._tell("sending failed", type(error).__name__)
            outcome = Outcome("retry", "internal")
        finally:
            self.in_flight -= 1
            partition.end(key, pending.trigger_id)
            self._wake.set()
        self._engine.crash_point("after_send")
        took_s = time.monotonic() - began
        logger.debug("an attempt ended", extra={
            "status": outcome.result, "reason": outcome.reason, "code": outcome.code,
            "seconds": round(took_s, 3)})
        telemetry.DELIVERY_ATTEMPT_SECONDS.labels(self.name).observe(took_s)
        if self._engine.may_record(partition):
            self._ended(attempt, outcome, round(took_s * 1000))

    def _ended(self, attempt: Try, outcome: Outcome, took_ms: int) -> None:
        now, (case, message, number) = self._engine.now(), attempt
        self.health = health.after(self.health, self.destination.breaker, outcome, now)
        for verdict in decide.after(self.destination, number, outcome, now,
                                    case.pending.trigger_id + self.name):
            said = whole(case.pending, message) if verdict.status == reasons.DEAD else {}
            self._engine.record(case.partition, self.about.step(
                case.customer_key, case.pending, verdict, now=now, attempt=number, said=said,
                outcome=outcome, took_ms=took_ms))
        if outcome.result == "sent" and not case.pending.run:  # one that is resent fired long ago
            telemetry.DELIVERY_SECONDS.labels(self.name).observe(
                max(0, now - case.pending.emitted_at) / 1000)
        elif outcome.result == "gone":
            self._engine.disable(self, "gone")
        elif health.overdue(self.health, self.destination.disable_after_s, now):
            self._engine.disable(self, "failing")

"""A whole delivery process without Kafka: real engine, planner, folds and lanes, on virtual time.

Topics are lists; a record is acknowledged and folded when the desk comes round to it. What a
destination answers is a function of the test.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec

from footfall.delivery import routes
from footfall.delivery.engine import DeliveryEngine
from footfall.delivery.lane import Lane
from footfall.delivery.message import Attempt, Message, Outcome, Person, Resources
from footfall.delivery.partition import DeliveryPartition
from footfall.events import topics
from footfall.events.codec import DeliveryRecord
from footfall.settings import Settings
from footfall.stream.partition import partition_of
from footfall.tables.records import Best
from footfall.tables.spec import Trigger
from tests.delivery.log import CODECS, START, Entry
from tests.tables.logs import KEYS, RESERVED

PARTITIONS = 2
SENT = Outcome("sent")


class Sending(NamedTuple):
    """What a destination got."""

    at: int
    destination: str
    message_id: str
    number: int
    body: str


class Scripted:
    """A channel that notes what it gets, and answers what the test says."""

    needs_person = False

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk = desk
        self._name = name

    def render(self, _trigger: Mapping[str, Any], document: bytes, person: Person) -> Message:
        """The document, and where they live, to see what was known of them."""
        return Message(document.decode(), to=person.ids.get("email", ""))

    async def send(self, message: Message, attempt: Attempt) -> Outcome:
        """Note it."""
        desk = self._desk
        desk.sent.append(Sending(desk.at, self._name, attempt.message_id, attempt.number,
                                 message.body))
        answer = desk.answer(self._name, attempt)
        return await answer if isinstance(answer, Awaitable) else answer

    async def close(self) -> None:
        """Nothing is held."""


class _Put:
    """The lane of one partition of one topic."""

    def __init__(self, desk: Desk, topic: str, number: int) -> None:
        self._desk = desk
        self._topic = topic
        self._number = number

    def put(self, messages: Iterable[tuple[bytes | None, bytes | None]],
            _since: int | None = None) -> None:
        """Append to the topic; acknowledged later."""
        log = self._desk.topics[self._topic, self._number]
        for key, value in messages:
            log.append(Entry(len(log), self._desk.at, key, value))
            self._desk.unacked.append((self._topic, (key, value)))


class Desk:
    """One process after another over the same topics."""

    def __init__(self, text: str, answer: Callable[[str, Attempt], Any] = lambda *_: SENT,
                 people: Callable[[str, int], Person | None] | None = None) -> None:
        self.at = START
        self.answer = answer
        self.sent: list[Sending] = []
        self.topics: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
        self.unacked: list[tuple[str, tuple[bytes | None, bytes | None]]] = []
        self.passed: Callable[[str], None] = lambda _point: None
        self._text = text
        self._people = people
        self._stored: dict[int, tuple[Any, dict[bytes, bytes]]] = {}
        self.start()

    # -- the process -----------------------------------------------------------------------------

    def start(self) -> None:
        """A new process, from what is stored."""
        self.unacked.clear()
        read = routes.parse(self._text, "routes.yaml")
        self.engine = DeliveryEngine(
            Settings(partitions=PARTITIONS, delivery_from="earliest"), read,
            Resources(Path(), {}), served=None, clock=lambda: self.at / 1000, codecs=CODECS,
            keys=KEYS, reserved=RESERVED, fail=_raise)
        engine: Any = self.engine
        engine.outbox = SimpleNamespace(
            lane=lambda topic, number: _Put(self, topic, number), waiting=lambda: 0)
        engine.consumer = SimpleNamespace(
            gate=True, is_ready=True, epoch=0, held=set(), is_member=lambda: True)
        engine.crash_point = self._pass
        if self._people is not None:
            engine._people = SimpleNamespace(get=self._person)
        for name, destination in read.destinations.items():
            engine.lanes[name] = Lane(engine, name, destination, Scripted(self, name))
        for number in range(PARTITIONS):
            state, rows = self._stored.get(number, (None, {}))
            partition = engine.own(number, state, Best(dict(rows)))
            partition.fold.read(topics.TRIGGERS, 0)

    def _pass(self, point: str) -> None:
        self.passed(point)

    async def _person(self, customer_key: str, emitted_at: int) -> Person | None:
        assert self._people is not None
        return self._people(customer_key, emitted_at)

    def checkpoint(self, until: Mapping[int, int] | None = None) -> None:
        """Make durable what was folded. `until`: of each partition, how many changed rows got as
        far as the changelog before the process ended: then its `$partition` did not.
        """
        if until is None:
            self._acknowledge()  # outputs come before rows (law 1)
        for number, partition in self.engine.partitions.items():
            changed = partition.fold.snapshot()
            state, rows = self._stored.get(number, (None, {}))
            rows = dict(rows)
            kept = len(changed) if until is None else until.get(number, 0)
            for key, value in changed[:kept]:
                rows.pop(key, None)
                if value is not None:
                    rows[key] = value
            self._stored[number] = partition.fold.state() if until is None else state, rows

    async def crash(self, lost: int = 0) -> None:
        """End it without a word, and start another. `lost`: how many of the records last appended
        to each partition never reached the broker; one that was acknowledged or read has.
        """
        for task in list(self.engine._attempts):
            task.cancel()
        await asyncio.gather(*self.engine._attempts, return_exceptions=True)
        for number, partition in self.engine.partitions.items():
            log = self.topics[topics.DELIVERIES, number]
            waits = sum(1 for topic, message in self.unacked if topic == topics.DELIVERIES
                        and any(message[1] is e.value for e in log))
            may_go = min(lost, waits, len(log) - partition.fold.next_offset)
            del log[len(log) - may_go:]
        self.start()

    # -- what happens ----------------------------------------------------------------------------

    def tell(self, customer: str, cause: str, name: str = "cart_abandoned", *,
             data: Mapping[str, Any] | None = None, **more: Any) -> str:
        """A trigger; its id. `more`: what else it is."""
        from footfall.tables.outputs import Outputs

        trigger = Trigger(name, (cause,), self.at, data or {"value": {"EUR": "1"}}, {}, **more)
        number = partition_of(customer.encode(), PARTITIONS)
        output = Outputs(CODECS, RESERVED, "log", number).trigger(
            customer.encode(), trigger, {"user_id": "u"}, self.at, "1:x")
        log = self.topics[topics.TRIGGERS, number]
        log.append(Entry(len(log), self.at, output.key, output.value))
        return CODECS.trigger.decode(output.value)["trigger_id"]

    def append(self, record: DeliveryRecord, key: bytes, number: int) -> None:
        """What an administrator writes."""
        _Put(self, topics.DELIVERIES, number).put([(key, CODECS.delivery.encode(record))])

    async def flow(self) -> None:
        """Until nothing more happens at this instant."""
        while await self.step():
            pass

    async def step(self) -> bool:
        """One round; whether anything happened."""
        moved = self._acknowledge()
        for partition in self.engine.partitions.values():
            moved |= self._fold(partition)
        for partition in self.engine.partitions.values():
            moved |= await self._plan(partition)
        for lane in self.engine.lanes.values():
            moved |= await lane.turn()
        for _ in range(5):
            await asyncio.sleep(0)
        return moved or bool(self.unacked)

    def _acknowledge(self) -> bool:
        acked, self.unacked = self.unacked, []
        for topic, message in acked:
            self.engine.acked(topic, [message])
        return bool(acked)

    def _fold(self, partition: DeliveryPartition) -> bool:
        entries = self.topics[topics.DELIVERIES, partition.number][partition.fold.next_offset:]
        partition.fold.apply_all(entries, float("inf"))
        if not partition.is_caught_up:
            partition.is_caught_up = True
            self.engine._adopt(partition)
        if entries:
            self.engine.applied(partition, entries)
            self.engine.send(partition, self.at)
        return bool(entries)

    async def _plan(self, partition: DeliveryPartition) -> bool:
        begin = partition.fold.positions[topics.TRIGGERS]
        records = self.topics[topics.TRIGGERS, partition.number][begin:]
        if records:
            await self.engine.process_triggers(SimpleNamespace(
                message=SimpleNamespace(partition=partition.number), ack=lambda: None,
                value=SimpleNamespace(epoch=0, records=records)))
        return bool(records)

    async def run_until(self, at: int) -> None:
        """Let time pass, from one instant at which something is due to the next."""
        await self.flow()
        while True:
            due = [lane.queue.next_at for lane in self.engine.lanes.values()]
            due += [lane.health.open_until for lane in self.engine.lanes.values() if lane.queue]
            coming = [d for d in due if d > self.at]
            if not coming or min(coming) > at:
                break
            self.at = min(coming)
            await self.flow()
        self.at = at
        await self.flow()

    # -- what is seen ----------------------------------------------------------------------------

    def records(self) -> list[DeliveryRecord]:
        """Every record of footfall.deliveries, in order within each partition."""
        return [CODECS.delivery.decode(e.value) for n in range(PARTITIONS)
                for e in self.topics[topics.DELIVERIES, n]]

    def told(self) -> list[tuple[str, str]]:
        """(status, reason) of each record."""
        return [(r["status"], r["reason"]) for r in self.records()]

    def fed_back(self) -> list[tuple[str, str]]:
        """(outcome, reason) that entered the log of interactions, with the MAC they need."""
        found = []
        for number in range(PARTITIONS):
            for entry in self.topics[topics.INTERACTIONS, number]:
                assert entry.key is not None
                event = RESERVED.read_delivery(CODECS.interaction.decode(entry.value), entry.key)
                properties = msgspec.json.decode(event["personal"])["properties"]
                found.append((event["event"], properties["reason"]))
        return found

    def said(self, n: int) -> dict[str, Any]:
        """`personal` of a record."""
        return msgspec.json.decode(self.records()[n]["personal"] or b"{}")


def _raise(error: BaseException) -> None:
    raise error

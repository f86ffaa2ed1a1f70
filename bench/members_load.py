"""The steady load of `members.py`, its recount, and how long each partition stood idle.

Each event has a number of its own; a rule tells each one at once, with the number and with how many
events its customer had by then. A partition stands idle from when a record waits and the one before
it has been told until it is told itself: append times of the log and of the triggers, both by the
broker's own clock, so each gap is exact to the interval of the load (some 10 ms). A trigger that
comes twice counts at its first append. The check is a recount of what the broker acknowledged to
the loader: it shares no code with the worker.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import Counter, defaultdict
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from customers import codecs, encoded_item
from lab import Lab

from footfall.events import topics

EVENTS_A_SECOND = 600
#: Customers who come; they are among those that the workers hold.
ACTIVE = 2_000
TOLD_S_MAX = 120
EVENT = "Visited"
CONFIG = {
    "computed": {"definitions": [{"name": "visits", "version": 1, "of": "count", "window": "7d",
                                  "over": {"call": "track", "event": EVENT}}]},
    "rules": {"definitions": [{
        "name": "visited", "version": 1, "on": {"call": "track", "event": EVENT},
        "data": {"n": "event.properties.n", "visits": "computed.visits"}}]},
}


class Phase(NamedTuple):
    """Of the partition that stood longest, s: nothing was told though a record waited; of the one
    that stood shortest; and the longest that a record had to wait.
    """

    idle_s: float
    least_s: float
    waited_s: float


class Appended(NamedTuple):
    """An event that the broker has acknowledged."""

    n: int
    customer: int
    offset: int
    at: int


class Load(threading.Thread):
    """Sends events at a steady rate; what the broker acknowledged is in `appended`."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({
            "bootstrap.servers": lab.bootstrap, "partitioner": "murmur2_random", "linger.ms": 2,
            "enable.idempotence": True})
        self._dice = random.Random(8)
        self._enough = threading.Event()
        self.sent = 0
        self.appended: dict[int, list[Appended]] = defaultdict(list)

    def run(self) -> None:
        """Until `end`."""
        began = time.monotonic()
        while not self._enough.is_set():
            while self.sent < (time.monotonic() - began) * EVENTS_A_SECOND:
                self._send()
            self._producer.poll(0.002)
        self._producer.flush()

    def end(self) -> None:
        """Send nothing more; all is acknowledged."""
        self._enough.set()
        self.join()
        assert sum(map(len, self.appended.values())) == self.sent

    def _send(self) -> None:
        n, customer = self.sent, self._dice.randrange(ACTIVE)
        self.sent += 1
        at = int(time.time() * 1000)
        key, value = encoded_item({
            "type": "track", "event": EVENT, "messageId": f"members-{n}", "timestamp": at,
            "userId": f"user-{customer:08}", "properties": {"n": n}}, at)

        def delivered(error: Any, message: Message) -> None:
            if error is None:
                self.appended[message.partition()].append(
                    Appended(n, customer, message.offset(), message.timestamp()[1]))

        self._producer.produce(topics.INTERACTIONS, value, key=key, on_delivery=delivered)


class Told(NamedTuple):
    """A trigger."""

    n: int
    visits: int
    trigger_id: str
    at: int


def told_of(lab: Lab, load: Load, partitions: int) -> dict[int, list[Told]]:
    """All triggers about the load, by partition, once each of its events has one."""
    consumer = Consumer({"bootstrap.servers": lab.bootstrap, "group.id": "bench-members",
                         "enable.auto.commit": False})
    consumer.assign([TopicPartition(topics.TRIGGERS, p, 0) for p in range(partitions)])
    found: dict[int, list[Told]] = defaultdict(list)
    missing = set(range(load.sent))
    deadline = time.monotonic() + TOLD_S_MAX
    quiet = 0
    with contextlib.closing(consumer):
        while (missing or quiet < 3) and time.monotonic() < deadline:
            messages = [m for m in consumer.consume(10_000, 0.5) if m.error() is None]
            quiet = 0 if messages else quiet + 1
            for message in messages:
                trigger = codecs.trigger.decode(message.value())
                if trigger["name"] == "visited":
                    data = json.loads(trigger["data"])
                    told = Told(int(data["n"]), int(data["visits"]), trigger["trigger_id"],
                                message.timestamp()[1])
                    found[message.partition()].append(told)
                    missing.discard(told.n)
    return found


def check(load: Load, told: dict[int, list[Told]]) -> dict[str, int]:
    """What was lost, doubled or counted wrongly; raises unless that is nothing."""
    ids: dict[int, set[str]] = defaultdict(set)
    counted: dict[int, set[int]] = defaultdict(set)
    for one in (t for of in told.values() for t in of):
        ids[one.n].add(one.trigger_id)
        counted[one.n].add(one.visits)
    seen = {"events": load.sent, "distinct ids": len(set().union(*ids.values())),
            "told again under the same id": sum(map(len, told.values())) - len(ids),
            "lost": load.sent - len(ids), "told under two ids": 0, "counted wrongly": 0}
    for appended in load.appended.values():
        visits: Counter[int] = Counter()
        for event in sorted(appended, key=lambda e: e.offset):
            visits[event.customer] += 1
            seen["told under two ids"] += len(ids[event.n]) > 1
            seen["counted wrongly"] += counted[event.n] != {visits[event.customer]}
    if (seen["lost"], seen["told under two ids"], seen["counted wrongly"],
            seen["distinct ids"]) != (0, 0, 0, load.sent):
        raise AssertionError(f"not exact: {seen}")
    return seen


def phases_of(load: Load, told: dict[int, list[Told]], marks: list[tuple[str, float]]
              ) -> dict[str, Phase]:
    """By what happened: (name, when it began in ms) of each action, in order."""
    idle: dict[str, list[float]] = {name: [] for name, _ in marks}
    waited = {name: 0.0 for name, _ in marks}
    for partition, appended in load.appended.items():
        first: dict[int, int] = {}
        for one in told[partition]:
            first.setdefault(one.n, one.at)
        worst = {name: 0.0 for name, _ in marks}
        before = 0
        for event in sorted(appended, key=lambda e: e.offset):
            at = first[event.n]
            # What was told at the end of a gap belongs to the action that came before it.
            name = next((name for name, began in reversed(marks) if began <= at), marks[0][0])
            worst[name] = max(worst[name], (at - max(before, event.at)) / 1000)
            waited[name] = max(waited[name], (at - event.at) / 1000)
            before = max(before, at)
        for name, gap in worst.items():
            idle[name].append(gap)
    return {name: Phase(max(gaps), min(gaps), waited[name]) for name, gaps in idle.items()}

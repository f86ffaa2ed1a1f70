"""Workers that join, leave, are restarted and killed under load: how long a partition stands idle,
and whether anything is lost or counted twice.

A steady load on real Kafka, each event with a number of its own. A rule tells each one at once, with
the number and with how many events its customer had by then. A partition stands idle from the
moment at which a record waits, and the one before it has been told, until it is told itself: append
times of the log and of the triggers, both by the broker's own clock, so each gap is exact to the
millisecond of the clock and the interval of the load (some 10 ms). A trigger that comes twice counts
at its first append. The check is a recount of what the broker acknowledged to the loader, which
knows nothing of Footfall: each event told under exactly one id, each customer's events counted one
by one.
"""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from customers import codecs, encoded_item
from figures import console, ratio_text, show, verdict
from lab import LOG_TIME, SYSTEM_SECRET, Lab
from recovery import write

from footfall.admin import config
from footfall.admin.topics import ensure
from footfall.events import topics

PARTITIONS = 6
#: Customers that the workers hold: a tenth of what is asked for (N), and those who come meanwhile.
HELD_SHARE = 10
ACTIVE = 2_000
EVENTS_A_SECOND = 600
#: From an action that has ended to the next one.
PAUSE_S = 5.0
#: Over the session timeout as shipped (10 s).
GONE_S = 18.0
READY_S_MAX = 90
TOLD_S_MAX = 120
GOALS_S = {"kill": 15, "planned": 3}
EVENT = "Visited"
CONFIG = {
    "computed": {"definitions": [{"name": "visits", "version": 1, "of": "count", "window": "7d",
                                  "over": {"call": "track", "event": EVENT}}]},
    "rules": {"definitions": [{
        "name": "visited", "version": 1, "on": {"call": "track", "event": EVENT},
        "data": {"n": "event.properties.n", "visits": "computed.visits"}}]},
}


def run(lab: Lab, n: int, rounds: int, only: set[str]) -> dict[str, Any]:
    """Each round once with static members (FOOTFALL_WORKER_ID) and once without."""
    held = n // HELD_SHARE
    found: dict[str, list[dict[str, Phase]]] = {"static": [], "dynamic": []}
    exact: list[dict[str, int]] = []
    for number in range(rounds):
        for kind in found:
            if only and kind not in only:
                continue
            phases, seen = _round(lab, held, kind, lab.folder / f"{kind}-{number}")
            found[kind].append(phases)
            exact.append(seen)
            console.print(f"round {number + 1}, {kind}: {seen}; idle, s: " + ", ".join(
                f"{name} {phase.idle_s:.2f}" for name, phase in phases.items()))
    for kind, made in found.items():
        if made:
            _show(kind, held, made)
    console.print(f"all rounds: {dict(sum(map(Counter, exact), Counter()))}")
    return {"customers": held, "found": {kind: [
        {name: phase._asdict() for name, phase in phases.items()} for phases in made]
        for kind, made in found.items()}, "exact": exact}


class Phase(NamedTuple):
    """Of the partition that stood longest, s: nothing was told though a record waited; and the
    longest that a record had to wait.
    """

    idle_s: float
    waited_s: float
    #: Of the partition that stood shortest.
    least_s: float


def _show(kind: str, held: int, made: list[dict[str, Phase]]) -> None:
    rows = []
    for name in made[0]:
        idle = [phases[name].idle_s for phases in made]
        goal = GOALS_S["kill" if "kill" in name else "planned"]
        rows.append((name, ratio_text(idle), verdict(max(idle), goal, at_least=False),
                     ratio_text([phases[name].least_s for phases in made]),
                     ratio_text([phases[name].waited_s for phases in made])))
    show(f"members, {kind}: {PARTITIONS} partitions, {held:,} customers, {EVENTS_A_SECOND} events/s,"
         f" {len(made)} rounds; idle of the partition that stood longest, s: median (least-most)",
         ("what happens", "idle", "goal, of the most", "of the one that stood shortest",
          "longest wait of a record"), rows)


# -- one round ---------------------------------------------------------------------------------


def _round(lab: Lab, held: int, kind: str, folder: Path
           ) -> tuple[dict[str, Phase], dict[str, int]]:
    lab.forget("footfall")
    time.sleep(2)
    # As shipped, but that the broker says when it appended a trigger.
    lab.create(topics.TRIGGERS, partitions=PARTITIONS, config=LOG_TIME)
    ensure(lab.bootstrap, PARTITIONS, 1)
    write(lab, held, partitions=PARTITIONS)
    config.apply(lab.bootstrap, SYSTEM_SECRET.encode(), CONFIG)
    folder.mkdir()
    fleet, load = Fleet(lab, folder, static=kind == "static"), Load(lab)
    try:
        fleet.start(0).ready()
        load.start()
        marks = list(_actions(fleet))
        load.end()
        told = _told(lab, load)
        fleet.end()
    finally:
        fleet.kill_all()
    return _phases(load, told, marks), _check(load, told)


def _actions(fleet: Fleet) -> Iterator[tuple[str, float]]:
    """What happens, one after the other: its name, and when it began (ms)."""
    yield "nothing", _now()
    time.sleep(2 * PAUSE_S)
    yield "1 -> 3, both at once", _now()
    for one in [fleet.start(1), fleet.start(2)]:
        one.ready()
    time.sleep(PAUSE_S)
    for number in range(3):
        yield f"restart of worker {number + 1} of 3", _now()
        fleet.of[number].stop()
        fleet.start(number).ready()
        time.sleep(PAUSE_S)
    yield "kill -9 of one of 3, started again at once", _now()
    fleet.of[1].kill()
    fleet.start(1).ready()
    time.sleep(GONE_S)
    yield "kill -9 of one of 3, not started again", _now()
    fleet.of[2].kill()
    time.sleep(GONE_S)
    yield "2 -> 3", _now()
    fleet.start(2).ready()
    time.sleep(PAUSE_S)
    yield "3 -> 2", _now()
    fleet.of[1].stop()
    time.sleep(PAUSE_S)
    yield "2 -> 1", _now()
    fleet.of[2].stop()
    time.sleep(PAUSE_S)


def _now() -> float:
    return time.time() * 1000


class Worker:
    """One worker process."""

    def __init__(self, lab: Lab, log: Path, worker_id: str) -> None:
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "footfall", "worker"], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, cwd=lab.folder,
                env=lab.footfall(partitions=PARTITIONS, worker_id=worker_id))

    def ready(self) -> None:
        """Wait until it has taken up work."""
        deadline = time.monotonic() + READY_S_MAX
        while b"ready: " not in self._log.read_bytes():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("a worker did not get ready:\n"
                                   + self._log.read_text(errors="replace")[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._process.terminate()
        if self._process.wait(60) != 0:
            raise RuntimeError("a worker did not stop:\n"
                               + self._log.read_text(errors="replace")[-2000:])

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()


class Fleet:
    """The workers of a round, by number."""

    def __init__(self, lab: Lab, folder: Path, *, static: bool) -> None:
        self._lab = lab
        self._folder = folder
        self._static = static
        self._all: list[Worker] = []
        self.of: dict[int, Worker] = {}

    def start(self, number: int) -> Worker:
        """Start one; where it is static its id is that of its number."""
        log = self._folder / f"{len(self._all)}-worker-{number}.log"
        self.of[number] = Worker(self._lab, log, f"w{number}" if self._static else "")
        self._all.append(self.of[number])
        return self.of[number]

    def end(self) -> None:
        """Stop the one that is left."""
        self.of[0].stop()

    def kill_all(self) -> None:
        """Nothing stays behind."""
        for worker in self._all:
            worker.kill()


# -- load and its recount ----------------------------------------------------------------------


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


def _told(lab: Lab, load: Load) -> dict[int, list[Told]]:
    """All triggers about the load, by partition, once each of its events has one."""
    consumer = Consumer({"bootstrap.servers": lab.bootstrap, "group.id": "bench-members",
                         "enable.auto.commit": False})
    consumer.assign([TopicPartition(topics.TRIGGERS, p, 0) for p in range(PARTITIONS)])
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


def _check(load: Load, told: dict[int, list[Told]]) -> dict[str, int]:
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


def _phases(load: Load, told: dict[int, list[Told]], marks: list[tuple[str, float]]
            ) -> dict[str, Phase]:
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
    return {name: Phase(max(gaps), waited[name], min(gaps)) for name, gaps in idle.items()}

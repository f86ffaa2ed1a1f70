"""A storm of merges, and workers that die in it: the customers of a reference come out, exactly.

Whatever moment workers are killed, join or leave at, each call counts once, at a customer whom the
reference (`tests/tables/graph.py`) gives it to, all facts are those of the customer's own calls,
and every identifier that is owned leads to its owner.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from footfall import tables
from footfall.admin import config
from footfall.admin.topics import ensure
from footfall.events.customer_key import is_user, order
from footfall.events.interaction import HANDOFF, Interaction
from footfall.events.topics import INTERACTIONS
from footfall.tables.fold import Fold
from footfall.tables.outputs import REJECTED, TRIGGER
from tests.services import KafkaNode
from tests.system import exactness
from tests.system.shop import Loader
from tests.system.storm import UNLIMITED, Storm
from tests.system.test_kill import LONG_S_MAX, QUICK, QUIET_S_MAX
from tests.system.test_kill import POINTS as OTHER_POINTS
from tests.system.topics import Entry, State, read_all, until
from tests.system.workers import KILLED, PARTITIONS, START_S_MAX, SYSTEM_SECRET, Worker, Workers
from tests.tables.graph import Named, Reference, check_facts
from tests.tables.held import carts_held
from tests.tables.logs import CODECS, KEYS

pytestmark = pytest.mark.kafka

POINTS = (*OTHER_POINTS, "in_handoff")
#: Facts only: links have none.
SPECS = tuple(table for table in tables.ALL if table.name != "links")


class Found(NamedTuple):
    """What the checks saw, for a test's own assertions."""

    customers: int
    pointers: int
    handoffs: int
    #: Handoffs that a worker sent again before it died, or after.
    again: int
    #: Rows compared byte for byte, and those that a limit has cut.
    rows: int
    limited: int


def test_a_storm_of_merges_is_exact_through_every_crash(
        footfall_topics: str, workers: Workers) -> None:
    """Killed at each named point and at random, beside another worker; one joins and leaves."""
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), {**QUICK, **UNLIMITED})
    faults = [f"{point}:{1 if point == 'in_recovery' else 3}" for point in POINTS]
    run = Run(footfall_topics, workers, seed, households=120)
    killed = run.storm([*faults, "in_handoff:40", "random", "random", "join and leave"],
                       at_least=10_000, a_second=250)
    found = run.end()
    print(found)
    assert killed == workers.exits.count(KILLED) == len(faults) + 3
    assert found.pointers > 400 and found.handoffs > 1_000 and found.again > 0


@pytest.mark.chaos
def test_a_great_storm_of_merges_is_exact(
        own_kafka: Callable[..., KafkaNode], workers_of: Callable[[str], Workers]) -> None:
    """100,000 calls and more of 1,500 households: each named point four times, twenty random
    kills, six workers that join and leave.
    """
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    node = own_kafka()
    ensure(node.bootstrap, PARTITIONS, 1)
    config.apply(node.bootstrap, SYSTEM_SECRET.encode(), {**QUICK, **UNLIMITED})
    counts = random.Random(seed)
    faults = [f"{point}:{1 if point == 'in_recovery' else counts.randrange(1, 60)}"
              for point in POINTS * 4]
    run = Run(node.bootstrap, workers_of(node.bootstrap), seed, households=1_500)
    killed = run.storm([*faults, *["random"] * 20, *["join and leave"] * 6],
                       at_least=100_000, a_second=800)
    found = run.end()
    print(found)
    assert killed == len(faults) + 20
    assert found.pointers > 3_000 and found.handoffs > 10_000 and found.again > 0


class Run:
    """One storm over one broker: what dies in it, and what is read when all is over."""

    def __init__(self, bootstrap: str, workers: Workers, seed: int, households: int) -> None:
        self._bootstrap = bootstrap
        self._workers = workers
        self._random = random.Random(seed)
        self._storm = Storm(seed, households)
        self._loader = Loader(bootstrap)
        self._state = State(bootstrap)
        #: Lives beside the one that is killed: what is moved between them counts, too.
        self._other = workers.start("w2")

    def storm(self, faults: list[str], at_least: int, a_second: float) -> int:
        """Load while workers end in each of these ways; how many were killed."""
        self._random.shuffle(faults)
        self._loader.start_load(self._storm, at_least=at_least, a_second=a_second)
        killed = 0
        for fault in faults:
            if fault == "join and leave":
                worker = self._workers.start("w1").until_ready()
                assert 0 == self._workers.start().until_ready().stop()
                assert 0 == worker.stop()
                continue
            if fault == "random":
                self._kill(self._workers.start("w1"))
            else:
                worker = self._workers.start("w1", crash_at=fault)
                assert KILLED == worker.wait(LONG_S_MAX), f"{fault}: {worker.output()}"
            killed += 1
            exactness.check_commits(self._bootstrap, self._state)
        self._loader.join()
        return killed

    def end(self) -> Found:
        """Let it become quiet; then name each browser with one user, and use each browser once more
        without: now nothing is left for the log's order to decide. Check all.
        """
        workers = [self._other, self._workers.start("w1").until_ready()]
        until(self._state.covered, LONG_S_MAX, "covered")
        users = sorted({one.user for one in self._storm.named.values() if one.user})
        owners = {browser: self._random.choice(users) for browser in self._storm.browsers()}
        self._loader.load(self._storm.all_of(
            [Named(user, browser) for browser, user in owners.items()]))
        until(self._state.covered, LONG_S_MAX, "covered")
        self._loader.load(self._storm.all_of(
            [Named(anonymous=browser) for browser in owners]))
        until(self._state.quiet, QUIET_S_MAX, "quiet")
        assert [0, 0] == [worker.stop() for worker in workers]
        seen = exactness.check(self._bootstrap, carts=False)
        print(seen)
        assert 0 == seen.rejected
        assert len(self._loader.acked) == self._storm.made
        return check(read_all(self._bootstrap, INTERACTIONS), self._storm.named, owners)

    def _kill(self, worker: Worker) -> None:
        before = self._state.offsets()
        worker.until(lambda: self._state.offsets() != before, START_S_MAX, "progress")
        time.sleep(2 * self._random.random())
        worker.kill()


def check(log: list[Entry], named: Mapping[str, Named], owners: Mapping[str, str]) -> Found:
    """All that must hold of a log at its end, whose fold `exactness` has found to be the state."""
    folded = exactness.fold(log)
    reference = Reference(named.values())
    records = {key: folded.folds[number] for number, of in folded.records.items() for key in of}
    roots = {key: root_of(key, records) for key in records}
    for key, root in roots.items():
        if key in reference.root:
            tree = reference.root[key]
            possible = {tree} if is_user(key) else reference.owners.get(tree, {tree})
            assert root in possible, key
    calls = calls_of(log)
    assert named.keys() == calls.keys()
    counted = counted_at(named, calls, records, reference)
    for browser, user in owners.items():
        mine = reference.root[KEYS.of("user_id", user)]
        assert mine == roots[KEYS.of("anonymous_id", browser)], browser
    own: dict[bytes, list[tuple[Interaction, int]]] = {}
    for message_id, key in counted.items():
        assert roots[key] == key, message_id
        own.setdefault(key, []).append(calls[message_id])
    rows = sum(check_facts(SPECS, mine, lambda name, key=key: facts_of(records, key, name))
               for key, mine in own.items())
    sent = {o.value for f in folded.folds.values() for o in f.outputs
            if o.kind not in (TRIGGER, REJECTED)}
    came = [e.value for e in log if CODECS.interaction.decode(e.value)["type"] == HANDOFF]
    assert sent == set(came)
    customers = sum(key == root for key, root in roots.items())
    return Found(customers, len(roots) - customers, len(sent), len(came) - len(sent), rows,
                 len(SPECS) * len(own) - rows)


def root_of(key: bytes, records: Mapping[bytes, Fold]) -> bytes:
    """Where the pointers of an identifier lead; a record that has an owner must hold nothing else.
    """
    while True:
        row = records[key].row(key, "links")
        if row is None or not row.told.owner:
            return key
        record = records[key].records.peek(key)
        assert record is not None
        assert ({"links"}, {}) == (set(record.rows), record.timers)
        assert order(key) < order(row.told.owner)
        key = row.told.owner


def calls_of(log: list[Entry]) -> dict[str, tuple[Interaction, int]]:
    """messageId -> a call and its event time, as the first step of the log sees it."""
    calls: dict[str, tuple[Interaction, int]] = {}
    for entry in log:
        event = CODECS.interaction.decode(entry.value)
        if not event["type"].startswith("$"):
            when = min(event["event_time"], entry.timestamp)
            calls.setdefault(event["message_id"], (event, when))
    return calls


def counted_at(named: Mapping[str, Named], calls: Mapping[str, tuple[Interaction, int]],
               records: Mapping[bytes, Fold], reference: Reference) -> dict[str, bytes]:
    """messageId -> the customer it counts for. A product is at one customer alone, and all
    customers together have counted as many events as there are calls.
    """
    held: dict[str, bytes] = {}
    events = 0
    for key, fold in records.items():
        for cart in carts_held(fold.row(key, "cart")).values():
            for product_id, _variant in cart.lines:
                assert product_id not in held, product_id
                held[product_id] = key
        facts = facts_of(records, key, "engagement")
        if facts is not None:
            events += sum(kind.older + kind.events + sum(kind.buckets[1::2])
                          for kind in facts.kinds)
    assert len(calls) == events
    for message_id, one in named.items():
        possible = reference.customers(one)
        if message_id in held:
            assert held[message_id] in possible, (message_id, one)
        else:
            assert one.user is not None, (message_id, one)
            (held[message_id],) = possible
    return held


def facts_of(records: Mapping[bytes, Fold], key: bytes, name: str) -> Any:
    """A customer's facts of one table, None where it has no row."""
    row = records[key].row(key, name)
    return None if row is None else row.facts

"""`footfall replay rebuild` on real Kafka: the state made anew is the live one, byte for byte,
whatever it was killed at, and workers go over to it while customers go on.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from footfall.admin import config
from footfall.events.topics import INTERACTIONS, TRIGGERS
from footfall.stream.generations import topic_of
from footfall.tables.record import decode_partition, header
from footfall.tables.stored import INFLIGHT_PREFIX, PARTITION_KEY, SHADOW, PartitionState
from tests.system.mixed import Mixed
from tests.system.shop import Loader
from tests.system.storm import UNLIMITED
from tests.system.test_kill import QUICK, QUIET_S_MAX
from tests.system.topics import State, read_all
from tests.system.workers import KILLED, SYSTEM_SECRET, Worker, Workers
from tests.tables.logs import CODECS

pytestmark = pytest.mark.kafka

DONE_S_MAX = 120.0


def replay(workers: Workers, *arguments: str) -> Worker:
    """The command, as a process."""
    return workers.start(program=("-m", "footfall", "replay"), arguments=arguments)


def reported(worker: Worker) -> dict[str, Any]:
    """The report of a command that ended well."""
    assert 0 == worker.wait(DONE_S_MAX), worker.output()
    said = worker.output()
    found: dict[str, Any] = json.loads(said[said.index("{\n"):])
    return found


def lived(bootstrap: str, workers: Workers, calls: int, seed: int) -> None:
    """A log that a worker has folded to its end, with merges, consents, repeats, late events."""
    config.apply(bootstrap, SYSTEM_SECRET.encode(), {**QUICK, **UNLIMITED})
    loader, state = Loader(bootstrap), State(bootstrap)
    worker = workers.start("w1")
    loader.load(Mixed(seed).records(calls), a_second=800)
    worker.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == worker.stop()
    state.close()


def held(bootstrap: str, topic: str) -> tuple[dict[bytes, bytes], dict[int, PartitionState],
                                              list[bytes]]:
    """Rows, `$partition`s, and contents on their way, as a recovery would find them."""
    rows: dict[bytes, bytes] = {}
    states: dict[int, PartitionState] = {}
    contents: dict[bytes, bytes] = {}
    for entry in read_all(bootstrap, topic):
        assert entry.key is not None
        if entry.key.startswith(INFLIGHT_PREFIX):
            if entry.value is None:
                contents.pop(entry.key, None)
            else:
                contents[entry.key] = entry.value
            continue
        assert entry.value is not None
        if entry.key == PARTITION_KEY:
            states[entry.partition] = decode_partition(entry.value)
        elif header(entry.value)[0] >= header(rows.get(entry.key, entry.value))[0]:
            rows[entry.key] = entry.value
    return rows, states, list(contents)


def same_as_live(bootstrap: str, generation: int = 2) -> int:
    """Asserts that a shadow holds what live holds; how many customers that are."""
    rows, states, contents = held(bootstrap, topic_of(generation))
    live_rows, live_states, _contents = held(bootstrap, topic_of(generation - 1))
    assert live_rows == rows
    assert {n: s.next_offset for n, s in live_states.items()} == {
        n: s.next_offset for n, s in states.items()}
    assert [] == contents
    return len(rows)


def told(bootstrap: str) -> int:
    """Different triggers that were told."""
    return len({CODECS.trigger.decode(e.value)["trigger_id"] for e in read_all(bootstrap, TRIGGERS)
                if e.value is not None})


def test_rebuilt_state_is_the_live_one(footfall_topics: str, workers: Workers) -> None:
    """Every byte of every customer, and as many triggers; nothing is written elsewhere."""
    lived(footfall_topics, workers, 4_000, seed=11)
    before = {t: len(read_all(footfall_topics, t)) for t in (INTERACTIONS, TRIGGERS)}
    report = reported(replay(workers, "rebuild", "--no-cutover", "--yes", "--json"))
    assert before == {t: len(read_all(footfall_topics, t)) for t in (INTERACTIONS, TRIGGERS)}
    customers = same_as_live(footfall_topics)
    assert customers == report["customers"] == report["compared"]["customers_compared"] > 100
    assert [] == report["compared"]["differing"]
    assert report["handoffs"]["recomputed"] > 100
    assert told(footfall_topics) == sum(report["triggers_suppressed"].values()) > 50
    assert {"consent", "links", "cart", "risk"} <= report["compared"]["tables"].keys()
    states = held(footfall_topics, topic_of(2))[1]
    assert {SHADOW} == {state.moved_to for state in states.values()}
    assert 0 == replay(workers, "abandon", "--yes").wait()
    shown = reported(replay(workers, "status", "--json"))
    assert [topic_of(1)] == [name for name in shown if name.startswith("footfall-")]


def test_killed_at_ten_random_moments_and_gone_on_with(
        footfall_topics: str, workers: Workers) -> None:
    """By SIGKILL, and resumed from its changelog alone: the same bytes as one that was let be."""
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    lived(footfall_topics, workers, 5_000, seed=12)
    arguments = ("rebuild", "--no-cutover", "--yes", "--json", "--rate", "700")
    kills = 0
    while kills < 10:
        worker = replay(workers, *arguments)
        time.sleep(1.0 + 1.5 * chance.random())
        if not worker.runs:
            break  # at its end before its time
        worker.kill()
        kills += 1
    report = reported(replay(workers, "rebuild", "--no-cutover", "--yes", "--json"))
    print(kills, report)
    assert kills >= 5
    assert kills <= workers.exits.count(KILLED)
    assert [] == report["compared"]["differing"]
    assert same_as_live(footfall_topics) > 100



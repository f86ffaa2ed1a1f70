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
from footfall.admin.cluster import admin_client
from footfall.events.topics import INTERACTIONS, TRIGGERS
from footfall.replay.rebuild import cutover
from footfall.stream.generations import topic_of
from footfall.tables.record import decode_partition, header
from footfall.tables.stored import INFLIGHT_PREFIX, PARTITION_KEY, SHADOW, PartitionState
from tests.system import exactness
from tests.system.mixed import Mixed
from tests.system.shop import Loader
from tests.system.storm import UNLIMITED
from tests.system.test_kill import QUICK, QUIET_S_MAX
from tests.system.topics import State, Tail, read_all, until
from tests.system.workers import (
    KILLED,
    PARTITIONS,
    START_S_MAX,
    SYSTEM_SECRET,
    Worker,
    Workers,
)
from tests.tables.logs import CODECS, RESERVED

pytestmark = pytest.mark.kafka

DONE_S_MAX = 120.0


def replay(workers: Workers, *arguments: str, crash_at: str = "") -> Worker:
    """The command, as a process."""
    return workers.start(program=("-m", "footfall", "replay"), arguments=arguments,
                         crash_at=crash_at)


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


def folded(bootstrap: str) -> int:
    """How much of the log a shadow has made durable; -1 where there is none."""
    if topic_of(2) not in admin_client(bootstrap).list_topics(timeout=10).topics:
        return -1
    states = held(bootstrap, topic_of(2))[1]
    return sum(state.next_offset for state in states.values())


def log_ends(bootstrap: str) -> dict[int, int]:
    tail = Tail(bootstrap, INTERACTIONS)
    try:
        return tail.ends()
    finally:
        tail.close()


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
    # So slow that it does not come to its end however late it is seen that it goes on.
    arguments = ("rebuild", "--no-cutover", "--yes", "--json", "--rate", "120",
                 "--checkpoint", "0.2")
    reached = []
    for _ in range(10):
        worker = replay(workers, *arguments)
        before = folded(footfall_topics)
        worker.until(lambda before=before: folded(footfall_topics) > before, START_S_MAX, "on")
        time.sleep(0.5 * chance.random())
        assert worker.runs
        worker.kill()
        reached.append(folded(footfall_topics))
    print(reached)
    assert sorted(set(reached)) == reached
    report = reported(replay(workers, "rebuild", "--no-cutover", "--yes", "--json"))
    assert report["records"] < sum(log_ends(footfall_topics).values()) - reached[-1] + 1
    assert [] == report["compared"]["differing"]
    assert same_as_live(footfall_topics) > 100


def test_only_one_writes(footfall_topics: str, workers: Workers) -> None:
    """A rebuild that slept while another one finished, and workers went over, writes no more: its
    older rows would lie behind theirs.
    """
    lived(footfall_topics, workers, 1_500, seed=17)
    first = replay(workers, "rebuild", "--yes", "--rate", "60", "--checkpoint", "0.2")
    first.until(lambda: folded(footfall_topics) > 0, START_S_MAX, "on")
    first.pause()
    worker = workers.start("w1")
    assert reported(replay(workers, "rebuild", "--yes", "--json"))["cut_over"] is True
    Loader(footfall_topics).load(Mixed(18).records(300))
    worker.until(State(footfall_topics, topic_of(2)).quiet, QUIET_S_MAX, "quiet")
    before = held(footfall_topics, topic_of(2))
    first.resume()
    assert 1 == first.wait(DONE_S_MAX)
    assert "somebody else has written" in first.output()
    assert before == held(footfall_topics, topic_of(2))
    last: dict[bytes, int] = {}
    for entry in read_all(footfall_topics, topic_of(2)):
        if entry.key is not None and entry.key != PARTITION_KEY and entry.value is not None \
                and not entry.key.startswith(INFLIGHT_PREFIX):
            assert last.get(entry.key, -1) <= header(entry.value)[0]
            last[entry.key] = header(entry.value)[0]
    assert 0 == worker.stop()
    exactness.check(footfall_topics, carts=False, generation=2)


@pytest.mark.parametrize("crash", ["", "after_cutover:1", "half_shadow:2"])
def test_workers_go_over_while_customers_go_on(
        footfall_topics: str, workers: Workers, crash: str) -> None:
    """Nothing is lost or counted twice, also where the command dies between the `$cutover`s and the
    end of its last checkpoint: workers wait for the one that finishes it.
    """
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), {**QUICK, **UNLIMITED})
    first, second = workers.start("w1").until_ready(), workers.start("w2")
    shop, loader, state = Mixed(13), Loader(footfall_topics), State(footfall_topics)
    loader.start_load(shop, at_least=2_500, a_second=150)
    until(lambda: sum(state.offsets().values()) > 1_000, DONE_S_MAX, "progress")
    if crash:
        worker = replay(workers, "rebuild", "--yes", "--json", crash_at=crash)
        assert KILLED == worker.wait(DONE_S_MAX), worker.output()
        shown = reported(replay(workers, "status", "--json"))
        assert topic_of(2) in shown
        assert 1 == replay(workers, "abandon", "--yes").wait()
    report = reported(replay(workers, "cutover" if crash else "rebuild", "--yes", "--json"))
    print(report)
    assert report["cut_over"] is True
    assert "not_gone_over_yet" not in report
    # Of two partitions the new state was finished before it died.
    stood_still = {"0", "1", "2", "3"} if "half" not in crash else {"2", "3"}
    assert stood_still == report["stood_still_s"].keys()
    loader.join()
    moved = State(footfall_topics, topic_of(2))
    until(moved.quiet, QUIET_S_MAX, "quiet")
    assert first.runs and second.runs
    state.update()
    assert [2] * PARTITIONS == [one.moved_to for one in state.partitions.values()]
    seen = exactness.check(footfall_topics, carts=False, generation=2)
    assert seen.triggers > 50
    assert len(loader.acked) == shop.made
    assert 0 == replay(workers, "commit", "--yes").wait()
    assert {} == State(footfall_topics).offsets()
    assert 0 == first.stop() == second.stop()
    # Started anew, without the old state, it goes on.
    again = workers.start("w1").until_ready()
    loader.load(Mixed(14).records(100))
    until(moved.quiet, QUIET_S_MAX, "quiet")
    assert 0 == again.stop()


def test_a_cutover_that_only_one_partition_was_sent_is_finished(
        footfall_topics: str, workers: Workers) -> None:
    """Killed between two `$cutover`s: the partition that has one waits, the others get theirs."""
    lived(footfall_topics, workers, 1_500, seed=15)
    assert 0 == replay(workers, "rebuild", "--no-cutover", "--yes").wait(DONE_S_MAX)
    sent = cutover.send(footfall_topics, 2, [0], codecs=CODECS, reserved=RESERVED)
    worker = workers.start("w1")
    loader = Loader(footfall_topics)
    loader.load(Mixed(16).records(500))
    report = reported(replay(workers, "cutover", "--yes", "--json"))
    assert {"0", "1", "2", "3"} == report["stood_still_s"].keys()
    moved = State(footfall_topics, topic_of(2))
    worker.until(moved.quiet, QUIET_S_MAX, "quiet")
    assert moved.offsets()[0] > sent[0].offset
    assert 0 == worker.stop()
    exactness.check(footfall_topics, carts=False, generation=2)

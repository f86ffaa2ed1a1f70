"""What else a log may hold, and how a worker ends: control records, poison, a planned end."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest
from confluent_kafka import Producer

from footfall.admin import config
from footfall.admin.state import reset_state
from footfall.events.interaction import VIOLATION, VIOLATION_KEY
from footfall.events.topics import CHANGELOG, INTERACTIONS, REJECTED, TRIGGERS
from footfall.tables.record import header
from footfall.tables.stored import PARTITION_KEY
from footfall.up.ports import free_port
from tests.system.exactness import check, fold
from tests.system.shop import Loader, Shop
from tests.system.test_kill import QUICK, QUIET_S_MAX
from tests.system.topics import State, committed, read_all
from tests.system.workers import PARTITIONS, REFUSED, SYSTEM_SECRET, Workers
from tests.tables import events
from tests.tables.logs import CODECS, KEYS

pytestmark = pytest.mark.kafka

COVERED_S_MAX = 90.0
CUSTOMER = KEYS.of("user_id", "anna")


def metric(port: int, name: str) -> float:
    """A metric of a worker, summed over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_folding_the_log_again_gives_the_same_bytes(
        footfall_topics: str, workers: Workers) -> None:
    """A new worker without any state tells the same triggers and writes the same records, though
    cart.idle_s was changed half way.
    """
    loader, state, shop = Loader(footfall_topics), State(footfall_topics), Shop(6, customers=150)
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), QUICK)
    worker = workers.start()
    loader.load(shop.records(1500), a_second=600)
    worker.until(state.covered, COVERED_S_MAX)
    config.change(footfall_topics, SYSTEM_SECRET.encode(), {"cart": {"idle_s": 1.5}})
    loader.load(shop.records(1500), a_second=600)
    worker.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == worker.stop()
    first = check(footfall_topics)
    print(first)
    versions = {CODECS.trigger.decode(t.value)["config_version"]
                for t in read_all(footfall_topics, TRIGGERS)}
    assert 2 == len(versions)

    state.close()
    reset_state(footfall_topics, PARTITIONS)
    again = State(footfall_topics)
    assert {} == again.offsets()
    worker = workers.start()
    worker.until(again.quiet, QUIET_S_MAX, "quiet again")
    assert 0 == worker.stop()
    second = check(footfall_topics)
    assert (state.records, state.partitions) == (again.records, again.partitions)
    assert first.triggers == second.triggers == second.repeated
    assert first.log == second.log


def test_control_records_are_passed_and_counted(footfall_topics: str, workers: Workers) -> None:
    """Markers of transactions, in the log and at its end, take offsets and change nothing else."""
    shop, state, port = Shop(7, customers=40), State(footfall_topics), free_port()
    worker = workers.start(metrics_port=port)
    producer = Producer({"bootstrap.servers": footfall_topics, "transactional.id": "foreign",
                         "partitioner": "murmur2_random", "log_level": 0})
    producer.init_transactions()
    for _ in range(3):
        producer.begin_transaction()
        for key, value in shop.records(300):
            producer.produce(INTERACTIONS, value, key)
        producer.commit_transaction()
        last = _last_records(footfall_topics)
        worker.until(lambda last=last: last == state.offsets(), COVERED_S_MAX)
    # Nothing is left to be applied: a marker that stayed as lag would be taken for a stuck clock.
    worker.until(lambda: not metric(port, "footfall_lag_records"), COVERED_S_MAX)
    counted = metric(port, "footfall_control_offsets_total")
    # A marker in the middle is passed when the next record comes.
    assert 2 * PARTITIONS == counted
    assert 0 == worker.stop()
    loader = Loader(footfall_topics)
    for partition in range(PARTITIONS):
        loader.put(b"$tick", b"", partition)
    loader.flush()
    worker = workers.start()
    worker.until(state.covered, COVERED_S_MAX)
    assert 0 == worker.stop()
    seen = check(footfall_topics)
    assert 3 * PARTITIONS == sum(fold_ends(footfall_topics).values()) - seen.log


def _last_records(bootstrap: str) -> dict[int, int]:
    """The offset after the last record of each partition, though the log ends with a marker."""
    return {e.partition: e.offset + 1 for e in read_all(bootstrap, INTERACTIONS)}


def fold_ends(bootstrap: str) -> dict[int, int]:
    """Where the fold of the log ends."""
    return {p: s.next_offset for p, s in fold(read_all(bootstrap, INTERACTIONS)).states.items()}


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_whatever_a_producer_compresses_with_is_read(
        codec: str, footfall_topics: str, workers: Workers) -> None:
    """A codec that nobody installed would end every worker at the same batch, for ever."""
    state = State(footfall_topics)
    producer = Producer({"bootstrap.servers": footfall_topics, "compression.type": codec,
                         "partitioner": "murmur2_random", "linger.ms": 200})
    for n in range(50):
        event = CODECS.interaction.encode(events.plain(1_700_000_000_000, f"m{n}"))
        producer.produce(INTERACTIONS, event, CUSTOMER)
    assert 0 == producer.flush(20)
    worker = workers.start()
    worker.until(state.covered, COVERED_S_MAX)
    assert 0 == worker.stop()


def test_poison_is_rejected_and_its_neighbours_are_not(
        footfall_topics: str, workers: Workers) -> None:
    """1 in 100 is spoilt: exactly these are in footfall.rejected, with coordinates and bytes."""
    shop, loader, state = Shop(8, 50, poison=0.01), Loader(footfall_topics), State(footfall_topics)
    loader.load(shop.records(4000))
    worker = workers.start()
    worker.until(state.covered, COVERED_S_MAX)
    assert 0 == worker.stop()
    seen = check(footfall_topics)
    assert 20 < seen.rejected == len(read_all(footfall_topics, REJECTED)) < 80


def test_violations_of_the_plan_are_read_and_touch_nobody(
        footfall_topics: str, workers: Workers) -> None:
    """A thousand in a row, which as poison would stop the worker; they are counted as what they
    are, and the records of customers are those of the log.
    """
    shop, loader, port = Shop(12, 50, poison=0), Loader(footfall_topics), free_port()
    state, before = State(footfall_topics), list(shop.records(500))
    loader.load(before)
    event: Any = {**events.plain(1_790_000_000_000, "v"), "type": VIOLATION}
    for n in range(1000):
        loader.put(VIOLATION_KEY, CODECS.interaction.encode({**event, "message_id": f"v{n}"}), 1)
    loader.flush()
    worker = workers.start(metrics_port=port)
    worker.until(state.covered, COVERED_S_MAX)
    assert 1000 == metric(port, 'footfall_processed_total{type="violation"}')
    assert 0 == worker.stop()
    seen = check(footfall_topics)
    assert (0, []) == (seen.rejected, read_all(footfall_topics, REJECTED))
    customers = {key for store in state.records.values() for key in store}
    assert customers == {key for key, _value in before}


def test_a_run_of_poison_stops_the_worker_after_it_can_be_read(
        footfall_topics: str, workers: Workers) -> None:
    """100 in a row: exit code 3, what was rejected is readable, nothing of it is committed; with a
    higher limit the worker goes on and is exact.
    """
    shop, loader, state = Shop(9, 50, poison=0), Loader(footfall_topics), State(footfall_topics)
    loader.load(shop.records(400))
    worker = workers.start("w1", rejected_ratio_max=1)
    worker.until(state.covered, COVERED_S_MAX)
    before = state.offsets()
    # One batch: of two the first could be committed before the second has come.
    producer = Producer({"bootstrap.servers": footfall_topics, "linger.ms": 60_000})
    for n in range(150):
        producer.produce(INTERACTIONS, b"poison %d" % n, CUSTOMER, 1)
    assert 0 == producer.flush(30)
    assert REFUSED == worker.wait()
    assert worker.says("100 in a row") and worker.says("footfall tail rejected")
    rejected = [CODECS.rejected.decode(e.value) for e in read_all(footfall_topics, REJECTED)]
    assert set(range(before[1], before[1] + 100)) <= {r["offset"] for r in rejected}
    assert b"poison 0" in {r["personal"] for r in rejected}
    assert [] == [p for p, (offset, _) in committed(footfall_topics, PARTITIONS).items()
                  if offset > before[p]]
    worker = workers.start("w1", rejected_run_max=1000, rejected_ratio_max=1)
    worker.until(state.covered, COVERED_S_MAX)
    assert 0 == worker.stop()
    assert 150 == check(footfall_topics).rejected


def test_a_planned_end_leaves_nothing_to_be_done_again(
        footfall_topics: str, workers: Workers) -> None:
    """SIGTERM under load: exit code 0, all that was applied is committed; the next worker starts
    there and repeats nothing.
    """
    shop, loader, state = Shop(10, customers=50), Loader(footfall_topics), State(footfall_topics)
    loader.start_load(shop, at_least=2_000, a_second=600)
    worker = workers.start()
    worker.until(lambda: len(state.offsets()) == PARTITIONS, COVERED_S_MAX)
    assert 0 == worker.stop()
    loader.join()
    assert state.offsets() == {
        p: offset for p, (offset, _) in committed(footfall_topics, PARTITIONS).items()}
    port = free_port()
    before, left = state.appended, len(read_all(footfall_topics, INTERACTIONS)) - sum(
        state.offsets().values())
    worker = workers.start(metrics_port=port)
    worker.until(state.covered, COVERED_S_MAX)
    assert state.appended > before
    assert left == metric(port, "footfall_processed_total") + metric(
        port, "footfall_duplicates_total") + metric(port, "footfall_rejected_total")
    assert 0 == worker.stop()
    seen = check(footfall_topics)
    assert (0, 0, 0) == (seen.repeated, seen.stale, seen.went_back)


def test_the_best_record_wins_over_a_later_stale_one(
        footfall_topics: str, workers: Workers) -> None:
    """Rows of a zombie behind the owner's are passed over and written again as they should be."""
    shop, loader, state = Shop(11, customers=20), Loader(footfall_topics), State(footfall_topics)
    worker = workers.start()
    for _ in range(3):
        loader.load(shop.records(300))
        worker.until(state.covered, COVERED_S_MAX)
    assert 0 == worker.stop()
    oldest: dict[tuple[int, bytes], bytes] = {}
    for entry in read_all(footfall_topics, CHANGELOG):
        oldest.setdefault((entry.partition, entry.key), entry.value)
    producer = Producer({"bootstrap.servers": footfall_topics, "log_level": 0})
    stale = {(p, k) for (p, k), value in oldest.items()
             if k != PARTITION_KEY and header(value) != header(state.records[p][k])}
    for partition, key in stale | {(0, PARTITION_KEY)}:
        producer.produce(CHANGELOG, oldest[partition, key], key, partition)
    assert 0 == producer.flush(30)
    assert len(stale) > 10
    port = free_port()
    worker = workers.start(metrics_port=port).until_ready()
    assert len(stale) == metric(port, "footfall_stale_records_total")
    loader.load(shop.records(300))
    worker.until(state.covered, COVERED_S_MAX)
    assert 0 == worker.stop()
    seen = check(footfall_topics)
    assert (len(stale), 1) == (seen.stale, seen.went_back)
    last = {(e.partition, e.key): e.value for e in read_all(footfall_topics, CHANGELOG)}
    assert [] == [at for at in stale if last[at] != state.records[at[0]][at[1]]]

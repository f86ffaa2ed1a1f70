"""Log and state that do not fit: the worker refuses, says why, and `up` need not try again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from footfall.admin.cluster import admin_client
from footfall.admin.topics import ensure
from footfall.events.topics import APP_ID, CHANGELOG, INTERACTIONS
from footfall.stream.partition import partition_of
from tests.services import KafkaNode
from tests.system.exactness import check
from tests.system.shop import Loader, Shop
from tests.system.topics import State, committed, until
from tests.system.workers import KILLED, PARTITIONS, REFUSED, Workers
from tests.tables.logs import KEYS

pytestmark = pytest.mark.kafka

COVERED_S_MAX = 90.0


def test_an_expired_head_is_refused_until_the_gap_is_accepted(
        footfall_topics: str, workers: Workers) -> None:
    """The log's retention ran ahead of the worker, and of one without any state."""
    shop, loader, state = Shop(12, customers=30), Loader(footfall_topics), State(footfall_topics)
    loader.load(shop.records(800))
    expire(footfall_topics, 0, 50)
    worker = workers.start()
    assert REFUSED == worker.wait()
    assert worker.says("partition 0: the log begins at offset 50, the state ends at 0: 50 "
                       "records are gone")
    assert worker.says("footfall worker --accept-gap")
    assert {} == committed(footfall_topics, PARTITIONS)

    worker = workers.start(arguments=["--accept-gap"])
    worker.until(state.covered, COVERED_S_MAX)
    assert 0 == worker.stop()
    assert worker.says('"message":"a gap was accepted","partition":0,'
                       '"from_offset":0,"until_offset":50')
    check(footfall_topics)

    end = state.offsets()[1]
    loader.load(shop.records(800))
    expire(footfall_topics, 1, end + 10)
    worker = workers.start()
    assert REFUSED == worker.wait()
    assert worker.says(f"partition 1: the log begins at offset {end + 10}, the state ends at "
                       f"{end}: 10 records are gone")


def test_state_that_a_broker_forgot_is_refused(footfall_topics: str, workers: Workers) -> None:
    """Commits without their changelog are refused; a changelog without its commits is enough."""
    shop, loader, state = Shop(13, customers=30), Loader(footfall_topics), State(footfall_topics)
    admin = admin_client(footfall_topics)
    loader.load(shop.records(500))
    worker = workers.start()
    worker.until(state.covered, COVERED_S_MAX)
    assert 0 == worker.stop()
    until(lambda: admin.delete_consumer_groups([APP_ID])[APP_ID].result() is None, 10)
    assert {} == committed(footfall_topics, PARTITIONS)
    loader.load(shop.records(500))
    worker = workers.start()
    worker.until(state.covered, COVERED_S_MAX)
    assert 0 == worker.stop()
    seen = check(footfall_topics)
    assert (0, 0, 0) == (seen.repeated, seen.stale, seen.went_back)

    state.close()
    admin.delete_topics([CHANGELOG])[CHANGELOG].result()
    until(lambda: CHANGELOG not in admin.list_topics(timeout=10).topics, 20)
    ensure(footfall_topics, PARTITIONS, 1)
    worker = workers.start()
    assert REFUSED == worker.wait()
    assert worker.says("the changelog ends at offset 0, the last commit knew ")
    assert worker.says("the broker forgot state")


def test_topics_that_break_the_laws_are_refused(footfall_topics: str, workers: Workers) -> None:
    """Without log-append time nothing is applied; with more partitions nothing is begun."""
    admin = admin_client(footfall_topics)
    set_time_type(footfall_topics, "CreateTime")
    loader = Loader(footfall_topics)
    loader.load(Shop(14, customers=5, poison=0).records(20))
    worker = workers.start()
    assert 1 == worker.wait()
    assert worker.says("message.timestamp.type=LogAppendTime")
    assert {} == committed(footfall_topics, PARTITIONS)

    new = NewPartitions(INTERACTIONS, PARTITIONS + 1)
    admin.create_partitions([new])[INTERACTIONS].result()
    until(lambda: len(admin.list_topics(INTERACTIONS, timeout=10).topics[INTERACTIONS].partitions)
          > PARTITIONS, 20)
    worker = workers.start()
    assert REFUSED == worker.wait()
    assert worker.says(f"{INTERACTIONS} has 5 partitions, FOOTFALL_PARTITIONS is 4")


def test_a_broker_that_forgot_its_tail_is_refused(
        own_kafka: Callable[..., KafkaNode], workers_of: Callable[[str], Workers]) -> None:
    """The log of one partition is cut: the running worker and the next one refuse it, also when
    other records have taken the offsets again.
    """
    node = own_kafka()
    ensure(node.bootstrap, PARTITIONS, 1)
    workers = workers_of(node.bootstrap)
    shop, loader, state = Shop(15, customers=30), Loader(node.bootstrap), State(node.bootstrap)
    for _ in range(10):  # many batches, so that half a segment holds some
        loader.load(shop.records(40))
    running = workers.start("w1")
    running.until(state.covered, COVERED_S_MAX)
    ends = state.offsets()
    node.kill9()
    cut_in_half(node.folder / "data" / f"{INTERACTIONS}-2")
    node.start()
    assert REFUSED == running.wait()
    assert running.says(f"partition 2: the log went back from offset {ends[2]} to 0")

    worker = workers.start("w1")
    assert REFUSED == worker.wait()
    assert worker.says("the broker forgot records that it had acknowledged")

    key = next(k for n in range(1000)
               if partition_of(k := KEYS.of("user_id", f"c{n}"), PARTITIONS) == 2)
    late = Loader(node.bootstrap)
    for _, value in Shop(16, customers=1, poison=0).records(ends[2]):
        late.put(key, value, 2)
    late.flush()
    worker = workers.start("w1")
    assert REFUSED == worker.wait()
    assert worker.says("partition 2: the log holds another record at offset "
                       f"{ends[2] - 1} than the one that was read")
    assert KILLED not in workers.exits


def cut_in_half(folder: Path) -> None:
    """What a disk that lied about writing leaves of a partition."""
    (segment,) = folder.glob("*.log")
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size // 2)


def expire(bootstrap: str, partition: int, before: int) -> None:
    """Delete the records of the log's partition before an offset."""
    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        tp = aiokafka.TopicPartition(INTERACTIONS, partition)
        await admin.delete_records({tp: RecordsToDelete(before_offset=before)})
        await admin.close()

    asyncio.run(run())


def set_time_type(bootstrap: str, value: str) -> None:
    """Whose clock the log's records carry."""
    entry = ConfigEntry("message.timestamp.type", value,
                        incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, INTERACTIONS, incremental_configs=[entry])
    admin = admin_client(bootstrap)
    admin.incremental_alter_configs([resource])[resource].result()

"""The bulk reader on a real broker: every record once, in order, to the end asked for, or an error.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from confluent_kafka import Producer

from footfall.admin.topics import ensure
from footfall.errors import BrokerError
from footfall.events.topics import CHANGELOG
from footfall.stream import changelog
from footfall.stream.changelog import SLICE_RECORDS
from tests.services import KafkaNode
from tests.system.topics import Tail
from tests.system.workers import PARTITIONS

pytestmark = pytest.mark.kafka

SILENCE_S = 2.0
#: Where silence is not what is tested.
PATIENCE_S = 60.0

Record = tuple[int, bytes | None, bytes | None]


def read(bootstrap: str, ranges: Mapping[int, tuple[int, int]], silence_s: float = PATIENCE_S
         ) -> dict[int, list[Record]]:
    """(offset, key, value) of what is read of each partition."""
    found: dict[int, list[Record]] = {number: [] for number in ranges}

    async def run() -> None:
        async for number, messages in changelog.read(bootstrap, CHANGELOG, ranges, silence_s):
            assert 0 < len(messages) <= SLICE_RECORDS
            found[number] += [(m.offset(), m.key(), m.value()) for m in messages]

    asyncio.run(run())
    return found


def ends(bootstrap: str) -> dict[int, int]:
    tail = Tail(bootstrap, CHANGELOG)
    found = tail.ends()
    tail.close()
    return found


def producer(bootstrap: str, **settings: str) -> Producer:
    return Producer({"bootstrap.servers": bootstrap, "log_level": 0, "linger.ms": 5, **settings})


def test_all_records_up_to_the_end_come_in_order(footfall_topics: str) -> None:
    """Nulls and aborted ones too; markers of transactions, also at the very end, are passed; a
    partition may be empty or hold markers only at its end; what is appended since does not come.
    """
    writer = producer(footfall_topics, **{"transactional.id": "foreign"})
    writer.init_transactions()
    written: dict[int, list[tuple[bytes, bytes | None]]] = {n: [] for n in range(PARTITIONS)}
    for n, commit in enumerate([True, False, True]):
        writer.begin_transaction()
        for at in range(6_000):
            number = 0 if at % 3 else 1 + n % 2
            record = b"key-%d" % (at % 700), None if at % 11 == 0 else b"value-%d-%d" % (n, at)
            writer.produce(CHANGELOG, record[1], record[0], number)
            written[number].append(record)
        if commit:
            writer.commit_transaction()
        else:
            writer.flush()
            writer.abort_transaction()
    bounds = {number: (0, end) for number, end in ends(footfall_topics).items()}
    later = producer(footfall_topics)
    for number in (0, 3):
        later.produce(CHANGELOG, b"later", b"late", number)
    assert 0 == later.flush(30)

    found = read(footfall_topics, bounds)

    assert written == {number: [r[1:] for r in records] for number, records in found.items()}
    assert 0 == bounds[3][1]
    for number in (0, 1, 2):
        offsets = [record[0] for record in found[number]]
        assert sorted(set(offsets)) == offsets
        assert bounds[number][1] - 2 == offsets[-1]


def test_a_part_of_a_partition_can_be_read(footfall_topics: str) -> None:
    """From the first offset asked for up to, but not with, the end."""
    writer = producer(footfall_topics)
    for n in range(100):
        writer.produce(CHANGELOG, b"%d" % n, b"key", 0)
    assert 0 == writer.flush(30)

    assert {0: [(n, b"key", b"%d" % n) for n in range(40, 60)]} == read(
        footfall_topics, {0: (40, 60)})
    assert {0: []} == read(footfall_topics, {0: (60, 60)})


def test_a_broker_that_stands_still_is_waited_for_within_a_bound(
        own_kafka: Callable[..., KafkaNode]) -> None:
    """Silence ends the reading with an error; a shorter one costs nothing."""
    node = own_kafka()
    ensure(node.bootstrap, PARTITIONS, 1)
    writer = producer(node.bootstrap)
    for n in range(2_000):
        writer.produce(CHANGELOG, b"value", b"%d" % n, 0)
    assert 0 == writer.flush(30)
    node.pause()
    began = time.monotonic()
    with pytest.raises(BrokerError, match="read to offset 2000, and nothing came"):
        read(node.bootstrap, {0: (0, 2_000)}, SILENCE_S)
    assert SILENCE_S < time.monotonic() - began < PATIENCE_S

    threading.Timer(SILENCE_S, node.resume).start()
    assert 2_000 == len(read(node.bootstrap, {0: (0, 2_000)})[0])


def test_an_end_that_the_broker_forgot_is_an_error(footfall_topics: str) -> None:
    """It is not taken for the end that there is."""
    writer = producer(footfall_topics)
    writer.produce(CHANGELOG, b"value", b"key", 0)
    assert 0 == writer.flush(30)
    with pytest.raises(BrokerError, match="partition 0 has to be read to offset 2"):
        read(footfall_topics, {0: (0, 2)}, SILENCE_S)


def test_a_record_whose_checksum_fails_is_not_passed_over(
        own_kafka: Callable[..., KafkaNode]) -> None:
    """The client says so and would go on behind it: the reading ends instead."""
    node = own_kafka()
    ensure(node.bootstrap, PARTITIONS, 1)
    writer = producer(node.bootstrap)
    for text in (b"first", b"second", b"third"):
        writer.produce(CHANGELOG, text, b"key", 0)
        assert 0 == writer.flush(30)  # a batch each
    segment: Path
    (segment,) = (node.folder / "data" / f"{CHANGELOG}-0").glob("*.log")
    with segment.open("r+b") as file:
        file.seek(file.read().index(b"second"))
        file.write(b"sEcond")
    with pytest.raises(BrokerError, match=r"partition 0: .*CRC"):
        read(node.bootstrap, {0: (0, 3)})

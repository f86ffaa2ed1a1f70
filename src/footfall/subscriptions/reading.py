"""Reads the topic of triggers from any place: how Kafka is asked.

Decides what is told of the topic (its id, without which nobody knows whether it was made anew) and
what becomes of a place that the topic no longer has: it is told, never moved in silence. Must never
commit or join a group: reading changes nothing. Every call blocks, and is for one thread at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from footfall.errors import BrokerError
from footfall.kafka.confluent import confluent
from footfall.subscriptions.cursor import PARTITIONS_MAX, TOPIC_ID_BYTES

ANSWER_S_MAX = 5.0
#: What one reader holds in memory beside what it has given (KiB).
PREFETCH_KIB = 1_024
_LOST = KafkaError._AUTO_OFFSET_RESET
_END = KafkaError._PARTITION_EOF


class Topic(NamedTuple):
    """A topic as it was made once."""

    id: bytes
    partitions: int


class Bounds(NamedTuple):
    """Of each partition the first offset that is kept, and the next that will be given."""

    lows: tuple[int, ...]
    ends: tuple[int, ...]


class Record(NamedTuple):
    """One record of the topic."""

    partition: int
    offset: int
    value: bytes | None


class Read(NamedTuple):
    """What came: records in the order of their partitions, ends that were reached (partition ->
    offset), and partitions whose place the topic does not have.
    """

    records: list[Record]
    ends: dict[int, int]
    lost: list[int]


class Reader(Protocol):
    """One reader of the topic; raises `BrokerError`."""

    def topic(self) -> Topic:
        """The topic as it is now."""

    def bounds(self, partitions: int) -> Bounds:
        """What it has now."""

    def assign(self, offsets: Sequence[int]) -> None:
        """Read from here on, in each partition."""

    def read(self, records_max: int, wait_s: float) -> Read:
        """What comes next."""

    def close(self) -> None:
        """Leave the broker."""


class KafkaReader:
    """Reads from a Kafka cluster."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        quiet: dict[str, Any] = {**confluent(bootstrap), "log_level": 0,
                                 "error_cb": lambda _error: None}
        self._admin = AdminClient(quiet)
        self._consumer = Consumer({
            **quiet, "group.id": "footfall-subscriptions", "enable.auto.commit": False,
            "auto.offset.reset": "error", "enable.partition.eof": True,
            "isolation.level": "read_uncommitted", "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": PREFETCH_KIB, "fetch.message.max.bytes": 256 * 1024,
            "fetch.max.bytes": PREFETCH_KIB * 1024})

    def topic(self) -> Topic:
        """The topic as it is now."""
        try:
            asked = self._admin.describe_topics(TopicCollection([self._topic]),
                                                request_timeout=ANSWER_S_MAX)
            found = asked[self._topic].result(ANSWER_S_MAX)
        except (KafkaException, TimeoutError) as error:
            raise _away(self._topic, error) from None
        if not 1 <= len(found.partitions) <= PARTITIONS_MAX:
            raise BrokerError(f"topic {self._topic} has {len(found.partitions)} partitions; 1 to "
                              f"{PARTITIONS_MAX} can be subscribed to")
        return Topic(_bytes(found.topic_id), len(found.partitions))

    def bounds(self, partitions: int) -> Bounds:
        """What it has now."""
        return Bounds(self._offsets(partitions, OffsetSpec.earliest()),
                      self._offsets(partitions, OffsetSpec.latest()))

    def assign(self, offsets: Sequence[int]) -> None:
        """Read from here on, in each partition."""
        try:
            self._consumer.assign([TopicPartition(self._topic, n, offset)
                                   for n, offset in enumerate(offsets)])
        except KafkaException as error:
            raise _away(self._topic, error) from None

    def read(self, records_max: int, wait_s: float) -> Read:
        """What comes next."""
        found = Read([], {}, [])
        try:
            # `consume` alone would wait until there are so many.
            first = self._consumer.poll(wait_s)
            if first is None:
                return found
            self._add(found, first)
            for message in self._consumer.consume(records_max - 1, 0) if records_max > 1 else ():
                self._add(found, message)
        except KafkaException as error:
            raise _away(self._topic, error) from None
        return found

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _add(self, found: Read, message: Message) -> None:
        partition, offset, error = message.partition(), message.offset(), message.error()
        assert partition is not None
        if error is None:
            assert offset is not None
            found.records.append(Record(partition, offset, message.value()))
        elif error.code() == _END:
            assert offset is not None
            found.ends[partition] = offset
        elif error.code() == _LOST:
            found.lost.append(partition)
        elif not error.retriable():
            raise _away(self._topic, KafkaException(error))

    def _offsets(self, partitions: int, spec: OffsetSpec) -> tuple[int, ...]:
        try:
            asked = self._admin.list_offsets(
                {TopicPartition(self._topic, n): spec for n in range(partitions)},
                request_timeout=ANSWER_S_MAX)
            found = {place.partition: future.result(ANSWER_S_MAX).offset
                     for place, future in asked.items()}
        except (KafkaException, TimeoutError) as error:
            raise _away(self._topic, error) from None
        return tuple(found[n] for n in range(partitions))


def _away(topic: str, error: BaseException) -> BrokerError:
    said = error.args[0].str() if isinstance(error, KafkaException) else "no answer"
    return BrokerError(f"topic {topic} cannot be read: {said}")


def _bytes(uuid: Any) -> bytes:
    """The topic's id; all zeros of a broker that gives none."""
    if uuid is None:
        return bytes(TOPIC_ID_BYTES)
    halves = (uuid.get_most_significant_bits(), uuid.get_least_significant_bits())
    return b"".join((half & (2**64 - 1)).to_bytes(8, "big") for half in halves)

"""Reads whole partitions of a topic, or their newest part, for all records or those under one key.

Decides when a partition has been read: at the end it had when the scan began, so that live traffic
cannot keep it busy for ever. Belongs to no group, commits nothing. Must never decode: a scan passes
millions of records that are not meant.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from footfall.errors import BrokerError
from footfall.kafka.confluent import confluent
from footfall.kafka.reach import absent, unreadable

ANSWER_S_MAX = 10.0
SILENCE_S_MAX = 30.0
RETRY_S = 0.1
#: `consume` returns early only with a full batch.
POLL_S = 0.05
BATCH_RECORDS = 10_000
_NO_LEADER = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE,
              KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION)


class Span(NamedTuple):
    """What a partition holds: offsets from `low` up to, but not with, `end`."""

    low: int
    end: int


def newest(spans: Mapping[int, Span], records_max: int) -> dict[int, Span]:
    """The newest part of each span, in the same proportion, so that all hold at most so many."""
    total = sum(span.end - span.low for span in spans.values())
    if total <= records_max:
        return dict(spans)
    return {p: span._replace(low=span.end - (span.end - span.low) * records_max // total)
            for p, span in spans.items()}


class Scanner:
    """Reads topics of one cluster; `close` when done."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumer = Consumer({
            **confluent(bootstrap), "group.id": "footfall-admin", "log_level": 0,
            "error_cb": lambda _error: None, "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "enable.partition.eof": True,
            # What a worker reads, aborted records included, and fast (prototype.md, 3).
            "isolation.level": "read_uncommitted", "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 50,
        })

    def __enter__(self) -> Scanner:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._consumer.close()

    def topics(self, prefix: str) -> list[str]:
        """The topics whose names begin so."""
        try:
            found = self._consumer.list_topics(timeout=ANSWER_S_MAX).topics
        except KafkaException as error:
            raise self._unreachable(error.args[0]) from None
        return sorted(name for name in found if name.startswith(prefix))

    def spans(self, topic: str) -> dict[int, Span]:
        """Partition -> span; raises `BrokerError` when there is no such topic."""
        try:
            metadata = self._consumer.list_topics(topic, timeout=ANSWER_S_MAX).topics[topic]
            if metadata.error is not None:
                raise absent(topic, metadata.error)
            return {p: self._span(TopicPartition(topic, p)) for p in sorted(metadata.partitions)}
        except KafkaException as error:
            raise self._unreachable(error.args[0]) from None

    def since(self, topic: str, spans: Mapping[int, Span], at: int) -> dict[int, Span]:
        """Of the spans given what was appended at an instant (ms) or later."""
        asked = [TopicPartition(topic, p, at) for p in spans]
        try:
            found = self._consumer.offsets_for_times(asked, timeout=ANSWER_S_MAX)
        except KafkaException as error:
            raise self._unreachable(error.args[0]) from None
        for place in found:
            if place.error is not None:
                raise self._unreachable(place.error)
        # Nothing that late: a negative offset.
        return {place.partition: spans[place.partition]._replace(
                    low=place.offset if place.offset >= 0 else spans[place.partition].end)
                for place in found}

    def records(self, topic: str, key: bytes | None, spans: Mapping[int, Span]
                ) -> Iterator[Message]:
        """The records under a key (None: all), within the spans given."""
        open_ends = {p: span.end for p, span in spans.items() if span.low < span.end}
        self._consumer.assign([TopicPartition(topic, p, spans[p].low) for p in open_ends])
        heard = time.monotonic()
        while open_ends:
            messages = self._consumer.consume(BATCH_RECORDS, timeout=POLL_S)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_S_MAX:
                raise BrokerError(f"{topic}: nothing came from {self._bootstrap} for "
                                  f"{SILENCE_S_MAX:g} s; is a broker down?")
            for message in messages:
                partition = message.partition()
                if message.error() is not None:
                    self._check(message.error())
                    open_ends.pop(partition, None)
                    continue
                if partition not in open_ends:
                    continue
                if key is None or message.key() == key:
                    yield message
                if message.offset() >= open_ends[partition] - 1:
                    del open_ends[partition]
                    self._consumer.pause([TopicPartition(topic, partition)])
        # A partition stays paused for the next scan of it, even when it is assigned anew.
        self._consumer.resume([TopicPartition(topic, p) for p, s in spans.items() if s.low < s.end])
        self._consumer.unassign()

    def _span(self, partition: TopicPartition) -> Span:
        """A new topic's partitions have no leader yet, a restarted broker's not for a moment."""
        deadline = time.monotonic() + ANSWER_S_MAX
        while True:
            try:
                return Span(*self._consumer.get_watermark_offsets(partition, timeout=ANSWER_S_MAX))
            except KafkaException as error:
                if error.args[0].code() not in _NO_LEADER or time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_S)

    def _check(self, error: Any) -> None:
        # The end of a partition may come before the offset expected: control records have offsets.
        if error.code() != KafkaError._PARTITION_EOF:
            raise self._unreachable(error)

    def _unreachable(self, error: Any) -> BrokerError:
        return unreadable(self._bootstrap, error)

"""Follows a topic: every partition, without a group, from a place fixed before the first answer.

Decides where following begins: at the ends as they were when asked for (or at the beginning),
looked up before `ready` is said, so that whoever waits for that misses nothing. Order is kept in a
partition, not between them. Decides when nothing more comes: not before all that was there has,
however slow the broker is to begin; one that does not answer at all is waited for `ANSWER_S_MAX`.
Must never commit or join a group: looking changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from footfall.kafka.confluent import confluent
from footfall.kafka.reach import absent, unreadable
from footfall.query.rendering import Source

ANSWER_S_MAX = 10.0
RETRY_S = 0.1
#: How long a record may wait for others to be handed on with it.
POLL_S = 0.05
BATCH_RECORDS = 500
_NO_LEADER = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)


class Tail:
    """One topic being followed. `warn` is called with what the broker connection has to say."""

    def __init__(self, bootstrap: str, topic: str, warn: Callable[[str], None]) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._warn = warn
        self._said = ""
        #: Partitions of which not all that was there has come.
        self._unread: set[int] = set()
        self._consumer = Consumer({
            **confluent(bootstrap), "group.id": "footfall-tail", "log_level": 0,
            "enable.auto.commit": False, "auto.offset.reset": "earliest",
            "isolation.level": "read_uncommitted", "fetch.wait.max.ms": 100,
            "enable.partition.eof": True, "error_cb": self._tell,
        })

    def start(self, from_beginning: bool) -> int:
        """Fix the place to begin; the number of partitions. Raises `BrokerError`."""
        try:
            found = self._consumer.list_topics(self._topic, timeout=ANSWER_S_MAX)
            topic = found.topics[self._topic]
            if topic.error is not None:
                raise absent(self._topic, topic.error)
            places = [self._place(partition, from_beginning) for partition in topic.partitions]
        except KafkaException as error:
            raise unreadable(self._bootstrap, error.args[0]) from None
        self._consumer.assign(places)
        self._unread = set(topic.partitions)
        return len(places)

    def records(self, idle_s: float | None = None) -> Iterator[list[Source]]:
        """Batches as they come, for ever or until nothing came for `idle_s` after all that was
        there.
        """
        last = time.monotonic()
        while idle_s is None or time.monotonic() - last < (
                max(idle_s, ANSWER_S_MAX) if self._unread else idle_s):
            was_unread = bool(self._unread)
            batch = [_source(m) for m in self._consumer.consume(BATCH_RECORDS, timeout=POLL_S)
                     if self._is_record(m)]
            if batch or (was_unread and not self._unread):
                last = time.monotonic()
            if batch:
                self._said = ""
                yield batch

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _place(self, partition: int, from_beginning: bool) -> TopicPartition:
        """A new topic's partitions have no leader yet; that passes."""
        deadline = time.monotonic() + ANSWER_S_MAX
        while True:
            try:
                low, end = self._consumer.get_watermark_offsets(
                    TopicPartition(self._topic, partition), timeout=ANSWER_S_MAX)
            except KafkaException as error:
                if error.args[0].code() not in _NO_LEADER or time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_S)
            else:
                return TopicPartition(self._topic, partition, low if from_beginning else end)

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._PARTITION_EOF:
            self._unread.discard(message.partition() or 0)
        else:
            self._tell(error)
        return False

    def _tell(self, error: KafkaError) -> None:
        """Once until something comes again: librdkafka repeats itself and goes on trying."""
        said = error.str()
        if said != self._said:
            self._said = said
            self._warn(f"{self._bootstrap}: {said}; trying again")


def _source(message: Message) -> Source:
    _kind, appended_at = message.timestamp()
    return Source(message.partition() or 0, message.offset() or 0, appended_at,
                  message.key(), message.value())

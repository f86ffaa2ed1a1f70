"""The log, read from where it is kept: partition by partition, as far as it is asked for.

Decides in what pieces records come, and how many wait in memory. Belongs to no group and commits
nothing. Must never pass over a record: a source that cannot give one raises.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from footfall.admin.history import Entry
from footfall.admin.scan import Scanner, Span
from footfall.errors import BrokerError
from footfall.events.topics import INTERACTIONS
from footfall.kafka.confluent import confluent
from footfall.kafka.reach import unread

#: Handed out at once, and what may wait of one partition before its fetching pauses.
SLICE_RECORDS: Final = 5_000
WAITING_RECORDS_MAX: Final = 20_000
POLL_S: Final = 0.05
SILENCE_S_MAX: Final = 30.0
_PASSING = frozenset({
    KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT,
    KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE,
})


class Source(Protocol):
    """Where the log is read from. Partitions are read apart: who waits for one takes of another."""

    def spans(self) -> dict[int, Span]:
        """Which offsets each partition holds now, as [low, end)."""
        ...

    def seek(self, starts: Mapping[int, int]) -> None:
        """Where each partition is read from; those not named are not read."""
        ...

    def take(self, partition: int, end: int) -> list[Entry]:
        """The next records of a partition below the offset `end`, in order; empty only where it
        has been read to there. Offsets may be missing (control records), never records.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class KafkaSource:
    """The log as a cluster holds it."""

    def __init__(self, bootstrap: str, topic: str = INTERACTIONS) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._waiting: dict[int, deque[Entry]] = {}
        #: The next offset that the client has not handed out yet.
        self._at: dict[int, int] = {}
        self._paused: set[int] = set()
        self._consumer = Consumer({
            **confluent(bootstrap), "group.id": "footfall-replay", "log_level": 0,
            "error_cb": lambda _error: None, "enable.auto.commit": False,
            "enable.auto.offset.store": False, "auto.offset.reset": "error",
            "isolation.level": "read_uncommitted", "enable.partition.eof": True,
            "check.crcs": True, "fetch.wait.max.ms": 50, "fetch.queue.backoff.ms": 5,
            "max.partition.fetch.bytes": 1 << 20, "queued.max.messages.kbytes": 16 << 10,
        })

    def __enter__(self) -> KafkaSource:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:
        self.close()

    def spans(self) -> dict[int, Span]:
        """Which offsets each partition holds now; raises `BrokerError`."""
        with Scanner(self._bootstrap) as scanner:
            return scanner.spans(self._topic)

    def seek(self, starts: Mapping[int, int]) -> None:
        """Where each partition is read from; those not named are not read."""
        self._waiting = {p: deque() for p in starts}
        self._at = dict(starts)
        self._paused = set()
        self._consumer.assign([TopicPartition(self._topic, p, at) for p, at in starts.items()])

    def take(self, partition: int, end: int) -> list[Entry]:
        """The next records of a partition below `end`; raises `BrokerError` where none come."""
        waiting = self._waiting[partition]
        heard, why = time.monotonic(), "is a broker down?"
        while not waiting and self._at[partition] < end:
            if partition in self._paused:
                self._paused.discard(partition)
                self._consumer.resume([TopicPartition(self._topic, partition)])
            came, told = self._poll()
            if came:
                heard = time.monotonic()
            why = told or why
            if time.monotonic() - heard > SILENCE_S_MAX:
                raise BrokerError(
                    f"{self._topic}: partition {partition} has to be read to offset {end}, and "
                    f"nothing came from {self._bootstrap} for {SILENCE_S_MAX:g} s: {why}")
        taken: list[Entry] = []
        while waiting and len(taken) < SLICE_RECORDS and waiting[0].offset < end:
            taken.append(waiting.popleft())
        return taken

    def close(self) -> None:
        """Let go of the cluster."""
        self._consumer.close()

    def _poll(self) -> tuple[bool, str]:
        """Whether anything came, and a failure that passes."""
        told = ""
        messages = self._consumer.consume(SLICE_RECORDS, timeout=POLL_S)
        for message in messages:
            error, number = message.error(), message.partition()
            if error is None:
                _kind, appended_at = message.timestamp()
                self._waiting[number].append(Entry(
                    message.offset(), appended_at, message.key(), message.value()))
                self._at[number] = message.offset() + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                self._at[number] = max(self._at[number], message.offset())
            elif error.code() in _PASSING:
                told = error.str()
            else:
                raise unread(f"{self._topic}, partition {number}", error)
        full = [p for p, waiting in self._waiting.items()
                if p not in self._paused and len(waiting) > WAITING_RECORDS_MAX]
        if full:
            self._paused.update(full)
            try:
                self._consumer.pause([TopicPartition(self._topic, p) for p in full])
            except KafkaException as error:  # pragma: no cover - they are assigned
                raise BrokerError(str(error)) from None
        return bool(messages), told

"""A topic of triggers in memory, with retention and another life, and readers of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from footfall.errors import BrokerError
from footfall.events.codec import Codecs
from footfall.subscriptions.reading import Bounds, Read, Record, Topic
from tests.events.records import a_trigger

CODECS = Codecs()


class MemoryTopic:
    """Partitions of records; `lows` is what retention has left."""

    def __init__(self, partitions: int = 3) -> None:
        self.lock = threading.Condition()
        self.away = False
        self.reads = 0
        self.make(partitions)

    def make(self, partitions: int = 3) -> None:
        """Anew, empty, under another id."""
        with self.lock:
            self.id = bytes([getattr(self, "id", b"\x00")[0] + 1]) * 16
            self.logs: list[list[bytes | None]] = [[] for _ in range(partitions)]
            self.lows = [0] * partitions

    def put(self, n: int, partition: int | None = None, **changed: Any) -> str:
        """A trigger of which the id is `n`."""
        record = a_trigger(**{"trigger_id": f"{n:032x}", **changed})
        with self.lock:
            place = n % len(self.logs) if partition is None else partition
            self.logs[place].append(CODECS.trigger.encode(record))
            self.lock.notify_all()
        return record["trigger_id"]

    def expire(self, *lows: int) -> None:
        with self.lock:
            self.lows = list(lows)

    def forget(self, partition: int, count: int) -> None:
        """As a broker that was killed with records it had not written out."""
        with self.lock:
            del self.logs[partition][-count:]

    def reader(self) -> MemoryReader:
        return MemoryReader(self)


class MemoryReader:
    """Reads it as `KafkaReader` reads Kafka."""

    def __init__(self, log: MemoryTopic) -> None:
        self._log = log
        self._at: list[int] = []
        self._told: set[int] = set()

    def topic(self) -> Topic:
        self._check()
        return Topic(self._log.id, len(self._log.logs))

    def bounds(self, partitions: int) -> Bounds:
        self._check()
        with self._log.lock:
            return Bounds(tuple(self._log.lows), tuple(map(len, self._log.logs)))

    def assign(self, offsets: Sequence[int]) -> None:
        self._at, self._told = list(offsets), set()

    def read(self, records_max: int, wait_s: float) -> Read:
        deadline = time.monotonic() + wait_s
        while True:
            self._check()
            with self._log.lock:
                found = self._read(records_max)
                if any(found) or time.monotonic() >= deadline:
                    return found
                self._log.lock.wait(deadline - time.monotonic())

    def close(self) -> None:
        pass

    def _check(self) -> None:
        self._log.reads += 1
        if self._log.away:
            raise BrokerError("it is away")

    def _read(self, records_max: int) -> Read:
        found = Read([], {}, [])
        for n, log in enumerate(self._log.logs[:len(self._at)]):
            if n in self._told:
                if self._at[n] >= len(log):
                    continue
                self._told.discard(n)
            if not self._log.lows[n] <= self._at[n] <= len(log):
                found.lost.append(n)
                self._told.add(n)
                continue
            while self._at[n] < len(log) and len(found.records) < records_max:
                found.records.append(Record(n, self._at[n], log[self._at[n]]))
                self._at[n] += 1
            if self._at[n] == len(log):
                found.ends[n] = len(log)
                self._told.add(n)
        return found

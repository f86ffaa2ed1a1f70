"""Which triggers have still to be put into the index of the served view. Pure.

Holds triggers that the broker has acknowledged and no others. What waits is bounded in bytes; past
that the oldest are dropped and counted: the topic has them, and whoever asks for one that the index
does not know reads it there. They belong to no partition: whoever sends one sends the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

#: What becomes of a trigger: in the index, older than that keeps any, or dropped while waiting.
TRIGGER_OUTCOMES = ("written", "too_old", "dropped")
#: Sent at once: some 2 ms of Redis.
SEND_TRIGGERS_MAX = 200
SEND_BYTES_MAX = 1 << 20
WAITING_BYTES_MAX = 16 << 20


class TriggerSending:
    """The triggers of one worker, as their topic has them, the oldest first."""

    def __init__(self, waiting_bytes_max: int = WAITING_BYTES_MAX) -> None:
        self._bytes_max = waiting_bytes_max
        self._waiting: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, records: Iterable[bytes]) -> int:
        """These were acknowledged; how many had to be dropped."""
        for record in records:
            self._waiting.append(record)
            self._bytes += len(record)
        return self._drop()

    def take(self) -> list[bytes]:
        """What is to be sent next; empty: nothing waits."""
        batch: list[bytes] = []
        size = 0
        while self._waiting and len(batch) < SEND_TRIGGERS_MAX and size < SEND_BYTES_MAX:
            record = self._waiting.popleft()
            batch.append(record)
            size += len(record)
        self._bytes -= size
        return batch

    def again(self, batch: list[bytes]) -> int:
        """These could not be sent, or nobody knows; how many had to be dropped."""
        self._waiting.extendleft(reversed(batch))
        self._bytes += sum(map(len, batch))
        return self._drop()

    def _drop(self) -> int:
        dropped = 0
        while self._bytes > self._bytes_max:
            self._bytes -= len(self._waiting.popleft())
            dropped += 1
        return dropped

"""Items between the host app's call and the sender: what both kinds do, and the one in memory.

First in, first out; a batch that was taken counts as waiting until it is settled. Must never wait
for room: a full one refuses. `sdk/spooled.py` is the kind on disk.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from footfall.sdk.drops import DroppedError

#: Beside the number of items, for items may be large.
MEMORY_BYTES_MAX = 64 * 1024 * 1024


class Waiting(Protocol):
    """What the sender needs."""

    @property
    def keeps(self) -> bool:
        """Whether what waits outlives the process, so that the sender may try for ever."""

    def put(self, item: bytes) -> None:
        """Take an item; raises `DroppedError`."""

    def take(self, count_max: int, bytes_max: int) -> list[bytes]:
        """The next items; one at least, if there is one."""

    def settle(self) -> None:
        """The batch taken last has found its end."""

    def lost(self) -> int:
        """Items that could not be taken, since this was asked last."""

    def sync(self) -> None:
        """Have what was put outlive a power loss; raises `DroppedError`."""

    def count(self) -> int:
        """Items put and not settled."""

    def untaken(self) -> tuple[int, int]:
        """Items not taken yet, and their bytes."""

    def mark(self) -> int:
        """The place of the item put last."""

    def settled(self) -> int:
        """The place up to which all have found their end."""

    def abandon(self) -> list[bytes]:
        """End; what is lost by that, the batch taken last included."""

    def forget(self) -> None:
        """In a forked child: what waits is its parent's."""


class Memory:
    """Waiting items in memory."""

    keeps = False

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._lock = threading.Lock()
        self._items: deque[bytes] = deque()
        self._bytes = 0
        self._taken: list[bytes] = []
        self._put = self._settled = 0

    def put(self, item: bytes) -> None:
        """Take an item; raises `DroppedError`."""
        with self._lock:
            count = self._put - self._settled
            if count >= self._count_max or self._bytes + len(item) > MEMORY_BYTES_MAX:
                raise DroppedError("queue_full", f"{count} items wait already")
            self._items.append(item)
            self._bytes += len(item)
            self._put += 1

    def take(self, count_max: int, bytes_max: int) -> list[bytes]:
        """The next items; one at least, if there is one."""
        with self._lock:
            if self._taken:
                return list(self._taken)
            size = 0
            while self._items and len(self._taken) < count_max:
                size += len(self._items[0])
                if self._taken and size > bytes_max:
                    break
                self._taken.append(self._items.popleft())
            self._bytes -= sum(map(len, self._taken))
            return list(self._taken)

    def settle(self) -> None:
        """The batch taken last has found its end."""
        with self._lock:
            self._settled += len(self._taken)
            self._taken.clear()

    def lost(self) -> int:
        """None."""
        return 0

    def sync(self) -> None:
        """There is nothing that could."""

    def count(self) -> int:
        """Items put and not settled."""
        return self._put - self._settled

    def untaken(self) -> tuple[int, int]:
        """Items not taken yet, and their bytes."""
        return len(self._items), self._bytes

    def mark(self) -> int:
        """The place of the item put last."""
        return self._put

    def settled(self) -> int:
        """The place up to which all have found their end."""
        return self._settled

    def abandon(self) -> list[bytes]:
        """End; what is lost by that."""
        with self._lock:
            left = [*self._taken, *self._items]
            self._taken.clear()
            self._items.clear()
            self._bytes = 0
            self._settled = self._put
            return left

    def forget(self) -> None:
        """A child has a copy, which goes with its owner."""

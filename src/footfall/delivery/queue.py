"""Whose turn it is at one destination: rows that may go now, and rows to be looked at later.

Holds keys alone; whether something may go, and what, is asked of the row when its turn comes. Must
never be the only place that knows of a delivery: it is made anew from the rows.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from footfall.delivery.partition import DeliveryPartition

#: Looked at so soon where somebody waits for a place, for the rate or for the breaker.
SOON_MS = 50
SELDOM_MS = 1_000


class Place(NamedTuple):
    """A row in a partition."""

    partition: DeliveryPartition
    key: bytes


class Queue:
    """Each row stands once among those that may go."""

    def __init__(self) -> None:
        self._ready: deque[Place] = deque()
        self._in_ready: set[tuple[int, bytes]] = set()
        self._later: list[tuple[int, int, bytes, DeliveryPartition]] = []

    def __len__(self) -> int:
        """How many may go."""
        return len(self._ready)

    def offer(self, place: Place) -> None:
        """It may go."""
        mark = place.partition.number, place.key
        if mark not in self._in_ready:
            self._in_ready.add(mark)
            self._ready.append(place)

    def put_off(self, place: Place, until: int) -> None:
        """Look at it at an instant (ms)."""
        heapq.heappush(self._later, (until, place.partition.number, place.key, place.partition))

    def take_up(self, now: int) -> None:
        """Those that were put off until now may go."""
        while self._later and self._later[0][0] <= now:
            _until, _number, key, partition = heapq.heappop(self._later)
            self.offer(Place(partition, key))

    def pop(self) -> Place:
        """The next one."""
        place = self._ready.popleft()
        self._in_ready.discard((place.partition.number, place.key))
        return place

    @property
    def next_at(self) -> int:
        """When the first one that was put off is looked at (ms); 0: none was."""
        return self._later[0][0] if self._later else 0

    def wait_s(self, now: int) -> float:
        """How long whoever serves it may rest."""
        wait_ms = self._later[0][0] - now if self._later else SELDOM_MS
        if self._ready:
            wait_ms = min(wait_ms, SOON_MS)
        return min(max(wait_ms, 1), SELDOM_MS) / 1_000

"""The newest items, for those who come back at once and for those who have just caught up. Pure.

Decides how many are kept, by count and by size, and up from which place they are whole. Must never
drop one in silence: of each partition `lows` is the first place that whoever joins may be at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from footfall.subscriptions.items import Item

ITEMS_MAX = 1_000
BYTES_MAX = 4 * 1024 * 1024


class Recent:
    """In the order in which they were read."""

    def __init__(self, lows: Sequence[int] = ()) -> None:
        #: Of each partition the place up from which all is here.
        self.lows = list(lows)
        self._items: deque[Item] = deque()
        self._bytes = 0

    def __iter__(self) -> Iterator[Item]:
        """The oldest first."""
        return iter(self._items)

    def keep(self, item: Item) -> None:
        """The newest; the oldest give way."""
        self._items.append(item)
        self._bytes += item.size
        while len(self._items) > ITEMS_MAX or (self._bytes > BYTES_MAX and len(self._items) > 1):
            gone = self._items.popleft()
            self._bytes -= gone.size
            self.lows[gone.partition] = gone.offset + 1

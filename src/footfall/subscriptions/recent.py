"""The newest items, for those who come back at once and for those who have just caught up. Pure.

Decides how many are kept, by count and by size, and up from which place they are whole. Must never
drop one in silence: of each partition `lows` is the first place that whoever joins may be at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from footfall.subscriptions.cursor import Cursor
from footfall.subscriptions.items import Item

ITEMS_MAX = 1_000
BYTES_MAX = 4 * 1024 * 1024


class Kept(NamedTuple):
    """An item, and where those at the end were after it, with the text of that: who comes later
    along the same way is given the same bytes.
    """

    item: Item
    end: Cursor
    text: str


class Recent:
    """In the order in which they were read."""

    def __init__(self, lows: Sequence[int] = ()) -> None:
        #: Of each partition the place up from which all is here.
        self.lows = list(lows)
        self._items: deque[Kept] = deque()
        self._bytes = 0

    def __iter__(self) -> Iterator[Kept]:
        """The oldest first."""
        return iter(self._items)

    def keep(self, kept: Kept) -> None:
        """The newest; the oldest give way."""
        self._items.append(kept)
        self._bytes += _size(kept)
        while len(self._items) > ITEMS_MAX or (self._bytes > BYTES_MAX and len(self._items) > 1):
            gone = self._items.popleft()
            self._bytes -= _size(gone)
            self.lows[gone.item.partition] = gone.item.offset + 1


def _size(kept: Kept) -> int:
    """Of its place the text stands for all."""
    return kept.item.size + len(kept.text)

"""The row of the timeline as data: the newest interactions, as bytes.

Decides fields and their order, which is that of the stored bytes. What is done with them is in
`timeline.py`. Stays interpreted (setup.py).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Interacted(NamedTuple):
    """One interaction: event time (ms), type, name, channel, source."""

    at: int
    type: str
    event: str
    channel: str
    source: str


class TimelineFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`newest`: what was done, `place`: where. `older`: so many others, from the oldest on; the
    place stands behind one only where that of the next is another.
    """

    newest: bytes = b""
    place: bytes = b""
    others: int = 0
    older: bytes = b""


class TimelineTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Nothing is announced."""

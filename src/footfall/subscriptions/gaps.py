"""From where a subscriber goes on, and what was missed on the way there. Pure.

Three things make a gap, and each is told with the offsets that it lies between:

    retention    the topic no longer has what comes next
    topic        the topic was deleted and made again: all of the new one is read
    ahead        the topic ends before this place: its broker has forgotten records

Must never move a place without telling.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from footfall.subscriptions.cursor import Cursor
from footfall.subscriptions.reading import Bounds, Topic

Reason = Literal["retention", "topic", "ahead"]
REASONS: Final[tuple[Reason, ...]] = ("retention", "topic", "ahead")


class Missed(NamedTuple):
    """What of one partition was missed: from an offset to the one that comes next; none where
    nobody can say.
    """

    reason: Reason
    partition: int
    start: int | None
    end: int


class Resumed(NamedTuple):
    """The next offset of each partition, and what was missed."""

    offsets: list[int]
    missed: list[Missed]


def resume(cursor: Cursor, topic: Topic, bounds: Bounds) -> Resumed:
    """Where this cursor goes on in this topic. A partition that the cursor does not know yet is
    read from its beginning: it was added since.
    """
    if cursor.topic_id != topic.id or len(cursor.offsets) > topic.partitions:
        return Resumed(list(bounds.lows), [Missed("topic", n, None, low)
                                           for n, low in enumerate(bounds.lows)])
    known = cursor.offsets + (0,) * (topic.partitions - len(cursor.offsets))
    resumed = Resumed([], [])
    for n, (offset, low, end) in enumerate(zip(known, bounds.lows, bounds.ends, strict=True)):
        place = min(max(offset, low), max(low, end))
        if place != offset:
            resumed.missed.append(Missed("retention" if place > offset else "ahead", n, offset,
                                         place))
        resumed.offsets.append(place)
    return resumed


def document(missed: list[Missed]) -> bytes:
    """The data of a gap event."""
    return msgspec.json.encode({
        "reason": max((one.reason for one in missed), key=REASONS.index),
        "partitions": [{"partition": one.partition, "reason": one.reason, "from": one.start,
                        "to": one.end} for one in missed]})

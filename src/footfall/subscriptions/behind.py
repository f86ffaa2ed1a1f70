"""A subscriber that is behind: reads for it alone, one turn after another, until it is at the end.

A turn is short and bounded, so that few readers serve many: whoever is far behind, or reads slowly,
takes turns like all others. Decides where a turn begins: before the first one so many records are
looked back at as a repeat may be distant. Runs in threads, a turn at a time.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from footfall.events.codec import Codec, TriggerRecord
from footfall.subscriptions import cursor, frames, gaps
from footfall.subscriptions.cursor import Cursor
from footfall.subscriptions.items import Item, item_of
from footfall.subscriptions.items import Reader as Who
from footfall.subscriptions.reading import Read, Reader, Topic
from footfall.subscriptions.repeats import Repeats, depth
from footfall.view.why_classes import ExplanationMask

TURN_RECORDS_MAX = 500
TURN_BYTES_MAX = 256 * 1024
TURN_S_MAX = 1.0
POLL_S = 0.1


class Turn(NamedTuple):
    """What a turn gave: events, whether one of them tells a gap, and where it ended."""

    frames: list[bytes]
    has_gap: bool
    at: Cursor
    is_at_end: bool


class Behind:
    """One subscriber's way to the end."""

    def __init__(self, place: Cursor, who: Who, mask: ExplanationMask, codec: Codec[TriggerRecord]
                 ) -> None:
        self._cursor = place
        self._who = who
        self._mask = mask
        self._codec = codec
        self._topic: Topic | None = None
        self._wanted: list[int] = []
        self._read_at: list[int] = []
        self._repeats = Repeats(1)
        self._is_doubted = False

    @property
    def is_placed(self) -> bool:
        """Whether its place is known to be in the topic."""
        return self._topic is not None

    def turn(self, reader: Reader) -> Turn:
        """The next part; raises `BrokerError` and `SchemaError`, after which the same turn may be
        tried again.
        """
        if self._topic is None:
            missed = self._place(reader)
            if missed or self._is_doubted:
                # Told before anything else is tried: what failed afterwards would hide it.
                return Turn([self._gap(missed)] if missed else [], bool(missed), self._cursor,
                            False)
        before, topic = self._cursor, self._topic
        assert topic is not None
        is_sure = False
        try:
            reader.assign(self._read_at)
            sent, is_at_end = self._read(reader, topic)
            # Where it was made anew meanwhile nobody knows of which one this was.
            is_sure = reader.topic() == topic
        finally:
            if not is_sure:  # nothing of this turn is sent: it begins where it began
                self._topic, self._cursor = None, before
            reader.assign([])
        if not is_sure:
            return Turn([], False, before, False)
        return Turn(sent, False, self._cursor, is_at_end)

    def _read(self, reader: Reader, topic: Topic) -> tuple[list[bytes], bool]:
        """Events, and whether the end of each partition was seen."""
        sent: list[bytes] = []
        ended: set[int] = set()
        records = size = 0
        deadline = time.monotonic() + TURN_S_MAX
        while (records < TURN_RECORDS_MAX and size < TURN_BYTES_MAX
               and len(ended) < topic.partitions and time.monotonic() < deadline):
            found = reader.read(TURN_RECORDS_MAX, POLL_S)
            made = self._frames(found)
            sent += made
            size += sum(map(len, made))
            records += len(found.records)
            ended.update(found.ends)
            if found.lost:
                self._topic = None  # the next turn looks where it goes on
                return sent, False
        return sent, len(ended) == topic.partitions

    def _place(self, reader: Reader) -> list[gaps.Missed]:
        """Find where it goes on, and look back a little."""
        topic = reader.topic()
        bounds = reader.bounds(topic.partitions)
        resumed = gaps.resume(self._cursor, topic, bounds)
        if not self._is_doubted and any(one.reason == "ahead" for one in resumed.missed):
            # A new leader may not have said yet how far it goes: looked at twice.
            self._is_doubted = True
            return []
        self._is_doubted = False
        self._topic = topic
        self._wanted = resumed.offsets
        self._repeats = Repeats(topic.partitions)
        back = depth(topic.partitions)
        self._read_at = [max(low, place - back)
                         for low, place in zip(bounds.lows, self._wanted, strict=True)]
        self._cursor = Cursor(topic.id, tuple(self._wanted))
        return resumed.missed

    def _gap(self, missed: list[gaps.Missed]) -> bytes:
        return frames.event(frames.GAP, cursor.encode(*self._cursor), gaps.document(missed))

    def _frames(self, found: Read) -> list[bytes]:
        assert self._topic is not None
        sent = []
        for record in found.records:
            n, after = record.partition, record.offset + 1
            if after <= self._read_at[n]:
                continue
            self._read_at[n] = after
            item = item_of(record, self._codec, self._repeats)
            if after <= self._wanted[n]:
                continue  # looked back at
            self._wanted[n] = after
            if isinstance(item, Item) and item.is_for(self._who, self._mask):
                at = cursor.encode(self._topic.id, self._wanted)
                sent.append(item.frame(self._who, self._mask, at))
        for n, end in found.ends.items():
            self._read_at[n] = max(self._read_at[n], end)
            self._wanted[n] = max(self._wanted[n], end)
        self._cursor = Cursor(self._topic.id, tuple(self._wanted))
        return sent

"""Unmerges of the past, through the code that runs now.

An `$unmerge` carries the rows of both sides as the code of its day made them (docs/log.md): a table
that was mended since, or that is new, would keep the old bug, or miss what each side did. So both
sides are made anew, as `footfall customer unmerge` did, of the events that were each side's when it
took effect. Decides nothing but that: which of the log's unmerges are read with which rows. Reads
the log twice, and only where there are any; must never write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from footfall.admin.history import Entry, History, Place, Relations, WidenedError, split
from footfall.admin.scan import Span
from footfall.admin.unmerge import rows_of
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import TYPE_AT, UNMERGE, Interaction, type_bytes
from footfall.events.reserved import Reserved
from footfall.replay.source import Source
from footfall.tables import links
from footfall.tables.fold import Fold
from footfall.tables.record import RecordCodec
from footfall.tables.spec import AnyTable

_UNMERGE: Final = type_bytes(UNMERGE)


def unmerges_anew(source: Source, spans: Mapping[int, Span], tables: Sequence[AnyTable], *,
                  codecs: Codecs, keys: CustomerKeys, reserved: Reserved,
                  progress: Callable[[int], None] = lambda _records: None
                  ) -> dict[Place, bytes]:
    """What `Together` reads in the place of each `$unmerge` that took effect, by partition and
    offset. Raises `HistoryGapError` where the log does not reach back to what those customers did.
    """
    relations = Relations(codecs, reserved)
    asked: set[bytes] = set()
    for _partition, entries in _read(source, spans):
        for entry in entries:
            relations.take(entry.key, entry.value)
            if entry.key and entry.value and entry.value.startswith(_UNMERGE, TYPE_AT):
                asked.add(entry.key)
        progress(len(entries))
    followed = relations.of(asked)
    while asked:
        history = _Unmerges(followed, {p: span.low for p, span in spans.items()}, codecs=codecs,
                            keys=keys, reserved=reserved, specs=tables)
        try:
            for partition, entries in _read(source, spans):
                for entry in entries:
                    history.take(partition, entry)
                history.run()
                progress(len(entries))
            history.run()
        except WidenedError as error:
            followed |= relations.of(error.args)
            continue
        return history.made
    return {}


class _Unmerges(History):
    """A history that makes the sides of each unmerge which takes effect anew."""

    def __init__(self, followed: set[bytes], starts: Mapping[int, int], *, codecs: Codecs,
                 keys: CustomerKeys, reserved: Reserved, specs: Sequence[AnyTable]) -> None:
        super().__init__(followed, starts, codecs=codecs, keys=keys, reserved=reserved,
                         specs=specs)
        self.made: dict[Place, bytes] = {}
        self._specs = [table for table in specs if table.name != links.NAME]
        self._rows = RecordCodec(self._specs)
        self._at: Place = (-1, -1)

    def _apply(self, partition: int, entry: Entry) -> bool:
        self._at = partition, entry.offset
        return super()._apply(partition, entry)

    def _sides(self, fold: Fold, event: Interaction, key: bytes) -> bytes:
        asked = self._reserved.read_unmerge(event, key)
        record = fold.records.peek(key)
        if record is not None and record.watermark == asked.watermark:
            staying, leaving = split(self.places(key), self.events, asked.leaving)
            stay = rows_of(self, staying, self._rows, self._specs)
            leave: Any = rows_of(self, leaving, self._rows, self._specs) if leaving else {}
            sides = self._rows.pack_sides(stay, leave)
            event = self._reserved.unmerge(key, asked, sides, event["event_time"])
            self.made[self._at] = self._codecs.interaction.encode(event)
        return super()._sides(fold, event, key)


def _read(source: Source, spans: Mapping[int, Span]) -> Any:
    """All of it, a piece of each partition in turn."""
    source.seek({p: span.low for p, span in spans.items()})
    left = set(spans)
    while left:
        for partition in sorted(left):
            entries = source.take(partition, spans[partition].end)
            if entries:
                yield partition, entries
            else:
                left.discard(partition)

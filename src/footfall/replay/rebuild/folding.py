"""Drives a shadow over the log: reads, folds, and makes durable every now and then.

Decides how far each partition is folded (never past the `$cutover` that sends it to this
generation) and when a checkpoint is taken: none between the first partition's `$cutover` and the
last one's. Must never go on from a log that is not the one the
shadow was begun with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from footfall.admin.history import Entry
from footfall.admin.scan import Span
from footfall.errors import DecodeError
from footfall.events.codec import Codecs
from footfall.events.interaction import CUTOVER
from footfall.events.reserved import Reserved
from footfall.replay.job import Rate
from footfall.replay.rebuild.shadow import Shadow, ShadowRefusedError
from footfall.replay.source import Source
from footfall.stream.garbage import Garbage
from footfall.tables.fold import log_checksum
from footfall.tables.stored import PartitionState

#: A checkpoint writes each customer once, so the longer it is waited the less is written.
CHECKPOINT_RECORDS: Final = 200_000
CHECKPOINT_S: Final = 10.0
_KEY: Final = CUTOVER.encode()


class Folding:
    """One run over the log. `folded` is called with how many more records were."""

    def __init__(self, shadow: Shadow, source: Source, generation: int, *, codecs: Codecs,
                 reserved: Reserved, rate: Rate | None = None,
                 checkpoint_records: int = CHECKPOINT_RECORDS,
                 checkpoint_s: float = CHECKPOINT_S) -> None:
        self.shadow = shadow
        self.together = shadow.together
        self.records = 0
        #: Where a partition ends for this shadow: behind the `$cutover` to its generation.
        self.stops: dict[int, int] = {
            number: self.together.folds[number].next_offset for number in shadow.done}
        #: When that was appended (ms).
        self.stopped_at: dict[int, int] = {}
        self._source = source
        self._generation = generation
        self._codecs = codecs
        self._reserved = reserved
        self._rate = rate or Rate(None)
        self.folded: Callable[[int], None] = lambda _records: None
        self._checkpoint_records = checkpoint_records
        self._checkpoint_s = checkpoint_s
        self._pending = 0
        self._saved_at = time.monotonic()
        self._garbage = Garbage()

    def begin(self, spans: Mapping[int, Span]) -> None:
        """Go to where each partition goes on; raises `ShadowRefusedError` where the log ends before
        it.
        """
        starts = {}
        last: dict[int, PartitionState] = {}
        for number, fold in self.together.folds.items():
            state = fold.state()
            start = fold.next_offset
            if start > spans[number].end:
                raise ShadowRefusedError(
                    f"partition {number}: the log ends at offset {spans[number].end}, the shadow "
                    f"knows offset {start - 1}: the broker forgot records. Run `footfall replay "
                    "abandon`, then begin anew")
            if spans[number].low <= state.last_offset and number not in self.stops:
                last[number] = state
                start = state.last_offset
            starts[number] = start
        self._source.seek(starts)
        for number, state in last.items():
            self._prove(number, state)

    def to(self, ends: Mapping[int, int]) -> None:
        """Fold each partition up to an offset, or to its `$cutover`."""
        together, source = self.together, self._source
        while True:
            bounds = {n: min(end, self.stops.get(n, end)) for n, end in ends.items()}
            number = together.next(bounds)
            if number is None:
                return
            entries = source.take(number, bounds[number])
            if not entries:
                together.folds[number].pass_gap(bounds[number])
                continue
            entries = self._cut(number, entries)
            piece = self._rate.piece(len(entries))
            for at in range(0, len(entries), piece):
                together.put(number, entries[at : at + piece])
                self._count(together.run())

    def checkpoint(self) -> None:
        """Make durable what was folded; not to be called once a partition is at its `$cutover`."""
        assert not self.stops
        self.shadow.checkpoint()
        self._pending = 0
        self._saved_at = time.monotonic()
        self._garbage.after_checkpoint()

    def finish(self) -> None:
        """The last checkpoint, once every partition is at its `$cutover`."""
        for number, fold in self.together.folds.items():
            assert fold.next_offset == self.stops[number]
            if self.together.waiting(number):
                raise ShadowRefusedError(
                    f"partition {number} waits for {self.together.blocked.get(number)}, which "
                    "lies behind the $cutover of its partition: nothing was changed over")
        self.shadow.checkpoint(self.together.folds)

    def behind(self, ends: Mapping[int, int]) -> int:
        """How many records are left up to these ends."""
        return sum(max(0, min(end, self.stops.get(n, end)) - self.together.folds[n].next_offset)
                   for n, end in ends.items())

    def _count(self, records: int) -> None:
        for fold in self.together.folds.values():
            fold.records.make_room()
        self.records += records
        self._pending += records
        self.folded(records)
        self._rate.spend(records)
        if self.stops:
            # A worker goes over as soon as it finds the state of this offset: not before those of
            # all partitions, and every content that is on its way, have been folded.
            return
        if (self._pending >= self._checkpoint_records
                or time.monotonic() - self._saved_at > self._checkpoint_s):
            self.checkpoint()

    def _prove(self, number: int, state: PartitionState) -> None:
        """The last record that was read is still the same one; it may be the `$cutover`."""
        found = self._source.take(number, state.last_offset + 1)
        if not found or (found[0].offset, found[0].timestamp, log_checksum(found[0])) != (
                state.last_offset, state.last_appended_at, state.last_checksum):
            raise ShadowRefusedError(
                f"partition {number}: the log holds another record at offset {state.last_offset} "
                "than the one that was read: the broker forgot records. Run `footfall replay "
                "abandon`, then begin anew")
        self._cut(number, found)

    def _cut(self, number: int, entries: list[Entry]) -> list[Entry]:
        """Up to the `$cutover` to this generation, if it is among them."""
        for at, entry in enumerate(entries):
            if entry.key == _KEY and self._is_ours(entry):
                self.stops[number] = entry.offset + 1
                self.stopped_at[number] = entry.timestamp
                return entries[: at + 1]
        return entries

    def _is_ours(self, entry: Entry) -> bool:
        try:
            event = self._codecs.interaction.decode(entry.value)
            return (event["type"] == CUTOVER and self._reserved.read_cutover(event, _KEY)
                    == self._generation)
        except DecodeError:
            return False  # a worker rejects it, too

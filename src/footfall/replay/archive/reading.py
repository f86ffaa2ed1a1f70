"""The log read from an archive: `ArchiveSource`, a `Source` as replay knows it.

Decides how far back an archive gives the log without a hole. Rows are read some at a time, so
memory does not grow with the archive. Must never pass over a record: ranges must follow one
another, and a file must hold as many records as the manifest says, in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType

from footfall.admin.history import Entry as Record
from footfall.admin.scan import Span
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.formats import READERS
from footfall.replay.archive.manifest import (
    ArchiveError,
    Break,
    File,
    Part,
    breaks,
    by_partition,
    entry_name,
)
from footfall.replay.source import SLICE_RECORDS


class ArchiveSource:
    """What an archive holds of the log, as it was when `refresh` was called last."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._parts: dict[int, list[Part]] = {}
        self._spans: dict[int, Span] = {}
        self._reading: dict[int, Iterator[list[Record]]] = {}
        #: Read and not handed out yet.
        self._waiting: dict[int, list[Record]] = {}
        self.refresh()

    def __enter__(self) -> ArchiveSource:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:
        self.close()

    def refresh(self) -> None:
        """Look again what there is; reading goes on where it is. Raises `ArchiveError`."""
        self._parts = by_partition(self._catalog.parts())
        self._spans = {number: self._span(parts) for number, parts in self._parts.items()}

    def spans(self) -> dict[int, Span]:
        """Of each partition that is archived: what is there without a hole, up to the end."""
        return dict(self._spans)

    def seek(self, starts: Mapping[int, int]) -> None:
        """Where each partition is read from; those not named are not read."""
        self._waiting = {number: [] for number in starts}
        self._reading = {number: self._records(number, at) for number, at in starts.items()}

    def take(self, partition: int, end: int) -> list[Record]:
        """The next records of a partition below `end`; raises `ArchiveError`."""
        waiting = self._waiting[partition]
        if not waiting:
            waiting = next(self._reading[partition])
            if not waiting:
                return []
        taken = waiting[:SLICE_RECORDS]
        if taken[-1].offset >= end:
            taken = [record for record in taken if record.offset < end]
        self._waiting[partition] = waiting[len(taken):]
        return taken

    def close(self) -> None:
        """Let go of what is open."""
        self._reading = {}

    def _span(self, parts: list[Part]) -> Span:
        """Up to the last hole, counted from the end. A hole that no entry names is damage."""
        holes = breaks(parts, {})
        if not holes:
            return Span(parts[0].start, parts[-1].end)
        low = self._low(parts, holes)
        return Span(low, parts[-1].end)

    def _low(self, parts: list[Part], holes: list[Break]) -> int:
        behind = [part for part in parts if any(hole.end == part.start for hole in holes)]
        lost = {entry.part: entry.lost for entry in self._catalog.entries(behind)
                if entry.lost is not None}
        unnamed = breaks(parts, lost)
        if unnamed:
            raise ArchiveError(
                f"{self._catalog.target.shown}: partition {unnamed[0].partition} has "
                f"{'a gap' if unnamed[0].kind == 'gap' else 'an overlap'} from offset "
                f"{unnamed[0].start} to {unnamed[0].end}: `footfall archive verify` says more")
        return max(part.start for part in lost)

    def _records(self, partition: int, start: int) -> Iterator[list[Record]]:
        """The records from an offset on, file by file. None: there are no more for now."""
        at = start
        while True:
            part = next((part for part in self._parts.get(partition, ()) if part.end > at), None)
            if part is None:
                yield []
                continue
            if part.start > at:
                raise ArchiveError(
                    f"{self._catalog.target.shown}: partition {partition} has no offsets {at} to "
                    f"{part.start - 1}: the archive begins later, or retention took them first")
            (entry,) = self._catalog.entries([part])
            if entry.file is not None:
                for records in self._file(part, entry.file):
                    wanted = records if records[0].offset >= at else [
                        record for record in records if record.offset >= at]
                    if wanted:
                        yield wanted
            at = part.end

    def _file(self, part: Part, file: File) -> Iterator[list[Record]]:
        where = f"{self._catalog.target.shown}: {file.name}"
        count, last = 0, part.start - 1
        try:
            with self._catalog.target.open(file.name) as opened:
                for records in READERS[file.format](opened, where):
                    for record in records:
                        if record.offset <= last:
                            raise ArchiveError(f"{where}: offset {record.offset} comes after "
                                               f"{last}: put the file back from a copy")
                        last = record.offset
                    count += len(records)
                    yield records
        except FileNotFoundError:
            raise ArchiveError(f"{where} is missing, which {entry_name(part)} names: put it back "
                               "from a copy") from None
        if count != file.records or last != file.last_offset:
            raise ArchiveError(f"{where} holds {count} records up to offset {last}, the manifest "
                               f"says {file.records} up to {file.last_offset}: put the file back "
                               "from a copy")

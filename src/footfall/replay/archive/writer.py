"""Adds records of the log to an archive: which file they go to, and when one is complete.

Decides when a file is closed: another day begins, it is large or old enough, or the run ends. In
that order: data in its place, whole, then the entry that names it. So the manifest alone says where
to go on, and a writer that is killed repeats what it had not named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from footfall.admin.history import Entry as Record
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.growing import GROUP_BYTES_MAX, Decode, Growing
from footfall.replay.archive.manifest import Entry, Format, Last, Lost, day_of
from footfall.settings import Settings

#: Of all partitions together, in memory.
WAITING_BYTES_MAX: Final = 64 << 20
_DAY_MS: Final = 86_400_000


class Limits(NamedTuple):
    """When a file is complete."""

    kind: Format
    bytes_max: int
    age_s_max: float

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """As configured."""
        return cls(settings.archive_format, settings.archive_file_bytes_max,
                   settings.archive_file_age_s_max)


class _Partition:
    """Where a partition is: named by the manifest up to `named`, seen up to `next`."""

    def __init__(self, start: int) -> None:
        self.named = self.next = start
        self.file: Growing | None = None
        self.began = 0.0
        self.lost: Lost | None = None


class Writer:
    """Writes on from `starts`; `told` is called with each entry that was added."""

    def __init__(self, catalog: Catalog, decode: Decode, limits: Limits, starts: dict[int, int],
                 told: Callable[[Entry], None] = lambda _entry: None) -> None:
        self._catalog = catalog
        self._decode = decode
        self._limits = limits
        self._told = told
        self._partitions = {number: _Partition(start) for number, start in starts.items()}
        self._group_bytes = min(GROUP_BYTES_MAX, limits.bytes_max)

    def next(self, partition: int) -> int:
        """The next offset that is wanted."""
        return self._partitions[partition].next

    def named(self, partition: int) -> int:
        """Up to where the manifest has it."""
        return self._partitions[partition].named

    def put(self, partition: int, records: Sequence[Record]) -> None:
        """More records of a partition, in order."""
        at = self._partitions[partition]
        for day, some in groupby(records, lambda record: record.timestamp // _DAY_MS):
            self._put(partition, at, day_of(day * _DAY_MS), list(some))
        self._relieve()

    def pass_to(self, partition: int, end: int) -> None:
        """There are no more records below an offset."""
        at = self._partitions[partition]
        at.next = max(at.next, end)

    def lose(self, partition: int, low: int) -> None:
        """Retention has taken all below an offset: the next entry names it."""
        at = self._partitions[partition]
        self._close(partition, at)
        begins = at.named if at.lost is None else at.lost.start
        at.lost = Lost(begins, low)
        at.named = at.next = low

    def close_old(self) -> None:
        """Close the files that are old enough."""
        now = time.monotonic()
        for number, at in self._partitions.items():
            if at.file is not None and now - at.began >= self._limits.age_s_max:
                self._close(number, at)

    def close(self) -> None:
        """Close all files: what was put is archived."""
        for number, at in self._partitions.items():
            self._close(number, at)

    def _put(self, partition: int, at: _Partition, day: str, records: list[Record]) -> None:
        assert records[0].offset >= at.next, (partition, records[0].offset, at.next)
        if at.file is not None and at.file.day != day:
            self._close(partition, at)
        if at.file is None:
            at.file = Growing(self._catalog.target, self._decode, self._limits.kind, partition, day)
            at.began = time.monotonic()
        at.file.put(records, self._group_bytes)
        at.next = records[-1].offset + 1
        if at.file.written_bytes >= self._limits.bytes_max:
            self._close(partition, at)

    def _relieve(self) -> None:
        """Write the largest of what waits, where it is too much together."""
        files = [at.file for at in self._partitions.values() if at.file is not None]
        while sum(file.waiting_bytes for file in files) > WAITING_BYTES_MAX:
            max(files, key=lambda file: file.waiting_bytes).flush()

    def _close(self, partition: int, at: _Partition) -> None:
        if at.next == at.named:
            return  # nothing came; what was lost is named with what comes after it
        self._catalog.target.check()
        file, last = (None, None) if at.file is None else at.file.close()
        entry = Entry(partition=partition, start=at.named, end=at.next, file=file,
                      last=last, lost=at.lost)
        self._catalog.add(entry)
        at.named, at.file, at.lost = at.next, None, None
        self._told(entry)


def resumed(catalog: Catalog) -> dict[int, tuple[int, Last | None]]:
    """Where each partition ends, by the manifest alone, and its newest record. What no entry names
    is cleaned; raises `ArchiveError`.
    """
    newest = {part.partition: part for part in catalog.parts()}
    entries = catalog.entries(newest.values())
    ends = {entry.partition: entry.end for entry in entries}
    for name, (partition, first_offset) in catalog.data().items():
        if first_offset >= ends.get(partition, 0):
            catalog.target.remove(name)
    return {entry.partition: (entry.end, entry.last) for entry in entries}

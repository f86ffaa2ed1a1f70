"""The spool: append, fsync, read in order, acknowledge; bounded, and readable after any crash.

Decides what survives what. When `append` returns, the record outlives kill -9 of the process; when
`sync` returns, everything appended before it outlives a power loss too. Callers share one fsync
(group commit). A failed fsync breaks the spool for good and is never tried again: the kernel has
thrown away what it could not write, and a second fsync would say that all is well.

Files are segments named by the number of their first record; one goes when all of it is
acknowledged. `acknowledged` holds the last number acknowledged and is not fsynced: after a power
loss some records are read once more, never too few. At opening, an unreadable end of the last
segment is cut off (a write that never ended), an unreadable stretch elsewhere is stepped over. Both
are counted in `recovered`, and the caller must tell of them.
Must never grow beyond `bytes_max`, wait for another process, or give records out of order.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from footfall.spool.frames import HEAD_BYTES, PAYLOAD_BYTES_MAX, markers
from footfall.spool.segment import SUFFIX, Segment, SpoolError, SpoolFullError

SEGMENT_BYTES = 4 * 1024 * 1024
BYTES_MAX = 256 * 1024 * 1024
_CLOSED = "the spool is closed"
_ACKNOWLEDGED = struct.Struct("<QI")


class SpoolInUseError(Exception):
    """Another process, or another spool of this one, has this folder."""


class Entry(NamedTuple):
    """A record that waits."""

    number: int
    payload: bytes


class Recovery(NamedTuple):
    """What was found at opening."""

    #: Records that wait to be read.
    records: int = 0
    #: The end of a write that was interrupted: bytes cut off, and records begun in them.
    cut_bytes: int = 0
    cut_records: int = 0
    #: Stretches elsewhere that cannot be read: the disk has damaged what it held.
    damaged_bytes: int = 0
    damaged_records: int = 0


class Spool:
    """A spool in a folder of its own. Safe for threads; one reader."""

    def __init__(self, folder: Path, bytes_max: int = BYTES_MAX,
                 segment_bytes: int = SEGMENT_BYTES) -> None:
        if bytes_max < 2 * segment_bytes:
            raise ValueError(f"bytes_max is {bytes_max}; at least {2 * segment_bytes}")
        self._folder = folder
        self._bytes_max = bytes_max
        self._segment_bytes = segment_bytes
        #: Held for what is short; `_syncing` for an fsync, and first where both are needed.
        self._state = threading.Lock()
        self._syncing = threading.Lock()
        self._broken = ""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(folder)
        self._new_files = True
        self._damaged = 0
        self._mark = os.open(folder / "acknowledged", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._acknowledged = self._given = _read_mark(self._mark)
        self._unsynced: list[Segment] = []
        self._segments: list[Segment] = []
        self.recovered = self._recover()
        self._last = max([self._acknowledged, *(s.last for s in self._segments)])
        self._synced = self._last
        self._bytes = sum(s.ends for s in self._segments)

    @property
    def acknowledged(self) -> int:
        """The number of the last record acknowledged."""
        return self._acknowledged

    @property
    def last(self) -> int:
        """The number of the last record appended."""
        return self._last

    @property
    def bytes_held(self) -> int:
        """What the segments hold on disk."""
        return self._bytes

    @property
    def damaged(self) -> int:
        """Records that could be read at opening, and no longer when their turn came."""
        return self._damaged + sum(segment.damaged for segment in self._segments)

    def append(self, payload: bytes) -> int:
        """Write a record; its number. Raises `SpoolFullError` or `SpoolError`."""
        return self.append_all((payload,))

    def append_all(self, payloads: Sequence[bytes]) -> int:
        """Write records in a row; the last number. None is written where not all have room.

        On a disk that is full some may be: they are read and sent, but nobody was told so.
        """
        size = 0
        for payload in payloads:
            if len(payload) > PAYLOAD_BYTES_MAX:
                raise ValueError(f"a record of {len(payload)} bytes; at most {PAYLOAD_BYTES_MAX}")
            size += HEAD_BYTES + len(payload)
        with self._state:
            self._check()
            if self._bytes + size > self._bytes_max:
                raise SpoolFullError(f"the spool holds its {self._bytes_max} bytes")
            for payload in payloads:
                number = self._last + 1
                try:
                    segment = self._writable(number, HEAD_BYTES + len(payload))
                    self._bytes += segment.append(number, payload)
                except SpoolError as error:
                    self._broken = str(error)
                    raise
                self._last = number
            return self._last

    def sync(self) -> None:
        """Return when all that was appended before is on the disk. Raises `SpoolError`."""
        wanted = self._last
        with self._syncing:
            with self._state:
                self._check()
                if self._synced >= wanted:
                    return
                reached, segments = self._last, self._unsynced
                self._unsynced = segments[-1:]  # the one that is still written to
                new_files, self._new_files = self._new_files, False
            try:
                for segment in segments:
                    segment.sync()
                if new_files:
                    os.fsync(self._lock)
            except OSError as error:
                self._broken = f"fsync of the spool failed ({error.strerror})"
                raise SpoolError(self._broken) from None
            self._synced = reached

    def read(self, count_max: int, bytes_max: int) -> list[Entry]:
        """The next records in order, one at least if there is one; each is given once."""
        found: list[Entry] = []
        size = 0
        with self._state:
            for segment in self._segments:
                before = segment.at
                for record in segment.read():
                    size += len(record.payload)
                    if found and (size > bytes_max or len(found) == count_max):
                        segment.at = before
                        return found
                    before = segment.at
                    if record.number > self._given:
                        found.append(Entry(record.number, record.payload))
                        self._given = record.number
        return found

    def acknowledge(self, number: int) -> None:
        """Everything up to this number is somebody else's now; segments that are done go."""
        with self._syncing, self._state:
            if self._broken == _CLOSED or not self._acknowledged < number <= self._last:
                return
            self._acknowledged = number
            os.pwrite(self._mark, _mark(number), 0)
            while self._segments and self._segments[0].last <= number:
                self._drop(self._segments.pop(0))

    def close(self) -> None:
        """Close all files; what waits stays."""
        with self._syncing, self._state:
            self.forget()

    def forget(self) -> None:
        """The same without locks, for a forked child: the spool is its parent's."""
        if self._broken != _CLOSED:
            self._broken = _CLOSED
            for segment in self._segments:
                with contextlib.suppress(OSError):  # the parent was about to do it
                    segment.close()
            os.close(self._mark)
            os.close(self._lock)
        self._segments, self._unsynced = [], []

    def _check(self) -> None:
        if self._broken:
            raise SpoolError(self._broken)

    def _writable(self, number: int, size: int) -> Segment:
        """The segment that the next record goes to."""
        if self._segments and self._segments[-1].ends + size <= self._segment_bytes:
            segment = self._segments[-1]
        else:
            try:
                segment = Segment(self._folder / f"{number:020}{SUFFIX}")
            except OSError as error:
                raise SpoolFullError(f"no new file in the spool ({error.strerror})") from None
            self._segments.append(segment)
            self._new_files = True
        if segment not in self._unsynced[-1:]:
            self._unsynced.append(segment)
        return segment

    def _drop(self, segment: Segment) -> None:
        self._damaged += segment.damaged
        self._bytes -= segment.ends
        if segment in self._unsynced:
            self._unsynced.remove(segment)
        segment.remove()

    def _recover(self) -> Recovery:
        """Find what there is; cut the unreadable end off, step over the unreadable rest."""
        found = Recovery()
        paths = sorted(self._folder.glob(f"{'[0-9]' * 20}{SUFFIX}"))
        for path, next_path in zip_longest(paths, paths[1:]):
            segment = Segment(path)
            for gap in segment.examine(self._acknowledged):
                after = gap.after or (int(next_path.stem) if next_path else None)
                if after is None:
                    cut = segment.cut(gap.start)
                    found = found._replace(cut_bytes=len(cut), cut_records=markers(cut))
                    continue
                lost = after - 1 - max(gap.before, self._acknowledged)
                if lost > 0:
                    found = found._replace(
                        damaged_bytes=found.damaged_bytes + gap.end - gap.start,
                        damaged_records=found.damaged_records + lost)
            if segment.last <= self._acknowledged:
                segment.remove()
            else:
                self._segments.append(segment)
                found = found._replace(records=found.records + segment.waiting)
        return found


def _locked(folder: Path) -> int:
    """The folder, opened and locked for this spool alone; the lock ends with the process."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise SpoolInUseError(f"{folder} is in use by another spool") from None
    return file


def _mark(number: int) -> bytes:
    return _ACKNOWLEDGED.pack(number, zlib.crc32(number.to_bytes(8, "little")))


def _read_mark(file: int) -> int:
    """The number in the file; 0 where it holds none that is whole."""
    data = os.pread(file, _ACKNOWLEDGED.size, 0)
    if len(data) < _ACKNOWLEDGED.size:
        return 0
    number: int = _ACKNOWLEDGED.unpack(data)[0]
    return number if _mark(number) == data else 0

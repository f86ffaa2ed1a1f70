"""One file of a spool: appended to at its end, read from its start, removed as a whole.

Decides nothing but what one file's bytes are; numbers, bounds and locks are the spool's. Must never
leave half a record at its end after a write that failed.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from footfall.spool.frames import HEAD_BYTES, PAYLOAD_BYTES_MAX, Frame, Gap, frame, read_frame, scan

SUFFIX = ".spool"
_CHUNK_BYTES = 256 * 1024
_FRAME_BYTES_MAX = HEAD_BYTES + PAYLOAD_BYTES_MAX
_FULL = (errno.ENOSPC, errno.EDQUOT)


class SpoolError(Exception):
    """The disk failed; this spool takes nothing more. The text says what failed."""


class SpoolFullError(Exception):
    """The record was not taken: the bound is reached, or the disk is full."""


class Damage(NamedTuple):
    """An unreadable stretch: from, to, the last number before it, the first behind it."""

    start: int
    end: int
    before: int
    after: int | None


class Segment:
    """Records `first` to `last`; `at` is where its reader is, `ends` where it is written."""

    __slots__ = ("_file", "_gaps", "_number", "at", "damaged", "ends", "first", "last", "path",
                 "waiting")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first = int(path.stem)
        self.last = self.first - 1
        self.at = self.ends = self.waiting = 0
        #: Records that were found damaged while reading, and not at opening.
        self.damaged = 0
        self._number = self.last
        self._gaps: dict[int, int] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def examine(self, above: int) -> list[Damage]:
        """Find what is readable, and every stretch that is not; count records above a number."""
        data = self._pread(os.fstat(self._file).st_size, 0)
        found: list[Damage] = []
        for part in scan(data, self.last):
            if isinstance(part, Gap):
                found.append(Damage(part.start, part.end, self.last, None))
                self._gaps[part.start] = part.end
                continue
            if found and found[-1].after is None:
                found[-1] = found[-1]._replace(after=part.number)
            self.last = part.number
            self.waiting += part.number > above
        self.ends = len(data)
        return found

    def cut(self, at: int) -> bytes:
        """Cut the file off here; what was cut."""
        data = self._pread(self.ends - at, at)
        os.ftruncate(self._file, at)
        self._gaps.pop(at, None)
        self.ends = at
        return data

    def append(self, number: int, payload: bytes) -> int:
        """Write a record, all of it or nothing; its size on disk."""
        data = frame(number, payload)
        try:
            if os.pwrite(self._file, data, self.ends) == len(data):
                self.last = number
                self.ends += len(data)
                return len(data)
            failure: Exception = SpoolFullError("the disk is full")
        except OSError as error:
            failure = (SpoolFullError("the disk is full") if error.errno in _FULL else
                       SpoolError(f"writing the spool failed ({error.strerror})"))
        try:
            os.ftruncate(self._file, self.ends)
        except OSError as error:
            failure = SpoolError(f"the spool could not be cut ({error.strerror})")
        raise failure

    def read(self) -> Iterator[Frame]:
        """The records from `at` on that were there when it was called; `at` moves with them."""
        while self.at < self.ends:
            start = self.at = self._gaps.get(self.at, self.at)
            if start == self.ends:
                return
            data = self._pread(min(_CHUNK_BYTES, self.ends - start), start)
            found = read_frame(data, 0)
            if found is None:
                data = self._pread(min(_FRAME_BYTES_MAX, self.ends - start), start)
                found = read_frame(data, 0)
            if found is None:
                self._step_over(start)
            while found is not None:
                self.at, self._number = start + found.end, found.number
                yield found
                found = None if self.at in self._gaps else read_frame(data, found.end)

    def sync(self) -> None:
        """Return when all that was written is on the disk."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(self._file)
        else:  # macOS
            os.fsync(self._file)

    def remove(self) -> None:
        """Close and delete the file."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _step_over(self, start: int) -> None:
        """The disk has damaged what was readable before: find what is readable behind it."""
        end, number = self.ends, self.last + 1
        for part in scan(self._pread(self.ends - start, start), self._number):
            if not isinstance(part, Gap):
                number = part.number
                break
            end = start + part.end
        self._gaps[start] = end
        self.damaged += number - 1 - self._number

    def _pread(self, size: int, at: int) -> bytes:
        parts = []
        while size > 0:
            part = os.pread(self._file, size, at)
            if not part:
                break
            parts.append(part)
            size -= len(part)
            at += len(part)
        return b"".join(parts)

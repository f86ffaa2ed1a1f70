"""A file of the archive that is being written: records of one partition and one day.

Decides in what groups records are written. Until it is closed it is nobody's: a writer that is
killed leaves nothing of it that counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from footfall.admin.history import Entry as Record
from footfall.events.interaction import Interaction
from footfall.replay.archive.formats import WRITERS, FileWriter
from footfall.replay.archive.manifest import File, Format, Last, data_name
from footfall.replay.archive.rows import rows_of
from footfall.replay.archive.target import Target

Decode = Callable[[bytes | None], Interaction]
#: A group is decoded as a whole by whoever reads it.
GROUP_RECORDS_MAX: Final = 20_000
GROUP_BYTES_MAX: Final = 8 << 20


class Growing:
    """One file; `waiting_bytes` of records are not yet in a group."""

    def __init__(self, target: Target, decode: Decode, kind: Format, partition: int, day: str
                 ) -> None:
        self.partition = partition
        self.day = day
        self.waiting_bytes = 0
        self._target = target
        self._decode = decode
        self._kind = kind
        self._waiting: list[Record] = []
        self._out = target.begin()
        self._writer: FileWriter = WRITERS[kind](self._out)
        self._records = 0
        self._first: Record | None = None
        self._last: Record | None = None
        self._appended = (1 << 63, -1 << 63)

    def put(self, records: Sequence[Record], group_bytes: int = GROUP_BYTES_MAX) -> None:
        """More records, in order; there is one at least."""
        if self._first is None:
            self._first = records[0]
        self._last = records[-1]
        self._waiting += records
        self.waiting_bytes += sum(len(r.value or b"") + len(r.key or b"") for r in records)
        if len(self._waiting) >= GROUP_RECORDS_MAX or self.waiting_bytes >= group_bytes:
            self.flush()

    def flush(self) -> None:
        """Write what waits, as one group."""
        if not self._waiting:
            return
        waiting, self._waiting, self.waiting_bytes = self._waiting, [], 0
        self._writer.write(rows_of(self.partition, waiting, self._decode))
        self._records += len(waiting)
        times = [record.timestamp for record in waiting]
        self._appended = min(self._appended[0], *times), max(self._appended[1], *times)

    @property
    def written_bytes(self) -> int:
        """How large the file is so far."""
        return self._out.tell()

    def close(self) -> tuple[File, Last]:
        """Put the file into its place; what the manifest says of it."""
        self.flush()
        assert self._first is not None
        assert self._last is not None
        self._writer.close()
        size = self._out.tell()
        self._out.seek(0)
        digest = hashlib.file_digest(self._out, "sha256").hexdigest()  # type: ignore[arg-type]
        name = data_name(self.day, self.partition, self._first.offset, self._kind)
        self._target.commit(self._out, name)
        file = File(name=name, format=self._kind, records=self._records,
                    first_offset=self._first.offset, last_offset=self._last.offset,
                    appended_from=self._appended[0], appended_to=self._appended[1],
                    bytes=size, sha256=digest)
        return file, last_of(self._last)


def last_of(record: Record) -> Last:
    """What a record is known by."""
    digest = hashlib.sha256(f"{record.offset} {record.timestamp} ".encode())
    for part in (record.key, record.value):
        digest.update(b"-" if part is None else b"%d:" % len(part) + part)
    return Last(record.offset, digest.hexdigest())

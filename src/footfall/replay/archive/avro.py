"""One file of Avro: the same columns, in blocks that snappy compresses.

Decides the schema. Snappy is what every reader of Avro knows, and its blocks carry checksums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Final

import fastavro

from footfall.admin.history import Entry
from footfall.replay.archive.manifest import ArchiveError
from footfall.replay.archive.rows import COLUMNS, EXACT, Row, entries_of

#: fastavro makes a datetime of a time.
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_AT: Final = {"type": "long", "logicalType": "timestamp-millis"}
_TYPES: Final[dict[str, Any]] = {
    "partition": "int", "offset": "long", "appended_at": _AT,
    "event_time": ["null", _AT], "received_at": ["null", _AT],
    "head": ["null", "bytes"], "key_bytes": ["null", "bytes"],
}
SCHEMA: Final[dict[str, Any]] = {
    "type": "record", "name": "ArchivedRecord", "namespace": "footfall",
    "fields": [{"name": name, "type": _TYPES.get(name, ["null", "string"])} for name in COLUMNS],
}


class AvroWriter:
    """Writes one file, into what is given; `close` completes it and leaves that open."""

    def __init__(self, out: IO[bytes]) -> None:
        self._writer = fastavro.write.Writer(out, SCHEMA, codec="snappy")

    def write(self, rows: Sequence[Row]) -> None:
        """One block of rows."""
        for row in rows:
            self._writer.write(row._asdict())
        self._writer.dump()

    def close(self) -> None:
        """The file is complete."""
        self._writer.flush()


def read(source: IO[bytes], name: str) -> Iterator[list[Entry]]:
    """The records of a file, block by block; raises `ArchiveError`."""
    try:
        for block in fastavro.block_reader(source, return_record_name=False):
            rows = list(block)
            if rows:  # a block may be empty
                yield entries_of([[_plain(row[column]) for row in rows] for column in EXACT])
    except Exception as error:  # fastavro raises a dozen kinds on bad bytes
        raise ArchiveError(f"{name} cannot be read ({type(error).__name__}): "
                           "`footfall archive verify` says what is wrong") from None


def _plain(value: Any) -> Any:
    return (value - _EPOCH) // _MS if isinstance(value, datetime) else value

"""One file of Avro: the same columns, in blocks that snappy compresses.

Decides the schema. Snappy is what every reader of Avro knows, and its blocks carry checksums.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

import cramjam
import fastavro

from footfall.admin.history import Entry
from footfall.replay.archive.manifest import ArchiveError
from footfall.replay.archive.rows import COLUMNS, EXACT, Row, entries_of

#: Of a block, CRC-32 of what it holds.
_CHECK_BYTES: Final = 4
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
    """The records of a file, block by block; raises `ArchiveError`. Blocks are taken apart here:
    fastavro passes over their checksums.
    """
    try:
        opened = fastavro.reader(source)
        if json.loads(opened.metadata["avro.schema"]) != SCHEMA:
            raise ValueError("schema")
        sync = opened._header["sync"]
        while True:
            count = _long(source)
            if count is None:
                return
            rows = _block(source, count)
            if source.read(len(sync)) != sync:
                raise ValueError("sync marker")
            if rows:  # a block may be empty
                yield entries_of([[row[column] for row in rows] for column in EXACT])
    except Exception as error:  # fastavro raises a dozen kinds on bad bytes
        raise ArchiveError(f"{name} cannot be read ({type(error).__name__}): "
                           "`footfall archive verify` says what is wrong") from None


def _block(source: IO[bytes], count: int) -> list[dict[str, Any]]:
    """The rows of one block; raises ValueError where its checksum is another."""
    size = _long(source) or 0
    data = source.read(size)
    plain = bytes(cramjam.snappy.decompress_raw(data[:-_CHECK_BYTES]))
    if len(data) != size or zlib.crc32(plain).to_bytes(_CHECK_BYTES, "big") != data[-_CHECK_BYTES:]:
        raise ValueError("checksum")
    stream = io.BytesIO(plain)
    rows = [fastavro.schemaless_reader(stream, _PLAIN, None) for _ in range(count)]
    if stream.tell() != len(plain):
        raise ValueError("size")
    return rows


def _long(source: IO[bytes]) -> int | None:
    """A number of a block's head; None at the file's end."""
    value = shift = 0
    while byte := source.read(1):
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value >> 1 ^ -(value & 1)
        shift += 7
    if shift:
        raise ValueError("cut")
    return None


def _without_times(kind: Any) -> Any:
    """Times as numbers: exact, and quicker read."""
    if isinstance(kind, list):
        return [_without_times(one) for one in kind]
    return "long" if kind == _AT else kind


_PLAIN: Final = fastavro.parse_schema({**SCHEMA, "fields": [
    {**field, "type": _without_times(field["type"])} for field in SCHEMA["fields"]]})

"""One file of Parquet: rows in groups, each of which is read by itself.

Decides types, compression and encodings: what DuckDB, Spark and pandas all read. Pages carry
checksums, so that what a disk has changed is not taken for a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

from footfall.admin.history import Entry
from footfall.replay.archive.manifest import ArchiveError
from footfall.replay.archive.rows import COLUMNS, EXACT, Row, entries_of
from footfall.replay.archive.target import module

#: Few values in many rows; counted up: the difference is what is stored.
_NAMES: Final = ("partition", "key", "type", "event", "source", "channel")
_NUMBERS: Final = ("offset", "appended_at", "event_time", "received_at")
_BATCH_ROWS: Final = 5_000


class ParquetWriter:
    """Writes one file, into what is given; `close` completes it and leaves that open."""

    def __init__(self, out: IO[bytes]) -> None:
        parquet = module("pyarrow.parquet")
        self._arrow = module("pyarrow")
        self._schema = _schema(self._arrow)
        self._out = out
        self._writer = parquet.ParquetWriter(
            out, self._schema, compression="zstd", use_dictionary=list(_NAMES),
            column_encoding=dict.fromkeys(_NUMBERS, "DELTA_BINARY_PACKED"),
            write_page_checksum=True)

    def write(self, rows: Sequence[Row]) -> None:
        """One group of rows."""
        array = self._arrow.array
        columns = [array(column, field.type)
                   for column, field in zip(zip(*rows, strict=True), self._schema, strict=True)]
        self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema),
                                 row_group_size=len(rows))

    def close(self) -> None:
        """The file is complete."""
        self._writer.close()


def read(source: IO[bytes], name: str) -> Iterator[list[Entry]]:
    """The records of a file, some at a time; raises `ArchiveError`."""
    arrow, parquet = module("pyarrow"), module("pyarrow.parquet")
    try:
        file = parquet.ParquetFile(source, page_checksum_verification=True)
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(EXACT), use_threads=False):
            yield entries_of([_plain(arrow, batch.column(column)) for column in EXACT])
    except (arrow.ArrowException, OSError, KeyError) as error:
        raise ArchiveError(f"{name} cannot be read ({type(error).__name__}): "
                           "`footfall archive verify` says what is wrong") from None


def _plain(arrow: Any, column: Any) -> list[Any]:
    if arrow.types.is_timestamp(column.type):
        column = column.cast(arrow.int64())
    values: list[Any] = column.to_pylist()
    return values


def _schema(arrow: Any) -> Any:
    at, text = arrow.timestamp("ms", "UTC"), arrow.string()
    types = {"partition": arrow.int32(), "offset": arrow.int64(), "head": arrow.binary(),
             "key_bytes": arrow.binary(), **dict.fromkeys(_NUMBERS[1:], at)}
    never_null = ("partition", "offset", "appended_at")
    return arrow.schema([arrow.field(name, types.get(name, text), name not in never_null)
                         for name in COLUMNS])

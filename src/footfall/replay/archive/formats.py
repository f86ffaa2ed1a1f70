"""The formats of data files: how each is written and read. Decides nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import IO, Final, Protocol

from footfall.admin.history import Entry
from footfall.replay.archive import avro, parquet
from footfall.replay.archive.manifest import Format
from footfall.replay.archive.rows import Row


class FileWriter(Protocol):
    """Writes one file."""

    def write(self, rows: Sequence[Row]) -> None:
        """One group of rows, in order."""
        ...

    def close(self) -> None:
        """The file is complete; what it was written into stays open."""
        ...


WRITERS: Final[dict[Format, Callable[[IO[bytes]], FileWriter]]] = {
    "parquet": parquet.ParquetWriter, "avro": avro.AvroWriter}
READERS: Final[dict[Format, Callable[[IO[bytes], str], Iterator[list[Entry]]]]] = {
    "parquet": parquet.read, "avro": avro.read}

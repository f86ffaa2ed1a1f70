"""Which reader a format has."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final, TypeAlias

from footfall.replay.imports import reading_text, reading_typed
from footfall.replay.imports.files import File, Format, unpacked
from footfall.replay.imports.mapping_row import Mapping
from footfall.replay.imports.rows import FileFault, Rows

Reader: TypeAlias = Callable[[BinaryIO, Mapping | None], Rows]

_READERS: Final[dict[Format, Reader]] = {
    "jsonl": reading_text.jsonl, "csv": reading_text.separated,
    "parquet": reading_typed.parquet, "avro": reading_typed.avro,
}


def reader_of(form: Format) -> Reader:
    """Makes rows of a stream, unpacked but for Parquet; raises `FileFault` where it cannot go on.
    """
    return _READERS[form]


def read(file: File, form: Format, mapping: Mapping | None) -> Rows:
    """The rows of a file, as they come; raises `FileFault` where it cannot be read on."""
    if not file.size:
        raise FileFault("file_empty", "is empty")
    with file.packed() as stream:
        if form == "parquet":  # packs its own columns, and is read from its end
            yield from reader_of(form)(stream, mapping)
            return
        with unpacked(stream) as inner:
            yield from reader_of(form)(inner, mapping)

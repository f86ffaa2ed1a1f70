"""Which reader a format has."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final

from footfall.replay.imports import reading_text, reading_typed
from footfall.replay.imports.files import File, Format, unpacked
from footfall.replay.imports.mapping_row import Mapping
from footfall.replay.imports.rows import FileFault, Rows

_READERS: Final[dict[Format, Callable[[BinaryIO, Mapping | None], Rows]]] = {
    "jsonl": reading_text.jsonl, "csv": reading_text.separated,
    "parquet": reading_typed.parquet, "avro": reading_typed.avro,
}


def read(file: File, form: Format, mapping: Mapping | None) -> Rows:
    """The rows of a file, as they come; raises `FileFault` where it cannot be read on."""
    if not file.size:
        raise FileFault("file_empty", "is empty")
    with file.packed() as stream:
        if form == "parquet":
            yield from _READERS[form](stream, mapping)
            return
        with unpacked(stream) as inner:
            yield from _READERS[form](inner, mapping)

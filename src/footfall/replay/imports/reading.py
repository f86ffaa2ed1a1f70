"""Which reader a format has."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, Final, TypeAlias

from footfall.replay.archive.formats import READERS
from footfall.replay.archive.manifest import ArchiveError
from footfall.replay.imports import reading_text, reading_typed
from footfall.replay.imports.archives import Part
from footfall.replay.imports.files import File, Format, unpacked
from footfall.replay.imports.mapping_row import Mapping
from footfall.replay.imports.rows import FileFault, Logged, Rows

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
        if file.part is not None:
            yield from logged(stream, file.part, mapping)
            return
        if form == "parquet":  # packs its own columns, and is read from its end
            yield from reader_of(form)(stream, mapping)
            return
        with unpacked(stream) as inner:
            yield from reader_of(form)(inner, mapping)


def logged(stream: BinaryIO, part: Part, mapping: Mapping | None = None) -> Rows:
    """The records in a file of an archive: as many as its manifest says, whole."""
    if mapping is not None:
        raise FileFault("mapping_wrong", "is of an archive of Footfall, whose records say what "
                        "they are: no mapping")
    number, offset = 0, -1
    try:
        for records in READERS[part.file.format](stream, part.file.name):
            for offset, appended_at, key, value in records:
                number += 1
                yield Logged(number, part.partition, offset, appended_at, key, value)
    except ArchiveError as error:
        raise FileFault("file_damaged", f"after row {number}: {error}") from None
    if (number, offset) != (part.file.records, part.file.last_offset):
        raise FileFault("file_damaged", f"holds {number} records up to offset {offset}, the "
                        f"manifest says {part.file.records} up to {part.file.last_offset}")

"""Rows of text files: JSONL, and CSV by a mapping.

Decides that a line that is not UTF-8, too long or not what its header says costs only its own row,
and that a stream which ends or breaks in the middle ends the file where it is.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from footfall.replay.imports.files import said
from footfall.replay.imports.mapping import Mapper
from footfall.replay.imports.mapping_row import Csv, Mapping
from footfall.replay.imports.rows import (
    ROW_BYTES_MAX,
    Bad,
    BadValue,
    FileFault,
    Row,
    Rows,
    canonical,
)

_BOM: Final = b"\xef\xbb\xbf"
_TOO_LONG: Final = f"is longer than {ROW_BYTES_MAX} bytes"
#: Shown of a row that is too long.
_SHOWN_BYTES: Final = 1024


def jsonl(stream: BinaryIO, mapping: Mapping | None = None) -> Rows:
    """Each line a tracking call, as SDKs send them and vendors archive them."""
    if mapping is not None:
        raise FileFault("mapping_wrong", "is JSONL, whose lines are tracking calls: no mapping")
    for number, line in _lines(stream):
        if len(line) > ROW_BYTES_MAX:
            yield Bad(number, "row_too_large", _TOO_LONG, line[:_SHOWN_BYTES])
            continue
        item = line.strip()
        if item:
            yield Row(number, item, canonical(item))


def separated(stream: BinaryIO, mapping: Mapping | None) -> Rows:
    """Each record of a CSV file, by its mapping."""
    if mapping is None:
        raise FileFault("mapping_missing", "is CSV: say with --mapping which column is what")
    text = _Text(stream)
    records = _split(text) if mapping.csv.delimiter == "whitespace" else _parsed(text, mapping.csv)
    columns = list(mapping.csv.columns)
    if not columns:
        header = next(records, None)
        if header is None:
            raise FileFault("file_empty", "has no line")
        if not isinstance(header, list):
            raise FileFault("columns_wrong", f"its header cannot be read: {header.detail}")
        columns = [name.strip() for name in header]
    mapper = Mapper(mapping, columns)
    for values in records:
        number = text.number
        if isinstance(values, Bad):
            yield values
        elif len(values) != len(columns):
            if values:
                yield Bad(number, "columns_wrong", f"has {len(values)} values, not {len(columns)}",
                          text.record())
        else:
            try:
                item = mapper.item(values)
            except BadValue as error:
                yield Bad(number, error.reason, error.detail, text.record())
            else:
                yield Row(number, item, item)


class _Text:
    """Lines as text, one record at a time: what was read since the last `record` belongs to it.
    Bytes that are not UTF-8 go on as surrogates, and are noted: the record is refused as a whole.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._lines = _lines(stream)
        self._read: list[bytes] = []
        self.number = 0
        self.fault: str = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        self._read.append(line)
        if len(line) > ROW_BYTES_MAX:
            self.fault = "row_too_large"
            return "\n"
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.fault = "text_not_unicode"
            return line.decode(errors="surrogateescape")

    def begin(self) -> None:
        """The next line begins a record."""
        self._read.clear()
        self.fault = ""

    def record(self) -> bytes:
        """The lines of the record, as they were."""
        return b"".join(self._read)[:ROW_BYTES_MAX].rstrip(b"\r\n")

    def bad(self) -> Bad:
        """The record as one that cannot be read."""
        what = _TOO_LONG if self.fault == "row_too_large" else "holds bytes that are not UTF-8"
        return Bad(self.number, self.fault, what, self.record()[:_SHOWN_BYTES])


def _parsed(text: _Text, how: Csv) -> Iterator[list[str] | Bad]:
    delimiter = "\t" if how.delimiter == "tab" else how.delimiter
    # Strict: a quote that is never closed is told, and does not swallow the rest in silence.
    reader = csv.reader(text, delimiter=delimiter, quotechar=how.quote or None,
                        quoting=csv.QUOTE_MINIMAL if how.quote else csv.QUOTE_NONE, strict=True)
    while True:
        text.begin()
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Bad(text.number, "csv_unreadable", f"is no CSV: {error}",
                      text.record()[:_SHOWN_BYTES])
            continue
        yield text.bad() if text.fault else values


def _split(text: _Text) -> Iterator[list[str] | Bad]:
    text.begin()
    for line in text:
        yield text.bad() if text.fault else line.split()
        text.begin()


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers from 1; one that is too long is cut, and more than the limit."""
    number = 0
    try:
        while line := stream.readline(ROW_BYTES_MAX + 1):
            number += 1
            if len(line) > ROW_BYTES_MAX:
                while (rest := stream.readline(ROW_BYTES_MAX)) and not rest.endswith(b"\n"):
                    pass
            yield number, line.removeprefix(_BOM) if number == 1 else line
    except EOFError:
        raise FileFault("file_truncated", f"ends in the middle, after line {number}") from None
    except (OSError, zlib.error) as error:
        raise FileFault("file_damaged", f"cannot be read after line {number}: {said(error)}"
                        ) from None

"""Rows of typed files: Parquet and Avro object containers, with a mapping or as they are.

Decides how a value of theirs becomes JSON: instants as RFC 3339, decimals as numbers, what is null
is left out, and of the four objects of a tracking call a text that is JSON is the object. Must hold
a batch of rows, never a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO, Final

import fastavro
import msgspec

from footfall.replay.imports import rows, values
from footfall.replay.imports.arrow_columns import listed
from footfall.replay.imports.files import needed, said
from footfall.replay.imports.mapping import Mapper, columns_of
from footfall.replay.imports.mapping_row import Mapping
from footfall.replay.imports.rows import Bad, BadValue, FileFault, Row, Rows

BATCH_ROWS: Final = 4096
_BUFFER_BYTES: Final = 1024 * 1024
_OBJECTS: Final = ("properties", "traits", "context", "integrations")


def parquet(stream: BinaryIO, mapping: Mapping | None) -> Rows:
    """Each row of a Parquet file."""
    arrow, files = needed("pyarrow"), needed("pyarrow.parquet")
    try:
        # Without pre-buffering: a row group may be larger than memory.
        file = files.ParquetFile(stream, pre_buffer=False, buffer_size=_BUFFER_BYTES)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise FileFault("file_damaged", f"is no whole Parquet file: {said(error)}") from None
    there = file.schema_arrow.names
    wanted = there if mapping is None else sorted(set(columns_of(mapping.call)) & set(there))
    in_ms = [] if mapping is None else [
        name for name in wanted if _is_instant(arrow, file.schema_arrow.field(name).type)]
    # Columns that are not wanted are not read; a mapper must know that they are there all the same.
    mapper = None if mapping is None else Mapper(
        mapping, [*wanted, *(name for name in there if name not in wanted)], in_ms)
    number = 0
    for batch in _batches(arrow, file, wanted):
        lists = [listed(batch.column(n), in_ms=name in in_ms) for n, name in enumerate(wanted)]
        if mapper is None:
            for n, one in enumerate(zip(*lists, strict=True), number + 1):
                yield _as_is(n, dict(zip(wanted, one, strict=True)))
        else:
            made = mapper.items(lists, batch.num_rows)
            for n, item in enumerate(made, number + 1):
                yield (Row(n, item, item) if isinstance(item, bytes) else
                       _refused(n, item, wanted, [column[n - number - 1] for column in lists]))
        number += batch.num_rows


def avro(stream: BinaryIO, mapping: Mapping | None) -> Rows:
    """Each record of an Avro object container file."""
    number = 0
    try:
        reader = fastavro.reader(stream)
        schema: Any = reader.writer_schema
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise FileFault("columns_wrong", "holds no records, but values of another schema")
        columns = [field["name"] for field in schema["fields"]]
        mapper = None if mapping is None else Mapper(mapping, columns)
        for record in reader:
            number += 1
            assert isinstance(record, dict)
            yield (_as_is(number, record) if mapper is None else
                   _mapped(number, mapper, columns, [record[name] for name in columns]))
    except FileFault:
        raise
    except EOFError:
        raise FileFault("file_truncated", f"ends in the middle, after row {number}") from None
    except Exception as error:  # fastavro raises a dozen kinds on bad bytes
        raise FileFault("file_damaged", f"cannot be read after row {number}: "
                        f"{type(error).__name__}") from None


def _batches(arrow: Any, file: Any, wanted: Sequence[str]) -> Iterator[Any]:
    number = 0
    try:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(wanted), use_threads=False):
            yield batch.select(list(wanted))
            number += batch.num_rows
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise FileFault("file_damaged", f"cannot be read after row {number}: {said(error)}"
                        ) from None


def _is_instant(arrow: Any, kind: Any) -> bool:
    """Whether its values are instants; without a zone they are a wall clock's."""
    return bool(arrow.types.is_timestamp(kind)) and kind.tz is not None


def _mapped(number: int, mapper: Mapper, names: Sequence[str], given: Sequence[Any]) -> Row | Bad:
    try:
        item = mapper.item(given)
    except BadValue as error:
        return _refused(number, error, names, given)
    return Row(number, item, item)


def _refused(number: int, error: BadValue, names: Sequence[str], given: Sequence[Any]) -> Bad:
    record = dict(zip(names, given, strict=True))
    return Bad(number, error.reason, error.detail, _shown(record))


def _as_is(number: int, record: dict[str, Any]) -> Row | Bad:
    """A row whose columns are the members of a tracking call."""
    try:
        call = {name: _plain(value) for name, value in record.items() if value is not None}
        for name in _OBJECTS:
            if isinstance(call.get(name), str):
                call[name] = msgspec.Raw(rows.canonical(call[name].encode()))
        item = rows.encode(call)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return Bad(number, "value_unreadable", "item holds a value that JSON has no form for",
                   _shown(record))
    return Row(number, item, item)


def _plain(value: Any) -> Any:
    """A value as JSON has it, without what is null."""
    if isinstance(value, str | bool | int | Decimal):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if not values.is_empty(v)}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return None if values.is_empty(value) else value
    return values.text(value)


def _shown(record: dict[str, Any]) -> bytes:
    """A row for the reject file."""
    return msgspec.json.encode({
        str(name): value if isinstance(value, str | int | float | bool | None) else str(value)
        for name, value in record.items()})



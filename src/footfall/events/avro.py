"""Reads Avro records from bytes, and writes them: done for every record of the log.

fastavro asks a stream for each field; reading by position takes 0.6 of its time, writing the parts
and joining them 0.3 (docs/performance.md). Decides nothing about what is valid: it gives exactly
the value, or the bytes, that fastavro gives, or fails, and then the caller asks fastavro. So it
knows only the types and spellings that are common here: unions of null and one other type, arrays
of records, maps of strings, counts without a block size. Must never accept what fastavro does not.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

_STRING: Final = 0
_BYTES: Final = 1
_LONG: Final = 2
_DOUBLE: Final = 3
_RECORD: Final = 4
_ARRAY: Final = 5
_MAP: Final = 6
_BOOLEAN: Final = 7
_PRIMITIVE = {"string": _STRING, "bytes": _BYTES, "int": _LONG, "long": _LONG,
              "double": _DOUBLE, "boolean": _BOOLEAN}
_double = struct.Struct("<d").unpack_from
_double_bytes = struct.Struct("<d").pack

#: A varint of more bytes is no long.
_LONG_BYTES_MAX: Final = 9


#: Varints of one byte, ready made.
_BYTES_OF: Final = tuple(bytes((n,)) for n in range(128))
#: Beyond it, in either direction, a varint may be longer than the reader reads.
_LONG_LIMIT: Final = 1 << 62


class Unreadable(Exception):
    """Not in the common form: fastavro decides."""


class _Field:
    """`inner` is the `_Inner` of a record, or of an array's items."""

    def __init__(self, name: str, kind: int, inner: _Inner | None, nullable: bool) -> None:
        self.name = name
        self.kind = kind
        self.inner = inner or _Inner([])
        self.nullable = nullable


class _Inner:
    """The fields of a record, and one in which all are null: a copy of it never has to grow."""

    def __init__(self, fields: list[_Field]) -> None:
        self.fields = fields
        self.empty: dict[str, Any] = dict.fromkeys(field.name for field in fields)


Reader = Callable[[bytes, int], tuple[dict[str, Any], int]]
Writer = Callable[[bytes, Any], bytes]
#: What a writer raises for a record that is not a common one, or none.
UNCOMMON: Final = (Unreadable, AttributeError, KeyError, TypeError, ValueError, struct.error)


def reader(schema: Any) -> Reader | None:
    """`read(data, at)` -> (record, where it ends), for a record schema in plain form (no logical
    types, no names referred to); None where a type is not known here. The end may lie beyond
    `data`, and then, like any error (`Unreadable`, IndexError, ValueError, struct.error), it says
    that the record is not a common one.
    """
    try:
        root = _field("", schema)
    except Unreadable:
        return None
    return (lambda data, at: _record(root.inner, data, at)) if root.kind == _RECORD else None


def writer(schema: Any) -> Writer | None:
    """`write(header, record)` -> header and record as bytes, for the schemas that `reader` knows,
    or one of `UNCOMMON`; None where a type is not known here.
    """
    try:
        root = _field("", schema)
    except Unreadable:
        return None
    if root.kind != _RECORD:
        return None
    return lambda header, record: _written(root.inner, header, record)


def _field(name: str, schema: Any) -> _Field:
    nullable = False
    if isinstance(schema, list):
        if len(schema) != 2 or schema[0] != "null":
            raise Unreadable
        nullable = True
        schema = schema[1]
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        fields = [_field(f["name"], f["type"]) for f in schema["fields"]]
        if not fields:
            raise Unreadable  # an array of nothing could be endless
        return _Field(name, _RECORD, _Inner(fields), nullable)
    if kind == "array":
        item = _field("", schema["items"])
        if item.kind != _RECORD or item.nullable:
            raise Unreadable
        return _Field(name, _ARRAY, item.inner, nullable)
    if kind == "map":
        if schema["values"] != "string":
            raise Unreadable
        return _Field(name, _MAP, None, nullable)
    if not isinstance(kind, str) or kind not in _PRIMITIVE:
        raise Unreadable
    return _Field(name, _PRIMITIVE[kind], None, nullable)


def _record(inside: _Inner, data: bytes, at: int) -> tuple[dict[str, Any], int]:
    record = inside.empty.copy()
    for field in inside.fields:
        name, kind = field.name, field.kind
        if field.nullable:
            branch = data[at]
            at += 1
            if not branch:
                continue
            if branch != 2:
                raise Unreadable
        if kind <= _LONG:
            n = data[at]
            at += 1
            if n > 127:
                n, at = _long(data, at - 1)
            if kind == _LONG:
                record[name] = (n >> 1) ^ -(n & 1)
                continue
            if n & 1:
                raise Unreadable
            end = at + (n >> 1)
            record[name] = data[at:end] if kind else data[at:end].decode()
            at = end
        elif kind == _RECORD:
            record[name], at = _record(field.inner, data, at)
        elif kind == _ARRAY:
            record[name], at = _array(field.inner, data, at)
        elif kind == _MAP:
            record[name], at = _map(data, at)
        elif kind == _BOOLEAN:
            flag = data[at]
            if flag > 1:
                raise Unreadable
            record[name] = flag == 1
            at += 1
        else:
            record[name], = _double(data, at)
            at += 8
    return record, at


def _long(data: bytes, at: int) -> tuple[int, int]:
    """A varint, zigzag not undone."""
    n = shift = 0
    while (b := data[at]) > 127:
        n |= (b & 127) << shift
        shift += 7
        at += 1
    if shift > 7 * _LONG_BYTES_MAX - 7 or not b:
        raise Unreadable
    return n | b << shift, at + 1


def _count(data: bytes, at: int) -> tuple[int, int]:
    """A count or length that is not negative."""
    n = data[at]
    at += 1
    if n > 127:
        n, at = _long(data, at - 1)
    if n & 1:
        raise Unreadable
    return n >> 1, at


def _array(inside: _Inner, data: bytes, at: int) -> tuple[list[dict[str, Any]], int]:
    items = []
    while data[at]:
        count, at = _count(data, at)
        for _ in range(count):
            item, at = _record(inside, data, at)
            items.append(item)
    return items, at + 1


def _map(data: bytes, at: int) -> tuple[dict[str, str], int]:
    members = {}
    while data[at]:
        count, at = _count(data, at)
        for _ in range(count):
            n, at = _count(data, at)
            end = at + n
            key = data[at:end].decode()
            n, at = _count(data, end)
            end = at + n
            members[key] = data[at:end].decode()
            at = end
    return members, at + 1


def _written(inside: _Inner, header: bytes, record: dict[str, Any]) -> bytes:
    parts = [header]
    _put_record(inside, record, parts)
    return b"".join(parts)


def _put_record(inside: _Inner, record: dict[str, Any], parts: list[bytes]) -> None:
    for field in inside.fields:
        kind = field.kind
        value = record[field.name]
        if field.nullable:
            if value is None:
                parts.append(b"\0")
                continue
            parts.append(b"\2")
        if kind == _STRING:
            _put_text(value, parts)
        elif kind == _BYTES:
            raw: bytes = value
            parts.append(_varint(len(raw) << 1))
            parts.append(raw)
        elif kind == _LONG:
            n: int = value
            if not -_LONG_LIMIT <= n < _LONG_LIMIT:
                raise Unreadable
            parts.append(_varint(n << 1 if n >= 0 else ~(n << 1)))
        elif kind == _RECORD:
            _put_record(field.inner, value, parts)
        elif kind == _ARRAY:
            _put_array(field.inner, value, parts)
        elif kind == _MAP:
            _put_map(value, parts)
        elif kind == _BOOLEAN:
            if value is not True and value is not False:
                raise Unreadable
            parts.append(b"\1" if value else b"\0")
        else:
            parts.append(_double_bytes(value))


def _put_text(value: str, parts: list[bytes]) -> None:
    raw = value.encode()
    parts.append(_varint(len(raw) << 1))
    parts.append(raw)


def _put_array(inside: _Inner, items: list[dict[str, Any]], parts: list[bytes]) -> None:
    if items:
        parts.append(_varint(len(items) << 1))
        for item in items:
            _put_record(inside, item, parts)
    parts.append(b"\0")


def _put_map(members: dict[str, str], parts: list[bytes]) -> None:
    if members:
        parts.append(_varint(len(members) << 1))
        for key, value in members.items():
            _put_text(key, parts)
            _put_text(value, parts)
    parts.append(b"\0")


def _varint(n: int) -> bytes:
    """Of a number that is not negative, zigzag done."""
    if n < 128:
        return _BYTES_OF[n]
    low = bytearray()
    while n > 127:
        low.append(n & 127 | 128)
        n >>= 7
    low.append(n)
    return bytes(low)

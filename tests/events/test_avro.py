"""The fast reader and writer give what fastavro gives, or fail: any schema, value and damage."""

from __future__ import annotations

import io
import struct
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.events import avro
from footfall.events.codec import SUBJECTS, _plain, read_schema, released_versions

#: Longer ones take ten bytes and are left to fastavro.
LONGS = st.integers(-(2**62), 2**62 - 1)
ITEM = {"type": "record", "name": "Item", "fields": [
    {"name": "sku", "type": "string"}, {"name": "price", "type": ["null", "bytes"]}]}
SCHEMA = {"type": "record", "name": "All", "fields": [
    {"name": "text", "type": "string"}, {"name": "raw", "type": "bytes"},
    {"name": "at", "type": "long"}, {"name": "n", "type": "int"},
    {"name": "share", "type": "double"}, {"name": "flag", "type": "boolean"},
    {"name": "maybe_flag", "type": ["null", "boolean"]},
    {"name": "maybe", "type": ["null", "long"]}, {"name": "one", "type": ["null", ITEM]},
    {"name": "items", "type": {"type": "array", "items": "Item"}},
    {"name": "members", "type": {"type": "map", "values": "string"}}]}
# fastavro knows the second use of Item by its name; the reader wants it written out.
PLAIN = {**SCHEMA, "fields": [
    {**f, "type": {"type": "array", "items": ITEM}} if f["name"] == "items" else f
    for f in SCHEMA["fields"]]}
_parsed = fastavro.parse_schema(SCHEMA)
_item = st.fixed_dictionaries({"sku": st.text(), "price": st.none() | st.binary(max_size=200)})
RECORDS = st.fixed_dictionaries({
    "text": st.text(max_size=200), "raw": st.binary(), "at": LONGS,
    "n": st.integers(-(2**31), 2**31 - 1),
    "share": st.floats(allow_nan=False), "flag": st.booleans(),
    "maybe_flag": st.none() | st.booleans(), "maybe": st.none() | LONGS, "one": st.none() | _item,
    "items": st.lists(_item, max_size=90), "members": st.dictionaries(st.text(), st.text())})
COMMON = {"text": "t", "raw": b"r", "at": 1, "n": 1, "share": 0.5, "flag": True,
          "maybe_flag": None, "maybe": None, "one": None,
          "items": [], "members": {}}
UNCOMMON = (avro.Unreadable, IndexError, ValueError, struct.error)


def written(record: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _parsed, record)
    return out.getvalue()


def read(data: bytes) -> Any:
    reader = avro.reader(PLAIN)
    assert reader is not None
    return reader(data, 0)


@settings(deadline=None)
@given(RECORDS)
def test_reads_what_fastavro_wrote(record: Any) -> None:
    data = written(record)
    assert (record, len(data)) == read(data)


@settings(deadline=None)
@given(RECORDS)
def test_writes_what_fastavro_writes(record: Any) -> None:
    writer = avro.writer(PLAIN)
    assert writer is not None
    assert b"head" + written(record) == writer(b"head", record)


@pytest.mark.parametrize(("field", "value"), [
    ("text", None), ("text", b"raw"), ("text", "half \ud83d"), ("raw", "text"), ("raw", None),
    ("at", None), ("at", "1"), ("at", 1.5), ("at", 2**63), ("at", -(2**63) - 1), ("at", 2**62),
    ("share", "1"), ("flag", None), ("flag", 1), ("flag", "yes"), ("one", "text"),
    ("items", None), ("items", [None]), ("members", {"a": 1}),
], ids=repr)
def test_what_is_no_common_record_is_left_to_fastavro(field: str, value: Any) -> None:
    writer = avro.writer(PLAIN)
    assert writer is not None
    with pytest.raises(avro.UNCOMMON):
        writer(b"", {**COMMON, field: value})


def test_a_field_that_is_not_there_is_left_to_fastavro() -> None:
    writer = avro.writer(PLAIN)
    assert writer is not None
    with pytest.raises(avro.UNCOMMON):
        writer(b"", {name: value for name, value in COMMON.items() if name != "maybe"})


@settings(deadline=None, max_examples=500)
@given(RECORDS, st.data())
def test_of_damaged_bytes_it_reads_what_fastavro_reads_or_fails(record: Any, data: st.DataObject
                                                                ) -> None:
    damaged = bytearray(written(record))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255) | st.sampled_from([0, 1, 2, 4, 128, 255]))
    damaged = damaged[: data.draw(st.integers(1, len(damaged)) | st.just(len(damaged)))]
    try:
        found, end = read(bytes(damaged))
    except UNCOMMON:
        return
    if end != len(damaged):
        return
    stream = io.BytesIO(damaged)
    assert repr(fastavro.schemaless_reader(stream, _parsed, None)) == repr(found)
    assert end == stream.tell()


@pytest.mark.parametrize("data", [
    b"", b"\x80" * 20, b"\xff" * 20, b"\x01", b"\x00\x00" + b"\x80" * 9])
def test_no_record_ends_at_once(data: bytes) -> None:
    with pytest.raises(UNCOMMON):
        read(data)


@pytest.mark.parametrize("kind", [
    "float", ["string", "null"], ["null", "string", "long"], "Other",
    {"type": "array", "items": "string"}, {"type": "map", "values": "long"},
    {"type": "fixed", "name": "F", "size": 4}, {"type": "enum", "name": "E", "symbols": ["A"]},
    {"type": "record", "name": "Empty", "fields": []}])
def test_a_schema_it_does_not_know_is_left_to_fastavro(kind: Any) -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]}
    assert avro.reader(schema) is None
    assert avro.writer(schema) is None


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_release_is_read_and_written_fast(subject: str) -> None:
    for version in released_versions(subject):
        schema = _plain(read_schema(subject, version))
        assert avro.reader(schema) is not None
        assert avro.writer(schema) is not None

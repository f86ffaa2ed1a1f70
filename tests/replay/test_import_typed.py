"""Parquet and Avro, with a mapping and as they are, whole and broken."""

from __future__ import annotations

import io
import json
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from footfall.replay.imports.rows import Row
from tests.replay.import_files import mapping, rows_of, told

AT = 1_577_836_800_000
SCHEMA = {"type": "record", "name": "Order", "fields": [
    {"name": "customer", "type": ["null", "string"]},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "total", "type": ["null", "double", {"type": "bytes", "logicalType": "decimal",
                                                 "precision": 9, "scale": 2}]},
    {"name": "note", "type": "string", "default": ""}]}


def order(customer: str, total: Any = 9.5, at: int = AT) -> dict[str, Any]:
    properties = {"currency": "EUR"} | ({} if total is None else {"total": total})
    return {"type": "track", "event": "Order Completed", "userId": customer, "timestamp": at,
            "properties": properties}


def parquet(path: Path, **columns: Any) -> Path:
    given = {"customer": ["u1", "u2"], "at": pa.array([AT, AT + 1], pa.timestamp("ms", "UTC")),
             "total": [9.5, 10.25], "unread": [1, 2], **columns}
    pq.write_table(pa.table({k: v for k, v in given.items() if v is not None}), path)
    return path


def avro(path: Path, records: list[dict[str, Any]], codec: str = "deflate") -> Path:
    with path.open("wb") as out:
        fastavro.writer(out, SCHEMA, records, codec=codec, sync_interval=64)
    return path


@pytest.mark.parametrize(("columns", "expected"), [
    ({}, [order("u1"), order("u2", 10.25, AT + 1)]),
    ({"customer": ["José", "u2"]}, [order("José"), order("u2", 10.25, AT + 1)]),
    ({"customer": pa.array(["u1", "u2"], pa.large_string())},
     [order("u1"), order("u2", 10.25, AT + 1)]),
    ({"customer": pa.array(["u1", "u2"]).dictionary_encode()},
     [order("u1"), order("u2", 10.25, AT + 1)]),
    ({"customer": [1, 2]}, [order("1"), order("2", 10.25, AT + 1)]),
    ({"customer": [1.0, 2.0]}, [order("1"), order("2", 10.25, AT + 1)]),
    ({"total": [9.5, None]}, [order("u1"), order("u2", None, AT + 1)]),
    ({"total": [float("nan"), 2]}, [order("u1", None), order("u2", 2, AT + 1)]),
    ({"total": [float("inf"), 2]}, ["value_unreadable", order("u2", 2, AT + 1)]),
    ({"total": [Decimal("9.50"), Decimal("1.00")]}, [order("u1"), order("u2", 1, AT + 1)]),
    ({"total": ["9.5", "x"]}, [order("u1"), "value_unreadable"]),
    ({"at": pa.array([AT * 1_000_000 + 999, AT * 1_000_000], pa.timestamp("ns", "UTC"))},
     [order("u1"), order("u2", 10.25)]),
    ({"at": pa.array([AT * 1_000_000 + 999, AT * 1_000_000], pa.timestamp("ns"))},
     [order("u1"), order("u2", 10.25)]),
    ({"at": [date(2020, 1, 1), date(1, 1, 1)]},
     [order("u1"), order("u2", 10.25, -62_135_596_800_000)]),
    ({"at": ["2020-01-01T00:00:00Z", "2020-01-01 01:00+01:00"]},
     [order("u1"), order("u2", 10.25)]),
    ({"customer": None}, ["columns_wrong"]),
])
def test_rows_of_parquet(tmp_path: Path, columns: dict[str, Any], expected: list[Any]) -> None:
    """Whatever type a column has, the item is the same; a bad row costs itself."""
    found = told(parquet(tmp_path / "orders.parquet", **columns), mapping())
    assert expected == [one if isinstance(one, str) else one[1] for one in found]


def test_a_batch_is_made_as_its_rows_are(tmp_path: Path) -> None:
    """Whole columns at once give the same bytes as row by row, to which one bad row leads."""
    rows = 9_000
    columns = {"customer": [f"u{n % 7}" for n in range(rows)],
               "total": [n / 8 for n in range(rows)],
               "at": pa.array(range(AT, AT + rows), pa.timestamp("ms", "UTC")), "unread": None}
    even = rows_of(parquet(tmp_path / "even.parquet", **columns), mapping())[0]
    for n in (100, 5_000):
        columns["customer"][n] = None
    uneven = rows_of(parquet(tmp_path / "uneven.parquet", **columns), mapping(
        {"userId": {"column": "customer", "empty": "reject"}}))[0]
    assert rows == len(even) == len(uneven)
    assert [101, 5_001] == [one.number for one in uneven if not isinstance(one, Row)]
    assert [one for n, one in enumerate(even) if n not in (100, 5_000)] == [
        one for one in uneven if isinstance(one, Row)]


def test_parquet_as_it_is(tmp_path: Path) -> None:
    """Columns that are the members of a call: nested, as JSON, null where absent."""
    path = tmp_path / "calls.parquet"
    pq.write_table(pa.table({
        "type": ["track", "identify"], "event": ["x", None], "userId": ["u1", "u2"],
        "timestamp": pa.array([AT * 1000] * 2, pa.timestamp("us", "UTC")),
        "properties": pa.array([{"a": 1, "b": None}, None]),
        "traits": [None, '{"email": "ann@example.org", "n": 1.50}'],
        "context": pa.array([[("ip", "10.0.0.1")], None], pa.map_(pa.string(), pa.string()))}),
        path)
    assert [
        {"type": "track", "event": "x", "userId": "u1", "timestamp": "2020-01-01T00:00:00.000Z",
         "properties": {"a": 1}, "context": {"ip": "10.0.0.1"}},
        {"type": "identify", "userId": "u2", "timestamp": "2020-01-01T00:00:00.000Z",
         "traits": {"email": "ann@example.org", "n": 1.5}},
    ] == [item for _number, item in told(path)]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_records_of_avro(tmp_path: Path, codec: str) -> None:
    """With a mapping; decimals are exact."""
    path = avro(tmp_path / "orders.avro", [
        {"customer": "u1", "at": AT, "total": 9.5}, {"customer": "u2", "at": AT + 1, "total": None},
        {"customer": None, "at": AT, "total": 1.0}, {"customer": "u3", "at": AT,
                                                     "total": Decimal("12.30")}], codec)
    rows, fault = rows_of(path, mapping({"userId": {"column": "customer", "empty": "reject"}}))
    assert fault is None
    assert [order("u1"), order("u2", None, AT + 1), "value_missing", order("u3", 12.3)] == [
        json.loads(one.item) if isinstance(one, Row) else one.reason for one in rows]
    assert b'"total":12.30' in rows[3].item  # type: ignore[union-attr]


def test_avro_as_it_is(tmp_path: Path) -> None:
    """Instants become text, absent ones nothing."""
    path = avro(tmp_path / "orders.avro", [{"customer": None, "at": AT, "total": 1.5}])
    assert [(1, {"at": "2020-01-01T00:00:00.000Z", "total": 1.5, "note": ""})] == told(path)


@pytest.mark.parametrize("cut", [5, 200, 1_000])
def test_a_truncated_avro_file(tmp_path: Path, cut: int) -> None:
    """What was whole is kept, and the end is told."""
    path = avro(tmp_path / "orders.avro", [
        {"customer": f"u{n}", "at": AT, "total": 1.0} for n in range(500)])
    path.write_bytes(path.read_bytes()[:-cut])
    found = told(path, mapping())
    assert found[-1] in ("file_truncated", "file_damaged")
    assert [(n, order(f"u{n - 1}", 1)) for n in range(1, len(found))] == found[:-1]
    assert 400 < len(found) - 1 <= 500


@pytest.mark.parametrize("cut", [4, 8, 400])
def test_a_truncated_parquet_file(tmp_path: Path, cut: int) -> None:
    """Without its foot nothing of it can be read, and that is told."""
    path = parquet(tmp_path / "orders.parquet")
    path.write_bytes(path.read_bytes()[:-cut])
    assert ["file_damaged"] == told(path, mapping())


def test_a_parquet_file_that_is_damaged_inside(tmp_path: Path) -> None:
    """Row groups before the damage are kept."""
    path = tmp_path / "orders.parquet"
    rows = 40_000
    pq.write_table(pa.table({
        "customer": [f"u{n}" for n in range(rows)], "total": [float(n) for n in range(rows)],
        "at": pa.array([AT] * rows, pa.timestamp("ms", "UTC"))}), path,
        row_group_size=rows // 2, compression="zstd", use_dictionary=False)
    group = pq.ParquetFile(path).metadata.row_group(1).column(0)
    content = bytearray(path.read_bytes())
    content[group.data_page_offset:group.data_page_offset + 64] = b"\xff" * 64
    path.write_bytes(content)
    found = told(path, mapping())
    assert "file_damaged" == found[-1]
    assert [(n, order(f"u{n - 1}", n - 1)) for n in range(1, len(found))] == found[:-1]
    assert rows // 2 - 4_096 <= len(found) - 1 <= rows // 2


def test_avro_of_no_records(tmp_path: Path) -> None:
    """A file of another schema is told, not guessed at."""
    out = io.BytesIO()
    fastavro.writer(out, {"type": "long"}, [1, 2])
    (tmp_path / "longs.avro").write_bytes(out.getvalue())
    assert ["columns_wrong"] == told(tmp_path / "longs.avro")
    (tmp_path / "bad.avro").write_bytes(b"Obj\x01" + struct.pack(">Q", 7))
    assert told(tmp_path / "bad.avro")[0].startswith("file_")


def test_values_that_json_has_no_form_for(tmp_path: Path) -> None:
    """A binary column that is no text rejects its row."""
    path = tmp_path / "calls.parquet"
    pq.write_table(pa.table({"type": ["track", "track"], "blob": [b"\xff\xfe", b"text"],
                             "moment": [datetime(2020, 1, 1, tzinfo=UTC)] * 2}), path)
    assert [(1, "value_unreadable"), (2, {"type": "track", "blob": "text",
                                          "moment": "2020-01-01T00:00:00.000Z"})] == told(path)

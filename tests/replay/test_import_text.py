"""JSONL and CSV, good and bad: a bad line costs itself, a broken end what is left of the file."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from footfall.replay.imports.mapping_row import Mapping
from footfall.replay.imports.rows import ROW_BYTES_MAX, Row
from tests.replay.import_files import MAPPING, mapping, rows_of, told

CALL = {"type": "track", "event": "x", "userId": "u1", "timestamp": "2020-01-01T00:00:00Z"}
LINE = b'{"type":"track","event":"x","userId":"u1","timestamp":"2020-01-01T00:00:00Z"}\n'
HEADER = "customer,at,total\n"


def order(customer: str, total: Any = 9.5, at: int = 1_577_836_800_000) -> dict[str, Any]:
    return {"type": "track", "event": "Order Completed", "userId": customer, "timestamp": at,
            "properties": {"total": total, "currency": "EUR"}}


@pytest.mark.parametrize(("content", "expected"), [
    (LINE + LINE, [(1, CALL), (2, CALL)]),
    (b"\xef\xbb\xbf" + LINE, [(1, CALL)]),
    (LINE.rstrip(), [(1, CALL)]),
    (LINE.replace(b"\n", b"\r\n") + b"\n \n" + LINE, [(1, CALL), (4, CALL)]),
    (b"", ["file_empty"]),
    (b"[" + LINE + b"]", ["format_unknown"]),
    (LINE.decode().encode("utf-16"), ["text_not_unicode"]),
    (b"\x7fELF\x00\x00", ["format_unknown"]),
    (LINE + b'{"a":"' + b"x" * ROW_BYTES_MAX + b'"}\n' + LINE,
     [(1, CALL), (2, "row_too_large"), (3, CALL)]),
    (gzip.compress(LINE) + gzip.compress(LINE), [(1, CALL), (2, CALL)]),
    (gzip.compress(LINE * 5000)[:-20], "file_truncated"),
    (gzip.compress(LINE)[:12] + b"\x99" * 30, "file_damaged"),
    (pa.compress(LINE + LINE, "zstd", asbytes=True), [(1, CALL), (2, CALL)]),
    (pa.compress(LINE * 5000, "zstd", asbytes=True)[:-9], "file_"),
])
def test_lines_of_json(tmp_path: Path, content: bytes, expected: Any) -> None:
    """Numbers are those of lines; a packed file that ends too early is told as such."""
    path = tmp_path / "events.json"
    path.write_bytes(content)
    found = told(path)
    if isinstance(expected, str):
        assert found[-1].startswith(expected), found[-1]
        assert [(n, CALL) for n in range(1, len(found))] == found[:-1]
    else:
        assert expected == found


def test_what_is_no_json_is_left_to_admission(tmp_path: Path) -> None:
    """The reader does not judge items: the same codes as the collector's come from one place."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(LINE + b'{"type":"tra\n' + b"\xff\xfe{}\n" + LINE)
    rows, fault = rows_of(path)
    assert fault is None
    assert [LINE.strip(), b'{"type":"tra', b"\xff\xfe{}", LINE.strip()] == [
        one.item for one in rows if isinstance(one, Row)]


@pytest.mark.parametrize(("first", "second", "is_equal"), [
    (b'{"a":1,"b":[1, 2.50]}', b'{"b":[1,2.50], "a":1}', True),
    (b'{"a":1.0}', b'{"a":1}', False),
    (b'{"a":1}', b'{"a":"1"}', False),
    (b'{"a":12345678901234567890.1}', b'{"a":12345678901234567890.2}', False),
    (b'{"a":[1,2]}', b'{"a":[2,1]}', False),
    (b'{"messageId":"m1"}', b'{"messageId":"m2"}', False),
])
def test_what_makes_two_lines_equal(tmp_path: Path, first: bytes, second: bytes, is_equal: bool
                                    ) -> None:
    """Order of keys and blanks do not count, all else does."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(first + b"\n" + second + b"\n")
    one, other = rows_of(path)[0]
    assert isinstance(one, Row) and isinstance(other, Row)
    assert is_equal == (one.content == other.content)


@pytest.mark.parametrize(("content", "expected"), [
    (HEADER + "u1,2020-01-01,9.5\n", [(2, order("u1"))]),
    ("\ufeff" + HEADER + 'u1,2020-01-01,9.5\r\n"u,2",2020-01-01,9.5',
     [(2, order("u1")), (3, order("u,2"))]),
    (HEADER + '"u\n1",2020-01-01,9.5\nu2,2020-01-01,9.5\n', [(3, order("u\n1")), (4, order("u2"))]),
    (HEADER + "\nu1,2020-01-01,9.5\n\n", [(3, order("u1"))]),
    (HEADER + "u1,2020-01-01\nu1,2020-01-01,9.5,1\nu2,2020-01-01,9.5\n",
     [(2, "columns_wrong"), (3, "columns_wrong"), (4, order("u2"))]),
    (HEADER + "u1,yesterday,9.5\nu1,2020-01-01,9.5 EUR\nu2,2020-01-01,9.5\n",
     [(2, "value_unreadable"), (3, "value_unreadable"), (4, order("u2"))]),
    (HEADER + f"{'x' * 200_000},2020-01-01,9.5\nu2,2020-01-01,9.5\n",
     [(2, "csv_unreadable"), (3, order("u2"))]),
    (HEADER + 'u1,2020-01-01,9.5\nu2,2020-01-01,"9', [(2, order("u1")), (3, "csv_unreadable")]),
    (HEADER, []),
    ("who,at,total\nu1,2020-01-01,9.5\n", ["columns_wrong"]),
    ("customer,at,total,total\nu1,2020-01-01,9.5,1\n", ["columns_wrong"]),
])
def test_records_of_csv(tmp_path: Path, content: str, expected: Any) -> None:
    """A record's number is that of its last line."""
    path = tmp_path / "orders.csv"
    path.write_text(content, "utf-8", newline="")
    assert expected == told(path, mapping())


def test_a_line_of_another_encoding_costs_itself(tmp_path: Path) -> None:
    """Latin-1 amid UTF-8: told by its line, and the reject shows its bytes."""
    path = tmp_path / "orders.csv"
    path.write_bytes(HEADER.encode() + "José,2020-01-01,9.5\n".encode()
                     + "José,2020-01-01,9.5\n".encode("latin-1") + b"u2,2020-01-01,9.5\n")
    assert [(2, order("José")), (3, "text_not_unicode"), (4, order("u2"))] == told(path, mapping())
    assert b"Jos\xe9,2020-01-01,9.5" == rows_of(path, mapping())[0][1].raw  # type: ignore[union-attr]


@pytest.mark.parametrize(("csv", "content"), [
    ({"delimiter": "whitespace"}, " customer  at  total\r\n  u1   2020-01-01 9.5 \r\n\r\n"),
    ({"delimiter": "tab"}, "customer\tat\ttotal\nu1\t2020-01-01\t9.5\n"),
    ({"delimiter": ";", "quote": "'"}, "customer;at;total\n'u1';2020-01-01;9.5\n"),
    ({"delimiter": "|", "quote": "", "columns": ["customer", "at", "total"]},
     "u1|2020-01-01|9.5\n"),
])
def test_how_a_csv_file_may_be_written(tmp_path: Path, csv: dict[str, Any], content: str) -> None:
    """Delimiters, quotes, and names for files without a header."""
    path = tmp_path / "orders.txt"
    path.write_text(content, newline="")
    assert [order("u1")] == [item for _number, item in told(path, mapping(csv=csv))]


def test_a_csv_file_needs_a_mapping_and_jsonl_has_none(tmp_path: Path) -> None:
    """Both are told for the file, with what to do."""
    orders, events = tmp_path / "orders.csv", tmp_path / "events.jsonl"
    orders.write_text(HEADER)
    events.write_bytes(LINE)
    assert ["mapping_missing"] == told(orders)
    assert ["mapping_wrong"] == told(events, mapping())


def test_names_that_may_be_values_are_hidden(tmp_path: Path) -> None:
    """A file without a header has its first row for names; no message shows an address."""
    path = tmp_path / "orders.csv"
    path.write_text("ann@example.org,2020-01-01,9.5\n")
    fault = rows_of(path, mapping())[1]
    assert fault is not None
    assert "ann" not in fault.detail
    assert "'at'" in fault.detail


def test_the_order_of_a_mapping_does_not_count(tmp_path: Path) -> None:
    """The same rows by a mapping written in another order are the same rows."""
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + "u1,2020-01-01,9.5\n")
    turned = {name: MAPPING["call"][name] for name in reversed(MAPPING["call"])}
    how: list[Mapping] = [mapping(), mapping(turned)]
    assert rows_of(path, how[0]) == rows_of(path, how[1])

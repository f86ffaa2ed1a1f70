"""What a mapping makes of values, and what is wrong with mappings, with file, line and key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from footfall.errors import ConfigError
from footfall.replay.imports import mapping_reading
from footfall.replay.imports.mapping import Mapper
from footfall.replay.imports.rows import BadValue
from tests.replay.import_files import mapping

LEAST = "call:\n  type: track\n  event: x\n  userId: {column: who}\n  timestamp: {column: at}\n"


def made(node: dict[str, Any], value: Any) -> Any:
    """The property that a column becomes, or the reason why there is none."""
    mapper = Mapper(mapping({"properties": {"p": {"column": "v", **node}}, "timestamp": 0}),
                    ("customer", "v"))
    try:
        item = mapper.item(("u1", value))
    except BadValue as error:
        assert error.detail.startswith("properties.p ")
        return error.reason
    whole = mapper.items((("u1",), (value,)), 1)
    assert [item] == whole
    return json.loads(item).get("properties", {}).get("p", "absent")


@pytest.mark.parametrize(("node", "value", "expected"), [
    ({}, "x", "x"), ({}, " x ", " x "), ({}, "", "absent"), ({}, None, "absent"),
    ({}, 7, "7"), ({}, 7.0, "7"), ({}, 7.5, "7.5"), ({}, True, "true"), ({}, b"x", "x"),
    ({}, b"\xff", "value_unreadable"), ({}, [1], "value_unreadable"),
    ({}, float("inf"), "value_unreadable"),
    ({"empty": "null"}, "", None), ({"empty": "reject"}, "", "value_missing"),
    ({"as": "number"}, "9.50", 9.5), ({"as": "number"}, " +9.50 ", 9.5),
    ({"as": "number"}, ".5", 0.5),
    ({"as": "number"}, "007", 7), ({"as": "number"}, "1e3", 1000), ({"as": "number"}, 9.5, 9.5),
    ({"as": "number"}, "1,5", "value_unreadable"), ({"as": "number"}, "NaN", "value_unreadable"),
    ({"as": "number"}, "0x10", "value_unreadable"),
    ({"as": "number"}, "\u0661", "value_unreadable"),
    ({"as": "number"}, True, "value_unreadable"),
    ({"as": "number", "decimal_mark": ","}, "9,50", 9.5),
    ({"as": "number", "decimal_mark": ","}, "9.50", "value_unreadable"),
    ({"as": "number", "decimal_mark": ",", "thousands_mark": "."}, "1.234,50", 1234.5),
    ({"as": "number", "thousands_mark": ","}, "1,234.50", 1234.5),
    ({"as": "decimal"}, "12345678901234567.89", "12345678901234567.89"),
    ({"as": "decimal"}, "1E2", "100"), ({"as": "decimal"}, 0.1, "0.1"), ({"as": "decimal"}, 3, "3"),
    ({"as": "integer"}, "12", 12), ({"as": "integer"}, "12.0", 12), ({"as": "integer"}, 12.0, 12),
    ({"as": "integer"}, "12.5", "value_unreadable"), ({"as": "integer"}, "x", "value_unreadable"),
    ({"as": "integer"}, "1e999", "value_unreadable"),
    ({"as": "bool"}, "Yes", True), ({"as": "bool"}, "0", False), ({"as": "bool"}, 1, True),
    ({"as": "bool"}, True, True), ({"as": "bool"}, "on", "value_unreadable"),
    ({"as": "time"}, "2020-01-31", "2020-01-31T00:00:00.000Z"),
    ({"as": "time"}, "2020-01-31 10:00", "2020-01-31T10:00:00.000Z"),
    ({"as": "time"}, "2020-01-31T10:00:00.123999+02:00", "2020-01-31T08:00:00.123Z"),
    ({"as": "time", "zone": "Europe/Berlin"}, "2020-07-31 10:00", "2020-07-31T08:00:00.000Z"),
    ({"as": "time", "zone": "Europe/Berlin"}, "2020-07-31T10:00Z", "2020-07-31T10:00:00.000Z"),
    ({"as": "time", "format": "%d.%m.%Y"}, "31.01.2020", "2020-01-31T00:00:00.000Z"),
    ({"as": "time", "format": "%d.%m.%Y"}, "2020-01-31", "value_unreadable"),
    ({"as": "time", "format": "s"}, "1577836800.5", "2020-01-01T00:00:00.500Z"),
    ({"as": "time", "format": "ms"}, 1577836800000, "2020-01-01T00:00:00.000Z"),
    ({"as": "time", "format": "us"}, 1577836800000999, "2020-01-01T00:00:00.000Z"),
    ({"as": "time", "format": "ns"}, "1577836800000000000", "2020-01-01T00:00:00.000Z"),
    ({"as": "time"}, 1577836800, "value_unreadable"),
    ({"as": "time"}, "0001-01-01", "0001-01-01T00:00:00.000Z"),
    ({"as": "time", "format": "s"}, 10**15, "value_unreadable"),
    ({"as": "json"}, '{"a": [1, 2.50]}', {"a": [1, 2.5]}),
    ({"as": "json"}, "{", "value_unreadable"),
    ({"as": "json"}, {"a": 1}, {"a": 1}),
    ({"values": {"P": "paid", "1": "one"}}, "P", "paid"), ({"values": {"1": "one"}}, 1, "one"),
    ({"values": {"P": "paid"}}, "X", "value_unreadable"),
])
def test_what_a_value_becomes(node: dict[str, Any], value: Any, expected: Any) -> None:
    """Exactly what the mapping says, or the row is rejected; never a guess."""
    found = made(node, value)
    assert (type(expected), expected) == (type(found), found) or (
        isinstance(expected, int | float) and not isinstance(expected, bool) and expected == found)


def test_an_item_in_full() -> None:
    """Constants, nested objects, lists, external ids; what is empty is left out."""
    how = mapping({
        "event": {"column": "what", "values": {"buy": "Order Completed"}},
        "userId": {"column": "who"}, "timestamp": {"column": "at", "format": "s"},
        "properties": {"currency": {"constant": "EUR"}, "none": {"column": "gap"},
                       "address": {"city": {"column": "gap"}},
                       "products": [{"product_id": {"column": "sku"}, "quantity": 2}]},
        "context": {"traits": {"email": {"column": "mail"}}},
        "externalIds": [{"type": "crm", "id": {"column": "crm"}},
                        {"type": "till", "id": {"column": "gap"}}]}, missing=["NULL"])
    mapper = Mapper(how, ("who", "what", "at", "sku", "mail", "crm", "gap"))
    item = mapper.item(("u1", "buy", "1577836800", "A-1", "ann@example.org", "77", "NULL"))
    assert {
        "type": "track", "event": "Order Completed", "userId": "u1", "timestamp": 1577836800000,
        "properties": {"currency": "EUR", "products": [{"product_id": "A-1", "quantity": 2}]},
        "context": {"traits": {"email": "ann@example.org"}, "externalIds": [
            {"type": "crm", "id": "77", "collection": "users", "encoding": "none"}]},
    } == json.loads(item)


@pytest.mark.parametrize(("text", "line", "said"), [
    ("call: [", 1, "expected the node content"),
    ("cal:\n  type: track\n", 1, "unknown key 'cal'; known keys: call, csv, missing"),
    ("csv: {}\n", 1, "`call` is to say at least"),
    (LEAST + "  user_id: {column: who}\n", 6, "[call] user_id: no field of a tracking call"),
    (LEAST.replace("  timestamp: {column: at}\n", ""), 1, "[call] timestamp is missing"),
    (LEAST.replace("  type: track\n", ""), 1, "[call] type is missing"),
    (LEAST + "  properties: {column: p}\n", 6, "[call] properties is to be an object"),
    (LEAST + "  properties:\n    a: {column: p, as: money}\n", 7, "expected one of"),
    (LEAST + "  properties:\n    a:\n      column: p\n      form: x\n", 9, "unknown field `form`"),
    (LEAST + "  properties:\n    a: {column: p, as: time, format: '%H:%M'}\n", 7,
     "[call.properties.a] format = '%H:%M'"),
    (LEAST + "  properties:\n    a: {column: p, as: time, zone: Berlin}\n", 7,
     "[call.properties.a] zone = 'Berlin'"),
    (LEAST.replace("{column: at}", "{column: at, as: number}"), 5, "[call.timestamp] as"),
    (LEAST + "  properties:\n    a: {column: p, as: number, values: {x: y}}\n", 7, "values"),
    (LEAST + "  properties:\n    a: {column: p, as: number, thousands_mark: .}\n", 7,
     "decimal_mark"),
    (LEAST + "  externalIds: {column: p}\n", 6, "[call] externalIds is to be a list"),
    (LEAST + "  externalIds:\n    - {type: email, id: {column: p}}\n", 7, "externalIds[0].type"),
    (LEAST + "  externalIds:\n    - {type: crm}\n", 7, "[call] externalIds[0] is to have"),
    (LEAST + "csv: {delimiter: comma}\n", 6, "is not one character"),
    (LEAST + "csv:\n  delimiter: ','\n  quotes: x\n", 8, "unknown field `quotes`"),
    (LEAST + "missing: NULL\n", 6, "[missing]"),
])
def test_what_is_wrong_with_a_mapping(tmp_path: Path, text: str, line: int, said: str) -> None:
    """Told before a row is read, with file and line."""
    path = tmp_path / "orders.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as told:
        mapping_reading.read(path)
    assert str(told.value).startswith(f"{path}:"), told.value
    assert said in str(told.value)
    assert f":{line}:" in str(told.value) or f" line {line}:" in str(told.value)


def test_a_mapping_may_be_json(tmp_path: Path) -> None:
    """YAML is JSON and more."""
    path = tmp_path / "orders.json"
    path.write_text(json.dumps({"call": {"type": "track", "event": "x", "timestamp": {
        "column": "at"}, "userId": {"column": "who"}}}))
    yaml = tmp_path / "orders.yaml"
    yaml.write_text(LEAST)
    assert mapping_reading.read(yaml) == mapping_reading.read(path)

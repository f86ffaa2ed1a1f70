"""What may follow a released schema, and what every schema must be."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from typing import Any

import fastavro
import pytest

from footfall.events.codec import SUBJECTS, read_schema
from footfall.events.compatibility import problems
from footfall.events.schema_rules import hazards, unclassed

Schema = dict[str, Any]


def field(name: str, kind: Any, **more: Any) -> Schema:
    return {"name": name, "type": kind, "class": "internal", "doc": "For tests.", **more}


def record(*fields: Schema, **more: Any) -> Schema:
    return {"type": "record", "name": "Thing", "namespace": "test", "fields": list(fields), **more}


OLD = record(
    field("id", "string"),
    field("count", "int"),
    field("kind", {"type": "enum", "name": "Kind", "symbols": ["a", "b"], "default": "a"}),
    field("price", {"type": "bytes", "logicalType": "decimal", "precision": 27, "scale": 9}),
    field("note", ["null", "string"], default=None),
    field("lines", {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
        field("sku", "string"), field("hint", "string", default="")]}}),
)
VALUE = {"id": "1", "count": 2, "kind": "b", "price": b"\x01", "note": "n",
         "lines": [{"sku": "s", "hint": "h"}]}


def changed(change: Callable[[Schema], None]) -> Schema:
    schema = copy.deepcopy(OLD)
    change(schema)
    return schema


def add(**more: Any) -> Callable[[Schema], None]:
    return lambda schema: schema["fields"].append(field("added", "string", **more))


def drop(name: str) -> Callable[[Schema], None]:
    return lambda schema: schema["fields"].remove(
        next(f for f in schema["fields"] if f["name"] == name))


def retype(name: str, kind: Any) -> Callable[[Schema], None]:
    def change(schema: Schema) -> None:
        next(f for f in schema["fields"] if f["name"] == name)["type"] = kind
    return change


def rename(name: str, new: str, **more: Any) -> Callable[[Schema], None]:
    def change(schema: Schema) -> None:
        next(f for f in schema["fields"] if f["name"] == name).update(name=new, **more)
    return change


def line(change: Callable[[Schema], None]) -> Callable[[Schema], None]:
    return lambda schema: change(schema["fields"][-1]["type"]["items"])


def in_order(schema: Schema) -> None:
    schema["fields"].reverse()


ALLOWED = {
    "nothing": lambda _schema: None,
    "added with default": add(default=""),
    "field with default removed": drop("note"),
    "order of fields": in_order,
    "documentation": lambda s: s["fields"][0].update(doc="Better."),
    "class": lambda s: s["fields"][0].update({"class": "public"}),
    "added in a nested record": line(add(default="")),
    "removed in a nested record": line(drop("hint")),
}
REFUSED = {
    "added without default": add(),
    "field without default removed": drop("id"),
    "int to long": retype("count", "long"),
    "int to string": retype("count", "string"),
    "string to bytes": retype("id", "bytes"),
    "made nullable": retype("id", ["null", "string"]),
    "union branch removed": retype("note", "null"),
    "union branch added": retype("note", ["null", "string", "int"]),
    "renamed": rename("id", "key"),
    "renamed with alias": rename("id", "key", aliases=["id"]),
    "scale": retype("price", {"type": "bytes", "logicalType": "decimal", "precision": 27,
                              "scale": 6}),
    "logical type removed": retype("price", "bytes"),
    "record renamed": lambda s: s.update(name="Other"),
    "namespace": lambda s: s.update(namespace="elsewhere"),
    "enum symbol removed": retype("kind", {"type": "enum", "name": "Kind", "symbols": ["a"]}),
    "array to map": retype("lines", {"type": "map", "values": "string"}),
    "added without default in a nested record": line(add()),
    "removed without default in a nested record": line(drop("sku")),
}


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED.keys())
def test_allowed_and_really_read_by_the_decoder(change: Callable[[Schema], None]) -> None:
    """What is let through, fastavro reads both ways."""
    new = changed(change)
    assert [] == problems(new, {1: OLD})
    for writer, reader in ((OLD, new), (new, OLD)):
        names = {f["name"] for f in writer["fields"]}
        value = {**{k: v for k, v in VALUE.items() if k in names},
                 **({"added": "x"} if "added" in names else {})}
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(copy.deepcopy(writer)), value)
        out.seek(0)
        read = fastavro.schemaless_reader(out, fastavro.parse_schema(copy.deepcopy(writer)),
                                          fastavro.parse_schema(copy.deepcopy(reader)))
        assert isinstance(read, dict)
        assert {f["name"] for f in reader["fields"]} == read.keys()


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_refused(change: Callable[[Schema], None]) -> None:
    """One direction is not enough; the message names the version."""
    found = problems(changed(change), {1: OLD})
    assert found
    assert "against version 1" in found[0]


def test_enum_symbol_needs_a_default() -> None:
    """A new symbol is read by an old reader as its default, and only so."""
    more = {"type": "enum", "name": "Kind", "symbols": ["a", "b", "c"], "default": "a"}
    assert [] == problems(changed(retype("kind", more)), {1: OLD})
    bare = changed(retype("kind", {"type": "enum", "name": "Kind", "symbols": ["a", "b"]}))
    assert problems(changed(retype("kind", more)), {1: bare})


def test_checked_against_every_release_not_the_last_alone() -> None:
    """A default removed in two steps breaks the first release."""
    second = changed(drop("note"))
    third = changed(retype("note", ["null", "int"]))
    assert [] == problems(second, {1: OLD})
    assert [] == problems(third, {2: second})
    assert ["1"] == sorted({p.split(" ")[2].rstrip(":") for p in problems(third, {1: OLD,
                                                                               2: second})})


@pytest.mark.parametrize(("schema", "said"), [
    (record({"name": "a", "type": "string", "doc": "x"}), 'a: "class" is None'),
    (record({"name": "a", "type": "string", "class": "secret", "doc": "x"}), "'secret'"),
    (record(field("a", "string", **{"class": "personal"})), "only travels in the field"),
    (record(field("a", "string", **{"class": "sensitive"})), "only travels in the field"),
    (record(field("a", "string", doc=" ")), 'has no "doc"'),
    (record(field("a", {"type": "record", "name": "B", "fields": [
        {"name": "b", "type": "string"}]})), 'a.b: "class" is None'),
    (record(field("a", {"type": "array", "items": ["null", {"type": "record", "name": "B",
        "fields": [field("personal", "string", **{"class": "personal"})]}]})), "a.personal"),
])
def test_unclassed_field_is_named(schema: Schema, said: str) -> None:
    """Law 6, for every field at every depth."""
    assert [p for p in problems(schema, {}) if said in p]


def test_personal_may_be_personal() -> None:
    """The one field for it."""
    assert [] == unclassed(record(field("personal", "bytes", **{"class": "sensitive"})))


@pytest.mark.parametrize("kind", [
    ["null", "Thing"], ["null", "test.Thing"], {"type": "array", "items": "Thing"},
    {"type": "map", "values": ["null", "Thing"]},
    {"type": "record", "name": "Inner", "fields": [field("b", ["null", "Thing"])]},
    {"type": {"type": "record", "name": "Inner", "fields": [field("b", ["null", "Inner"])]}},
])
def test_recursive_schema_is_refused(kind: Any) -> None:
    """At depth 5,000 the decoder ends the process."""
    assert [p for p in problems(record(field("a", kind)), {}) if "contains itself" in p]


@pytest.mark.parametrize("items", [
    "null", {"type": "null"}, {"type": "record", "name": "E", "fields": []},
    {"type": "record", "name": "E", "fields": [field("a", "null")]},
    {"type": "fixed", "name": "F", "size": 0},
])
def test_array_of_nothing_is_refused(items: Any) -> None:
    """Five bytes would be five million items."""
    assert ["an array whose items take no bytes"] == hazards(
        record(field("a", {"type": "array", "items": items})))


def test_named_nothing_is_seen_through() -> None:
    """Defined in one field, used in another."""
    empty = {"type": "record", "name": "E", "fields": [field("z", "null")]}
    assert hazards(record(field("a", empty), field("b", {"type": "array", "items": "test.E"})))


def test_a_type_used_twice_is_not_recursive() -> None:
    """Next to itself is not within itself."""
    inner = {"type": "record", "name": "Inner", "fields": [field("b", "string")]}
    assert [] == hazards(record(field("a", inner), field("c", ["null", "Inner"])))


def test_too_deep_is_refused() -> None:
    """Nesting is bounded, whoever wrote it."""
    kind: Any = "string"
    for _ in range(40):
        kind = {"type": "array", "items": kind}
    assert [p for p in hazards(record(field("a", kind))) if "nested deeper" in p]


@pytest.mark.parametrize("broken", [
    {"type": "record"}, {"type": "nothing"}, {"name": "a"}, record(field("a", "nothing"))])
def test_what_is_no_schema_is_refused(broken: Schema) -> None:
    """With the reason, not with a traceback."""
    assert problems(broken, {})


@pytest.mark.parametrize("subject", SUBJECTS)
def test_our_own_schemas_pass(subject: str) -> None:
    """The rules hold for what is released."""
    schema = read_schema(subject, 1)
    assert [] == problems(json.loads(json.dumps(schema)), {1: schema})

"""Whether a schema in work may follow what was released: FULL_TRANSITIVE, both ways to all.

Decides nothing of Avro's rules itself: Apache Avro's own checker does (package `avro`; decided
2026-11-23, as fastavro has none). It adds what that checker does not look at and what would change
amounts silently: logical types, promotions and full names. Part of the work on the
schemas, so imported by `footfall schemas` alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import parse

from footfall.events.codec import Schema
from footfall.events.schema_rules import hazards, unclassed

#: What says how a value is to be understood. A text that becomes bytes is an Avro promotion both
#: ways, and still no longer what was released.
_MEANING = ("namespace", "name", "logicalType", "precision", "scale", "size")


def problems(work: Schema, released: Mapping[int, Schema]) -> list[str]:
    """Why the schema in work may not be released; empty when it may."""
    found = hazards(work) or unclassed(work) or _unreadable(work)
    if found:
        return found
    return [f"against version {version}: {problem}"
            for version, older in sorted(released.items())
            for problem in _between(work, older)]


def _unreadable(schema: Schema) -> list[str]:
    try:
        parse(json.dumps(schema))
    except AvroException as error:
        return [f"is not a schema: {error}"]
    return []


def _between(work: Schema, older: Schema) -> Iterator[str]:
    yield from _read("data of the old one by the new one", reader=work, writer=older)
    yield from _read("data of the new one by the old one", reader=older, writer=work)
    old, new = dict(_marks(older, "")), dict(_marks(work, ""))
    for path in sorted(old.keys() & new.keys()):
        if old[path] != new[path]:
            yield f"{path}: was {old[path]}, is {new[path]}"


def _read(what: str, reader: Schema, writer: Schema) -> Iterator[str]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(
        parse(json.dumps(reader)), parse(json.dumps(writer)))
    if result.compatibility is not SchemaCompatibilityType.compatible:
        kinds = ", ".join(sorted({kind.value for kind in result.incompatibilities}))
        where = ", ".join(sorted(result.locations))
        why = ", ".join(sorted(result.messages))
        yield f"cannot read {what}: {kinds} at {where}: {why}"


def _marks(schema: Any, path: str) -> Iterator[tuple[str, str]]:
    """Path -> what stands there: a named type's full name, or a type and how its value is meant."""
    if isinstance(schema, list):
        for branch in schema:
            kind = branch.get("type") if isinstance(branch, dict) else branch
            yield from _marks(branch, f"{path}|{kind}")
    elif isinstance(schema, dict):
        kind = schema.get("type")
        if isinstance(kind, dict | list):
            yield from _marks(kind, path)
            return
        mark = [str(kind), *(f"{key} {schema[key]}" for key in _MEANING if key in schema)]
        yield path or "/", " ".join(mark)
        for field in schema.get("fields", ()):
            yield from _marks(field.get("type"), f"{path}/{field.get('name')}")
        for part in ("items", "values"):
            if part in schema:
                yield from _marks(schema[part], f"{path}/{part}")
    else:
        yield path, str(schema)

"""What every schema of ours must be, beyond being Avro.

Decides two things. `hazards`: shapes with which a few bytes break the decoder (measured on fastavro
1.13.1: a recursive schema crashes the process at depth 5,000; 5 bytes of array<null> are 5,000,000
items), refused wherever a schema comes from. `unclassed`: law 6, every field is documented and
classed, and what is personal travels only in `personal`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

#: Of a field, from what anybody may see to what hardly anybody may.
Class = Literal["public", "internal", "personal", "sensitive"]
CLASSES: tuple[Class, ...] = get_args(Class)
PERSONAL_CLASSES = ("personal", "sensitive")
PERSONAL_FIELD = "personal"
NESTING_MAX = 32


def hazards(schema: Any) -> list[str]:
    """Why a decoder must not be given this schema; empty when it may."""
    return list(_hazards(schema, {}, ()))


def unclassed(schema: Any) -> list[str]:
    """Fields without documentation or class, or classed where they must not be."""
    return [problem for path, field in _fields(schema, "") for problem in _field(path, field)]


def _field(path: str, field: Mapping[str, Any]) -> Iterator[str]:
    given = field.get("class")
    if given not in CLASSES:
        yield f"{path}: \"class\" is {given!r}, expected one of {', '.join(CLASSES)}"
    if given in PERSONAL_CLASSES and path != PERSONAL_FIELD:
        yield f"{path}: class {given} only travels in the field `{PERSONAL_FIELD}` (law 6)"
    if not str(field.get("doc", "")).strip():
        yield f"{path}: has no \"doc\""


def _fields(schema: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field of every record, with its path."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _fields(branch, path)
    elif isinstance(schema, dict):
        for field in schema.get("fields", ()):
            inner = f"{path}.{field.get('name')}".lstrip(".")
            yield inner, field
            yield from _fields(field.get("type"), inner)
        for part in ("items", "values", "type"):
            yield from _fields(schema.get(part), path)


def _hazards(schema: Any, named: dict[str, Any], within: tuple[str, ...]) -> Iterator[str]:
    if len(within) > NESTING_MAX:
        yield f"nested deeper than {NESTING_MAX}"
    elif isinstance(schema, str):
        if _short(schema) in within:
            yield f"{schema} contains itself"
    elif isinstance(schema, list):
        for branch in schema:
            yield from _hazards(branch, named, (*within, ""))
    elif isinstance(schema, dict):
        name = _short(schema["name"]) if isinstance(schema.get("name"), str) else ""
        if name:
            named[name] = schema
        inside = (*within, name)
        if schema.get("type") == "array" and _is_empty(schema.get("items"), named):
            yield "an array whose items take no bytes"
        for field in schema.get("fields", ()):
            yield from _hazards(field.get("type"), named, inside)
        for part in ("items", "values", "type"):
            yield from _hazards(schema.get(part), named, inside)


def _short(name: str) -> str:
    """Without the namespace: a nested type inherits one that its text does not show."""
    return name.rpartition(".")[2]


def _is_empty(schema: Any, named: Mapping[str, Any]) -> bool:
    """Whether a value of this schema may take no bytes at all."""
    if isinstance(schema, str):
        name = _short(schema)
        others = {known: value for known, value in named.items() if known != name}
        return schema == "null" or (name in named and _is_empty(named[name], others))
    if isinstance(schema, dict):
        kind = schema.get("type")
        if kind in ("record", "error"):
            return all(_is_empty(f.get("type"), named) for f in schema.get("fields", ()))
        if kind == "fixed":
            return schema.get("size") == 0
        return kind not in ("array", "map", "enum") and _is_empty(kind, named)
    return False

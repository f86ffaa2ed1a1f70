"""From the text of a mapping file to its structs, with the place of what does not fit.

Decides what is lenient (a bare value is a constant, JSON is read as the YAML that it is) and that
what a mapping cannot mean is refused before a row is read: unknown fields, formats that are none,
zones that nobody has. Must never look at the files that are imported.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from footfall.admin import config_yaml
from footfall.errors import ConfigError
from footfall.events.customer_key import KINDS
from footfall.events.identifiers import is_kind
from footfall.replay.imports.mapping_row import (
    CALL_FIELDS,
    FIELDS_MAX,
    INSTANTS,
    Column,
    Csv,
    Mapping,
)
from footfall.tables.config import section

KEYS: Final = ("call", "csv", "missing")
UNITS: Final = ("iso", "s", "ms", "us", "ns")
_OBJECTS: Final = ("properties", "traits", "context", "integrations")
_TRIED: Final = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def read(path: Path) -> Mapping:
    """The mapping of a file; raises `ConfigError` with file, line and key."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    try:
        document = config_yaml.load(text, "call")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    try:
        return mapping_of(document)
    except ConfigError as error:
        line = config_yaml.line_of(config_yaml.lines_of(text), error.path)
        raise ConfigError(f"{path}:{line}: {error}", error.path) from None


def mapping_of(document: dict[str, Any]) -> Mapping:
    """The mapping of a document; raises `ConfigError` with the path of the key."""
    for key in document:
        if key not in KEYS:
            raise ConfigError(f"unknown key {key!r}; known keys: {', '.join(KEYS)}", (key,))
    call = document.get("call")
    if not isinstance(call, dict) or not call:
        raise ConfigError("`call` is to say at least `type`, an identifier such as `userId`, and "
                          "`timestamp`", ("call",))
    for name in call:
        if name not in CALL_FIELDS:
            raise ConfigError(f"[call] {name}: no field of a tracking call; known: "
                              f"{', '.join(CALL_FIELDS)}", ("call", name))
    if not INSTANTS & call.keys():
        raise ConfigError("[call] timestamp is missing: each row must say when it happened",
                          ("call",))
    if "type" not in call:
        raise ConfigError("[call] type is missing: track, identify, page, screen, group or alias",
                          ("call",))
    made = {name: _node(said, ("call", name)) for name, said in call.items()}
    for name in _OBJECTS:
        if name in made and not _may_be_object(made[name]):
            raise ConfigError(f"[call] {name} is to be an object of fields, or a column `as: json`",
                              ("call", name))
    if "externalIds" in made:
        _check_ids(made["externalIds"])
    if _count(made) > FIELDS_MAX:
        raise ConfigError(f"[call] has {_count(made)} fields; at most {FIELDS_MAX}", ("call",))
    missing = section("missing", list[str], document.get("missing", []))
    return Mapping(made, section("csv", Csv, document.get("csv", {})), frozenset(missing))


def _node(said: Any, path: tuple[str | int, ...]) -> object:
    """A constant, a `Column`, a list or an object of these."""
    if isinstance(said, list):
        return [_node(one, (*path, n)) for n, one in enumerate(said)]
    if not isinstance(said, dict):
        return said
    if said.keys() == {"constant"}:
        return said["constant"]
    if "column" not in said:
        return {name: _node(one, (*path, name)) for name, one in said.items()}
    try:
        column: Column = section(_name(path), Column, said)
    except ConfigError as error:
        raise ConfigError(str(error), (*path, *error.path[1:])) from None
    _check(column, path)
    return column


def _check(column: Column, path: tuple[str | int, ...]) -> None:
    where = f"[{_name(path)}]"
    is_instant = len(path) == 2 and path[1] in INSTANTS
    if is_instant and column.as_ not in (None, "time"):
        raise ConfigError(f"{where} as = {column.as_!r}: a time; leave `as` out", (*path, "as"))
    if column.values is not None and column.as_ not in (None, "text"):
        raise ConfigError(f"{where} values: together with `as: text` alone", (*path, "values"))
    try:
        ZoneInfo(column.zone)
    except (OSError, ValueError, KeyError):  # not found: a KeyError
        raise ConfigError(f"{where} zone = {column.zone!r}: no time zone; write Europe/Berlin, "
                          "America/New_York, UTC, ...", (*path, "zone")) from None
    if column.format not in UNITS and not _is_pattern(column.format):
        raise ConfigError(f"{where} format = {column.format!r}: expected one of {', '.join(UNITS)},"
                          " or a pattern that gives at least year, month and day, such as "
                          '"%d.%m.%Y %H:%M"', (*path, "format"))
    if column.decimal_mark == column.thousands_mark or not column.decimal_mark:
        raise ConfigError(f"{where} decimal_mark: one character, another than `thousands_mark`",
                          (*path, "decimal_mark"))


def _is_pattern(pattern: str) -> bool:
    """Whether a pattern brings back the day that it wrote."""
    try:
        return "%" in pattern and datetime.strptime(
            _TRIED.strftime(pattern), pattern).date() == _TRIED.date()
    except (ValueError, KeyError):
        return False


def _may_be_object(node: object) -> bool:
    return isinstance(node, dict) or (isinstance(node, Column) and node.as_ == "json")


def _check_ids(node: object) -> None:
    path = ("call", "externalIds")
    if not isinstance(node, list):
        raise ConfigError("[call] externalIds is to be a list of `type` and `id`", path)
    for n, one in enumerate(node):
        kind = one.get("type") if isinstance(one, dict) else None
        if not isinstance(one, dict) or one.keys() != {"type", "id"} or not isinstance(kind, str):
            raise ConfigError(f"[call] externalIds[{n}] is to have `type` (a constant) and `id`",
                              (*path, n))
        if kind in KINDS or not is_kind(kind):
            raise ConfigError(f"[call] externalIds[{n}].type = {kind!r}: small letters, digits and "
                              f"_, at most 32, and none of {', '.join(KINDS)}", (*path, n, "type"))


def _count(node: object) -> int:
    if isinstance(node, dict):
        return 1 + sum(map(_count, node.values()))
    return 1 + sum(map(_count, node)) if isinstance(node, list) else 1


def _name(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")

"""The configuration that steps read: one document, one version, entering through the log.

Decides what a `$config` record may hold and which of two versions holds (law 4): the version is
(number, content hash), the higher one stays. Nothing else configures a step: no environment, no
file. Version 0 is the defaults of the code.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec

from footfall.errors import ConfigError, MisfitError
from footfall.events.reserved_row import ConfigPayload
from footfall.tables import computed_limits, consent_gate
from footfall.tables.computed_row import Definition
from footfall.tables.rules_aggregates import counted
from footfall.tables.rules_book import RULES, SEGMENTS, Book
from footfall.tables.rules_row import RulesConfig
from footfall.tables.segments_row import SegmentsConfig
from footfall.tables.spec import AnyTable

Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]


class ClockConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a silence must last to be one, and when a deadline has to settle (law 4)."""

    grace_s: Seconds = 0.5
    late_s: Seconds = 5.0
    settle_s: Seconds = 10.0
    settle_s_max: Seconds = 60.0

    def __post_init__(self) -> None:
        if self.settle_s > self.settle_s_max:
            raise ValueError(f"settle_s {self.settle_s} is more than settle_s_max "
                             f"{self.settle_s_max}")


class Counted(NamedTuple):
    """Definitions that events are counted by: declared ones, and those of conditions."""

    definitions: tuple[Definition, ...]


class Config:
    """One version of the configuration, decoded for the tables given."""

    def __init__(self, tables: Sequence[AnyTable], number: int = 0, content: bytes = b"{}") -> None:
        self.number = number
        try:
            document = msgspec.json.decode(content, type=dict[str, Any])
            sections: dict[str, type[Any]] = {t.name: t.config for t in tables}
            sections = {"clock": ClockConfig, **sections}
            unknown = sorted(document.keys() - sections.keys())
            if unknown:
                raise ConfigError(f"unknown section {unknown[0]!r}; known: {', '.join(sections)}")
            made = {name: section(name, kind, document.get(name, {}))
                    for name, kind in sections.items()}
            consent_gate.check(made, tables)
            #: What events of a table are taken under, where that is more than its section says.
            self.bound = _bound(made)
            self.sections: dict[str, Any] = made
            #: The rules and segments, compiled.
            self.book = _compiled(tables, made, number)
        except msgspec.MsgspecError as error:
            raise ConfigError(f"configuration is not a JSON object: {error}") from None
        #: As the log has it, never made anew: code with another default or one more section would
        #: give the same record another hash, and partitions would end at different versions.
        self.content = content if number else b"{}"
        self.hash = content_hash(self.content)
        clock: ClockConfig = made["clock"]
        self.grace_ms = round(clock.grace_s * 1000)
        self.late_ms = round(clock.late_s * 1000)
        self.settle_ms = round(clock.settle_s * 1000)
        self.settle_ms_max = round(clock.settle_s_max * 1000)

    @property
    def version(self) -> tuple[int, str]:
        """(number, content hash): the higher one holds."""
        return version_of(self.number, self.content)

    @property
    def label(self) -> str:
        """The version as triggers name it: "3:9f2c...". """
        return f"{self.number}:{self.hash}"

    @property
    def payload(self) -> ConfigPayload:
        """What a `$config` record carries."""
        return ConfigPayload(self.number, self.content)


def config_of(tables: Sequence[AnyTable], number: int, content: bytes) -> Config:
    """The same as `Config(...)`, made once for all partitions of a process: a thousand rules take a
    tenth of a second to compile.
    """
    return _shared(_Tables(tables), number, content)


class _Tables:
    """Tables as what something is remembered by: the same objects."""

    def __init__(self, tables: Sequence[AnyTable]) -> None:
        self.tables = tuple(tables)
        self._ids = tuple(map(id, self.tables))

    def __hash__(self) -> int:
        return hash(self._ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Tables) and self._ids == other._ids


@lru_cache(maxsize=8)
def _shared(tables: _Tables, number: int, content: bytes) -> Config:
    return Config(tables.tables, number, content)


def version_of(number: int, content: bytes) -> tuple[int, str]:
    """The version of a configuration as it stands in the log; 0 is always the defaults."""
    return number, content_hash(content if number else b"{}")


def content_hash(content: bytes) -> str:
    """The second part of a version."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def canonical(tables: Sequence[AnyTable], document: bytes) -> bytes:
    """A document as it is written to the log: every value in full, keys sorted."""
    return msgspec.json.encode(Config(tables, 1, document).sections, order="sorted")


def check_changes(tables: Sequence[AnyTable], before: bytes, after: bytes) -> None:
    """Refuses what a table does not let change from one content to another."""
    old, new = (Config(tables, 1, content).sections for content in (before, after))
    for table in tables:
        if table.check_change is not None:
            try:
                table.check_change(old[table.name], new[table.name])
            except MisfitError as error:
                path = (table.name, *error.path)
                raise ConfigError(f"{_placed(path)}: {error}", path) from None


def _bound(sections: Mapping[str, Any]) -> Mapping[str, Any]:
    """`computed` also takes what the conditions of rules and segments count."""
    computed, rules, segments = (sections.get(name) for name in ("computed", RULES, SEGMENTS))
    if computed is None or rules is None or segments is None:
        return {}
    found = counted(rules, segments)
    if not found:
        return {}
    both = (*computed.definitions, *found)
    try:
        computed_limits.check(both, computed_limits.COUNTED_MAX)
    except MisfitError as error:
        raise ConfigError(f"computed traits and what rules and segments count together: {error}",
                          (RULES, "definitions")) from None
    return {"computed": Counted(both)}


def _compiled(tables: Sequence[AnyTable], sections: dict[str, Any], number: int) -> Book:
    if RULES not in sections or SEGMENTS not in sections:
        return Book((), {RULES: RulesConfig(), SEGMENTS: SegmentsConfig()}, number)
    try:
        return Book(tables, sections, number)
    except MisfitError as error:
        raise ConfigError(f"{_placed(error.path)}: {error}", error.path) from None


def section(name: str, kind: Any, value: Any) -> Any:
    """The value of a section as its type; raises `ConfigError` that names section, key and limit.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        limit, _, where = str(error).partition(" - at `$")
        path = tuple(int(part) if part.isdecimal() else part for part in re.findall(r"\w+", where))
        if "unknown field" in limit:
            known = ", ".join(_fields(kind, path)) or "none"
            unknown = limit.split("`")[1]
            raise ConfigError(f"{_placed((name, *path))} {limit}; known keys: {known}",
                              (name, *path, unknown)) from None
        cause = error.__cause__
        if isinstance(cause, MisfitError):
            path += cause.path
            raise ConfigError(f"{_placed((name, *path))}: {cause}", (name, *path)) from None
        given: Any = value
        for key in path:
            given = _member(given, key)
        if "enum" in limit:
            choices = getattr(_type_at(kind, path), "values", ())
            limit = f"expected one of {', '.join(map(str, choices))}"
        raise ConfigError(f"{_placed((name, *path))} = {given!r}: {limit}", (name, *path)
                          ) from None


def _placed(path: Sequence[str | int]) -> str:
    """`[section] key.list[2].key`."""
    name, *keys = path
    inner = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return f"[{name}] {inner.lstrip('.')}".rstrip()


def _member(value: Any, key: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return None


def _fields(kind: Any, path: Sequence[str | int]) -> list[str]:
    """The keys of the struct that a path leads to."""
    return [f.encode_name for f in getattr(_type_at(kind, path), "fields", ())]


def _type_at(kind: Any, path: Sequence[str | int]) -> Any:
    """msgspec's description of the type that a path leads to; of an optional one without None."""
    found: Any = msgspec.inspect.type_info(kind)
    for key in path:
        fields = getattr(found, "fields", None)
        if fields is not None:
            found = next((f.type for f in fields if f.encode_name == key), None)
        else:
            found = getattr(found, "item_type", found)
        for one in getattr(found, "types", ()):
            if not isinstance(one, msgspec.inspect.NoneType):
                found = one
                break
    return found

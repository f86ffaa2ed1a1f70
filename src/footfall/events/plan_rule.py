"""One document of a tracking plan: what it may say, and the rule that is made of it.

Decides what is refused: a property without class or purpose, a schema that is none or that leads
outside of itself, more than `PROPERTIES_MAX` properties. Nothing is fetched. Must never look at an
item: `plan_cut.py` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import jsonschema_rs
import msgspec

from footfall.errors import ConfigError
from footfall.events.consent import NECESSARY
from footfall.events.fields import TEXT_CHARS_MAX
from footfall.events.schema_rules import CLASSES

#: Names of members and places in arrays.
Path = tuple[str | int, ...]
Call = Literal["identify", "track", "page", "screen", "group"]

PROPERTIES_MAX = 1_000
_CLASSES = frozenset(CLASSES)
_TRAITS = frozenset({"identify", "group"})


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file of a plan: one version of one event. docs/plan.md says what each means."""

    #: Of `track`, or the name of a page or screen; "" for every one, and for the other calls.
    event: str = ""
    call: Call = "track"
    version: str = "1"
    violation: Literal["allow", "omit", "reject"] = "allow"
    undeclared: Literal["allow", "omit"] = "allow"
    schema: dict[str, Any]


class Property(NamedTuple):
    """A declared property; `inside` are those of its object, or of each object of its array."""

    kind: str
    purpose: str
    inside: Mapping[str, Any]


class Rule(NamedTuple):
    """A document that has been checked."""

    said: Document
    declared: Mapping[str, Property]
    validator: Any


def body_of(call: str) -> str:
    """The member of an item that the rule of its call is about."""
    return "traits" if call in _TRAITS else "properties"


def rule_of(said: Document) -> Rule:
    """Checks a document; raises `ConfigError` naming the property."""
    if said.call in ("identify", "group") and said.event:
        raise ConfigError(f"event: {said.call} has none; leave it out")
    if said.call == "track" and not said.event:
        raise ConfigError("event: is absent or empty; track needs it")
    if len(said.event) > TEXT_CHARS_MAX:
        raise ConfigError(f"event: is {len(said.event)} characters long; at most {TEXT_CHARS_MAX}")
    _refuse_references(said.schema)
    counted = [0]
    declared = _declared(said.schema, "schema", counted)
    try:
        validator = jsonschema_rs.Draft202012Validator(said.schema)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise ConfigError(f"schema: is no JSON Schema ({getattr(error, 'message', error)})"
                          ) from None
    return Rule(said, declared, validator)


def listed(declared: Mapping[str, Property], at: str = "") -> Iterator[tuple[str, Property]]:
    """Every declared property with its dotted path; arrays are passed through."""
    for name, said in declared.items():
        yield at + name, said
        yield from listed(said.inside, f"{at}{name}.")


def _declared(schema: Any, path: str, counted: list[int]) -> dict[str, Property]:
    """The properties that a schema declares, each with class and purpose."""
    if isinstance(schema, dict) and isinstance(schema.get("items"), dict):
        schema = schema["items"]
    inner = schema.get("properties", {}) if isinstance(schema, dict) else {}
    if not isinstance(inner, dict):
        raise ConfigError(f"{path}.properties: is no object")
    found = {}
    for name, said in inner.items():
        at = f"{path}.{name}"
        counted[0] += 1
        if counted[0] > PROPERTIES_MAX:
            raise ConfigError(f"schema: declares more than {PROPERTIES_MAX} properties")
        if not isinstance(said, dict):
            raise ConfigError(f"{at}: is no object")
        kind, purpose = said.get("class"), said.get("purpose")
        if kind not in _CLASSES:
            raise ConfigError(f"{at}: `class` is none of {', '.join(sorted(_CLASSES))}")
        if not isinstance(purpose, str) or not purpose:
            raise ConfigError(f"{at}: `purpose` is absent; name a consent category, or {NECESSARY}")
        found[name] = Property(kind, purpose, _declared(said, at, counted))
    return found


def _refuse_references(schema: Any) -> None:
    """Nothing is fetched: a schema refers to itself or to nothing."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            for name in ("$ref", "$dynamicRef"):
                if isinstance(one.get(name), str) and not one[name].startswith("#"):
                    raise ConfigError(f"schema: {name} leads outside of its document")
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)

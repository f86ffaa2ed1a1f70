"""The JSON Schema of a file that people write, for editors: completion, and what is wrong while one
types.

Decides how the structs that read a file become a schema. It takes all that its reader takes and
perhaps more: what may stand together is said by the command that checks the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
#: What says nothing to those who write a file.
_NOTHING: Final[tuple[tuple[str, Any], ...]] = (
    ("default", None), ("default", ""), ("default", {}), ("default", []),
    ("default", {"definitions": []}), ("required", []))

#: Heading -> (its struct, key -> what it means).
Keys = Mapping[str, tuple[type[msgspec.Struct], Mapping[str, str]]]


def schema_of(root: type[msgspec.Struct], keys: Keys, title: str,
              named: Callable[[str], str] = str) -> dict[str, Any]:
    """The schema of the whole file. `named`: what a struct is called in it."""
    _file, parts = msgspec.json.schema_components((root,))
    parts = json.loads(msgspec.json.encode(parts))
    names = {part: named(part) for part in parts}
    made = {names[part]: _plain(said, names) for part, said in parts.items()}
    for struct, meanings in keys.values():
        properties = made[named(_part_of(struct, parts))]["properties"]
        for key, meaning in meanings.items():
            properties[key] = {**properties[key], "description": meaning}
    whole = made.pop(root.__name__)
    return {"$schema": DRAFT, **whole, "title": title, "$defs": dict(sorted(made.items()))}


def text_of(schema: Mapping[str, Any]) -> str:
    """A schema as it is published."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _part_of(struct: type, parts: Mapping[str, Any]) -> str:
    """Of two structs of one name msgspec tells the modules, too."""
    whole = f"{struct.__module__}.{struct.__qualname__}"
    return whole if whole in parts else struct.__name__


def _plain(said: Any, names: Mapping[str, str]) -> Any:
    """What editors read: no null beside a type, the end of a pattern as JavaScript has it."""
    if isinstance(said, list):
        return [_plain(one, names) for one in said]
    if not isinstance(said, dict):
        return said
    made: dict[str, Any] = {}
    for key, value in said.items():
        if key == "$ref":
            made[key] = f"#/$defs/{names[value.rpartition('/')[2]]}"
        elif key == "pattern" and isinstance(value, str):
            made[key] = value.replace("\\Z", "$")
        elif key == "description" and isinstance(value, str):
            made[key] = " ".join(value.split())
        elif (key, value) not in _NOTHING:
            made[key] = _plain(value, names)
    choices = made.get("anyOf")
    if choices is not None:
        left = [one for one in choices if one != {"type": "null"}]
        made["anyOf"] = left
        if len(left) == 1:
            del made["anyOf"]
            made = {**left[0], **made}
    return made

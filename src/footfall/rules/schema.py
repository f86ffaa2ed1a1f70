"""The JSON Schema of a rules file, for editors: completion, and what is wrong while one types.

Decides how the structs that read a file become a schema. It takes all that `config apply` takes and
perhaps more: what fields there are, and what may stand together, is said by `footfall rules check`.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from footfall.rules.keys import KEYS, RulesFile

#: Beside it lie the recipes (recipes.py).
NAME: Final = "rules.schema.json"
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_TITLE: Final = "Footfall: rules, segments and computed traits"
#: What says nothing to those who write a file.
_NOTHING: Final[tuple[tuple[str, Any], ...]] = (
    ("default", None), ("default", ""), ("default", {}), ("default", []),
    ("default", {"definitions": []}), ("required", []))


def schema() -> dict[str, Any]:
    """The schema of the whole file."""
    (_file,), parts = msgspec.json.schema_components((RulesFile,))
    parts = json.loads(msgspec.json.encode(parts))
    names = {part: _named(part) for part in parts}
    made = {names[part]: _plain(said, names) for part, said in parts.items()}
    for struct, keys in KEYS.values():
        properties = made[_named(_part_of(struct, parts))]["properties"]
        for key, meaning in keys.items():
            properties[key] = {**properties[key], "description": meaning}
    root = made.pop(RulesFile.__name__)
    return {"$schema": DRAFT, **root, "title": _TITLE, "$defs": dict(sorted(made.items()))}


def text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _part_of(struct: type, parts: dict[str, Any]) -> str:
    """Of two structs of one name msgspec tells the modules, too."""
    whole = f"{struct.__module__}.{struct.__qualname__}"
    return whole if whole in parts else struct.__name__


def _named(part: str) -> str:
    """A name that may stand in a reference: of two conditions the one on events has another."""
    module, _, name = part.rpartition(".")
    return f"Event{name}" if module.endswith("computed_row") else name


def _plain(said: Any, names: dict[str, str]) -> Any:
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

"""The JSON Schema of a routes file, for editors: completion, and what is wrong while one types.

Decides what the structs do not say: that one value may stand where a list of one is meant, and that
the values of `where` may be numbers and truth. `footfall routes check` says the rest.
"""

from __future__ import annotations

from typing import Any, Final

from footfall.admin.file_schema import schema_of, text_of
from footfall.delivery.routes_keys import KEYS
from footfall.delivery.routes_reading import CHANNELS
from footfall.delivery.routes_row import RoutesFile

_TITLE: Final = "Footfall: routes"
_EVERY: Final = "Every destination"
_VALUE: Final = {"type": ["string", "number", "boolean"]}


def schema() -> dict[str, Any]:
    """The schema of the whole file."""
    shared = KEYS[_EVERY][1]
    of_channels = frozenset(CHANNELS.values())
    keys = {heading: (struct, {**shared, **meanings} if struct in of_channels else meanings)
            for heading, (struct, meanings) in KEYS.items() if heading != _EVERY}
    made = schema_of(RoutesFile, keys, _TITLE)
    parts = made["$defs"]
    for part, key in (("Route", "triggers"), ("Route", "to"),
                      ("WebhookDestination", "secret_env")):
        properties = parts[part]["properties"]
        properties[key] = _one_or_more(properties[key])
    where = parts["Route"]["properties"]["where"]
    where["additionalProperties"] = {
        "anyOf": [_VALUE, {"type": "array", "items": _VALUE, "minItems": 1}]}
    return made


def text() -> str:
    """The schema as it is published."""
    return text_of(schema())


def _one_or_more(said: dict[str, Any]) -> dict[str, Any]:
    """A list, or one of its members."""
    about = {key: said[key] for key in ("description",) if key in said}
    listed = {key: value for key, value in said.items() if key not in about}
    return {**about, "anyOf": [listed["items"], listed]}

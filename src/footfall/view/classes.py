"""What of a view a clearance leaves to be seen. Pure.

Every table says of which class the parts of its view are (`TableSpec.classes`). What lies above the
clearance is shown as `{"masked": class}`, whatever it was, an absent value too. What has no class
counts as sensitive, so that a field which somebody adds and nobody classes is not seen by chance
(Segment's fields without a matcher were). Must never look at a value to decide its class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from footfall.events.schema_rules import CLASSES, Class
from footfall.tables.spec import AnyTable

#: Of what has no class.
UNCLASSED: Class = "sensitive"
#: Of the identifiers at the head of a document.
IDS_CLASS: Class = "personal"
_ANY = "*"
_RANKS = {name: rank for rank, name in enumerate(CLASSES)}


class Part:
    """One path of a view: its own class, and what lies beneath it with a class of its own."""

    __slots__ = ("parts", "said")

    def __init__(self, classes: Mapping[str, Class] | None = None) -> None:
        self.said: Class | None = None
        self.parts: dict[str, Part] = {}
        for path, said in (classes or {}).items():
            part = self
            for name in path.split("."):
                part = part.parts.setdefault(name, Part())
            part.said = said


class Mask:
    """The classes of all tables, taken apart once."""

    def __init__(self, tables: Iterable[AnyTable]) -> None:
        self._tables = {table.name: Part(table.classes) for table in tables}

    def document(self, document: Mapping[str, Any], clearance: Class) -> dict[str, Any]:
        """A customer's document as this clearance may see it."""
        shown = dict(document)
        if clearance == UNCLASSED:
            return shown
        if shown.get("ids") and not is_cleared(IDS_CLASS, clearance):
            shown["ids"] = {kind: masked(IDS_CLASS) for kind in shown["ids"]}
        nothing = Part()
        shown["tables"] = {
            name: _seen(view, self._tables.get(name, nothing), None, clearance)
            for name, view in document["tables"].items()}
        return shown


def is_cleared(said: Class, clearance: Class) -> bool:
    """Whether this clearance may see this class."""
    return _RANKS[said] <= _RANKS[clearance]


def masked(said: Class) -> dict[str, str]:
    """What stands in place of a value."""
    return {"masked": said}


def _seen(value: Any, part: Part, inherited: Class | None, clearance: Class) -> Any:
    said = part.said or inherited
    if part.parts:
        if isinstance(value, Mapping):
            anything = part.parts.get(_ANY, _NOTHING)
            return {name: _seen(inner, part.parts.get(name, anything), said, clearance)
                    for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [_seen(inner, part, inherited, clearance) for inner in value]
    said = said or UNCLASSED
    return value if is_cleared(said, clearance) else masked(said)


_NOTHING = Part()

"""What of an explanation a clearance leaves to be seen. Pure.

Decides the class of each value in it: of a field of a table that of the table's view
(`TableSpec.classes`), of what an event or a trigger carried `personal`, as the log's schema has it;
thresholds and names come from the configuration and are `internal`. A trigger of a table has the
class of what it names there. What nobody has classed is `sensitive`. As in `classes.py`, a value is
never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from footfall.events.schema_rules import CLASSES, Class
from footfall.tables.spec import AnyTable
from footfall.view.classes import IDS_CLASS, UNCLASSED, is_cleared, masked
from footfall.view.document import Document

#: Of what events and triggers carry, and what is reckoned from it.
CARRIED: Final[Class] = "personal"
PLAIN: Final[Class] = "internal"
#: What the log's schema classes as internal, and whether a customer is in a segment.
_PLAIN_FIELDS: Final = frozenset({"event.name", "event.type", "event.channel"})


class ExplanationMask:
    """The classes of all tables, for explanations."""

    def __init__(self, tables: Iterable[AnyTable]) -> None:
        self._tables = {table.name: table for table in tables}
        self._by_trigger = {name: table for table in self._tables.values()
                            for name in table.triggers}

    def why(self, shown: Document, clearance: Class) -> Document:
        """An explained trigger as this clearance may see it."""
        if clearance == UNCLASSED:
            return shown
        seen = {**shown, "conditions": [self._condition(one, clearance)
                                        for one in shown["conditions"]]}
        if shown["ids"] and not is_cleared(IDS_CLASS, clearance):
            seen["ids"] = {kind: masked(IDS_CLASS) for kind in shown["ids"]}
        table = self._by_trigger.get(shown["name"])
        for part in ("data", "evidence"):
            classes = self._classes_of(table, part, shown["rule"] is not None)
            seen[part] = {
                name: value if is_cleared(said := classes(name), clearance) else masked(said)
                for name, value in shown[part].items()}
        return seen

    def why_not(self, shown: Document, clearance: Class) -> Document:
        """Why a rule did not fire, as this clearance may see it."""
        if clearance == UNCLASSED or "last" not in shown:
            return shown
        seen = dict(shown)
        last = shown["last"]
        if last is not None and last["value"] is not None:
            said = self._class_of(last["condition"] or {})
            if not is_cleared(said, clearance):
                seen["last"] = {**last, "value": masked(said)}
        if not is_cleared(CARRIED, clearance):
            seen["waiting"] = [{**wait, "key": masked(CARRIED)} if wait["key"] else wait
                               for wait in shown["waiting"]]
        return seen

    def _condition(self, condition: Mapping[str, Any], clearance: Class) -> Mapping[str, Any]:
        said = self._class_of(condition)
        return condition if is_cleared(said, clearance) else {**condition, "value": masked(said)}

    def _class_of(self, condition: Mapping[str, Any]) -> Class:
        """The class of the value that a condition compares."""
        if "segment" in condition:
            return PLAIN
        field = condition.get("field")
        if not isinstance(field, str):
            return CARRIED  # an aggregate, or CEL
        if field in _PLAIN_FIELDS:
            return PLAIN
        name, _, path = field.partition(".")
        table = self._tables.get(name)
        if table is None:
            return CARRIED
        found = _longest(table.classes, path)
        return found or (CARRIED if table.personal else PLAIN)

    @staticmethod
    def _classes_of(table: AnyTable | None, part: str, is_of_rule: bool) -> Any:
        """Name -> class, of what a trigger has in `part`."""
        if is_of_rule:
            # Data of a rule may be any field; the rest of its evidence is of the configuration.
            return lambda _name: CARRIED if part == "data" else PLAIN
        if table is None:
            return lambda _name: UNCLASSED
        usual = _highest(said for path, said in table.classes.items() if "." not in path)
        return lambda name: table.classes.get(name, usual)


def _longest(classes: Mapping[str, Class], path: str) -> Class | None:
    """The class of the longest part of a path that has one; `*` is any name."""
    names = path.split(".")
    while names:
        for spelled in (".".join(names), ".".join((*names[:-1], "*"))):
            if spelled in classes:
                return classes[spelled]
        names.pop()
    return None


def _highest(classes: Iterable[Class]) -> Class:
    found = list(classes)
    return max(found, key=CLASSES.index) if found else UNCLASSED

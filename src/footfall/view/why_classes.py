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
        for part in ("data", "evidence"):
            seen[part] = self._part(shown["name"], part, shown[part], clearance,
                                    shown["rule"] is not None)
        return seen

    def trigger(self, shown: Document, clearance: Class) -> Document:
        """A trigger with `data` and `evidence` taken apart, as this clearance may see it. Where
        the evidence is of a rule its conditions are masked one by one.
        """
        if clearance == UNCLASSED:
            return shown
        seen = dict(shown)
        if shown["ids"] and not is_cleared(IDS_CLASS, clearance):
            seen["ids"] = {kind: masked(IDS_CLASS) for kind in shown["ids"]}
        is_of_rule = is_rule(shown["evidence"])
        for part in ("data", "evidence"):
            seen[part] = self._part(shown["name"], part, shown[part], clearance, is_of_rule)
        if is_of_rule:
            on = shown["evidence"]["on"]
            seen["evidence"]["on"] = {**on, **self._conditions(on, clearance)}
            seen["evidence"] |= self._conditions(shown["evidence"], clearance)
        return seen

    def _conditions(self, holder: Mapping[str, Any], clearance: Class) -> Mapping[str, Any]:
        """`conditions` of a rule's evidence as they were recorded; {} where there are none."""
        found = holder.get("conditions")
        if found is None:
            return {}
        if not isinstance(found, list):
            return {"conditions": masked(UNCLASSED)}
        return {"conditions": [self._recorded(one, clearance) for one in found]}

    def _recorded(self, one: Any, clearance: Class) -> Any:
        """One comparison: the definition is the configuration's, the value is classed by it."""
        definition = one.get("condition") if isinstance(one, Mapping) else None
        said = self._class_of(definition) if isinstance(definition, Mapping) else UNCLASSED
        if is_cleared(said, clearance):
            return one
        return {**one, "value": masked(said)} if isinstance(definition, Mapping) else masked(said)

    def _part(self, name: str, part: str, values: Mapping[str, Any], clearance: Class,
              is_of_rule: bool) -> Document:
        classes = self._classes_of(self._by_trigger.get(name), part, is_of_rule)
        return {field: value if is_cleared(said := classes(field), clearance) else masked(said)
                for field, value in values.items()}

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


def is_rule(evidence: Mapping[str, Any]) -> bool:
    """Whether this is the evidence of a rule rather than of a table."""
    return isinstance(evidence.get("rule"), str) and isinstance(evidence.get("on"), dict)


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

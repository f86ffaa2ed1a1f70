"""What a condition asks: a name of a field, made into functions that read it.

Decides which names there are: of the event that a rule acts on, of the trigger, and of each table
what it says of itself (`TableSpec.fields`, `field_of`). A field has any number of values (arrays of
an event are passed through); a table's field has one or none, or several texts. Must never give a
value that depends on anything but the customer's rows, the event or trigger, and the instant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from footfall.errors import MisfitError
from footfall.events import amount
from footfall.events.interaction import Interaction
from footfall.tables.cart_triggers import instant
from footfall.tables.computed_filter import TYPES, Paths, Values, cut, text_of, units_of
from footfall.tables.computed_row import check_path
from footfall.tables.record import CustomerRecord
from footfall.tables.spec import AnyTable, Trigger
from footfall.tables.step import Staged, Step

EVENT: Final = "event"
TRIGGER: Final = "trigger"
#: Kinds of fields: those of `FieldSpec`, and content as it was sent.
ANY: Final = "any"
TEXT: Final = "text"
TEXTS: Final = "texts"
FLAG: Final = "flag"
NUMBER: Final = "number"
INSTANT: Final = "instant"
#: Of an event's envelope, beside the paths of its item.
_ENVELOPE: Final = {"name": "event", "type": "type", "channel": "channel"}
_LINKS: Final = "links"
_PARTS: Final = ("data", "evidence")
#: Of what a trigger shows: of a text in UTF-8, and values of one field.
SHOWN_BYTES_MAX: Final = 200
SHOWN_VALUES_MAX: Final = 20
_NO_PATHS: Final = Paths(())


class Seen:
    """A customer at an instant: what conditions may look at. Rows are decoded once, as staged by
    the step that is being made, else as they are in the record.
    """

    def __init__(self, steps: Mapping[str, Step], record: CustomerRecord, staged: Sequence[Staged],
                 event: Interaction | None, now: int) -> None:
        self.now = now
        self.event = event
        self.trigger: Trigger | None = None
        self.paths = _NO_PATHS
        self._steps = steps
        self._record = record
        self._rows: dict[str, tuple[Any, Any]] = {}
        self._values: Values | None = None
        self.stage(staged)

    def stage(self, staged: Sequence[Staged]) -> None:
        """Take in what steps would make of rows."""
        for step, _row, facts, said in staged:
            self._rows[step.name] = (facts, said.told)

    def row(self, name: str) -> tuple[Any, Any]:
        """Facts and told of a table."""
        found = self._rows.get(name)
        if found is None:
            found = self._rows[name] = self.before(name)
        return found

    def before(self, name: str) -> tuple[Any, Any]:
        """The same as they are in the record."""
        return self._steps[name].rows.read(self._record.rows.get(name))

    def config(self, name: str) -> Any:
        """A table's section of the configuration in force."""
        return self._steps[name].config

    def owned(self) -> list[bytes]:
        """The keys of the customer's other identifiers."""
        if _LINKS not in self._steps:
            return []
        return [link.key for link in self.row(_LINKS)[1].owned]

    def at(self, path: str) -> list[Any]:
        """The values at a path of the event."""
        found = self._values
        return (self.values() if found is None else found).at(path)

    def values(self) -> Values:
        """The values of the event at the paths that its rules read."""
        found = self._values
        if found is None:
            assert self.event is not None
            found = self._values = self.paths.read(self.event)
        return found


class Source:
    """One field. `values(seen)`: as they are; `units`: as numbers of 10^-9, None for each that is
    none; `texts` alike. `token` is what it depends on, `path` that of an event's item.
    """

    def __init__(self, name: str, kind: str, values: Callable[[Seen], list[Any]]) -> None:
        self.name = name
        self.kind = kind
        self.values = values
        self.token = ""
        self.path = ""
        #: The only texts that it can be.
        self.choices: tuple[str, ...] = ()
        self.changes_at: Callable[[Seen], int | None] | None = None

    def units(self, seen: Seen) -> list[int | None]:
        """As numbers."""
        if self.kind == NUMBER:
            return self.values(seen)
        if self.path:
            return seen.values().units(self.path)  # read once for all rules
        return [units_of(value) for value in self.values(seen)]

    def texts(self, seen: Seen) -> list[str | None]:
        """As texts, None for each that has none."""
        if self.kind == NUMBER:
            return [amount.text(value) for value in self.values(seen)]
        return [text_of(value) for value in self.values(seen)]

    def shown(self, seen: Seen) -> Any:
        """For people: JSON without floats; one value, None, or a list of several, cut to what a
        trigger can hold whatever is sent.
        """
        found = [shown(self.kind, value) for value in self.values(seen)[:SHOWN_VALUES_MAX]]
        return None if not found else found[0] if len(found) == 1 else found


class Catalogue:
    """All fields there are under one configuration."""

    def __init__(self, tables: Sequence[AnyTable], sections: Mapping[str, Any]) -> None:
        self._tables = {table.name: table for table in tables}
        self._sections = sections

    def source(self, name: str, *, subject: str) -> Source:
        """The field of a name. `subject`: what conditions here may ask besides tables: EVENT,
        TRIGGER or "". Raises MisfitError with what there is.
        """
        root, _, rest = name.partition(".")
        if root in (EVENT, TRIGGER):
            if root != subject:
                raise MisfitError(f"{name!r} is there only in `if`, `key` and `data` of a rule on "
                                  f"{_SUBJECTS[root]}")
            return _of_event(name, rest) if root == EVENT else _of_trigger(name, rest)
        table = self._tables.get(root)
        if table is None:
            raise MisfitError(f"{name!r}: there is no {root[:50]!r}; a field begins with event, "
                              f"trigger or one of {', '.join(self.roots())}")
        return self._of_table(table, name, rest)

    def roots(self) -> list[str]:
        """The tables that have fields."""
        return [table.name for table in self._tables.values() if table.fields or table.field_of]

    def _of_table(self, table: AnyTable, name: str, rest: str) -> Source:
        said = table.fields.get(rest)
        if said is None and table.field_of is not None:
            said = table.field_of(rest, self._sections[table.name])
        if said is None:
            known = ", ".join(f"{table.name}.{one}" for one in table.fields) or "none"
            raise MisfitError(f"there is no field {name!r}; known: {known}")
        read = _reader(table.name, said.read)
        found = Source(name, said.kind, _as_sent(read) if said.kind == ANY else read)
        found.token = table.name
        found.choices = said.values
        if said.changes_at is not None:
            found.changes_at = _clock(table.name, said.changes_at)
        return found


_SUBJECTS = {EVENT: "an interaction (on: {call: ...})", TRIGGER: "a trigger"}


def shown(kind: str, value: Any) -> Any:
    """One value as JSON without floats."""
    if kind == NUMBER:
        return amount.text(value)
    if kind == INSTANT:
        return instant(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return cut(value, SHOWN_BYTES_MAX)
    if isinstance(value, dict):
        return "(an object)"
    return text_of(value)


def _as_sent(read: Callable[[Seen], list[Any]]) -> Callable[[Seen], list[Any]]:
    """A table's content as that of an event: numbers as they are, not integers of 10^-9."""
    def values(seen: Seen) -> list[Any]:
        return [Decimal(amount.text(value)) if type(value) is int else value
                for value in read(seen)]
    return values


def _reader(table: str, read: Callable[[Any, Any, int, Any], Any]) -> Callable[[Seen], list[Any]]:
    def values(seen: Seen) -> list[Any]:
        facts, told = seen.row(table)
        value = read(facts, told, seen.now, seen.config(table))
        if value is None:
            return []
        return list(value) if isinstance(value, tuple) else [value]
    return values


def _clock(table: str, changes_at: Callable[[Any, Any, int, Any], int | None]
           ) -> Callable[[Seen], int | None]:
    def at(seen: Seen) -> int | None:
        facts, told = seen.row(table)
        return changes_at(facts, told, seen.now, seen.config(table))
    return at


def _of_event(name: str, rest: str) -> Source:
    member = _ENVELOPE.get(rest)
    if member is not None:
        return Source(name, TEXT, lambda seen: _envelope(seen, member))
    check_path(rest, "")
    found = Source(name, ANY, lambda seen: seen.values().at(rest))
    found.path = rest
    return found


def _envelope(seen: Seen, member: str) -> list[Any]:
    event: Any = seen.event
    if event is None or not event[member]:
        return []
    return [TYPES.get(event[member], event[member]) if member == "type" else event[member]]


def _of_trigger(name: str, rest: str) -> Source:
    part, *names = rest.split(".")
    if part not in _PARTS or not names or not all(names):
        raise MisfitError(f"{name!r}: of a trigger there are trigger.data.<name> and "
                          "trigger.evidence.<name>")
    is_data = part == "data"

    def values(seen: Seen) -> list[Any]:
        trigger = seen.trigger
        if trigger is None:
            return []
        found: list[Any] = []
        _follow(trigger.data if is_data else trigger.evidence, names, found)
        return found
    return Source(name, ANY, values)


def _follow(value: Any, names: Sequence[str], found: list[Any]) -> None:
    if isinstance(value, list | tuple):
        for inner in value:
            _follow(inner, names, found)
    elif not names:
        if value is not None:
            found.append(value)
    elif isinstance(value, Mapping):
        inner = value.get(names[0])
        if inner is not None:
            _follow(inner, names[1:], found)

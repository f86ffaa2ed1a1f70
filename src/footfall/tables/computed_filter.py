"""Which declared traits an event concerns, and the values it has for them.

Decides how names are matched (as e-commerce events are: any case, blanks or underscores, version 1
aliases), how a path is followed (arrays are passed through, so a path may have several values; null
is no value), and what a condition means: it holds where any of the values fits, `not_equals` where
none is equal. Numbers are compared exactly, a text that is a numeral counts as one; otherwise
kinds must be alike. Everything read is free content: what is of another kind than expected fits
nothing and never fails a step. Must never look at facts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec

from footfall.events import amount, outcomes
from footfall.events.admit import CALLS, DEPTH_MAX
from footfall.events.commerce import ACTIONS, NUMERAL, squeeze
from footfall.events.interaction import DELIVERY, Interaction
from footfall.tables.computed_limits import VALUE_BYTES_MAX
from footfall.tables.computed_row import Condition, Definition, Over

#: Values of one event at one path; more are skipped and counted.
VALUES_MAX: Final = 250
_CHANNEL: Final = "channel"
_REMEMBERED: Final = 16_384
#: Of a whole number that is kept as text: it has at most `VALUE_BYTES_MAX` digits.
_INTEGER_BITS_MAX: Final = 300
_WHOLE_MAX: Final = 10**amount.DIGITS_MAX

#: Type of an event -> the call that definitions and rules name it by.
TYPES: Final = {**{call: call for call in CALLS}, DELIVERY: outcomes.CALL}

Test = Callable[["Values"], bool]


class Paths:
    """The paths that are read, and a decoder that passes over all else of an item."""

    def __init__(self, paths: Sequence[str]) -> None:
        members: dict[str, dict[str, str]] = {}
        #: Path -> member, the field of its struct, the names that follow.
        self.places: dict[str, tuple[str, str, str, tuple[str, ...]]] = {}
        for path in sorted(set(paths)):
            if path == _CHANNEL:
                continue
            member, name, *rest = path.split(".")
            fields = members.setdefault(member, {})
            field = fields.setdefault(name, f"f{len(fields)}")
            self.places[path] = (member, field, name, tuple(rest))
        parts = [
            (member, msgspec.defstruct(member, [(f, Any, None) for f in fields.values()],
                                       rename={f: name for name, f in fields.items()}), None)
            for member, fields in members.items()]
        self._item = msgspec.json.Decoder(msgspec.defstruct("Item", parts), float_hook=Decimal)
        self._any = msgspec.json.Decoder(float_hook=Decimal)

    def read(self, event: Interaction) -> Values:
        """The values of an event."""
        raw = event["personal"]
        try:
            return Values(self, event["channel"], self._item.decode(raw), None)
        except (msgspec.DecodeError, ArithmeticError, UnicodeDecodeError, RecursionError):
            pass  # a member is of another kind, perhaps: the others still count
        try:
            return Values(self, event["channel"], None, self._any.decode(raw))
        except (msgspec.DecodeError, ArithmeticError, UnicodeDecodeError, RecursionError):
            return Values(self, event["channel"], None, None)


class Values:
    """What one event says: as structs of the paths that are read, or as it is."""

    def __init__(self, paths: Paths, channel: str, item: Any, other: Any) -> None:
        self._places = paths.places
        self._channel = channel
        self._item = item
        self._other = other
        # Many definitions read the same paths.
        self._found: dict[str, list[Any]] = {}
        self._units: dict[str, list[int | None]] = {}
        self._texts: dict[str, list[str | None]] = {}

    def at(self, path: str) -> list[Any]:
        """All values at a path; none of them null."""
        found = self._found.get(path)
        if found is None:
            found = self._found[path] = self._at(path)
        return found

    def units(self, path: str) -> list[int | None]:
        """The same as numbers in 10^-9, None for each that is none."""
        units = self._units.get(path)
        if units is None:
            units = self._units[path] = [units_of(value) for value in self.at(path)]
        return units

    def texts(self, path: str) -> list[str | None]:
        """The same as texts, None for each that has none."""
        texts = self._texts.get(path)
        if texts is None:
            texts = self._texts[path] = [text_of(value) for value in self.at(path)]
        return texts

    def _at(self, path: str) -> list[Any]:
        if path == _CHANNEL:
            return [self._channel] if self._channel else []
        member, field, name, rest = self._places[path]
        value: Any = None
        if self._item is not None:
            part = getattr(self._item, member)
            if part is not None:
                value = getattr(part, field)
        elif isinstance(self._other, dict):
            part = self._other.get(member)
            if isinstance(part, dict):
                value = part.get(name)
        found: list[Any] = []
        if value is not None:
            _follow(value, rest, found, DEPTH_MAX)
        return found


class Filter:
    """The declared traits by the events that concern them."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self._paths = Paths([path for said in definitions for path in paths_of(said)])
        tests = [None if said.over.where is None else compiled(said.over.where)
                 for said in definitions]
        names = {named(said.over.event) for said in definitions if said.over.event is not None}
        #: Type -> name of an event (matched) -> what may concern it; "" for all other names.
        self._by_call = {
            kind: {name: [(n, tests[n]) for n, said in enumerate(definitions)
                          if _may_concern(said.over, call, name)] for name in {"", *names}}
            for kind, call in TYPES.items()}

    def candidates(self, event: Interaction) -> list[tuple[int, Test | None]]:
        """Numbers of the definitions whose call and name fit, each with what else must hold."""
        by_name = self._by_call.get(event["type"])
        if by_name is None:
            return []
        found = by_name.get(named(event["event"])) if event["event"] else None
        return by_name[""] if found is None else found

    def read(self, event: Interaction) -> Values:
        """The values of an event."""
        return self._paths.read(event)


@lru_cache(maxsize=_REMEMBERED)
def named(event: str) -> str:
    """A name less what its spellings differ in."""
    squeezed = squeeze(event)
    return ACTIONS.get(squeezed, squeezed)


def paths_of(definition: Definition) -> list[str]:
    """The paths that a definition reads."""
    found = [] if definition.value is None else [definition.value]
    where = definition.over.where
    return found if where is None else found + paths_of_condition(where)


def paths_of_condition(condition: Condition) -> list[str]:
    """The paths that a condition reads."""
    found = []
    waiting = [condition]
    while waiting:
        one = waiting.pop()
        if one.path is not None:
            found.append(one.path)
        waiting.extend(one.all or one.any or ())
    return found


def units_of(value: Any) -> int | None:
    """A number in 10^-9, exact; None for what is none, or none that can be held exactly."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if NUMERAL.fullmatch(value) is None:
            return None
    elif isinstance(value, int):
        return value * amount.ONE if -_WHOLE_MAX < value < _WHOLE_MAX else None
    elif not isinstance(value, Decimal):
        return None
    try:
        return amount.parse(value)
    except ValueError:
        return None


def text_of(value: Any) -> str | None:
    """A value as text, cut to its limit; None for what has none: an object, or empty."""
    if isinstance(value, str):
        return cut(value, VALUE_BYTES_MAX) or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() <= _INTEGER_BITS_MAX:
        return str(value)
    units = units_of(value)
    return None if units is None else amount.text(units)


def compiled(condition: Condition) -> Test:
    """A condition as a function of an event's values."""
    if condition.all is not None:
        inner = [compiled(one) for one in condition.all]
        return lambda values: all(test(values) for test in inner)
    if condition.any is not None:
        inner = [compiled(one) for one in condition.any]
        return lambda values: any(test(values) for test in inner)
    path = condition.path
    assert path is not None
    if condition.exists is not None:
        is_there = condition.exists
        return lambda values: bool(values.at(path)) == is_there
    if condition.not_equals is not None:
        other = _operand(condition.not_equals)
        return lambda values: not _has(values, path, other)
    if condition.equals is not None:
        wanted = _operand(condition.equals)
        return lambda values: _has(values, path, wanted)
    if condition.in_ is not None:
        others = [_operand(one) for one in condition.in_]
        return lambda values: any(_has(values, path, one) for one in others)
    if condition.contains is not None:
        part = condition.contains
        return lambda values: any(isinstance(value, str) and part in value
                                  for value in values.at(path))
    return _compared(condition, path)


def _compared(condition: Condition, path: str) -> Test:
    """`greater` or `less`."""
    is_greater = condition.greater is not None
    bound = amount.parse(str(condition.greater if is_greater else condition.less))
    if is_greater:
        return lambda values: any(u is not None and u > bound for u in values.units(path))
    return lambda values: any(u is not None and u < bound for u in values.units(path))


def _operand(value: bool | int | float | str) -> Any:
    """A number is compared as an exact amount, all else as it is."""
    if isinstance(value, bool | str):
        return value
    return amount.parse(str(value))


def _has(values: Values, path: str, other: Any) -> bool:
    """Whether any of the values at a path is this one."""
    if isinstance(other, bool):
        return any(value is other for value in values.at(path))
    if isinstance(other, int):
        return other in values.units(path)
    return any(isinstance(value, str) and value == other for value in values.at(path))


def _may_concern(over: Over, call: str, name: str) -> bool:
    if over.call is None:
        return call != outcomes.CALL
    return over.call == call and (over.event is None or (bool(name) and named(over.event) == name))


def _follow(value: Any, rest: tuple[str, ...], found: list[Any], depth: int) -> None:
    """Adds what lies at the names that are left."""
    if not depth:
        return
    if isinstance(value, list):
        for inner in value:
            _follow(inner, rest, found, depth - 1)
    elif not rest:
        if value is not None:
            found.append(value)
    elif isinstance(value, dict):
        inner = value.get(rest[0])
        if inner is not None:
            _follow(inner, rest[1:], found, depth - 1)


def cut(text: str, bytes_max: int) -> str:
    """At most so many bytes of UTF-8, at the end of a character."""
    if len(text) <= bytes_max and text.isascii():
        return text
    return text.encode(errors="replace")[:bytes_max].decode(errors="ignore")

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

from footfall.events import amount
from footfall.events.admit import CALLS, DEPTH_MAX
from footfall.events.commerce import ACTIONS, NUMERAL, squeeze
from footfall.events.interaction import Interaction
from footfall.tables.computed_limits import VALUE_BYTES_MAX
from footfall.tables.computed_row import Condition, Definition, Over

#: Values of one event at one path; more are skipped and counted.
VALUES_MAX: Final = 250
_CHANNEL: Final = "channel"
_REMEMBERED: Final = 16_384
#: Of a whole number that is kept as text: it has at most `VALUE_BYTES_MAX` digits.
_INTEGER_BITS_MAX: Final = 300

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

    def at(self, path: str) -> list[Any]:
        """All values at a path; none of them null."""
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
        #: Call -> name of an event (matched) -> what may concern it; "" for all other names.
        self._by_call = {
            call: {name: [(n, tests[n]) for n, said in enumerate(definitions)
                          if _may_concern(said.over, call, name)] for name in {"", *names}}
            for call in CALLS}

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
    waiting = [] if definition.over.where is None else [definition.over.where]
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
    elif not isinstance(value, int | Decimal):
        return None
    try:
        return amount.parse(value)
    except ValueError:
        return None


def text_of(value: Any) -> str | None:
    """A value as text, cut to its limit; None for what has none: an object, or empty."""
    if isinstance(value, str):
        return _cut(value) or None
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
        wanted = condition.exists
        return lambda values: bool(values.at(path)) == wanted
    if condition.not_equals is not None:
        other = _operand(condition.not_equals)
        return lambda values: not any(_equals(value, other) for value in values.at(path))
    fits = _fitting(condition)
    return lambda values: any(fits(value) for value in values.at(path))


def _fitting(condition: Condition) -> Callable[[Any], bool]:
    """What one value must be for a condition to hold."""
    if condition.equals is not None:
        other = _operand(condition.equals)
        return lambda value: _equals(value, other)
    if condition.in_ is not None:
        others = [_operand(one) for one in condition.in_]
        return lambda value: any(_equals(value, one) for one in others)
    if condition.contains is not None:
        part = condition.contains
        return lambda value: isinstance(value, str) and part in value
    given = condition.greater if condition.greater is not None else condition.less
    bound = amount.parse(str(given))
    sign = 1 if condition.greater is not None else -1
    return lambda value: _exceeds(value, bound, sign)


def _operand(value: bool | int | float | str) -> Any:
    """A number is compared as an exact amount, all else as it is."""
    if isinstance(value, bool | str):
        return value
    return amount.parse(str(value))


def _equals(value: Any, other: Any) -> bool:
    if isinstance(other, bool) or isinstance(value, bool):
        return value is other
    if isinstance(other, int):
        return units_of(value) == other
    return isinstance(value, str) and value == other


def _exceeds(value: Any, bound: int, sign: int) -> bool:
    units = units_of(value)
    return units is not None and sign * units > sign * bound


def _may_concern(over: Over, call: str, name: str) -> bool:
    if over.call is None:
        return True
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


def _cut(value: str) -> str:
    """At most `VALUE_BYTES_MAX` bytes of UTF-8, at the end of a character."""
    if len(value) <= VALUE_BYTES_MAX and value.isascii():
        return value
    data = value.encode(errors="replace")
    return data[:VALUE_BYTES_MAX].decode(errors="ignore")

"""What conditions allow of one subject, taken together: whether any value is left at all.

Decides when comparisons of one field, or of one aggregate, contradict each other, and when one
follows from another. A subject with several values (an array of an event, a list of texts) may
fit two comparisons with two of them, so only some contradictions are certain there. Where it is not
sure it says nothing: what is said must be true. Pure; knows no customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from footfall.events import amount
from footfall.tables.rules_row import COMPARISONS, Condition, span_ms

#: Aggregates that are a whole number and always there.
COUNTS: Final = frozenset({"count", "distinct_count"})
#: Aggregates that are there without any event.
ALWAYS_THERE: Final = COUNTS | {"sum"}
#: Operators that hold only of a value that is there.
_POSITIVE: Final = frozenset({"equals", "in", "contains", "older_than", "newer_than", *COMPARISONS})
#: A value: its kind, and what it is compared by.
Key = tuple[str, Any]


class Subject(NamedTuple):
    """What conditions are about: a field, an aggregate, a segment. `is_single`: it has one value at
    most. `is_whole`: a whole number of 0 or more. `is_there`: it always has a value.
    """

    key: str
    shown: str
    is_single: bool = True
    is_whole: bool = False
    is_there: bool = False


class Range(NamedTuple):
    """The numbers that are left, in 10^-9; None: no bound. Strict: without the bound itself."""

    least: int | None = None
    is_least_strict: bool = False
    most: int | None = None
    is_most_strict: bool = False

    def holds(self, value: int) -> bool:
        """Whether a number is among them."""
        if self.least is not None and (value < self.least
                                       or (self.is_least_strict and value == self.least)):
            return False
        return not (self.most is not None and (value > self.most or (
            self.is_most_strict and value == self.most)))

    def is_empty(self, *, is_whole: bool) -> bool:
        """Whether no number is left."""
        least, most = self.least, self.most
        if is_whole:
            first = 0 if least is None else max(0, -(-least // amount.ONE))
            if least is not None and self.is_least_strict and first * amount.ONE == least:
                first += 1
            return most is not None and not self.holds(max(first, 0) * amount.ONE)
        if least is None or most is None:
            return False
        return least > most or (least == most and (self.is_least_strict or self.is_most_strict))


def contradiction(subject: Subject, said: Sequence[Condition]) -> str:
    """Why no value fits all of these comparisons; "" where one may."""
    absent = [one for one in said if one.operator == "exists" and one.operand is False]
    positive = [one for one in said if one.operator in _POSITIVE
                or (one.operator == "exists" and one.operand is True)]
    if absent and (positive or subject.is_there):
        return ("is always there" if not positive
                else f"cannot be absent and {_shown(positive[0])}")
    if not subject.is_single:
        return _of_several(said)
    return _spans(said) or _values(subject, said)


def is_certain(subject: Subject, said: Condition) -> bool:
    """Whether a comparison holds of every customer."""
    if not subject.is_there:
        return False
    if said.operator == "exists":
        return said.operand is True
    if said.operator not in COMPARISONS or not subject.is_whole:
        return False
    # Negated it leaves nothing.
    return _range([said], is_negated=True).is_empty(is_whole=True)


def follows(said: Condition, other: Condition) -> bool:
    """Whether `other` holds wherever `said` does, both of one subject."""
    if said == other:
        return True
    if other.operator == "exists":
        return other.operand is True and said.operator in _POSITIVE
    values, wanted = _keys(said), _keys(other)
    if values and wanted:
        return set(values) <= set(wanted)
    if other.operator in COMPARISONS:
        allowed = _range([other])
        if values:
            return all(kind == "n" and allowed.holds(value) for kind, value in values)
        if said.operator in COMPARISONS:
            return _is_within(_range([said]), allowed)
    for name, sign in (("older_than", 1), ("newer_than", -1)):
        if said.operator == other.operator == name:
            return sign * span_ms(said.operand) >= sign * span_ms(other.operand)
    return False


def _of_several(said: Sequence[Condition]) -> str:
    """`not_equals` holds where no value is equal: with `equals` of the same it is certain."""
    refused = {key: one for one in said if one.operator == "not_equals"
               for key in (_key(one.operand),)}
    for one in said:
        keys = _keys(one)
        if keys and all(key in refused for key in keys):
            return f"cannot be {_shown(one)} and {_shown(refused[keys[0]])}"
    return ""


def _spans(said: Sequence[Condition]) -> str:
    older = [one for one in said if one.operator == "older_than"]
    newer = [one for one in said if one.operator == "newer_than"]
    for least in older:
        for most in newer:
            if span_ms(most.operand) <= span_ms(least.operand):
                return f"cannot be {_shown(least)} and {_shown(most)}"
    return ""


def _values(subject: Subject, said: Sequence[Condition]) -> str:
    """Of one value: what `equals`, `in`, `not_equals` and comparisons leave."""
    compared = [one for one in said if one.operator in COMPARISONS]
    listed = [one for one in said if one.operator in ("equals", "in")]
    if len({kind for one in listed for kind, _value in _keys(one)}) > 1:
        return ""  # a number sent as text is equal to both
    if listed:
        left = set(_keys(listed[0]))
        allowed = _range(compared)
        for n, one in enumerate(listed[1:], 1):
            left &= set(_keys(one))
            if not left:
                return f"cannot be {_shown(listed[0])} and {_shown(listed[n])}"
        for one in said:
            if one.operator == "not_equals":
                left.discard(_key(one.operand))
        if not left:
            return f"cannot be {_shown(listed[0])} and yet none of that"
        if compared and all(kind == "n" and not allowed.holds(value) for kind, value in left):
            return f"cannot be {_shown(listed[0])} and {_shown(compared[0])}"
        return ""
    if compared and _range(compared).is_empty(is_whole=subject.is_whole):
        return f"cannot be {' and '.join(dict.fromkeys(map(_shown, compared)))}"
    return ""


def _range(said: Iterable[Condition], *, is_negated: bool = False) -> Range:
    """The numbers that comparisons leave."""
    found = Range()
    for one in said:
        bound = amount.parse(one.operand if isinstance(one.operand, int) else str(one.operand))
        is_strict = (one.operator in ("greater", "less")) != is_negated
        if (one.operator in ("greater", "at_least")) != is_negated:
            if found.least is None or (bound, is_strict) > (found.least, found.is_least_strict):
                found = found._replace(least=bound, is_least_strict=is_strict)
        elif found.most is None or (-bound, is_strict) > (-found.most, found.is_most_strict):
            found = found._replace(most=bound, is_most_strict=is_strict)
    return found


def _is_within(inner: Range, outer: Range) -> bool:
    if outer.least is not None and (inner.least is None or (
            (inner.least, inner.is_least_strict) < (outer.least, outer.is_least_strict))):
        return False
    return not (outer.most is not None and (inner.most is None or (
        (-inner.most, inner.is_most_strict) < (-outer.most, outer.is_most_strict))))


def _keys(said: Condition) -> list[Key]:
    """The values that `equals` or `in` names."""
    if said.operator == "equals":
        return [_key(said.operand)]
    return [_key(one) for one in said.operand] if said.operator == "in" else []


def _key(value: Any) -> Key:
    if isinstance(value, bool):
        return "b", value
    if isinstance(value, str):
        return "t", value
    return "n", amount.parse(value if isinstance(value, int) else str(value))


def _shown(said: Condition) -> str:
    return f"{said.operator} {msgspec.json.encode(said.operand).decode()}"

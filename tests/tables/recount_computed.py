"""Computed traits counted again from all events, in the plainest code there is.

Shares nothing with `footfall.tables` but the form of definitions and events: every event is kept
and looked at whenever a value is asked for. Knows no limits, so it is for customers that none has
touched. Numbers are fractions; distinct values are counted exactly.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from footfall.tables.computed_row import Condition, Definition
from tests.tables.strategies import Happening

NANO = 10**9
UNITS = {"1h": (60_000, 60), "24h": (900_000, 96), "7d": (3_600_000, 168), "30d": (86_400_000, 30)}


def value(definition: Definition, happenings: Sequence[Happening], now: int) -> Any:
    """What the trait is at `now`, in the form of `computed_reading.value`."""
    found = []
    for event, when in happenings:
        if _counts(definition, event) and _within(definition.window, when, now):
            item = json.loads(event["personal"], parse_float=Decimal)
            at = (_at(item, definition.value.split(".")) if definition.value else [None])
            read = [_number(v) if definition.of in ("sum", "average", "min", "max") else _text(v)
                    for v in at] if definition.value else [None]
            for n, one in enumerate(v for v in read if v is not None or not definition.value):
                found.append((when, event["message_id"][:36], n, one))
    values = [one for _when, _id, _n, one in found]
    times = [when for when, _id, _n, _one in found]
    of = definition.of
    if of == "count":
        return len(found)
    if of == "sum":
        return sum(values) * NANO
    if of == "distinct_count":
        return len(set(values))
    if of == "unique_list":
        return tuple(sorted(set(values)))
    if not found:
        return None
    if of == "average":
        return round(Fraction(sum(values), len(values)) * NANO)
    if of in ("min", "max"):
        return (min if of == "min" else max)(values) * NANO
    if of == "first":
        return min((when, id_, n, one) for when, id_, n, one in found)[3]
    if of == "last":
        return max((when, id_, n, one) for when, id_, n, one in found)[3]
    if of == "most_frequent":
        counts = Counter(values)
        return min(counts, key=lambda v: (-counts[v], v))
    return now - (min(times) if of == "time_since_first" else max(times))


def holds(condition: Condition, item: Any) -> bool:
    """Whether a condition holds for an item as it was sent."""
    if condition.all is not None:
        return all(holds(one, item) for one in condition.all)
    if condition.any is not None:
        return any(holds(one, item) for one in condition.any)
    assert condition.path is not None
    values = _at(item, condition.path.split("."))
    if condition.exists is not None:
        return (len(values) > 0) is condition.exists
    if condition.contains is not None:
        return any(isinstance(v, str) and condition.contains in v for v in values)
    if condition.equals is not None:
        return any(_same(v, condition.equals) for v in values)
    if condition.not_equals is not None:
        return not any(_same(v, condition.not_equals) for v in values)
    if condition.in_ is not None:
        return any(_same(v, other) for v in values for other in condition.in_)
    numbers = [n for n in map(_number, values) if n is not None]
    if condition.greater is not None:
        return any(n > Fraction(str(condition.greater)) for n in numbers)
    return any(n < Fraction(str(condition.less)) for n in numbers)


def _counts(definition: Definition, event: Any) -> bool:
    over = definition.over
    if over.call is not None and event["type"] != over.call:
        return False
    if over.event is not None and event["event"] != over.event:
        return False
    item = json.loads(event["personal"], parse_float=Decimal)
    return over.where is None or holds(over.where, item)


def _within(window: str, when: int, now: int) -> bool:
    if window == "ever":
        return True
    unit, whole = UNITS[window]
    return when // unit >= now // unit - whole


def _at(value: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(value, list):
        return [found for inner in value for found in _at(inner, names)]
    if not names:
        return [] if value is None else [value]
    return _at(value.get(names[0]), names[1:]) if isinstance(value, dict) else []


def _number(value: Any) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        number = Fraction(value)
    except ValueError:
        return None
    rounded = Fraction(round(number * NANO), NANO)
    return rounded if abs(rounded) < 10**18 else None


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        while len(value.encode()) > 100:
            value = value[:-1]
        return value or None
    number = _number(value)
    if number is None:
        return None
    text = format(Decimal(number.numerator) / Decimal(number.denominator), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    if isinstance(other, str):
        return isinstance(value, str) and value == other
    number = _number(value)
    return number is not None and number == Fraction(str(other))

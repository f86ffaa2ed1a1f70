"""What the operators of conditions mean, over the values of a field.

Decides that a comparison holds where any value fits, `not_equals` where none is equal; that numbers
are compared exactly; and which operators and operands go with which kind of field. What cannot be
compared (text with greater, a level that there is not) is refused, with its key. Must never fail on
content: what does not fit does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from footfall.errors import MisfitError
from footfall.events import amount
from footfall.tables.rules_fields import (
    ANY,
    FLAG,
    INSTANT,
    NUMBER,
    TEXT,
    TEXTS,
    Seen,
    Source,
)
from footfall.tables.rules_row import COMPARISONS, Condition, span_ms

Test = Callable[[Seen], bool]


def comparison(said: Condition, source: Source) -> Test:
    """The operator of a condition over a field; refuses what cannot be compared."""
    name, operand, kind = said.operator, said.operand, source.kind
    _check_kinds(name, operand, source)
    values, units = source.values, source.units
    if name == "exists":
        return lambda seen: bool(values(seen)) == operand
    if name in ("older_than", "newer_than"):
        span = span_ms(operand)
        if name == "older_than":
            return lambda seen: any(seen.now - at >= span for at in values(seen))
        return lambda seen: any(seen.now - at < span for at in values(seen))
    if name == "contains":
        if kind == TEXTS:
            return lambda seen: operand in values(seen)
        return lambda seen: any(isinstance(v, str) and operand in v for v in values(seen))
    if name in COMPARISONS:
        return _compared(name, amount.parse(operand if isinstance(operand, int) else str(operand)),
                         units)
    wanted = [_equal(one, source, name) for one in (operand if name == "in" else (operand,))]
    if name == "not_equals":
        other = wanted[0]
        return lambda seen: not other(seen)
    if len(wanted) == 1:
        return wanted[0]
    return lambda seen: any(one(seen) for one in wanted)


def _compared(name: str, bound: int, units: Callable[[Seen], list[int | None]]) -> Test:
    # Between integers `u > bound` is `u >= bound + 1`.
    if name in ("greater", "at_least"):
        least = bound + 1 if name == "greater" else bound
        return lambda seen: any(u is not None and u >= least for u in units(seen))
    most = bound - 1 if name == "less" else bound
    return lambda seen: any(u is not None and u <= most for u in units(seen))


def _equal(operand: Any, source: Source, said: str) -> Test:
    values, units = source.values, source.units
    if isinstance(operand, bool):
        return lambda seen: any(value is operand for value in values(seen))
    if isinstance(operand, str) and source.kind != NUMBER:
        path = source.path
        if path:
            return lambda seen: operand in seen.at(path)
        return lambda seen: operand in values(seen)
    try:
        number = amount.parse(operand if isinstance(operand, int) else str(operand))
    except ValueError as error:
        raise MisfitError(f"{operand!r} {error}", said) from None
    return lambda seen: number in units(seen)


#: Kind of a field -> operators, and what they may be given besides.
_OPERATORS = {
    NUMBER: ("equals", "not_equals", "in", *COMPARISONS, "exists"),
    TEXT: ("equals", "not_equals", "in", "contains", "exists"),
    TEXTS: ("equals", "not_equals", "in", "contains", "exists"),
    FLAG: ("equals", "not_equals", "exists"),
    INSTANT: ("older_than", "newer_than", "exists"),
}
_OPERANDS = {NUMBER: (int, float, str), TEXT: (str,), TEXTS: (str,), FLAG: (bool,)}


def _check_kinds(name: str, operand: Any, source: Source) -> None:
    kind = source.kind
    if kind == ANY:
        if name in ("older_than", "newer_than"):
            raise MisfitError(f"{source.name} is content, no instant of a table", name)
        return
    if name not in _OPERATORS[kind]:
        raise MisfitError(f"{source.name} is a {kind}: it goes with {', '.join(_OPERATORS[kind])}",
                          name)
    if name == "exists" or kind == INSTANT:
        return
    for one in operand if name == "in" else (operand,):
        is_flag = isinstance(one, bool)
        if not isinstance(one, _OPERANDS[kind]) or is_flag != (kind == FLAG):
            raise MisfitError(f"{source.name} is a {kind}, {one!r} is none", name)
        if source.choices and name != "contains" and one not in source.choices:
            raise MisfitError(f"{source.name} is never {one!r}: it is one of "
                              f"{', '.join(source.choices)}", name)

"""What templates may do to values: the filters of Liquid, bounded and exact.

Decides which filters there are and what numbers are. A number is exact: money is `Decimal`, never a
float, and what is no number is an error instead of 0. A filter never returns more than
`TEXT_CHARS_MAX` or `LIST_ITEMS_MAX`, and what could pass that before it returns (`replace`, `join`)
asks first. Nothing here reads a clock, a file or the zone of this machine.

Left out of python-liquid's own (2026-11-26): `safe` and `escapejs`, which would put what a customer
typed into HTML as it is; `strip_html`, whose expression takes quadratic time over hostile text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from liquid import Markup
from liquid.exceptions import FilterArgumentError

TEXT_CHARS_MAX = 262_144
LIST_ITEMS_MAX = 10_000
#: Of an integer that is calculated with, and of a product of them.
DIGITS_MAX = 1_000
LEFT_OUT = ("safe", "escapejs", "strip_html")

Filter = Callable[..., Any]
#: Money is exact to this many digits; what needs more, a third for example, is rounded there.
_EXACT = Context(prec=50, traps=[DivisionByZero, InvalidOperation, Overflow])
#: Written without an exponent between these powers of ten.
_PLAIN = 40
_FORMAT_CHARS_MAX = 200
#: A width would let a short format make a long text.
_WIDTH = re.compile(r"%[-_0^#]*\d")
_json = msgspec.json.Encoder(decimal_format="number")


class Number(Decimal):
    """A number as it was sent: printed with its zeros, and equal to what a template spells so."""

    def __str__(self) -> str:
        return format(self, "f") if abs(self.adjusted()) < _PLAIN else Decimal.__str__(self)

    def __eq__(self, other: object) -> bool:
        return Decimal.__eq__(self, _spelled(other))

    def __hash__(self) -> int:
        return Decimal.__hash__(self)

    def __lt__(self, other: Any) -> bool:
        return Decimal.__lt__(self, _spelled(other))

    def __le__(self, other: Any) -> bool:
        return Decimal.__le__(self, _spelled(other))

    def __gt__(self, other: Any) -> bool:
        return Decimal.__gt__(self, _spelled(other))

    def __ge__(self, other: Any) -> bool:
        return Decimal.__ge__(self, _spelled(other))


def bounded(given: Filter) -> Filter:
    """The same filter; what it is given and what it returns are within limits."""
    def call(value: Any, *args: Any, **kwargs: Any) -> Any:
        for one in (value, *args):
            _check(one)
        return _check(given(value, *args, **kwargs))

    for mark in ("with_context", "with_environment"):
        if hasattr(given, mark):
            setattr(call, mark, True)
    return call


def _check(value: Any) -> Any:
    if isinstance(value, str) and len(value) > TEXT_CHARS_MAX:
        raise _refused(f"a text of more than {TEXT_CHARS_MAX} characters")
    if isinstance(value, list | tuple) and len(value) > LIST_ITEMS_MAX:
        raise _refused(f"a list of more than {LIST_ITEMS_MAX} items")
    # Not len(): of a range it is refused beyond 63 bits.
    if isinstance(value, range) and value.stop - value.start > LIST_ITEMS_MAX:
        raise _refused(f"a range of more than {LIST_ITEMS_MAX} numbers")
    return value


def _refused(what: str) -> FilterArgumentError:
    return FilterArgumentError(what, token=None)


# -- numbers -------------------------------------------------------------------------------------


def _spelled(value: Any) -> Any:
    """Where it is a float, which only a template's own text is, the number as written there."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def number(value: Any) -> int | Decimal:
    """A number as itself, a text that spells one as that; raises `FilterArgumentError`."""
    if isinstance(value, str) and len(value) <= DIGITS_MAX:
        try:
            value = int(value) if value.strip().lstrip("+-").isdecimal() else Number(value)
        except (ValueError, InvalidOperation):
            raise _refused("a text that is no number") from None
    value = _spelled(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _refused("something that is no number")
    if isinstance(value, int) and abs(value) >= 10 ** DIGITS_MAX:
        raise _refused(f"a number of more than {DIGITS_MAX} digits")
    if isinstance(value, Decimal) and not value.is_finite():
        raise _refused("a text that is no number")
    return value


def _calculated(operation: Callable[[Any, Any], Any]) -> Filter:
    def call(left: Any, right: Any) -> Any:
        one, other = number(left), number(right)
        with localcontext(_EXACT):
            try:
                found = operation(one, other)
            except ArithmeticError:
                raise _refused("a calculation without a result") from None
        return number(Number(found) if isinstance(found, Decimal) else found)

    return call


def _divided(left: Any, right: Any) -> Any:
    """As in Liquid: two integers give the integer below."""
    return left // right if isinstance(left, int) and isinstance(right, int) else left / right


def _remainder(left: Any, right: Any) -> Any:
    """Of the sign of the divisor, for integers and decimals alike."""
    if isinstance(left, int) and isinstance(right, int):
        return left % right
    rest = Decimal(left) % Decimal(right)
    return rest + right if rest and (rest < 0) != (right < 0) else rest


def _rounded(value: Any, places: Any = 0) -> Any:
    """Half away from zero, as money is; to that many decimals, which then are all written."""
    many = number(places)
    if not isinstance(many, int) or not 0 <= many <= _PLAIN:
        raise _refused(f"decimals that are not 0 to {_PLAIN}")
    return _quantized(value, "ROUND_HALF_UP", many)


def _quantized(value: Any, rounding: str, places: int = 0) -> Any:
    given = number(value)
    if isinstance(given, int) and not places:
        return given
    with localcontext(_EXACT):
        try:
            found = Decimal(given).quantize(Decimal(1).scaleb(-places), rounding=rounding)
        except ArithmeticError:
            raise _refused(f"a number of more than {_EXACT.prec} digits") from None
    return Number(found) if places else int(found)


def _sum(values: Any, key: Any = None) -> Any:
    found: Any = 0
    for value in _list(values):
        found = FILTERS["plus"](found, value.get(key, 0) if isinstance(value, dict) else value)
    return found


def _list(values: Any) -> Iterable[Any]:
    return values if isinstance(values, list | tuple | range) else [values]


# -- texts ---------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


def _replace(value: Any, old: Any, new: Any = "") -> str:
    text, cut, put = _text(value), _text(old), _text(new)
    if len(text) + text.count(cut) * len(put) > TEXT_CHARS_MAX:
        raise _refused(f"what would make a text of more than {TEXT_CHARS_MAX} characters")
    return text.replace(cut, put)


def _join(values: Any, separator: Any = " ") -> str:
    texts, between = [_text(value) for value in _list(values)], _text(separator)
    if sum(map(len, texts)) + len(texts) * len(between) > TEXT_CHARS_MAX:
        raise _refused(f"what would make a text of more than {TEXT_CHARS_MAX} characters")
    # Markup, a separator that the template spells for one, escapes what it joins.
    return between.join(texts)


def _date(value: Any, form: Any, zone: Any = "UTC") -> str:
    """A time (RFC 3339) by a format of strftime, in a zone by its name."""
    written = _text(form)
    if len(written) > _FORMAT_CHARS_MAX or _WIDTH.search(written):
        raise _refused("a format with a width, or too long a one")
    try:
        when = datetime.fromisoformat(_text(value))
        there = ZoneInfo(_text(zone)) if zone else UTC
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return when.astimezone(there).strftime(written)
    except (ValueError, OverflowError, OSError, KeyError):
        raise _refused("no time of RFC 3339, no zone or no format") from None


def _as_json(value: Any) -> str:
    """JSON on one line, numbers as they were sent."""
    try:
        return _json.encode(_plain(value)).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        raise _refused("what has no form in JSON") from None


def _plain(value: Any) -> Any:
    """Without the classes that templates use: an encoder asks for the very types."""
    if isinstance(value, Markup):
        return str(value)
    if isinstance(value, Decimal):
        return Decimal(value)
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple | range) else value


#: Instead of those that python-liquid has under these names, and `json`.
FILTERS: dict[str, Filter] = {
    "plus": _calculated(lambda left, right: left + right),
    "minus": _calculated(lambda left, right: left - right),
    "times": _calculated(lambda left, right: left * right),
    "divided_by": _calculated(_divided),
    "modulo": _calculated(_remainder),
    "at_most": _calculated(min),
    "at_least": _calculated(max),
    "abs": lambda value: FILTERS["at_least"](value, FILTERS["times"](value, -1)),
    "round": _rounded,
    "ceil": lambda value: _quantized(value, "ROUND_CEILING"),
    "floor": lambda value: _quantized(value, "ROUND_FLOOR"),
    "sum": _sum,
    "replace": _replace,
    "remove": _replace,
    "join": _join,
    "date": _date,
    "json": _as_json,
}

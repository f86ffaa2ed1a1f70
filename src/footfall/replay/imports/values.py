"""One value of a column, as a tracking call has it: text, number, truth, time.

Decides what each spelling means; never guesses: what is not exactly of the kind that the mapping
says raises ValueError with what is wrong, and never with the value (law 6). Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from footfall.replay.imports.mapping_row import Column

Convert = Callable[[Any], Any]

_NUMBER: Final = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,3})?",
                            re.ASCII)
#: What JSON itself takes: it travels as it is spelled.
_OF_JSON: Final = re.compile(r"-?(0|[1-9]\d{0,400})(\.\d{1,400})?([eE][+-]?\d{1,3})?", re.ASCII)
_TRUE: Final = frozenset({"true", "t", "yes", "y", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0"})
_UNITS: Final = {"s": Decimal(1000), "ms": Decimal(1), "us": Decimal("1e-3"),
                 "ns": Decimal("1e-6")}
#: Times that come again and again: dates, and the batches of whoever wrote the file.
_TIMES_KEPT: Final = 8192
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS: Final = 86_400_000


def is_empty(value: Any) -> bool:
    """Whether a value of a typed file means that there is none: pandas writes NaN for it."""
    return value is None or value == "" or (value.__class__ is float and math.isnan(value))


def converter(column: Column, *, is_instant: bool, is_ms: bool) -> Convert:
    """What a column's values are made by. `is_instant`: wanted in milliseconds, not as text.
    `is_ms`: the file has them as milliseconds already.
    """
    kind = column.as_ or ("time" if is_instant or is_ms else "text")
    if column.values is not None:
        return partial(_named, column.values)
    if kind == "time":
        read: Convert = int if is_ms else _time_reader(column.format, ZoneInfo(column.zone))
        return read if is_instant else lambda value: rfc_3339(read(value))
    if is_ms and kind == "text":
        return rfc_3339
    if kind in _NUMBERS:
        return partial(_NUMBERS[kind], column.decimal_mark, column.thousands_mark)
    return {"text": text, "bool": _bool, "json": _json}[kind]


def text(value: Any) -> str:
    """A value as text; whole numbers without a fraction, however a file keeps them."""
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return "true" if value else "false"
    if kind is float or kind is Decimal:
        if not math.isfinite(value):
            raise ValueError("is no finite number")
        return str(int(value)) if value == int(value) else str(value)
    if kind is bytes:
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError:
            raise ValueError("holds bytes that are not UTF-8") from None
    if kind is datetime or kind is date:
        return rfc_3339(_of_moment(value, UTC))
    if isinstance(value, dict | list | tuple):
        raise ValueError("is no single value; take it `as: json`")
    return str(value)


def rfc_3339(ms: int) -> str:
    """2026-01-31T12:00:00.123Z"""
    days, rest = divmod(ms, _DAY_MS)
    try:
        day = date.fromordinal(days + _EPOCH.toordinal())
    except (ValueError, OverflowError):
        raise ValueError("is a time beyond the years 1 to 9999") from None
    seconds, ms = divmod(rest, 1000)
    return f"{day}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}Z"


def _named(values: dict[str, str], value: Any) -> str:
    named = values.get(text(value))
    if named is None:
        raise ValueError("is none of the `values` of the mapping")
    return named


def _spelled(decimal_mark: str, thousands_mark: str, value: str) -> str:
    """A number's text with a point, less what only eyes need."""
    value = value.strip()
    if thousands_mark:
        value = value.replace(thousands_mark, "")
    if decimal_mark != ".":
        if "." in value:
            raise ValueError("is no number")
        value = value.replace(decimal_mark, ".")
    if _NUMBER.fullmatch(value) is None:
        raise ValueError("is no number")
    return value


def _number(decimal_mark: str, thousands_mark: str, value: Any) -> Any:
    kind = value.__class__
    if kind is int or kind is Decimal or kind is float:
        if not math.isfinite(value):
            raise ValueError("is no finite number")
        return value
    if kind is not str:
        raise ValueError("is no number")
    if decimal_mark != "." or thousands_mark or _OF_JSON.fullmatch(value) is None:
        value = _spelled(decimal_mark, thousands_mark, value)
        return Decimal(value)
    return msgspec.Raw(value.encode())


def _decimal(decimal_mark: str, thousands_mark: str, value: Any) -> str:
    if value.__class__ is str:
        return format(Decimal(_spelled(decimal_mark, thousands_mark, value)), "f")
    number = _number(decimal_mark, thousands_mark, value)
    return format(Decimal(repr(number) if number.__class__ is float else number), "f")


def _integer(decimal_mark: str, thousands_mark: str, value: Any) -> int:
    if value.__class__ is int:
        return value
    if value.__class__ is str:
        value = Decimal(_spelled(decimal_mark, thousands_mark, value))
        if value.adjusted() > 400:
            raise ValueError("is no whole number of at most 400 digits")
    number = _number(decimal_mark, thousands_mark, value)
    if number != int(number):
        raise ValueError("is no whole number")
    return int(number)


def _bool(value: Any) -> bool:
    if value.__class__ is bool:
        return value
    said = text(value).strip().lower()
    if said in _TRUE:
        return True
    if said in _FALSE:
        return False
    raise ValueError("is neither true nor false (yes, no, 1, 0, t, f, y, n)")


def _json(value: Any) -> Any:
    if isinstance(value, dict | list):
        return value
    try:
        return _exact.decode(text(value))
    except (msgspec.DecodeError, InvalidOperation, RecursionError):
        raise ValueError("is no JSON") from None


def _time_reader(form: str, zone: tzinfo) -> Convert:
    """From a value to milliseconds since 1970."""
    of_text = lru_cache(_TIMES_KEPT)(partial(_of_text, form, zone))
    unit = _UNITS.get(form)

    def read(value: Any) -> int:
        kind = value.__class__
        if kind is str:
            return of_text(value)
        if kind is datetime or kind is date:
            return _of_moment(value, zone)
        if unit is None or kind is bool or not isinstance(value, int | float | Decimal):
            raise ValueError(f"is no time; `format` is {form!r}")
        return _of_number(value, unit)

    return read


def _of_text(form: str, zone: tzinfo, value: str) -> int:
    value = value.strip()
    unit = _UNITS.get(form)
    if unit is not None:
        return _of_number(_spelled(".", "", value), unit)
    try:
        if form == "iso":
            return _of_moment(datetime.fromisoformat(value), zone)
        return _of_moment(datetime.strptime(value, form), zone)
    except ValueError:
        raise ValueError(f"is no time; `format` is {form!r}") from None


def _of_number(value: Any, unit: Decimal) -> int:
    try:
        return math.floor(Decimal(value) * unit)
    except (ArithmeticError, ValueError):
        raise ValueError("is no time that can be told") from None


def _of_moment(value: date, zone: tzinfo) -> int:
    if value.__class__ is date:
        value = datetime.combine(value, time())
    assert isinstance(value, datetime)
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    passed = value - _EPOCH
    return passed.days * _DAY_MS + passed.seconds * 1000 + passed.microseconds // 1000


_exact = msgspec.json.Decoder(float_hook=Decimal)
_NUMBERS: Final[dict[str, Callable[[str, str, Any], Any]]] = {
    "number": _number, "decimal": _decimal, "integer": _integer}

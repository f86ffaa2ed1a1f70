"""What a trigger carries, compared with what somebody asks for: subscribers in a query, routes in
a file.

Decides when a value of `data` is one that was asked for. What is asked for is always text: a text
is itself, a number is whatever spells it, truth and nothing are as JSON writes them. Amounts in
triggers are texts. What is no such value (a list, an object, a path that leads nowhere) equals
nothing. Pure. Must never put a value that was sent into an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

PATH_CHARS_MAX: Final = 200
DEPTH_MAX: Final = 8
VALUE_CHARS_MAX: Final = 1_000

Path = tuple[str, ...]
#: Path below `data` -> the texts that its value may have.
Fields = Mapping[Path, frozenset[str]]

_ABSENT: Final = object()
_NAMED: Final = {None: "null", True: "true", False: "false"}


def path_of(text: str) -> Path | None:
    """`customer.level` as a path below `data`; None where it is none, or beyond the limits."""
    path = tuple(text.split("."))
    if len(text) > PATH_CHARS_MAX or len(path) > DEPTH_MAX or not all(path):
        return None
    return path


def fits(data: Mapping[str, Any], fields: Fields) -> bool:
    """Whether all fields have what is asked for."""
    return all(is_any_of(_at(data, path), texts) for path, texts in fields.items())


def is_any_of(value: Any, texts: frozenset[str]) -> bool:
    """Whether a value is one of those that were asked for."""
    if isinstance(value, str):
        return value in texts
    if value is None or isinstance(value, bool):
        return _NAMED[value] in texts
    if isinstance(value, int | float):
        number = Decimal(str(value))
        return any(_number(text) == number for text in texts)
    return False


def _at(data: Any, path: Path) -> Any:
    for name in path:
        if not isinstance(data, Mapping) or name not in data:
            return _ABSENT
        data = data[name]
    return data


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None

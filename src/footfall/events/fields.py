"""Reads the declared fields of a JSON object that somebody sent.

Decides one thing: how a field that is not what it should be is told. A `FieldError` never leaves
`admit`; there it becomes a `Rejected`. Its detail begins with the field's path and names the kind
that came, the limit and what to send instead. Must never repeat the value itself (law 6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from footfall.errors import Found

#: Every text that the envelope or the customer key holds, in characters.
TEXT_CHARS_MAX: Final = 500

Document = Mapping[str, Any]

_KINDS = {
    type(None): "null", bool: "a boolean", int: "a whole number", float: "a number with a fraction",
    Decimal: "a number with a fraction", str: "a string", list: "an array", dict: "an object",
}


class FieldError(Exception):
    """A field is not what it should be; `reason` is a code of docs/collector.md, `found` what a
    tracking plan found there.
    """

    def __init__(self, reason: str, path: str, what: str, found: Sequence[Found] = ()) -> None:
        super().__init__(f"{path} {what}")
        self.reason = reason
        self.detail = f"{path} {what}"
        self.found = found


def kind_of(value: Any) -> str:
    """The kind of a JSON value in words."""
    return _KINDS[type(value)]


def text(document: Document, name: str, chars_max: int = TEXT_CHARS_MAX) -> str | None:
    """A string; None where it is null or absent."""
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise FieldError("field_kind", name, f"is {kind_of(value)}; send a string")
    return check_length(value, name, chars_max)


def label(document: Document, names: tuple[str, ...], path: str = "") -> str | None:
    """The first of several spellings that is there: a string, or a whole number as its text."""
    for name in names:
        value = document.get(name)
        if value is None:
            continue
        if type(value) is str and len(value) <= TEXT_CHARS_MAX:
            return value
        if type(value) is int:
            value = _digits(value, path + name)
        if not isinstance(value, str):
            raise FieldError("field_kind", path + name,
                             f"is {kind_of(value)}; send a string or a whole number")
        return check_length(value, path + name, TEXT_CHARS_MAX)
    return None


def mapping(document: Document, name: str) -> Document | None:
    """An object; None where it is null or absent."""
    value = document.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise FieldError("field_kind", name, f"is {kind_of(value)}; send an object")


def _digits(value: int, path: str) -> str:
    if value.bit_length() > 4 * TEXT_CHARS_MAX:
        raise FieldError("field_length", path, f"has more than {TEXT_CHARS_MAX} digits")
    return str(value)


def check_length(value: str, path: str, chars_max: int) -> str:
    """The value, if it is not longer than its limit."""
    if len(value) > chars_max:
        raise FieldError("field_length", path,
                         f"is {len(value)} characters long; at most {chars_max}")
    return value

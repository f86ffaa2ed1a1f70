"""What a reader makes of a file: rows that are tracking calls, records of an archived log, and rows
that can be neither.

Decides two things of every format: what makes two rows equal (their canonical content), and how
faults are told, per row (`Bad`) or for the rest of a file (`FileFault`). Records only.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from footfall.errors import FootfallError

#: A line or a row that takes more is not read: no item of a tracking call is allowed so much.
ROW_BYTES_MAX: Final = 1024 * 1024


class Row(NamedTuple):
    """A row that can be offered as the item of a tracking call. `number`: of its line where the
    format has lines, else of the row, from 1. `content`: the same for equal rows.
    """

    number: int
    item: bytes
    content: bytes


class Bad(NamedTuple):
    """A row of which no item can be made, as it was, and why."""

    number: int
    reason: str
    detail: str
    raw: bytes


class Logged(NamedTuple):
    """A record of a log of Footfall, from its archive. `number`: of the row, from 1; `appended_at`:
    when its broker had it, in milliseconds.
    """

    number: int
    partition: int
    offset: int
    appended_at: int
    key: bytes | None
    value: bytes | None


Rows = Iterator[Row | Bad | Logged]


def raw_of(row: Row | Bad | Logged) -> bytes:
    """A row as it was."""
    if isinstance(row, Row):
        return row.item
    return row.raw if isinstance(row, Bad) else row.value or b""


class FileFault(FootfallError):
    """A file, or what is left of it, cannot be read; what was read of it before counts."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class BadValue(Exception):
    """One value of a row is not what the mapping says; the detail begins with the field's path."""

    def __init__(self, reason: str, path: str, what: str) -> None:
        super().__init__(f"{path} {what}")
        self.reason = reason
        self.detail = f"{path} {what}"


def canonical(raw: bytes) -> bytes:
    """A JSON text with its keys sorted and no blanks; numbers as they are spelled. What is no JSON
    is itself: it is refused later, with a reason.
    """
    try:
        return _sorted.encode(_exact.decode(raw))
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
        return raw


def encode(value: Any) -> bytes:
    """The JSON text of a row's values, canonical; raises TypeError for what JSON has no form for.
    """
    return _sorted.encode(value)


_exact = msgspec.json.Decoder(float_hook=Decimal)
_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted")

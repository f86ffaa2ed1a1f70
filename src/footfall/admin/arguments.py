"""How a command is told of a customer, of a trigger, and of a time.

Decides how a time may be said: so long ago, or as RFC 3339; the first is counted from the clock of
this machine. Decides nothing else.
"""

from __future__ import annotations

import re
import time
from typing import Final

import click

from footfall.events import times
from footfall.events.customer_key import is_customer_key
from footfall.tables.rules_row import UNIT_MS
from footfall.view.identifiers import IdentifierError, parse
from footfall.view.why import TRIGGER_ID_CHARS, TRIGGER_ID_CHARS_LEAST, is_trigger_id

_SPAN: Final = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)


class Identifier(click.ParamType):
    """KIND:VALUE; the value may hold colons."""

    name = "KIND:VALUE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None
                ) -> tuple[str, str]:
        """(kind, value); fails (exit code 2) for a kind that is none."""
        try:
            return parse(value)
        except IdentifierError as error:
            self.fail(str(error), param, ctx)


class TriggerId(click.ParamType):
    """A trigger_id, or its beginning as `tail` shows it."""

    name = "TRIGGER_ID"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id in lower case; fails (exit code 2) for what is none."""
        text = value.lower()
        if not is_trigger_id(text, TRIGGER_ID_CHARS_LEAST):
            self.fail(f"a trigger_id is {TRIGGER_ID_CHARS} characters of 0 to 9 and a to f; "
                      f"{TRIGGER_ID_CHARS_LEAST} of its beginning will do", param, ctx)
        return text


class CustomerKey(click.ParamType):
    """As records have it."""

    name = "CUSTOMER_KEY"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The key; fails (exit code 2) for what has not its form."""
        if not is_customer_key(value.encode()):
            self.fail("a customer_key is a kind, a colon and 22 characters, as `footfall "
                      "deliveries list` shows it", param, ctx)
        return value


class Instant(click.ParamType):
    """So long ago, or a time."""

    name = "7d|TIME"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
                ) -> int:
        """Milliseconds since the epoch; fails (exit code 2) for what is no time."""
        if isinstance(value, int):
            return value
        try:
            return instant(value, now_ms())
        except ValueError as error:
            self.fail(str(error), param, ctx)


def instant(text: str, now: int) -> int:
    """Milliseconds since the epoch of `7d` (so long before `now`) or a time in RFC 3339; raises
    `ValueError` with what was expected.
    """
    span = _SPAN.fullmatch(text)
    if span is not None:
        return max(0, now - int(span[1]) * UNIT_MS[span[2]])
    try:
        return max(0, times.read(text))
    except ValueError:
        raise ValueError(f"{text[:40]!r} is neither a length of time such as 90s, 30m, 24h or 7d "
                         "nor a time such as 2026-01-31T12:00:00Z") from None


def now_ms() -> int:
    """This machine's clock."""
    return time.time_ns() // 1_000_000


IDENTIFIER = Identifier()
TRIGGER_ID = TriggerId()
CUSTOMER_KEY = CustomerKey()
INSTANT = Instant()

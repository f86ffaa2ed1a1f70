"""What the payload of a reserved record says, as data.

Decides fields and their order, which is that of the bytes on the log. `reserved.py` makes and
checks the records. Stays interpreted (setup.py).
"""

from __future__ import annotations

from typing import Annotated

import msgspec


class Handoff(msgspec.Struct, array_like=True, frozen=True):
    """A move of rows to another customer, by its coordinates: which step of the log sent it.

    `n` counts the handoffs of that log record to that receiver, timers included. `appended_at` is
    the append time of the record that caused it. The rows themselves travel in `personal`.
    """

    sender: bytes
    partition: int
    offset: int
    n: int
    appended_at: int


class ConfigPayload(msgspec.Struct, array_like=True, frozen=True):
    """A configuration in full; `content` is canonical JSON, its hash is part of the version."""

    number: int
    content: bytes


class Unmerge(msgspec.Struct, array_like=True, frozen=True):
    """Identifiers leave a customer, the record's key. `watermark`: the customer's as of which the
    facts of both sides are, which travel in `personal`; at any other this record does nothing.
    `named`: the identifier that an administrator named; `leaving`: all that leave with it, the
    highest first, which owns the others from then on.
    """

    watermark: int
    named: bytes
    leaving: Annotated[tuple[bytes, ...], msgspec.Meta(min_length=1)]

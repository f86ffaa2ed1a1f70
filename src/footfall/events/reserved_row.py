"""What the payload of a reserved record says, as data.

Decides fields and their order, which is that of the bytes on the log. `reserved.py` makes and
checks the records. Stays interpreted (setup.py).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

Outcome = Literal["sent", "dead", "suppressed", "delivered", "opened", "clicked", "bounced",
                  "complained"]
Call = Literal["identify", "track", "page", "screen", "group", "alias", "$delivery"]
Label = Annotated[str, msgspec.Meta(max_length=100)]
ROW_BYTES: Final = 16


class Handoff(msgspec.Struct, array_like=True, frozen=True):
    """A move of rows to another customer, by its coordinates: which step of the log sent it.

    `n` counts the handoffs of that log record to that receiver, timers included. `appended_at` is
    the append time of the record that caused it. The rows themselves travel in `personal`. `muted`:
    an import caused it, so what it causes is told to nobody; on the wire only where it is true.
    """

    sender: bytes
    partition: int
    offset: int
    n: int
    appended_at: int
    muted: bool = False


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


class Cutover(msgspec.Struct, array_like=True, frozen=True):
    """The generation of the changelog that holds this partition's state from this record on."""

    generation: int


class DeliveryPayload(msgspec.Struct, array_like=True, frozen=True):
    """What became of a trigger at a destination. `dead`: failed for good; what is tried again is no
    outcome yet. `reason`: a code of docs/delivery.md. `depth`: the trigger's. `at` (ms): when it
    came out; `Reserved.delivery` sets it.
    """

    outcome: Outcome
    destination: Label
    channel: Label
    medium: Label
    purpose: Label
    trigger: Label
    trigger_id: Label
    reason: Label = ""
    depth: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    at: Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)] = 0


class ImportPayload(msgspec.Struct, array_like=True, frozen=True):
    """Which run imported an interaction, and which row of its file it is, wherever the file lies: a
    row that comes again is known by `row`. `type`: the interaction's; `Reserved.imported` sets it.
    `logged`: it lay in the log of another installation, under the messageId by which its workers
    knew it when it came again, and is known by that, here too; on the wire only where it is true.
    """

    run: Label
    row: Annotated[bytes, msgspec.Meta(min_length=ROW_BYTES, max_length=ROW_BYTES)]
    type: Call = "track"
    logged: bool = False

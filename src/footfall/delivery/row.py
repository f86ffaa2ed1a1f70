"""What is stored of deliveries: rows as data, and their keys.

    customer_key|destination    what waits, in order, and which triggers were handled
    customer_key                when what was sent to this customer, for caps
    $destination|destination    how the destination fares, as this partition has seen it

A row begins with the header of every changelog record (`tables/stored.py`): offset last applied,
when something is due next, and in place of marks the hour from which it may be forgotten. Decides
the bytes and what is forgotten when; never what happens to a delivery.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple, TypeAlias

import msgspec

from footfall.delivery.health import Health
from footfall.tables.stored import FORMAT, HEADER, NEVER

HOUR_MS: Final = 3_600_000
#: How long a trigger that was handled is recognised when it comes again.
HANDLED_MS: Final = 7 * 24 * HOUR_MS
HANDLED_MAX: Final = 2_000
#: A calendar month, and a day for zones.
SENT_MS: Final = 32 * 24 * HOUR_MS
SENT_MAX: Final = 1_000
FOREVER_HOURS: Final = 2**40
#: Between the parts of a key; no customer_key and no destination has it.
SEPARATOR: Final = "|"
DESTINATION: Final = b"$destination|"
VERSION: Final = 1

#: States of a pending delivery.
WAITS, GOES, FAILED, HELD = range(4)


class Pending(msgspec.Struct, array_like=True):
    """A delivery that has not ended. `document`: the trigger as JSON; `message`: as rendered for
    the first attempt (JSON), empty before. `run`: of the resend that began it anew. Times in ms.
    """

    trigger_id: str
    name: str
    state: int
    attempt: int
    queued_at: int
    due_at: int
    emitted_at: int
    depth: int
    document: bytes
    message: bytes = b""
    run: str = ""

    @property
    def size(self) -> int:
        """What it takes in a row, in bytes."""
        return len(self.document) + len(self.message) + 100


class DestinationRow(msgspec.Struct, array_like=True):
    """One customer's deliveries to one destination. `handled`: (hash of the trigger's id, when)."""

    version: int = VERSION
    pending: list[Pending] = []
    handled: list[tuple[int, int]] = []

    def find(self, trigger_id: str) -> Pending | None:
        """What waits under an id."""
        return next((p for p in self.pending if p.trigger_id == trigger_id), None)

    def knows(self, trigger_id: str) -> bool:
        """Whether a trigger was handled within the time it is recognised."""
        hashed = hash_of(trigger_id)
        return any(known == hashed for known, _at in self.handled)


class SentRow(msgspec.Struct, array_like=True):
    """`sent`: medium and purpose -> when (ms), the oldest first."""

    version: int = VERSION
    sent: dict[str, list[int]] = {}


class HealthRow(msgspec.Struct, array_like=True):
    """How a destination fares."""

    version: int = VERSION
    health: Health = Health()


Row: TypeAlias = DestinationRow | SentRow | HealthRow


class Stored(NamedTuple):
    """A row with the offset of the last record that was applied to it."""

    watermark: int
    row: Row


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_destination = msgspec.msgpack.Decoder(DestinationRow)
_sent = msgspec.msgpack.Decoder(SentRow)
_health = msgspec.msgpack.Decoder(HealthRow)


def row_key(customer_key: str, destination: str) -> bytes:
    """Of what one customer is told by one destination."""
    return f"{customer_key}|{destination}".encode()


def health_key(destination: str) -> bytes:
    """Of how a destination fares."""
    return DESTINATION + destination.encode()


def parts(key: bytes) -> tuple[str, str]:
    """(customer_key, destination) of a `row_key`."""
    customer_key, _, destination = key.decode().partition("|")
    return customer_key, destination


def is_row_key(key: bytes) -> bool:
    """Whether it is that of a customer's deliveries to a destination."""
    return b"|" in key and not key.startswith(DESTINATION)


def run_key(run: str, trigger_id: str) -> str:
    """By what is remembered that a run of a resend has begun a trigger."""
    return f"{run}|{trigger_id}"


def counted_as(medium: str, purpose: str) -> str:
    """What a cap counts together."""
    return f"{medium}|{purpose}"


def hash_of(text: str) -> int:
    """64 bits of an id: enough for the few that are compared with each other."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def encode(stored: Stored) -> bytes:
    """The changelog's value."""
    row = stored.row
    wake_at, forget = NEVER, FOREVER_HOURS
    if isinstance(row, DestinationRow):
        if row.pending:
            wake_at = max(1, min(p.due_at for p in row.pending))
        elif row.handled:
            forget = (row.handled[-1][1] + HANDLED_MS) // HOUR_MS + 1
    elif isinstance(row, SentRow):
        latest = max((of[-1] for of in row.sent.values() if of), default=0)
        forget = (latest + SENT_MS) // HOUR_MS + 1
    return HEADER.pack(FORMAT, stored.watermark, wake_at, forget) + _encoder.encode(row)


def decode(key: bytes, data: bytes) -> Stored:
    """Inverse of `encode`."""
    _format, watermark, _wake_at, _forget = HEADER.unpack_from(data)
    body = memoryview(data)[HEADER.size:]
    if key.startswith(DESTINATION):
        return Stored(watermark, _health.decode(body))
    return Stored(watermark, (_destination if b"|" in key else _sent).decode(body))


def may_be_forgotten(data: bytes, now: int) -> bool:
    """Whether nothing of a row matters any more, `now` in ms."""
    _format, _watermark, wake_at, forget = HEADER.unpack_from(data)
    return bool(wake_at == NEVER and forget * HOUR_MS < now)

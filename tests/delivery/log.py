"""A partition of footfall.deliveries in memory: what folds are fed with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from footfall.delivery import row
from footfall.delivery.decide import Verdict
from footfall.delivery.fold import DeliveryFold
from footfall.delivery.message import Outcome
from footfall.delivery.outputs import Outputs
from footfall.delivery.record import NO_OUTCOME, About
from footfall.delivery.routes_row import Breaker
from footfall.delivery.row import Pending
from footfall.events.codec import Codecs
from footfall.events.reserved import Reserved
from footfall.tables.records import Best
from footfall.tables.stored import PartitionState

CODECS = Codecs()
START = 1_790_000_000_000
KEYS = ("user_id:" + "A" * 22, "user_id:" + "B" * 22)


class Entry(NamedTuple):
    """A record as Kafka has it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Log:
    """Records in the order in which they were appended, one each second."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    @property
    def now(self) -> int:
        """When the next one is appended."""
        return START + 1_000 * len(self.entries)

    def add(self, key: bytes | None, value: bytes | None) -> Entry:
        """Append anything."""
        self.entries.append(Entry(len(self.entries), self.now, key, value))
        return self.entries[-1]

    def step(self, status: str, trigger_id: str, *, customer: str = KEYS[0],
             destination: str = "crm", reason: str = "", due_at: int = 0, attempt: int = 0,
             first: bool = False, outcome: Outcome = NO_OUTCOME, **said: Any) -> Entry:
        """Append a step of a delivery; `first`: its trigger is at the offset of this record."""
        pending = Pending(trigger_id, "cart_abandoned", row.WAITS, attempt, self.now, due_at,
                          START, 0, b"")
        at = len(self.entries) if first else -1
        record = about(destination).step(
            customer, pending, Verdict(status, reason, due_at), now=self.now, trigger_offset=at,
            outcome=outcome,
            said={name: msgspec.Raw(msgspec.json.encode(of)) for name, of in said.items()})
        return self.add(customer.encode(), CODECS.delivery.encode(record))

    def of_destination(self, status: str, reason: str = "", destination: str = "crm") -> Entry:
        """Append a step of a destination."""
        record = about(destination).of_itself(status, reason, self.now)
        return self.add(row.health_key(destination), CODECS.delivery.encode(record))


def about(destination: str) -> About:
    """What records say of a destination."""
    return About(destination, "webhook", "webhook", "marketing", "v")


def fold_of(state: PartitionState | None = None, best: dict[bytes, bytes] | None = None,
            entries: Sequence[Entry] = ()) -> DeliveryFold:
    """A fold that has applied these."""
    fold = DeliveryFold(
        0, outputs=Outputs(CODECS, Reserved(b"a secret for tests only"), 0), fingerprint="f",
        breaker_of=lambda _name: Breaker(failures=2), counted_as=lambda name: f"{name}|marketing",
        state=state, best=Best(best))
    for entry in entries:
        fold.apply(entry)
    return fold


def rows_of(fold: DeliveryFold) -> dict[bytes, Any]:
    """Every row, decoded, without its watermark."""
    fold.snapshot()
    return {key: row.decode(key, data).row for key, data in fold.store.items()}

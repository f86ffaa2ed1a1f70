"""One owned partition of footfall.deliveries, and what of it is under way.

Knows which records this process has appended and not yet folded: until then nothing is decided
about their customer, for what is decided has to know of what was decided before. Decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from footfall.delivery.fold import DeliveryFold
from footfall.delivery.row import parts
from footfall.stream.log_engine import LogPartition


@dataclass(slots=True)
class DeliveryPartition(LogPartition[DeliveryFold]):
    """`going`: row key -> trigger_ids whose attempt is under way here."""

    going: dict[bytes, list[str]] = field(default_factory=dict)
    #: Whether the log was read to its end since it was taken.
    is_caught_up: bool = False
    _unfolded: Counter[str] = field(default_factory=Counter)
    _own: dict[bytes, list[str]] = field(default_factory=dict)
    #: customer_key -> row keys that were not looked at because of them.
    _passed_over: dict[str, set[bytes]] = field(default_factory=dict)

    def appended(self, customer_key: str, value: bytes) -> None:
        """A record of a customer is on its way to the log."""
        self._unfolded[customer_key] += 1
        self._own.setdefault(value, []).append(customer_key)

    def unfolded(self, customer_key: str) -> int:
        """How many records of a customer are on their way."""
        return self._unfolded.get(customer_key, 0)

    def pass_over(self, customer_key: str, key: bytes) -> None:
        """A row has to be looked at once nothing of its customer is on its way any more."""
        self._passed_over.setdefault(customer_key, set()).add(key)

    def folded(self, records: Sequence[Any]) -> None:
        """These have just been applied."""
        for record in records:
            keys = self._own.get(record.value)
            if keys is None:
                continue
            customer_key = keys.pop()
            if not keys:
                del self._own[record.value]
            self._unfolded[customer_key] -= 1
            if self._unfolded[customer_key] <= 0:
                del self._unfolded[customer_key]
                self.fold.changed |= self._passed_over.pop(customer_key, set())

    def begin(self, key: bytes, trigger_id: str) -> None:
        """An attempt is under way."""
        self.going.setdefault(key, []).append(trigger_id)

    def end(self, key: bytes, trigger_id: str) -> None:
        """It has ended."""
        going = self.going.get(key, [])
        if trigger_id in going:
            going.remove(trigger_id)
        if not going:
            self.going.pop(key, None)

    def sent_at(self, key: bytes, counted_as: str, now: int) -> list[int]:
        """When a customer got what a cap counts together; what is on its way counts as now."""
        customer_key, _destination = parts(key)
        sent = self.fold.rows.sent_row(customer_key).sent.get(counted_as, [])
        return [*sent, *[now] * self.fold.rows.going_as(customer_key, counted_as)]

"""Records of footfall.deliveries, as delivery and its administrator write them.

Decides what stands in them beside what the caller knows. Must never put anything of the customer
outside `personal`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from footfall.delivery.decide import Verdict
from footfall.delivery.message import Outcome
from footfall.delivery.row import Pending
from footfall.events.codec import DeliveryRecord

NO_OUTCOME = Outcome("sent")


@dataclass(frozen=True, slots=True)
class About:
    """What every record says of its destination."""

    destination: str
    channel: str
    medium: str
    purpose: str
    routes_version: str

    def step(self, customer_key: str, pending: Pending, verdict: Verdict, *, now: int,
             attempt: int | None = None, said: Mapping[str, Any] | None = None,
             trigger_offset: int = -1, outcome: Outcome = NO_OUTCOME, took_ms: int = 0
             ) -> DeliveryRecord:
        """A step of a delivery. `said`: what `personal` holds."""
        return {
            "status": verdict.status, "reason": verdict.reason, "trigger_id": pending.trigger_id,
            "trigger": pending.name, "customer_key": customer_key,
            "destination": self.destination, "channel": self.channel, "medium": self.medium,
            "purpose": self.purpose, "attempt": pending.attempt if attempt is None else attempt,
            "at": now, "due_at": verdict.due_at, "emitted_at": pending.emitted_at,
            "code": outcome.code, "took_ms": took_ms, "trigger_offset": trigger_offset,
            "routes_version": self.routes_version, "depth": pending.depth, "key_id": None,
            "personal": msgspec.json.encode(said) if said else b"", "run": pending.run,
        }

    def of_itself(self, status: str, reason: str, now: int) -> DeliveryRecord:
        """A step of the destination."""
        return {
            "status": status, "reason": reason, "trigger_id": "", "trigger": "",
            "customer_key": "", "destination": self.destination, "channel": self.channel,
            "medium": self.medium, "purpose": self.purpose, "attempt": 0, "at": now, "due_at": 0,
            "emitted_at": 0, "code": 0, "took_ms": 0, "trigger_offset": -1,
            "routes_version": self.routes_version, "depth": 0, "key_id": None, "personal": b"",
            "run": "",
        }


def whole(pending: Pending, message: bytes) -> dict[str, Any]:
    """All that is needed to send it again, for `said`."""
    said = {"trigger": msgspec.Raw(pending.document)}
    if message:
        said["message"] = msgspec.Raw(message)
    return said

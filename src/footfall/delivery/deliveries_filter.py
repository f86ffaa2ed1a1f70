"""Which deliveries a command is about. Pure.

Decides what a filter compares: what never changes of a delivery, so that steps of others are passed
over unread, and its state, which its last step alone has. `pending` stands for every status that is
not the end. A reason fits whole, and by its beginning up to an underscore: `consent` is every
refusal of consent, `frequency_cap` the cap, whatever its numbers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from footfall.delivery.deliveries_account import OVER, PENDING, Delivery
from footfall.events.codec import DeliveryRecord

#: As it is asked for.
ANY_PENDING: Final = "pending"
STATUSES: Final = (ANY_PENDING, *PENDING, *OVER)


@dataclass(frozen=True, slots=True)
class Filter:
    """What is empty or 0 does not ask for anything. `since`, `until`: when the last step was
    recorded, ms. `trigger_id`: or its beginning.
    """

    destinations: Collection[str] = ()
    statuses: Collection[str] = ()
    triggers: Collection[str] = ()
    reasons: Collection[str] = ()
    runs: Collection[str] = ()
    customer_key: str = ""
    trigger_id: str = ""
    since: int = 0
    until: int = 0

    def concerns(self, record: DeliveryRecord) -> bool:
        """Whether a step is of a delivery that may be meant: by what all of its steps have."""
        return ((not self.destinations or record["destination"] in self.destinations)
                and (not self.triggers or record["trigger"] in self.triggers)
                and (not self.customer_key or record["customer_key"] == self.customer_key)
                and record["trigger_id"].startswith(self.trigger_id))

    def means(self, delivery: Delivery) -> bool:
        """Whether a delivery is meant, as it is now."""
        appended_at = delivery.place.appended_at
        return ((not self.statuses or delivery.status in self.statuses
                 or (ANY_PENDING in self.statuses and delivery.is_pending))
                and (not self.reasons or any(fits(delivery.reason, r) for r in self.reasons))
                and (not self.runs or any(run in self.runs for run in delivery.runs))
                and appended_at >= self.since
                and (not self.until or appended_at < self.until))


def fits(reason: str, asked: str) -> bool:
    """Whether this is the reason asked for, or one that goes on where it ends."""
    return reason == asked or reason.startswith(f"{asked}_")

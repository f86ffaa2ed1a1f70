"""What became of each delivery, as the steps in footfall.deliveries tell it. Pure.

Decides what the state of a delivery is: its last step that fits, in the order of the log, under the
id of the trigger and the name of the destination. As delivery's own fold does it passes over a step
that does not fit: only what begins it anew (`redriven`, `resent`) follows an end, and only an end
is followed by it, once by each run of a resend; such steps are those of a process that had been
replaced, or of two administrators at once. All steps of one delivery lie in the customer's
partition, so that a partition is accounted for by itself. Of personal content nothing is kept. Must
never raise for a status that a later Footfall writes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final, NamedTuple

from footfall.delivery.reasons import (
    ANEW,
    DEAD,
    DESTINATION_STATUSES,
    DISABLED,
    FAILED,
    HELD,
    QUEUED,
    REDRIVEN,
    RESENT,
    SENDING,
    SENT,
    SUPPRESSED,
)
from footfall.errors import FootfallError
from footfall.events.codec import DeliveryRecord

#: It is not over yet: something is to come.
PENDING: Final = (QUEUED, SENDING, FAILED, HELD, REDRIVEN, RESENT)
OVER: Final = (SENT, SUPPRESSED, DEAD)
#: Of one partition, held in memory at a time.
DELIVERIES_MAX: Final = 2_000_000


class Place(NamedTuple):
    """Where a step is recorded, and when it was (ms, the broker's clock)."""

    partition: int
    offset: int
    appended_at: int


_NOWHERE: Final = Place(-1, -1, 0)


class End(NamedTuple):
    """How a delivery had ended."""

    status: str
    reason: str
    attempt: int
    at: int


@dataclass(slots=True)
class Delivery:
    """One trigger on its way to one destination. `attempt`: of the last step; where it
    began, how often it was `redriven`, and `runs`, each of which has resent it: by the steps that
    were read. `live`: how it had ended before the first of them; None where it was not there.
    """

    trigger_id: str
    trigger: str
    customer_key: str
    destination: str
    channel: str
    medium: str
    purpose: str
    emitted_at: int
    began_at: int
    began_offset: int
    status: str = ""
    reason: str = ""
    attempt: int = 0
    at: int = 0
    due_at: int = 0
    code: int = 0
    took_ms: int = 0
    redriven: int = 0
    runs: tuple[str, ...] = ()
    live: End | None = None
    place: Place = _NOWHERE

    @property
    def is_pending(self) -> bool:
        """Whether something is to come."""
        return self.status in PENDING

    def fits(self, record: DeliveryRecord) -> bool:
        """Whether this can be its next step."""
        if record["status"] == RESENT and record["run"] in self.runs:
            return False
        return not self.status or (self.status in OVER) == (record["status"] in ANEW)

    def take(self, record: DeliveryRecord, place: Place) -> None:
        """Its next step."""
        if record["status"] == RESENT:
            if self.status and not self.runs:
                self.live = End(self.status, self.reason, self.attempt, self.at)
            self.runs = (*self.runs, record["run"])
        elif record["run"] and not self.runs:  # what began it is not among what was read
            self.runs = (record["run"],)
        self.status = sys.intern(record["status"])
        self.reason = sys.intern(record["reason"])
        self.attempt = record["attempt"]
        self.at = record["at"]
        self.due_at = record["due_at"]
        self.code = record["code"]
        self.took_ms = record["took_ms"]
        self.redriven += record["status"] == REDRIVEN
        self.place = place


class Switched(NamedTuple):
    """A destination was disabled or enabled in a partition."""

    destination: str
    status: str
    reason: str
    at: int


class Account:
    """The deliveries of one partition, by trigger and destination."""

    def __init__(self) -> None:
        self.deliveries: dict[tuple[str, str], Delivery] = {}
        #: The last word on each destination.
        self.switched: dict[str, Switched] = {}
        #: Steps that were passed over.
        self.unfit = 0

    def take(self, record: DeliveryRecord, place: Place) -> Delivery | None:
        """One more step, in the order of the log; the delivery it is of."""
        name = record["destination"]
        if not record["trigger_id"]:
            if record["status"] in DESTINATION_STATUSES:
                self.switched[name] = Switched(name, record["status"], record["reason"],
                                               record["at"])
            return None
        key = record["trigger_id"], sys.intern(name)
        found = self.deliveries.get(key)
        if found is None:
            if len(self.deliveries) >= DELIVERIES_MAX:
                raise FootfallError(f"a partition has more than {DELIVERIES_MAX:,} deliveries that "
                                    "fit: ask for fewer, by --since or --destination")
            found = self.deliveries[key] = _new(record, place)
        if found.fits(record):
            found.take(record, place)
        else:
            self.unfit += 1
        return found

    def disabled(self) -> list[Switched]:
        """The destinations that are disabled in this partition."""
        return [one for one in self.switched.values() if one.status == DISABLED]


def _new(record: DeliveryRecord, place: Place) -> Delivery:
    intern = sys.intern
    return Delivery(
        record["trigger_id"], intern(record["trigger"]), record["customer_key"],
        intern(record["destination"]), intern(record["channel"]), intern(record["medium"]),
        intern(record["purpose"]), record["emitted_at"], record["at"], place.offset)

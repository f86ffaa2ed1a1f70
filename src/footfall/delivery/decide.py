"""Whether a delivery may go now, and if not, what becomes of it. Pure.

Decides the order of the questions: is the destination enabled, is it too late, has the customer
consented, are these quiet hours, is a cap reached. Everything that is asked is given: what is
answered holds for that instant alone. Must never let anything go that was not asked all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from footfall.delivery import caps, quiet_hours, reasons
from footfall.delivery.message import Outcome, Person
from footfall.delivery.permission import refusal
from footfall.delivery.retry import next_due
from footfall.delivery.routes_row import CUSTOMER_ZONE, Destination
from footfall.delivery.row import FAILED, HELD, Pending
from footfall.events.consent import NECESSARY

#: For customers of whom no zone is known, where a destination has no quiet hours that say.
ELSE_ZONE = "UTC"


class Verdict(NamedTuple):
    """A status of reasons.py with its reason; `due_at` (ms) where it goes on by itself."""

    status: str
    reason: str = ""
    due_at: int = 0


GO = Verdict(reasons.SENDING)
EXPIRED = Verdict(reasons.SUPPRESSED, "expired")


def needs_person(destination: Destination) -> bool:
    """Whether the questions below can only be answered by who knows the customer."""
    quiet = destination.quiet_hours
    return (destination.purpose != NECESSARY or bool(destination.caps)
            or (quiet is not None and quiet.zone == CUSTOMER_ZONE))


def may_go(destination: Destination, medium: str, person: Person | None, *, emitted_at: int,
           sent_at: Sequence[int], now: int) -> Verdict:
    """The verdict at an instant. `sent_at`: what this customer got by this medium for this purpose,
    and what is on its way to them.
    """
    if is_expired(destination, emitted_at, now):
        return EXPIRED
    gpc = person.gpc_denies if person is not None else ()
    refused = refusal(person, destination.purpose, medium, now, gpc)
    if refused:
        return Verdict(reasons.SUPPRESSED, refused)
    zone = "" if person is None else person.zone
    quiet = destination.quiet_hours
    if quiet is not None and (until := quiet_hours.until(quiet, zone, now)):
        return _put_off(quiet.then, "quiet_hours", until)
    else_zone = quiet.else_zone if quiet is not None else ELSE_ZONE
    over = caps.over(destination.caps, sent_at, zone, else_zone, now)
    if over is not None:
        return _put_off(over.cap.then, "frequency_cap", over.until)
    return GO


def is_expired(destination: Destination, emitted_at: int, now: int) -> bool:
    """Whether it is too late, whatever else there is to ask."""
    return bool(destination.expires_s) and now - emitted_at > destination.expires_s * 1000


def _put_off(then: str, reason: str, until: int) -> Verdict:
    if then == "hold":
        return Verdict(reasons.HELD, reason, until)
    return Verdict(reasons.SUPPRESSED, reason)


def after(destination: Destination, attempt: int, outcome: Outcome, now: int, seed: str
          ) -> list[Verdict]:
    """What an attempt's outcome makes of its delivery, step by step."""
    if outcome.result == "sent":
        return [Verdict(reasons.SENT)]
    due_at = next_due(destination.retry, attempt, outcome, now, seed)
    failed = Verdict(reasons.FAILED, outcome.reason, due_at)
    if outcome.result == "retry" and due_at:
        return [failed]
    reason = outcome.reason if outcome.result != "retry" else "retries_exhausted"
    return [failed, Verdict(reasons.DEAD, reason)]


def turn(pending: Sequence[Pending], order: str, going: Sequence[str], now: int
         ) -> tuple[Pending | None, int]:
    """Which of a customer's deliveries to one destination is next: it, if it may begin at `now`,
    and else when to look again (ms; 0: something else has to happen first). `going`: trigger_ids
    whose attempt is under way in this process; one that another process began, and never ended,
    begins again. Those that are held do not keep others waiting.
    """
    look_at = 0
    for one in pending:
        if one.trigger_id in going:
            if order == "customer":
                break
            continue
        is_due = one.due_at <= now or one.state not in (FAILED, HELD)
        if is_due:
            return one, 0
        look_at = min(look_at or one.due_at, one.due_at)
        if order == "customer" and one.state != HELD:
            break
    return None, look_at

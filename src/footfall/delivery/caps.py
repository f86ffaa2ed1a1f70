"""Whether a customer has had enough: caps on what is sent in a period of their own calendar. Pure.

A period is from one beginning of an hour, day, week (Monday) or month on the customer's clock to
the next one, as instants: so each instant is in one period, and a change of clocks makes one longer
or shorter. A beginning that is left out is the end of what is left out; one that comes twice counts
the first time. An hour that comes twice is one hour.
Of caps that are reached the strictest holds: one that drops before one that holds back, then the
one that is reached for longest. Must never read a clock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from footfall.delivery.quiet_hours import zone_of
from footfall.delivery.routes_row import CUSTOMER_ZONE, Cap, Period
from footfall.tables.schedules import instant, zone_info

#: Instants that are kept of a customer, a medium and a purpose: no cap is higher.
KEPT_MAX: Final = 1_000
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
#: No period is longer, whatever the clocks do.
PERIOD_MS_MAX: Final[dict[Period, int]] = {
    "hour": 3 * _HOUR_MS, "day": _DAY_MS + 2 * _HOUR_MS, "week": 7 * _DAY_MS + 2 * _HOUR_MS,
    "month": 31 * _DAY_MS + 2 * _HOUR_MS,
}
#: How many periods around a local time are looked at: its own, and what a change of clocks, or a
#: date that a zone has left out, may put in its place.
_BEFORE, _AFTER = 2, 3
#: Nearly all periods begin at a multiple of it: the one found at the last multiple is remembered.
_PART_MS = 900_000


class Over(NamedTuple):
    """A cap that is reached, and the instant (ms) at which its next period begins."""

    cap: Cap
    until: int


def over(caps: Sequence[Cap], sent_at: Sequence[int], customer_zone: str, else_zone: str, now: int
         ) -> Over | None:
    """The cap that one more would break, by what was sent (ms, in any order); None: none is
    reached.
    """
    if not any(len(sent_at) >= cap.max for cap in caps):
        return None
    zone = zone_of(CUSTOMER_ZONE, customer_zone, else_zone)
    in_order = sorted(sent_at)
    strictest: Over | None = None
    for cap in caps:
        begin, end = period(cap.per, zone, now)
        if bisect_left(in_order, end) - bisect_left(in_order, begin) < cap.max:
            continue
        found = Over(cap, end)
        if strictest is None or _strictness(found) > _strictness(strictest):
            strictest = found
    return strictest


def keep(sent_at: Sequence[int], caps: Sequence[Cap], now: int) -> tuple[int, ...]:
    """The instants that may still count, sorted: of the last period of any of these caps, the
    newest. `caps` are those of every destination that counts by the same medium and purpose.
    """
    since = now - max((PERIOD_MS_MAX[cap.per] for cap in caps), default=0)
    return tuple(sorted(at for at in sent_at if at > since))[-KEPT_MAX:] if caps else ()


def period(per: Period, zone: str, now: int) -> tuple[int, int]:
    """From when until when (ms) the period lasts that `now` is in."""
    found = _period(per, zone, now - now % _PART_MS)
    return found if now < found[1] else _period(per, zone, now)


@lru_cache(maxsize=4_096)
def _period(per: Period, zone: str, now: int) -> tuple[int, int]:
    begins = [instant(at, zone, day) for at, day in _around(per, zone, now)]
    return max(at for at in begins if at <= now), min(at for at in begins if at > now)


def _around(per: Period, zone: str, now: int) -> Iterator[tuple[str, date]]:
    """Local times at which periods begin, of those before and after `now`."""
    local = datetime.fromtimestamp(now / 1000, zone_info(zone)).replace(tzinfo=None)
    for n in range(-_BEFORE, _AFTER + 1):
        if per == "hour":
            begin = local + timedelta(hours=n)
            yield f"{begin.hour:02}:00", begin.date()
        elif per == "month":
            months = local.year * 12 + local.month - 1 + n
            yield "00:00", date(months // 12, months % 12 + 1, 1)
        elif per == "week":
            yield "00:00", local.date() + timedelta(days=7 * n - local.weekday())
        else:
            yield "00:00", local.date() + timedelta(days=n)


def _strictness(found: Over) -> tuple[bool, int]:
    return found.cap.then == "drop", found.until

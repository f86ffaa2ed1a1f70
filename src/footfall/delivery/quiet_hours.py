"""Until when nothing may be sent to a customer: the quiet hours of a destination. Pure.

Decides what a change of clocks makes of them, and where it is in doubt they are the longer: a time
that is left out is the end of what is left out, one that comes twice begins them the first time and
ends them the last. So they are always one stretch, and no clock ever shows a time within them while
they are over. Two that touch are one.
Zones are those of the pinned package `tzdata` (tables/schedules.py). Must never read a clock.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from footfall.delivery.routes_row import CUSTOMER_ZONE, QuietHours
from footfall.tables.schedules import instant, is_zone, zone_info

_DAY = timedelta(days=1)


def until(quiet: QuietHours, customer_zone: str, now: int) -> int:
    """The instant (ms) at which the quiet hours end that `now` is within; 0: it is not."""
    zone = zone_of(quiet.zone, customer_zone, quiet.else_zone)
    end = 0
    while found := _end(quiet, zone, end or now):
        end = found
    return end


def zone_of(said: str, customer_zone: str, else_zone: str) -> str:
    """Whose clock holds: the zone that is named, or the customer's, where that is one."""
    if said != CUSTOMER_ZONE:
        return said
    return customer_zone if is_zone(customer_zone) else else_zone


def _end(quiet: QuietHours, zone: str, at: int) -> int:
    """When those end that began today or yesterday, and are not over at `at`; 0: there are none."""
    today = datetime.fromtimestamp(at / 1000, zone_info(zone)).date()
    for day in (today, today - _DAY):
        begin, end = _of(quiet, zone, day)
        if begin <= at < end:
            return end
    return 0


def _of(quiet: QuietHours, zone: str, day: date) -> tuple[int, int]:
    """Those that begin on a date."""
    last = day + _DAY if quiet.from_ > quiet.to else day
    return instant(quiet.from_, zone, day), instant(quiet.to, zone, last, last=True)

"""Caps: how much of a customer's own hour, day, week or month is used up."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.delivery.caps import KEPT_MAX, PERIOD_MS_MAX, keep, over, period
from footfall.delivery.routes_row import Cap, Period
from footfall.tables.schedules import zone_info
from tests.delivery.test_quiet_hours import (
    DAY,
    INSTANTS,
    KATHMANDU,
    LORD_HOWE,
    MINUTE,
    NEAR,
    NEW_YORK,
    STOCKHOLM,
    at,
    utc,
)

HOUR = 60 * MINUTE
PERIODS: tuple[Period, ...] = get_args(Period)
#: A Thursday.
NOW = "2026-11-26T12:34:56Z"


@pytest.mark.parametrize(("per", "zone", "now", "begin", "end"), [
    ("hour", "UTC", NOW, "2026-11-26T12:00:00Z", "2026-11-26T13:00:00Z"),
    ("hour", KATHMANDU, NOW, "2026-11-26T12:15:00Z", "2026-11-26T13:15:00Z"),
    ("day", "UTC", "2026-11-26T00:00:00Z", "2026-11-26T00:00:00Z", "2026-11-27T00:00:00Z"),
    ("day", "UTC", "2026-11-25T23:59:59.999Z", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"),
    ("day", STOCKHOLM, NOW, "2026-11-25T23:00:00Z", "2026-11-26T23:00:00Z"),
    ("day", "Pacific/Kiritimati", NOW, "2026-11-26T10:00:00Z", "2026-11-27T10:00:00Z"),
    ("week", STOCKHOLM, NOW, "2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z"),
    ("week", STOCKHOLM, "2026-11-29T23:00:00Z", "2026-11-29T23:00:00Z", "2026-12-06T23:00:00Z"),
    ("month", NEW_YORK, NOW, "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"),
    ("month", NEW_YORK, "2026-12-01T04:59:59Z", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"),
    ("month", "UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
    ("month", "UTC", "2026-12-31T12:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    # Days of 23 and of 25 hours, and of half an hour more.
    ("day", STOCKHOLM, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
    ("day", STOCKHOLM, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
    ("day", LORD_HOWE, "2026-04-05T00:00:00Z", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"),
    # The hour from two to three is not there; or it is there twice, and one hour.
    ("hour", STOCKHOLM, "2026-03-29T00:59:59Z", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"),
    ("hour", STOCKHOLM, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"),
    ("hour", STOCKHOLM, "2026-10-25T00:10:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"),
    ("hour", STOCKHOLM, "2026-10-25T01:10:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"),
    ("hour", LORD_HOWE, "2026-10-03T15:40:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"),
    # Midnight is left out, or comes twice.
    ("day", "America/Havana", "2024-03-10T12:00:00Z", "2024-03-10T05:00:00Z",
     "2024-03-11T04:00:00Z"),
    ("day", "America/Havana", "2024-11-03T12:00:00Z", "2024-11-03T04:00:00Z",
     "2024-11-04T05:00:00Z"),
    # At one minute past midnight clocks went back, or on: days begin the first time.
    ("day", "America/St_Johns", "2010-11-07T02:40:00Z", "2010-11-07T02:30:00Z",
     "2010-11-08T03:30:00Z"),
    ("hour", "America/St_Johns", "2010-11-07T02:40:00Z", "2010-11-07T02:30:00Z",
     "2010-11-07T04:30:00Z"),
    ("hour", "America/St_Johns", "2010-03-14T03:30:30Z", "2010-03-14T03:30:00Z",
     "2010-03-14T03:31:00Z"),
    ("hour", "America/St_Johns", "2010-03-14T03:40:00Z", "2010-03-14T03:31:00Z",
     "2010-03-14T04:30:00Z"),
    # A date that is not there.
    ("day", "Pacific/Apia", "2011-12-30T09:59:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"),
    ("day", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"),
])
def test_periods(per: Period, zone: str, now: str, begin: str, end: str) -> None:
    """From one beginning on the customer's calendar to the next."""
    assert (begin, end) == tuple(map(utc, period(per, zone, at(now))))


@given(st.sampled_from(PERIODS), st.one_of(NEAR, st.tuples(st.just(STOCKHOLM), INSTANTS)))
def test_periods_are_a_partition_of_time(per: Period, when: tuple[str, int]) -> None:
    """Each instant is in one, and the clock shows the beginning of one where it begins."""
    zone, now = when
    begin, end = period(per, zone, now)

    assert begin <= now < end <= begin + PERIOD_MS_MAX[per]
    assert (begin, end) == period(per, zone, begin) == period(per, zone, end - 1)
    assert end == period(per, zone, end)[0]
    shown = datetime.fromtimestamp(end / 1000, zone_info(zone))
    before = datetime.fromtimestamp((end - 1) / 1000, zone_info(zone))
    is_change = shown.utcoffset() != before.utcoffset()
    assert is_change or (0, 0) == (shown.minute, shown.second)
    assert is_change or per == "hour" or 0 == shown.hour
    assert is_change or per != "month" or 1 == shown.day
    assert is_change or per != "week" or 0 == shown.weekday()


DROP_DAY, HOLD_DAY = Cap(max=2, per="day"), Cap(max=2, per="day", then="hold")
HOLD_HOUR, DROP_HOUR = Cap(max=1, per="hour", then="hold"), Cap(max=1, per="hour")
HOLD_WEEK, DROP_WEEK = Cap(max=2, per="week", then="hold"), Cap(max=3, per="week")
TOMORROW, NEXT_HOUR, MONDAY = "2026-11-26T23:00:00Z", "2026-11-26T13:00:00Z", "2026-11-29T23:00:00Z"
YESTERDAY, TODAY, JUST_NOW = "2026-11-25T22:59:00Z", "2026-11-26T08:00:00Z", "2026-11-26T12:30:00Z"


@pytest.mark.parametrize(("caps", "sent", "expected"), [
    ((), [JUST_NOW] * 5, None),
    ((DROP_DAY,), [], None),
    ((DROP_DAY,), [TODAY], None),
    ((DROP_DAY,), [TODAY, JUST_NOW], (DROP_DAY, TOMORROW)),
    ((DROP_DAY,), [JUST_NOW, TODAY], (DROP_DAY, TOMORROW)),
    ((DROP_DAY,), [JUST_NOW] * 9, (DROP_DAY, TOMORROW)),
    ((DROP_DAY,), [YESTERDAY, JUST_NOW], None),
    ((HOLD_HOUR,), [TODAY], None),
    ((HOLD_HOUR,), [JUST_NOW], (HOLD_HOUR, NEXT_HOUR)),
    # The one that is reached for longest ...
    ((HOLD_HOUR, HOLD_WEEK, HOLD_DAY), [TODAY, JUST_NOW], (HOLD_WEEK, MONDAY)),
    ((HOLD_HOUR, HOLD_WEEK), [TODAY], None),
    ((DROP_HOUR, DROP_WEEK), [YESTERDAY, TODAY, JUST_NOW], (DROP_WEEK, MONDAY)),
    # ... but one that drops before all that hold.
    ((HOLD_WEEK, DROP_HOUR), [TODAY, JUST_NOW], (DROP_HOUR, NEXT_HOUR)),
    ((DROP_DAY, HOLD_WEEK), [YESTERDAY, JUST_NOW], (HOLD_WEEK, MONDAY)),
])
def test_over(caps: tuple[Cap, ...], sent: list[str], expected: tuple[Cap, str] | None) -> None:
    """For a customer in Stockholm, half past one on a Thursday."""
    found = over(caps, [at(one) for one in sent], STOCKHOLM, "UTC", at(NOW))

    assert expected == (None if found is None else (found.cap, utc(found.until)))


@pytest.mark.parametrize(("customer_zone", "else_zone", "expected"), [
    (STOCKHOLM, NEW_YORK, "2026-11-26T23:00:00Z"), ("", NEW_YORK, "2026-11-27T05:00:00Z"),
    ("Europe/Nowhere", "UTC", "2026-11-27T00:00:00Z")])
def test_whose_calendar(customer_zone: str, else_zone: str, expected: str) -> None:
    """The customer's; the other one where they have none that there is."""
    found = over((Cap(max=1, per="day"),), [at(JUST_NOW)], customer_zone, else_zone, at(NOW))

    assert found is not None and expected == utc(found.until)


CAPS = st.lists(st.builds(Cap, max=st.integers(1, 4), per=st.sampled_from(PERIODS),
                          then=st.sampled_from(["hold", "drop"])), max_size=5).map(tuple)


@given(CAPS, NEAR, st.lists(st.integers(0, 40 * DAY), max_size=30))
def test_what_is_not_kept_changes_nothing(
        caps: tuple[Cap, ...], when: tuple[str, int], ages: list[int]) -> None:
    """Now or later, and what is held is never held beyond the cap's period."""
    zone, now = when
    sent = [now - age for age in ages]
    kept = keep(sent, caps, now)

    for later in (now, now + HOUR, now + 9 * DAY):
        found = over(caps, sent, zone, "UTC", later)
        assert found == over(caps, kept, zone, "UTC", later)
        if found is not None:
            assert later < found.until <= later + PERIOD_MS_MAX[found.cap.per]
            assert None is over((found.cap,), kept, zone, "UTC", found.until)


def test_what_is_kept_is_bounded() -> None:
    """The newest, sorted; nothing where nothing is counted."""
    now = at(NOW)
    monthly = Cap(max=1_000, per="month")

    assert () == keep([now], (), now)
    assert (now - DAY, now) == keep([now, now - 40 * DAY, now - DAY], (HOLD_HOUR, monthly), now)
    kept = keep([now - n * MINUTE for n in range(5_000)], (monthly,), now)
    assert (KEPT_MAX, now, now - (KEPT_MAX - 1) * MINUTE) == (len(kept), kept[-1], kept[0])
    assert over((monthly,), kept, "UTC", "UTC", now) is not None


def test_a_clock_that_was_put_back_forgets_nothing() -> None:
    """What is sent after now is still there when now has come to it."""
    now = at(NOW)

    assert (now + HOUR,) == keep([now + HOUR], (HOLD_HOUR,), now)

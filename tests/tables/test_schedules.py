"""Schedules of rules: local times, everybody who is there, once a local date."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from footfall.tables.rules_row import DAYS
from footfall.tables.schedules import following, zone_info, zones
from tests.tables.logs import BERT, START
from tests.tables.ruled import DAY, HOUR, MINUTE, Shop, key_of, rule

#: START is Tuesday, 2023-11-14, 22:13:20 UTC.
NINE_UTC = 10 * HOUR + 46 * MINUTE + 40_000


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(("time", "zone", "since", "expected"), [
    ("09:00", "UTC", "2023-11-14T09:00:00Z", "2023-11-14T09:00:00Z"),
    ("09:00", "UTC", "2023-11-14T09:00:00.001Z", "2023-11-15T09:00:00Z"),
    ("09:00", "Europe/Berlin", "2023-11-14T08:30:00Z", "2023-11-15T08:00:00Z"),
    ("00:30", "Pacific/Kiritimati", "2023-11-14T10:00:00Z", "2023-11-14T10:30:00Z"),
    ("23:30", "Pacific/Pago_Pago", "2023-11-14T10:00:00Z", "2023-11-14T10:30:00Z"),
    # Clocks go from 02:00 to 03:00 at 01:00Z: half past two is not there.
    ("02:30", "Europe/Berlin", "2024-03-30T12:00:00Z", "2024-03-31T01:00:00Z"),
    # They go from 03:00 back to 02:00 at 01:00Z: half past two is there twice.
    ("02:30", "Europe/Berlin", "2024-10-26T12:00:00Z", "2024-10-27T00:30:00Z"),
    ("02:30", "Europe/Berlin", "2024-10-27T00:30:00.001Z", "2024-10-28T01:30:00Z"),
])
def test_local_times(time: str, zone: str, since: str, expected: str) -> None:
    assert at(expected) == following(time, DAYS, zone, at(since))[0]


def test_days_of_the_week_are_those_of_the_zone() -> None:
    instant, day = following("07:00", ("mon",), "Asia/Tokyo", START)
    assert date(2023, 11, 20) == day
    assert datetime(2023, 11, 19, 22, tzinfo=UTC).timestamp() * 1000 == instant


def test_every_zone_can_be_read() -> None:
    assert "Europe/Berlin" in zones()
    for zone in zones():
        assert zone_info(zone).utcoffset(datetime(2024, 1, 1)) is not None


def test_everybody_who_is_there_is_looked_at_also_who_is_silent() -> None:
    daily = rule("daily", {"schedule": {"at": "09:00", "zone": "UTC"}})
    shop = Shop([])
    shop.did(0, "Product Viewed")
    shop.did(1, "Product Viewed", BERT)
    shop.configure(MINUTE, [daily])
    shop.passed(3 * DAY)

    told = shop.told("daily")
    assert 6 == len(told)
    assert [START + NINE_UTC + day * DAY for day in (0, 0, 1, 1, 2, 2)] == [
        one["emitted_at"] for one in told]
    assert {"2023-11-15"} == {one["evidence"]["on"]["local_date"] for one in told[:2]}
    assert shop.log.outputs() == shop.log.fold_again().outputs()


def test_a_customer_is_looked_at_by_the_clock_of_the_own_zone() -> None:
    shop = Shop([rule("daily", {"schedule": {"at": "09:00", "else_zone": "Europe/London"}},
                      data={"zone": "profile.traits.timezone"})])
    berlin = {"userId": "b"}
    shop.sent(0, berlin, "", call="identify", traits={"timezone": "Europe/Berlin"})
    shop.did(0, "Product Viewed")
    shop.passed(DAY)
    assert [START + NINE_UTC - HOUR, START + NINE_UTC] == [
        one["emitted_at"] for one in shop.told("daily")]
    assert "Europe/Berlin" == shop.told("daily")[0]["data"]["zone"]

    # Who moves west is not asked again at the nine o'clock of that date.
    shop.sent(DAY + NINE_UTC - HOUR + MINUTE, berlin, "", call="identify",
              traits={"timezone": "America/New_York"})
    shop.passed(2 * DAY)
    assert 4 == len(shop.told("daily"))


def test_a_schedule_that_is_long_past_is_left_out() -> None:
    shop = Shop([rule("daily", {"schedule": {"at": "09:00", "zone": "UTC"}}),
                 rule("patient", {"schedule": {"at": "09:00", "zone": "UTC"}}, expires="1d")])
    shop.did(0, "Product Viewed")
    shop.did(NINE_UTC + 2 * HOUR, "Product Viewed")
    assert 0 == len(shop.told("daily"))
    assert 1 == len(shop.told("patient"))


def test_timers_of_few_customers_at_a_time_and_ends_of_the_process_change_nothing() -> None:
    daily = rule("daily", {"schedule": {"at": "09:00", "zone": "UTC"}})
    whole, parts = Shop([daily]), Shop([daily])
    parts.log.fired_max = 2
    for n in range(9):
        for shop in (whole, parts):
            shop.did(n, "Product Viewed", key_of(f"customer {n}"))
    for shop in (whole, parts):
        shop.passed(2 * DAY)
    assert whole.fired("daily")
    assert whole.fired("daily") == parts.fired("daily")

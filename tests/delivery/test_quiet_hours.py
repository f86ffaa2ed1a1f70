"""Quiet hours: until when, over midnight, over changes of clocks, in whose zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from footfall.delivery.quiet_hours import until
from footfall.delivery.routes_row import QuietHours
from footfall.tables.schedules import zone_info

MINUTE = 60_000
DAY = 86_400_000
STOCKHOLM, NEW_YORK = "Europe/Stockholm", "America/New_York"
LORD_HOWE, KATHMANDU = "Australia/Lord_Howe", "Asia/Kathmandu"
ZONES = (STOCKHOLM, NEW_YORK, LORD_HOWE, KATHMANDU, "UTC", "Africa/Casablanca", "America/Havana",
         "Pacific/Apia", "Antarctica/Troll", "America/St_Johns", "Pacific/Kiritimati")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ms else ""


def hours(between: str, zone: str = "customer", else_zone: str = "UTC") -> QuietHours:
    begin, end = between.split("-")
    return QuietHours(from_=begin, to=end, zone=zone, else_zone=else_zone)


@pytest.mark.parametrize(("between", "zone", "now", "expected"), [
    # Of one day: the first instant is quiet, the last is not.
    ("13:00-14:00", "UTC", "2026-11-26T12:59:59.999Z", ""),
    ("13:00-14:00", "UTC", "2026-11-26T13:00:00Z", "2026-11-26T14:00:00Z"),
    ("13:00-14:00", "UTC", "2026-11-26T13:59:59.999Z", "2026-11-26T14:00:00Z"),
    ("13:00-14:00", "UTC", "2026-11-26T14:00:00Z", ""),
    ("00:00-08:00", "UTC", "2026-11-26T00:00:00Z", "2026-11-26T08:00:00Z"),
    # Over midnight.
    ("21:00-08:00", STOCKHOLM, "2026-11-26T19:59:59Z", ""),
    ("21:00-08:00", STOCKHOLM, "2026-11-26T20:00:00Z", "2026-11-27T07:00:00Z"),
    ("21:00-08:00", STOCKHOLM, "2026-11-26T23:30:00Z", "2026-11-27T07:00:00Z"),
    ("21:00-08:00", STOCKHOLM, "2026-11-27T06:59:59Z", "2026-11-27T07:00:00Z"),
    ("21:00-08:00", STOCKHOLM, "2026-11-27T07:00:00Z", ""),
    ("21:00-00:00", STOCKHOLM, "2026-11-26T22:59:59Z", "2026-11-26T23:00:00Z"),
    ("21:00-00:00", STOCKHOLM, "2026-11-26T23:00:00Z", ""),
    ("08:01-08:00", "UTC", "2026-11-26T09:00:00Z", "2026-11-27T08:00:00Z"),
    ("08:01-08:00", "UTC", "2026-11-27T08:00:30Z", ""),
    # A zone of three quarters of an hour.
    ("21:00-08:00", KATHMANDU, "2026-11-26T15:14:59Z", ""),
    ("21:00-08:00", KATHMANDU, "2026-11-26T15:15:00Z", "2026-11-27T02:15:00Z"),
    # A night that is an hour shorter, and one that is an hour longer.
    ("22:00-08:00", STOCKHOLM, "2026-03-28T21:00:00Z", "2026-03-29T06:00:00Z"),
    ("22:00-08:00", STOCKHOLM, "2026-10-24T20:00:00Z", "2026-10-25T07:00:00Z"),
    ("22:00-08:00", NEW_YORK, "2026-03-08T03:00:00Z", "2026-03-08T12:00:00Z"),
    ("22:00-08:00", NEW_YORK, "2026-11-01T02:00:00Z", "2026-11-01T13:00:00Z"),
    ("22:00-08:00", LORD_HOWE, "2026-10-03T11:30:00Z", "2026-10-03T21:00:00Z"),
    ("22:00-08:00", LORD_HOWE, "2026-04-04T11:00:00Z", "2026-04-04T21:30:00Z"),
    # Clocks go from 02:00 to 03:00 at 01:00Z: what is left out ends, or begins, there.
    ("22:00-02:30", STOCKHOLM, "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
    ("22:00-02:30", STOCKHOLM, "2026-03-29T01:00:00Z", ""),
    ("02:30-06:00", STOCKHOLM, "2026-03-29T00:59:59Z", ""),
    ("02:30-06:00", STOCKHOLM, "2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z"),
    ("02:10-02:50", STOCKHOLM, "2026-03-29T01:00:00Z", ""),
    # Of the only minutes of a day that are not quiet none is there: two nights are one.
    ("02:50-02:10", STOCKHOLM, "2026-03-28T12:00:00Z", "2026-03-30T00:10:00Z"),
    # They go from 03:00 back to 02:00 at 01:00Z: what comes twice counts both times.
    ("22:00-02:30", STOCKHOLM, "2026-10-25T00:29:00Z", "2026-10-25T01:30:00Z"),
    ("22:00-02:30", STOCKHOLM, "2026-10-25T00:45:00Z", "2026-10-25T01:30:00Z"),
    ("22:00-02:30", STOCKHOLM, "2026-10-25T01:30:00Z", ""),
    ("02:30-06:00", STOCKHOLM, "2026-10-25T00:29:59Z", ""),
    ("02:30-06:00", STOCKHOLM, "2026-10-25T01:10:00Z", "2026-10-25T05:00:00Z"),
    ("02:10-02:40", STOCKHOLM, "2026-10-25T00:50:00Z", "2026-10-25T01:40:00Z"),
    # By half an hour: 02:00 becomes 02:30 at 15:30Z, and 01:30 again at 15:00Z.
    ("22:00-02:15", LORD_HOWE, "2026-10-03T15:00:00Z", "2026-10-03T15:30:00Z"),
    ("22:00-01:45", LORD_HOWE, "2026-04-04T14:50:00Z", "2026-04-04T15:15:00Z"),
    # A whole date was left out: the night of the 29th is followed by the 31st.
    ("22:00-07:00", "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-30T17:00:00Z"),
])
def test_until(between: str, zone: str, now: str, expected: str) -> None:
    """In the customer's own zone."""
    assert expected == utc(until(hours(between), zone, at(now)))


@pytest.mark.parametrize(("zone", "customer_zone", "expected"), [
    ("customer", KATHMANDU, KATHMANDU), ("customer", "", NEW_YORK),
    ("customer", "Europe/Nowhere", NEW_YORK), ("customer", "../UTC", NEW_YORK),
    (STOCKHOLM, KATHMANDU, STOCKHOLM), (STOCKHOLM, "", STOCKHOLM)])
def test_whose_clock(zone: str, customer_zone: str, expected: str) -> None:
    """The one named; the customer's; the other one where they have none that there is."""
    now = at("2026-11-26T00:00:00Z")
    said = QuietHours(from_="00:00", to="23:59", zone=zone, else_zone=NEW_YORK)
    local = datetime.fromtimestamp(until(said, customer_zone, now) / 1000, ZoneInfo(expected))

    assert "23:59" == local.strftime("%H:%M")


@pytest.mark.parametrize(("given_", "words"), [
    ({"from": "21:00", "to": "21:00"}, "21:00 is that of from"),
    ({"from": "21:00", "to": "08:00", "zone": "Europe/Nowhere"}, "'Europe/Nowhere' is no IANA"),
    ({"from": "21:00", "to": "08:00", "else_zone": "customer"}, "'customer' is no IANA"),
    ({"from": "21:00", "to": "08:00", "else_zone": ""}, "is no IANA time zone"),
    ({"from": "24:00", "to": "08:00"}, "regex"), ({"from": "21:00"}, "to")])
def test_what_is_refused(given_: dict[str, str], words: str) -> None:
    """When the configuration is read: what may mean never or always, and zones that there are not.
    """
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(given_, QuietHours)


TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
INSTANTS = st.integers(at("2005-01-01T00:00:00Z"), at("2037-01-01T00:00:00Z"))


def changes(zone: str) -> list[int]:
    """Some instants at which this zone's clocks change, found without any rule of ours."""
    info, found = zone_info(zone), []
    start = datetime(2011, 1, 1, tzinfo=UTC)
    for hour in range(24 * 365):
        one, next_ = (start + timedelta(hours=n) for n in (hour, hour + 1))
        if one.astimezone(info).utcoffset() != next_.astimezone(info).utcoffset():
            found.append(round(one.timestamp() * 1000))
    return found


CHANGES = {zone: changes(zone) for zone in ZONES}
NEAR = st.sampled_from(ZONES).flatmap(lambda zone: st.tuples(st.just(zone), st.builds(
    int.__add__, st.sampled_from(CHANGES[zone]), st.integers(-DAY, DAY)) if CHANGES[zone]
    else INSTANTS))


def is_within(between: str, zone: str, now: int) -> bool:
    """Whether a clock there shows a time within them: nothing else."""
    shown = datetime.fromtimestamp(now / 1000, ZoneInfo(zone)).strftime("%H:%M")
    begin, end = between.split("-")
    return begin <= shown < end if begin < end else shown >= begin or shown < end


@given(TIMES, TIMES, st.one_of(st.tuples(st.sampled_from(ZONES), INSTANTS), NEAR))
@example("02:50", "02:10", (STOCKHOLM, at("2026-03-28T12:00:00Z")))
@example("02:30", "02:10", (STOCKHOLM, at("2026-10-24T12:00:00Z")))
def test_the_end_is_not_quiet_and_every_minute_before_it_is(
        begin: str, end: str, when: tuple[str, int]) -> None:
    """And it is one end, from whichever of those minutes it is asked."""
    if begin == end:
        return
    zone, now = when
    said = hours(f"{begin}-{end}")
    found = until(said, zone, now)

    assert 0 == found or now < found <= now + 2 * DAY + 3_600_000
    assert 0 == (until(said, zone, found) if found else 0)
    assert {found} >= {until(said, zone, minute) for minute in range(now, found, 7 * MINUTE)}
    assert 0 == found or found == until(said, zone, found - 1)


@given(TIMES, TIMES, st.one_of(st.tuples(st.sampled_from(ZONES), INSTANTS), NEAR))
def test_what_the_clock_shows(begin: str, end: str, when: tuple[str, int]) -> None:
    """Quiet is every instant at which it shows a time within them; others are only on days on which
    clocks change.
    """
    if begin == end:
        return
    zone, now = when
    shown = is_within(f"{begin}-{end}", zone, now)
    is_quiet = until(hours(f"{begin}-{end}"), zone, now) > 0

    info = zone_info(zone)
    offsets = {datetime.fromtimestamp((now + n * DAY) / 1000, info).utcoffset()
               for n in (-2, -1, 0, 1)}
    assert is_quiet or not shown
    assert is_quiet == shown or len(offsets) > 1

"""The table of times of docs/collector.md."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.events import times
from footfall.events.fields import FieldError
from footfall.events.times import FUTURE_MS_MAX, NEWEST_MS, OLDEST_MS, STEP_MS

MINUTE = 60_000
HOUR = 60 * MINUTE
NOW = 1_795_428_000_000  # 2026-11-23T10:00:00Z


@pytest.mark.parametrize(("stated", "expected"), [
    (None, NOW),
    ("2026-11-23T10:00:00Z", NOW),
    ("2026-11-23t10:00:00z", NOW),
    ("2026-11-23 10:00:00Z", NOW),
    ("2026-11-23T10:00:00", NOW),
    ("2026-11-23T10:00:00.1Z", NOW + 100),
    ("2026-11-23T10:00:00.123Z", NOW + 123),
    ("2026-11-23T10:00:00.123456+00:00", NOW + 123),
    ("2026-11-23T10:00:00.123999999Z", NOW + 123),
    ("2026-11-24T00:00:00+14:00", NOW),
    ("2026-11-23T02:30:00-0730", NOW),
    ("2026-11-23T09:59:60Z", NOW),
    ("2026-11-23T09:59:60.007Z", NOW + 7),
    (NOW, NOW),
    (OLDEST_MS, OLDEST_MS),
    ("2000-01-01T00:00:00Z", OLDEST_MS),
    (NOW + FUTURE_MS_MAX, NOW + FUTURE_MS_MAX),
    (NOW + FUTURE_MS_MAX + 1, NOW),
    ("9999-12-31T23:59:59.999Z", NOW),
    (NEWEST_MS, NOW),
])
def test_stated_times_that_are_taken(stated: object, expected: int) -> None:
    assert expected == times.event_time(stated, "timestamp", None, NOW)


@pytest.mark.parametrize(("stated", "reason"), [
    ("", "time_unreadable"),
    ("yesterday", "time_unreadable"),
    ("2026-11-23", "time_unreadable"),
    ("2026-W48-1T10:00:00Z", "time_unreadable"),
    ("2026-02-29T10:00:00Z", "time_unreadable"),
    ("0000-01-01T10:00:00Z", "time_unreadable"),
    ("2026-11-23T24:00:00Z", "time_unreadable"),
    ("2026-11-23T10:60:00Z", "time_unreadable"),
    ("2026-11-23T10:00:61Z", "time_unreadable"),
    ("2026-11-23T10:00:00.Z", "time_unreadable"),
    ("2026-11-23T10:00:00.1234567890Z", "time_unreadable"),
    ("2026-11-23T10:00:00+24:00", "time_unreadable"),
    ("2026-11-23T10:00:00Z\n", "time_unreadable"),
    ("2026-02-29T10:00:00.123Z", "time_unreadable"),
    ("2026-11-23T24:00:00.000Z", "time_unreadable"),
    ("2026-11-23T10:00:61.000Z", "time_unreadable"),
    ("2026-11-23T10:00:00.-1Z ", "time_unreadable"),
    ("\u0662\u0660\u0662\u0666-11-23T10:00:00Z", "time_unreadable"),
    (str(NOW), "time_unreadable"),
    (True, "time_unreadable"),
    (Decimal("1795428000000.5"), "time_unreadable"),
    ([], "time_unreadable"),
    ({}, "time_unreadable"),
    (NOW * 1000, "time_unreadable"),           # microseconds
    (NOW // 1000, "time_out_of_range"),        # seconds
    (0, "time_out_of_range"),
    (-NOW, "time_out_of_range"),
    (OLDEST_MS - 1, "time_out_of_range"),
    ("0001-01-01T00:00:00Z", "time_out_of_range"),
])
def test_stated_times_that_are_refused(stated: object, reason: str) -> None:
    with pytest.raises(FieldError) as refused:
        times.event_time(stated, "timestamp", None, NOW)
    assert reason == refused.value.reason
    assert refused.value.detail.startswith("timestamp ")


@pytest.mark.parametrize("sent_at", [None, "", "soon", True, [], Decimal("1.5"), 10**30])
def test_an_unreadable_sent_at_corrects_nothing(sent_at: object) -> None:
    assert NOW - HOUR == times.event_time(NOW - HOUR, "timestamp", sent_at, NOW)


def test_healthy_clock_and_30_s_of_transit_change_nothing() -> None:
    """PostHog#98250."""
    sent = NOW - 30_000
    assert sent - 1000 == times.event_time(sent - 1000, "timestamp", sent, NOW)


@pytest.mark.parametrize("wrong_by", [HOUR, -HOUR, 24 * HOUR, -26 * HOUR])
def test_a_clock_wrong_by_hours_is_corrected(wrong_by: int) -> None:
    """Exact, where the error is a multiple of a step and transit is ordinary."""
    happened = NOW - 20 * MINUTE
    found = times.event_time(happened + wrong_by, "timestamp", NOW - 1000 + wrong_by, NOW)
    assert happened == found


def test_a_dead_clock_that_says_so_is_corrected() -> None:
    assert NOW - 5000 == times.event_time(NOW % STEP_MS - 5000, "timestamp", NOW % STEP_MS, NOW)


@given(st.integers(-10**12, 10**12), st.integers(0, HOUR), st.integers(0, HOUR))
def test_within_one_request_the_order_is_kept(wrong_by: int, first: int, second: int) -> None:
    """Whatever the clock says: one request, one correction."""
    sent = NOW + wrong_by
    found = [times.correction(sent, NOW) + sent - ago for ago in (first, second)]
    assert (first >= second) == (found[0] <= found[1])


@given(st.integers(-100, 100), st.integers(-MINUTE, MINUTE),
       st.lists(st.tuples(st.integers(0, 10 * MINUTE), st.integers(0, 90_000)), max_size=6))
def test_over_requests_the_order_is_kept(steps: int, drift: int,
                                         requests: list[tuple[int, int]]) -> None:
    """For a clock within a minute of a whole step (healthy, or a wrong zone), transit to 90 s."""
    sent, found = NOW, []
    for gap, transit in requests:
        sent += gap
        stated = sent + steps * STEP_MS + drift
        found.append(stated + times.correction(stated, sent + transit))
    assert sorted(found) == found


@given(st.integers(-10**13, 10**13))
def test_the_error_left_is_at_most_half_a_step(wrong_by: int) -> None:
    assert abs(times.correction(NOW + wrong_by, NOW) + wrong_by) <= STEP_MS // 2


@given(st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1)), st.integers(-1439, 1439))
def test_reading_agrees_with_the_standard_library(naive: datetime, minutes: int) -> None:
    when = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert expected == times.read(when.isoformat(timespec="microseconds"))


@given(st.lists(st.tuples(st.integers(0, 23), st.sampled_from("0123459+-:.TZ ,W\u0662\ud800")),
                max_size=4))
def test_the_common_spelling_is_read_like_all_others(changes: list[tuple[int, str]]) -> None:
    """With a digit more it takes the other way."""
    spelling = list("2026-11-23T10:00:00.123Z")
    for at, character in changes:
        spelling[at] = character
    found = []
    for text in ("".join(spelling), "".join([*spelling[:23], "0", *spelling[23:]])):
        try:
            found.append(times.read(text))
        except ValueError:
            found.append(None)
    assert found[0] == found[1] or spelling[19] != "." or spelling[23] != "Z"


@given(st.text() | st.integers() | st.booleans() | st.none() | st.decimals() | st.from_regex(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?",
    fullmatch=True))
def test_anything_is_a_time_or_a_field_error(stated: object) -> None:
    try:
        found = times.event_time(stated, "timestamp", stated, NOW)
    except FieldError:
        return
    assert OLDEST_MS <= found <= NOW + FUTURE_MS_MAX


@pytest.mark.parametrize(("document", "expected"), [
    ({"timestamp": 0}, 0),
    ({"timestamp": "1997-01-01T00:00:00Z", "sentAt": NOW}, 852_076_800_000),
    ({"timestamp": None, "originalTimestamp": NOW - HOUR, "sentAt": NOW - HOUR, "receivedAt": NOW},
     NOW),
    ({"originalTimestamp": NOW - HOUR, "sentAt": NOW - HOUR}, NOW - HOUR),
    ({"originalTimestamp": NOW - HOUR, "sentAt": "?", "receivedAt": NOW}, NOW - HOUR),
    ({"receivedAt": NOW - HOUR}, NOW - HOUR),
    ({"timestamp": NOW + FUTURE_MS_MAX}, NOW + FUTURE_MS_MAX),
    ({"timestamp": NOW + FUTURE_MS_MAX + 1}, "time_out_of_range"),
    ({"timestamp": "9999-12-31T23:59:59Z"}, "time_out_of_range"),
    ({"timestamp": "0001-01-01T00:00:00Z"}, "time_out_of_range"),
    ({"timestamp": -1}, "time_out_of_range"),
    ({"timestamp": "1.1.1997"}, "time_unreadable"),
    ({"originalTimestamp": NOW, "sentAt": NOW, "receivedAt": "?"}, "time_unreadable"),
    ({"sentAt": NOW}, "field_missing"),
    ({}, "field_missing"),
])
def test_times_of_an_import(document: dict[str, Any], expected: int | str) -> None:
    """What is stated holds, since 1970 and not ahead; nothing is put in its place."""
    try:
        found: int | str = times.historical(document, NOW)
    except FieldError as error:
        found = error.reason
    assert expected == found

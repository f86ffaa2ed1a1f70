"""What answers mean, and how long is waited: tables and bounds, no server."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.sdk.http import PATH, target
from footfall.sdk.outcome import (
    BACKOFF_S,
    BACKOFF_S_MAX,
    RETRY_AFTER_S_MAX,
    Again,
    Refused,
    Taken,
    delay_s,
    judge,
    retry_after_s,
)

NOW = 1_795_428_000.0


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, RETRY_AFTER_S_MAX))
def test_the_wait_is_jittered_bounded_and_never_shorter_than_asked(
    attempt: int, dice: float, asked: float
) -> None:
    delay = delay_s(attempt, asked, dice)
    assert asked <= delay <= max(asked, BACKOFF_S_MAX)
    assert delay_s(attempt, 0, 0) == 0
    assert delay_s(attempt, 0, 1) == min(BACKOFF_S * 2.0 ** min(attempt - 1, 16), BACKOFF_S_MAX)


@pytest.mark.parametrize(("header", "seconds"), [
    (None, 0), ("", 0), ("3", 3), (" 3 ", 3), ("0", 0), ("-5", 0), ("1.5", 0), ("soon", 0),
    ("1000000", RETRY_AFTER_S_MAX), ("9" * 400, RETRY_AFTER_S_MAX),
    (formatdate(NOW + 20, usegmt=True), 20), (formatdate(NOW - 20, usegmt=True), 0),
    ("Mon, 99 Foo 2026 25:61:61 GMT", 0),
])
def test_retry_after_is_read_as_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert seconds == retry_after_s(header, NOW)


def test_an_answer_is_one_of_three() -> None:
    assert Again("http_503", 2) == judge(503, "2", b"", 1, NOW)
    assert Again("http_408") == judge(408, None, b"{}", 1, NOW)
    assert Refused("http_400", "not_json: the body is not JSON", 400) == judge(
        400, None, b'{"code": "not_json", "message": "the body is not JSON"}', 1, NOW)
    assert Refused("http_302", "no reason was given", 302) == judge(302, None, b"<", 1, NOW)
    taken = judge(200, None, b'{"success": true}', 3, NOW)
    assert isinstance(taken, Taken)
    assert ["accepted"] * 3 == [result.status for result in taken.results]
    assert judge(202, None, b"{}", 1, NOW) == judge(200, None, b"{}", 1, NOW)


@given(st.integers(100, 999), st.none() | st.text(), st.binary(), st.integers(1, 100))
def test_no_answer_raises(status: int, header: str | None, body: bytes, items: int) -> None:
    """And nothing but a 2xx takes anything."""
    outcome = judge(status, header, body, items, NOW)
    assert not isinstance(outcome, Taken) or 200 <= status < 300


@pytest.mark.parametrize(("url", "expected"), [
    ("http://x", (False, "x", None, PATH)), ("https://x:8443/", (True, "x", 8443, PATH)),
    ("https://x/base/", (True, "x", None, "/base" + PATH)), ("x", (True, "x", None, PATH)),
    ("http://[::1]:8080", (False, "::1", 8080, PATH)),
])
def test_where_a_collector_is(url: str, expected: tuple[object, ...]) -> None:
    assert expected == target(url)


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://x:port", "http://u:p@x",
                                 "http://x?a=b", "http://x#y"])
def test_where_none_can_be(url: str) -> None:
    with pytest.raises(ValueError):
        target(url)

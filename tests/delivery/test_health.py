"""The breaker, what counts against a destination, and when it is disabled."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.delivery.health import (
    DISABLE_FAILURES_MIN,
    Health,
    Says,
    after,
    disabled,
    enabled,
    failed,
    is_open,
    may_send,
    overdue,
    says,
    succeeded,
)
from footfall.delivery.message import Outcome, Result
from footfall.delivery.routes_row import Breaker

S = 1_000
NOW = 1_795_000_000_000
DAY_S = 86_400
THREE = Breaker(failures=3, open_s=30, open_s_max=100)
SENT, TIMEOUT = Outcome("sent"), Outcome("retry", "timeout")


def after_failures(count: int, breaker: Breaker = THREE, every_ms: int = S) -> Health:
    health = Health()
    for n in range(count):
        health = failed(health, breaker, NOW + n * every_ms)
    return health


@pytest.mark.parametrize(("result", "reason", "code", "expected"), [
    ("sent", "", 200, "works"), ("sent", "", 0, "works"),
    ("retry", "timeout", 0, "fails"), ("retry", "connection", 0, "fails"),
    ("retry", "tls", 0, "fails"), ("retry", "dns", 0, "fails"),
    ("dead", "address_refused", 0, "fails"), ("retry", "throttled", 429, "fails"),
    ("retry", "redirect", 301, "fails"), ("retry", "answer_invalid", 0, "fails"),
    ("retry", "broker", 0, "fails"), ("retry", "redis", 0, "fails"),
    ("retry", "notify", 0, "fails"),
    ("retry", "status", 500, "fails"), ("retry", "status", 503, "fails"),
    ("retry", "status", 401, "fails"), ("dead", "status", 404, "fails"),
    ("retry", "status", 408, "fails"), ("retry", "status", 0, "fails"),
    # About this message.
    ("dead", "status", 400, "works"), ("retry", "status", 413, "works"),
    ("retry", "status", 422, "works"), ("dead", "refused", 550, "works"),
    ("dead", "aborted", 200, "works"),
    ("retry", "smtp_temporary", 450, "works"), ("retry", "smtp_temporary", 451, "works"),
    ("retry", "smtp_temporary", 452, "works"), ("retry", "smtp_temporary", 421, "fails"),
    ("retry", "smtp_temporary", 454, "fails"), ("retry", "smtp_temporary", 0, "fails"),
    # It was never asked, or is disabled anyway.
    ("gone", "gone", 410, "nothing"), ("dead", "render_failed", 0, "nothing"),
    ("dead", "message_too_large", 0, "nothing"), ("dead", "backlog_full", 0, "nothing"),
    ("retry", "of another release", 0, "nothing")])
def test_what_counts(result: Result, reason: str, code: int, expected: Says) -> None:
    """Against a destination: what it fails at itself, or the way to it."""
    outcome = Outcome(result, reason, code)
    before = after_failures(2)
    found = after(before, THREE, outcome, NOW + 5 * S)

    assert expected == says(outcome)
    assert {"works": 0, "fails": 3, "nothing": 2}[expected] == found.failures
    assert (result == "sent") == (found.last_sent_at > 0)
    assert (found == before) == (expected == "nothing")


def test_the_breaker_opens_and_finds_out() -> None:
    """After so many failures in a row; then one is tried; each that fails doubles the time, up to
    the most; one that is sent closes it.
    """
    health = after_failures(2)
    assert "yes" == may_send(health, NOW + 2 * S, is_probing=False)

    now = NOW + 2 * S
    for open_s in (30, 60, 100, 100):
        health = failed(health, THREE, now)
        assert (open_s * S, now + open_s * S) == (health.open_ms, health.open_until)
        for at in (now, now + open_s * S - 1):
            assert "no" == may_send(health, at, is_probing=False)
        now += open_s * S
        assert "probe" == may_send(health, now, is_probing=False)
        assert "no" == may_send(health, now, is_probing=True)

    health = succeeded(health, now)
    assert Health(last_sent_at=now) == health
    assert "yes" == may_send(health, now, is_probing=False)


def test_failures_that_were_under_way_open_it_no_longer() -> None:
    """Sixty-four are sent at once: the breaker opens once."""
    health = after_failures(64, every_ms=100)

    assert (64, 30 * S) == (health.failures, health.open_ms)
    assert NOW + 200 + 30 * S == health.open_until


def test_an_answer_about_a_message_closes_it() -> None:
    """The one that is tried is refused for its recipient: the server is there."""
    health = after(after_failures(3), THREE, Outcome("dead", "refused", 550), NOW + 60 * S)

    assert Health() == health


@pytest.mark.parametrize(("breaker", "failures", "open_s"), [
    (Breaker(failures=1), 1, 30), (Breaker(), 9, 0), (Breaker(), 10, 30),
    # Without a time it never opens; a first time above the most is still the first.
    (Breaker(failures=1, open_s=0), 5, 0), (Breaker(failures=1, open_s=0.5), 1, 0.5),
    (Breaker(failures=1, open_s=900, open_s_max=600), 1, 900)])
def test_what_is_configured_holds(breaker: Breaker, failures: int, open_s: float) -> None:
    """Failures, the first time, the most."""
    health = after_failures(failures, breaker, every_ms=0)

    assert open_s * S == health.open_ms
    assert ("no" if open_s else "yes") == may_send(health, NOW, is_probing=False)


def test_a_clock_that_is_put_back_does_not_hold_it_open() -> None:
    """It is open for as long as it was opened for, by whichever clock."""
    health = after_failures(3, every_ms=0)

    assert is_open(health, NOW) and not is_open(health, NOW - 1)
    assert "probe" == may_send(health, NOW - DAY_S * S, is_probing=False)


@pytest.mark.parametrize(("failures", "after_s", "disable_after_s", "expected"), [
    (DISABLE_FAILURES_MIN, 432_000, 432_000, True),
    (DISABLE_FAILURES_MIN, 431_999, 432_000, False),
    (DISABLE_FAILURES_MIN - 1, 900_000, 432_000, False),
    (99, 9_000_000, 0, False), (0, 9_000_000, 432_000, False), (3, 1, 0.5, True)])
def test_overdue(failures: int, after_s: float, disable_after_s: float, expected: bool) -> None:
    """It has failed, and nothing else, for so long; 0 is never."""
    health = after_failures(failures, every_ms=0)

    assert expected == overdue(health, disable_after_s, NOW + round(after_s * S))


def test_one_that_is_sent_begins_the_count_anew() -> None:
    """Five days are five days of nothing but failures."""
    health = succeeded(after_failures(99, every_ms=0), NOW + 4 * DAY_S * S)
    for n in range(9):
        health = failed(health, THREE, NOW + 4 * DAY_S * S + n)

    assert not overdue(health, 5 * DAY_S, NOW + 5 * DAY_S * S)
    assert overdue(health, 5 * DAY_S, NOW + 9 * DAY_S * S)


def test_what_is_disabled_waits_to_be_enabled() -> None:
    """Nothing is sent, whatever comes of what was under way; it is disabled once; enabled it begins
    anew.
    """
    sick = failed(succeeded(Health(), NOW - S), THREE, NOW)
    health = disabled(sick, "gone", NOW + 1)
    assert (NOW + 1, "gone") == (health.disabled_at, health.disabled_reason)
    assert health is disabled(health, "failing", NOW + 2)

    for now in (NOW + 2, NOW + DAY_S * S):
        assert "no" == may_send(health, now, is_probing=False)
    assert "no" == may_send(succeeded(health, NOW + 2), NOW + 3, is_probing=False)
    for n in range(DISABLE_FAILURES_MIN):
        health = failed(health, THREE, NOW + 2 + n)
    assert not overdue(health, 1, NOW + DAY_S * S)

    again = enabled(health)
    assert Health(last_sent_at=NOW - S, generation=1) == again
    assert "yes" == may_send(again, NOW + 4, is_probing=False)
    assert 2 == enabled(again).generation


OUTCOMES = st.sampled_from([
    SENT, TIMEOUT, TIMEOUT, TIMEOUT, Outcome("dead", "refused", 550),
    Outcome("dead", "render_failed")])


@given(st.integers(1, 5), st.lists(st.tuples(OUTCOMES, st.integers(0, 200 * S)), max_size=60))
def test_whatever_happens(failures: int, happened: list[tuple[Outcome, int]]) -> None:
    """It opens by failures alone, never for longer than the most, and lets one through in the end;
    what is stored is what was.
    """
    breaker = Breaker(failures=failures, open_s=30, open_s_max=100)
    health, now, in_a_row = Health(), NOW, 0
    for outcome, waits_ms in happened:
        now += waits_ms
        health = after(health, breaker, outcome, now)
        in_a_row = {"works": 0, "fails": in_a_row + 1, "nothing": in_a_row}[says(outcome)]

        assert in_a_row == health.failures
        assert (in_a_row >= failures) == (health.open_ms > 0)
        assert (in_a_row > 0) == (health.failing_since > 0)
        assert health.open_ms in (0, 30 * S, 60 * S, 100 * S)
        assert "no" != may_send(health, now + 100 * S, is_probing=False)
        stored = msgspec.msgpack.encode(health)
        assert health == msgspec.msgpack.decode(stored, type=Health)


def test_it_is_stored_as_integers_and_text() -> None:
    """In this order: what is stored stays readable."""
    health = disabled(after_failures(3, every_ms=0), "failing", NOW)

    assert [3, NOW, NOW + 30 * S, 30 * S, 0, NOW, "failing", 0] == msgspec.to_builtins(health)

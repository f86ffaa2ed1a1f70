"""When a delivery that failed is tried again: schedule, jitter, what the destination asks for."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.delivery.message import Outcome, Result
from footfall.delivery.retry import RETRY_AFTER_S_MAX, next_due
from footfall.delivery.routes_row import Retry

NOW = 1_795_000_000_000
FAILED = Outcome("retry", "timeout")
EXACT = Retry(jitter=0)
#: Seconds after the first attempt, of Standard Webhooks: 75:35:05 in all.
SCHEDULE = (5, 305, 2_105, 9_305, 27_305, 63_305, 113_705, 185_705, 272_105)


def asked(seconds: float | None) -> Outcome:
    return Outcome("retry", "throttled", 429, seconds)


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    """Nine more attempts, each as long after the one before as it says; then none."""
    now, found = NOW, []
    for attempt in range(1, 10):
        now = next_due(EXACT, attempt, FAILED, now, "t|shop")
        found.append((now - NOW) / 1000)

    assert SCHEDULE == tuple(found)
    assert 75 * 3_600 + 35 * 60 + 5 == SCHEDULE[-1]
    assert 0 == next_due(EXACT, 10, FAILED, now, "t|shop")


@pytest.mark.parametrize(("retry", "attempt", "outcome", "expected_s"), [
    (EXACT, 1, FAILED, 5), (EXACT, 9, FAILED, 86_400), (EXACT, 10, FAILED, None),
    (EXACT, 999, FAILED, None), (Retry(delays_s=(), jitter=0), 1, FAILED, None),
    (Retry(delays_s=(0.5,), jitter=0), 1, FAILED, 0.5), (Retry(delays_s=(0,), jitter=0), 1, FAILED,
                                                         0),
    # What the destination asks for holds where it is longer, up to a day.
    (EXACT, 1, asked(None), 5), (EXACT, 1, asked(0), 5), (EXACT, 1, asked(4.9), 5),
    (EXACT, 1, asked(120), 120), (EXACT, 1, asked(0.1), 5), (EXACT, 2, asked(120), 300),
    (EXACT, 1, asked(86_400), 86_400), (EXACT, 1, asked(86_401), 86_400),
    (EXACT, 1, asked(1e300), 86_400), (EXACT, 1, asked(inf), 86_400), (EXACT, 1, asked(nan), 5),
    (EXACT, 1, asked(-inf), 5), (EXACT, 1, asked(-3), 5),
    (Retry(delays_s=(200_000,), jitter=0), 1, asked(300_000), 200_000),
    # It cannot ask for an attempt that there is not.
    (EXACT, 10, asked(120), None)])
def test_next_due(retry: Retry, attempt: int, outcome: Outcome, expected_s: float | None) -> None:
    """Without jitter, to the millisecond."""
    expected = 0 if expected_s is None else NOW + round(expected_s * 1000)

    assert expected == next_due(retry, attempt, outcome, NOW, "t|shop")


@pytest.mark.parametrize("result", ["sent", "dead", "gone"])
def test_only_what_may_help_is_tried(result: Result) -> None:
    """What was sent, or cannot be, is not tried again."""
    assert 0 == next_due(EXACT, 1, Outcome(result), NOW, "t|shop")


@given(st.integers(1, 9), st.floats(0, 1), st.one_of(st.none(), st.floats(0, 1e9)), st.text())
def test_jitter_makes_it_longer_and_never_another(
        attempt: int, jitter: float, after_s: float | None, seed: str) -> None:
    """By at most its part, never below what the destination asked for, and the same each time."""
    retry, outcome = Retry(jitter=jitter), asked(after_s)
    least = next_due(EXACT, attempt, outcome, NOW, seed) - NOW
    found = next_due(retry, attempt, outcome, NOW, seed)

    assert least <= found - NOW <= least * (1 + jitter) + 1
    assert found - NOW >= min(after_s or 0, RETRY_AFTER_S_MAX) * 1000
    assert found == next_due(retry, attempt, outcome, NOW, seed)


def test_what_fails_at_once_does_not_come_back_at_once() -> None:
    """Of a thousand, each tenth of the jitter gets its share; also where all were asked to wait."""
    for outcome, delay_s in ((FAILED, 5), (asked(100), 100)):
        dues = [next_due(Retry(), 1, outcome, NOW, f"trigger {n}|shop") for n in range(1_000)]
        tenths = [(due - NOW - delay_s * 1000) * 10 // (delay_s * 100 + 1) for due in dues]

        assert all(60 < tenths.count(n) < 140 for n in range(10)), tenths


def test_jitter_is_that_of_the_attempt() -> None:
    """Who was late once is not late again; and it is no other tomorrow (known answers)."""
    retry = Retry(delays_s=(10,) * 5, jitter=1)
    found = [next_due(retry, attempt, FAILED, 0, "t|shop") for attempt in range(1, 6)]

    assert 5 == len(set(found))
    assert [12_993, 11_028, 14_307, 11_613, 15_728] == found

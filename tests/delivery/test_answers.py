"""What answers mean: the table, and no answer that raises."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.delivery.answers import RETRY_AFTER_S_MAX, Answer, outcome_of, retry_after_s
from footfall.delivery.message import Outcome

NOW = 1_795_680_000.0


@pytest.mark.parametrize(("answer", "outcome"), [
    (Answer(200), Outcome("sent", "", 200)),
    (Answer(204, "60"), Outcome("sent", "", 204)),
    (Answer(299, "", "abort-message"), Outcome("sent", "", 299)),
    (Answer(301), Outcome("retry", "redirect", 301)),
    (Answer(304, "60"), Outcome("retry", "redirect", 304)),
    (Answer(400), Outcome("retry", "status", 400)),
    (Answer(404, "60"), Outcome("retry", "status", 404)),
    (Answer(404, "", "abort-message"), Outcome("dead", "aborted", 404)),
    (Answer(500, "", " Abort-Message "), Outcome("dead", "aborted", 500)),
    (Answer(500, "", "abort"), Outcome("retry", "status", 500)),
    (Answer(410), Outcome("gone", "gone", 410)),
    (Answer(410, "", "abort-message"), Outcome("gone", "gone", 410)),
    (Answer(429), Outcome("retry", "throttled", 429)),
    (Answer(429, "7"), Outcome("retry", "throttled", 429, 7.0)),
    (Answer(500, "7"), Outcome("retry", "status", 500)),
    (Answer(502, "7"), Outcome("retry", "status", 502, 7.0)),
    (Answer(503, formatdate(NOW + 90, usegmt=True)), Outcome("retry", "status", 503, 90.0)),
    (Answer(504, "100000"), Outcome("retry", "status", 504, RETRY_AFTER_S_MAX)),
    (Answer(599), Outcome("retry", "status", 599)),
    (Answer(101), Outcome("retry", "answer_invalid", 101)),
    (Answer(600), Outcome("retry", "answer_invalid", 600)),
    (Answer(999), Outcome("retry", "answer_invalid", 999)),
])
def test_an_answer_means_one_thing(answer: Answer, outcome: Outcome) -> None:
    """The status decides, then `webhook-delivery`, then when it may come again."""
    assert outcome == outcome_of(answer, NOW)


@pytest.mark.parametrize(("header", "seconds"), [
    ("", None), ("soon", None), ("-5", None), ("1.5", None), ("0x10", None), ("٣", None),
    ("0", 0.0), (" 3 ", 3.0), ("86400", 86_400.0), ("86401", 86_400.0), ("9" * 5_000, 86_400.0),
    (formatdate(NOW + 20, usegmt=True), 20.0), (formatdate(NOW - 20, usegmt=True), 0.0),
    (formatdate(NOW + 1e7, usegmt=True), 86_400.0), ("Mon, 99 Foo 2026 25:61:61 GMT", None),
    ("Thu, 26 Nov 2026 25:00:00 GMT", None), ("Thu, 26 Nov 99999 01:00:00 GMT", None),
])
def test_retry_after_is_seconds_or_a_date_and_a_day_at_most(
    header: str, seconds: float | None
) -> None:
    """What is neither asks nothing, so that the schedule holds."""
    assert seconds == retry_after_s(header, NOW)


@given(st.integers(100, 999), st.text(max_size=50), st.text(max_size=50))
def test_no_answer_raises(status: int, retry_after: str, delivery: str) -> None:
    """And waiting is bounded."""
    found = outcome_of(Answer(status, retry_after, delivery), NOW)
    assert found.code == status
    assert found.retry_after_s is None or 0 <= found.retry_after_s <= RETRY_AFTER_S_MAX

"""What a receiver's answer means: sent, once more and when, never more. Pure.

The table is that of docs/delivery-webhooks.md, and the status alone decides: bodies say what they
like. A redirect is a failure that may end, not an instruction: whoever answers it would otherwise
choose where signed messages go.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from footfall.delivery.message import Outcome

RETRY_AFTER_S_MAX = 86_400.0
#: The header, and its value, by which a receiver says that this message is not to come again.
DELIVERY = "webhook-delivery"
ABORT = "abort-message"
GONE = 410
TOO_MANY = 429
#: What may tell when to come again.
_THROTTLING = (TOO_MANY, 502, 503, 504)


class Answer(NamedTuple):
    """Of a receiver, as far as it is looked at. `retry_after`, `delivery`: headers, "" for none."""

    status: int
    retry_after: str = ""
    delivery: str = ""


def outcome_of(answer: Answer, at_s: float) -> Outcome:
    """What became of an attempt that was answered; `at_s`: the wall clock."""
    status = answer.status
    if 200 <= status < 300:
        return Outcome("sent", code=status)
    if not 300 <= status < 600:
        return Outcome("retry", "answer_invalid", status)
    if status == GONE:
        return Outcome("gone", "gone", status)
    if answer.delivery.strip().lower() == ABORT:
        return Outcome("dead", "aborted", status)
    if status < 400:
        return Outcome("retry", "redirect", status)
    wait_s = retry_after_s(answer.retry_after, at_s) if status in _THROTTLING else None
    return Outcome("retry", "throttled" if status == TOO_MANY else "status", status, wait_s)


def retry_after_s(header: str, at_s: float) -> float | None:
    """Seconds that a header asks to wait, from a number or a date; None where it asks nothing."""
    text = header.strip()
    if re.fullmatch(r"[0-9]+", text):
        # A number of any length: what is beyond nine digits is beyond the limit.
        return min(float(text[:10]), RETRY_AFTER_S_MAX) if len(text) < 10 else RETRY_AFTER_S_MAX
    try:
        date = parsedate_to_datetime(text)
        wait_s = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - at_s
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_S_MAX)

"""What an answer of the collector means for the items sent, and when to try again. Pure.

Decides what is tried again: no answer, 408, 429 and 5xx, as the same items with the same
messageIds; never another 4xx, which would be refused for ever, and never a 3xx, which no collector
gives. A 200 counts only with a JSON object in it: whatever else answers 200 (a proxy, a log-in
page) is not a collector, and has not taken anything.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import NamedTuple

import msgspec

BACKOFF_S = 0.5
BACKOFF_S_MAX = 30.0
#: Of what Retry-After asks, at most so much is believed.
RETRY_AFTER_S_MAX = 300.0


class Result(msgspec.Struct):
    """What became of one item, in the collector's words."""

    status: str = "accepted"
    reason: str = ""
    detail: str = ""


class Taken(NamedTuple):
    """The request was taken; one result an item."""

    results: list[Result]


class Again(NamedTuple):
    """Nobody has answered for the items; they may be sent again."""

    reason: str
    retry_after_s: float = 0.0


class Refused(NamedTuple):
    """All items are refused, for good."""

    reason: str
    detail: str
    status: int


Outcome = Taken | Again | Refused


def judge(status: int, retry_after: str | None, body: bytes, items: int, now: float) -> Outcome:
    """The outcome of an answer to so many items; `now` is seconds since 1970."""
    if status in (408, 429) or status >= 500:
        return Again(f"http_{status}", retry_after_s(retry_after, now))
    if not 200 <= status < 300:
        return Refused(f"http_{status}", _message(body), status)
    try:
        answer = _answers.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Again("answer_unreadable")
    if answer.results is None:
        return Taken([Result()] * items)
    if len(answer.results) != items:
        return Again("answer_unreadable")
    return Taken(answer.results)


def retry_after_s(value: str | None, now: float) -> float:
    """Seconds that a Retry-After header asks for: a number of them, or a date."""
    if not value:
        return 0.0
    try:
        seconds = float(min(int(value), RETRY_AFTER_S_MAX))
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), RETRY_AFTER_S_MAX)


def delay_s(attempt: int, asked_s: float, dice: float) -> float:
    """How long to wait after failure number `attempt` (from 1); `dice` is from 0 to 1.

    Full jitter: many clients that failed together do not come back together.
    """
    bound = min(BACKOFF_S * 2.0 ** min(attempt - 1, 16), BACKOFF_S_MAX)
    return max(asked_s, dice * bound)


class _Answer(msgspec.Struct):
    results: list[Result] | None = None


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


def _message(body: bytes) -> str:
    try:
        error = msgspec.json.decode(body, type=_Error)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return "no reason was given"
    return f"{error.code}: {error.message}"


_answers = msgspec.json.Decoder(_Answer)

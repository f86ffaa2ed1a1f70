"""When a delivery that failed is tried again. Pure.

Decides how the schedule of a destination, its jitter and what the destination itself asked for
(`Retry-After`) come together: never sooner than either says. Jitter is a hash of what is sent and
of the attempt, so that the same failure has the same instant whoever works it out, and a thousand
that fail at once do not come back at once. Must never read a clock or a random number.
"""

from __future__ import annotations

from hashlib import blake2b
from math import ceil
from typing import Final

from footfall.delivery.message import Outcome
from footfall.delivery.routes_row import Retry

#: A destination cannot put off a delivery for longer: it would hold up what waits behind it.
RETRY_AFTER_S_MAX: Final = 86_400
_PARTS: Final = 1 << 64


def next_due(retry: Retry, attempt: int, outcome: Outcome, now: int, seed: str) -> int:
    """The instant (ms) of the attempt after this one (the first is 1); 0: there is none. `seed`
    names what is sent and where to: its trigger_id and destination.
    """
    assert attempt >= 1
    if outcome.result != "retry" or attempt > len(retry.delays_s):
        return 0
    delay_s = float(retry.delays_s[attempt - 1])
    asked_s = outcome.retry_after_s
    if asked_s is not None and asked_s > delay_s:  # what is no number is not greater
        delay_s = min(asked_s, max(delay_s, RETRY_AFTER_S_MAX))
    return now + ceil(delay_s * (1 + retry.jitter * _fraction(seed, attempt)) * 1000)


def _fraction(seed: str, attempt: int) -> float:
    """From 0 up to 1."""
    digest = blake2b(f"{attempt}:{seed}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / _PARTS

"""Tracking calls as the collector admits them, for tests of profiles."""

from __future__ import annotations

from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Admitted, Arrival
from tests.tables.logs import KEYS


def admitted(item: bytes, source: str, received_at: int) -> Admitted:
    """One item that is in order."""
    outcome = admit(item, 0, Arrival(source, received_at, "0" * 32), KEYS)
    assert not isinstance(outcome, Rejected), outcome.detail
    return outcome

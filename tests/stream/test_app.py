"""What the worker's app settles for the group."""

from __future__ import annotations

import pytest

from footfall.stream.app import heartbeat_s


@pytest.mark.parametrize(("session_timeout_s", "interval_s"), [
    (300, 0.5), (10, 0.5), (6, 0.5), (2, 0.5), (1, 0.25)])
def test_members_learn_of_a_rebalance_soon_however_long_a_session_may_be(
        session_timeout_s: float, interval_s: float) -> None:
    """A partition stands idle until the last member has learnt of it."""
    assert interval_s == heartbeat_s(session_timeout_s)

"""What the worker's app settles for the group."""

from __future__ import annotations

import pytest

from footfall.stream.app import SESSIONS_A_REBALANCE, heartbeat_s, request_s_max


@pytest.mark.parametrize(("session_timeout_s", "interval_s"), [
    (300, 0.5), (10, 0.5), (6, 0.5), (2, 0.5), (1, 0.25)])
def test_members_learn_of_a_rebalance_soon_however_long_a_session_may_be(
        session_timeout_s: float, interval_s: float) -> None:
    """A partition stands idle until the last member has learnt of it."""
    assert interval_s == heartbeat_s(session_timeout_s)


@pytest.mark.parametrize("session_timeout_s", [1, 10, 44, 91, 300])
def test_a_request_may_take_longer_than_any_wait_for_the_group(session_timeout_s: float) -> None:
    """Faust ends at the start where it may not, and joining would be given up half-way."""
    assert request_s_max(session_timeout_s) > SESSIONS_A_REBALANCE * session_timeout_s

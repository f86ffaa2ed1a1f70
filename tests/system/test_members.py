"""Workers join, leave, stop and come back: nothing is lost, nothing is doubled."""

from __future__ import annotations

import pytest

from footfall.admin import config
from tests.system.exactness import check
from tests.system.shop import Loader, Shop
from tests.system.test_kill import QUICK, QUIET_S_MAX
from tests.system.topics import State, until
from tests.system.workers import KILLED, SESSION_TIMEOUT_S, SYSTEM_SECRET, Workers

pytestmark = pytest.mark.kafka

#: Whoever waited for a session to end would come too late.
LONG_SESSION_S = 90
TAKEN_OVER_S_MAX = 75.0
PROGRESS_S_MAX = 110.0


def until_all_move(state: State, seconds_max: float = PROGRESS_S_MAX) -> None:
    """Wait until every partition has come further than it is now."""
    before = state.offsets()
    until(lambda: all(state.offsets().get(p, 0) > before.get(p, 0) for p in range(4)),
          seconds_max, "progress on every partition")


def test_planned_joins_and_leaves_lose_and_repeat_nothing(
        footfall_topics: str, workers: Workers) -> None:
    """1, 2, 3, 2, 1 workers under load: exact, and no trigger, row or commit comes twice."""
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), QUICK)
    shop, loader, state = Shop(1, customers=200), Loader(footfall_topics), State(footfall_topics)
    loader.start_load(shop, at_least=5_000, a_second=500)
    first = workers.start()
    until_all_move(state)
    second = workers.start().until_ready()
    until_all_move(state)
    third = workers.start().until_ready()
    until_all_move(state)
    assert 0 == second.stop()
    until_all_move(state)
    assert 0 == third.stop()
    until_all_move(state)
    loader.join()
    first.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == first.stop()
    seen = check(footfall_topics)
    print(seen)
    assert (0, 0, 0) == (seen.repeated, seen.stale, seen.went_back)
    assert seen.triggers > 0


def test_a_static_member_that_is_killed_comes_back_at_once(
        footfall_topics: str, workers: Workers) -> None:
    """Killed and started again it goes on long before its session would have ended."""
    shop, loader, state = Shop(2, customers=50), Loader(footfall_topics), State(footfall_topics)
    loader.load(shop.records(1000))
    first = workers.start("w1", session_timeout_s=LONG_SESSION_S)
    first.until(state.covered, TAKEN_OVER_S_MAX)
    first.kill()
    loader.load(shop.records(1000))
    second = workers.start("w1", session_timeout_s=LONG_SESSION_S)
    second.until(state.covered, TAKEN_OVER_S_MAX)
    assert 0 == second.stop()
    assert 0 == check(footfall_topics).repeated
    assert [KILLED, 0] == workers.exits


def test_a_dynamic_member_that_is_killed_is_replaced_when_its_session_ends(
        footfall_topics: str, workers: Workers) -> None:
    """The next one waits for the group, does not take that for its own standstill, and goes on."""
    shop, loader, state = Shop(17, customers=50), Loader(footfall_topics), State(footfall_topics)
    loader.load(shop.records(500))
    first = workers.start()
    first.until(state.covered, TAKEN_OVER_S_MAX)
    first.kill()
    loader.load(shop.records(500))
    second = workers.start()
    second.until(state.covered, TAKEN_OVER_S_MAX)
    assert 0 == second.stop()
    check(footfall_topics)


def test_a_planned_leave_hands_over_without_waiting_for_the_session(
        footfall_topics: str, workers: Workers) -> None:
    """SIGTERM to one of two static members: the other one has all long before the session ends."""
    shop, loader, state = Shop(3, customers=50), Loader(footfall_topics), State(footfall_topics)
    loader.load(shop.records(1000))
    first = workers.start("w1", session_timeout_s=LONG_SESSION_S)
    first.until(state.covered, TAKEN_OVER_S_MAX)
    second = workers.start("w2", session_timeout_s=LONG_SESSION_S).until_ready()
    assert 0 == first.stop()
    loader.load(shop.records(1000))
    second.until(state.covered, TAKEN_OVER_S_MAX)
    assert 0 == second.stop()
    assert 0 == check(footfall_topics).repeated


@pytest.mark.chaos
def test_a_worker_stopped_longer_than_its_session_dies_when_continued(
        footfall_topics: str, workers: Workers) -> None:
    """Another one has taken over; the zombie ends, saying why, and the state stays exact."""
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), QUICK)
    shop, loader, state = Shop(4, customers=200), Loader(footfall_topics), State(footfall_topics)
    loader.start_load(shop, at_least=5_000, a_second=500)
    zombie = workers.start()
    until_all_move(state)
    heir = workers.start().until_ready()
    until_all_move(state)
    zombie.pause()
    until_all_move(state)  # only once the zombie's session has ended
    zombie.resume()
    assert 1 == zombie.wait()
    assert zombie.says("stood still") or zombie.says("Unknown"), zombie.output()
    loader.join()
    heir.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == heir.stop()
    print(check(footfall_topics))
    assert SESSION_TIMEOUT_S < LONG_SESSION_S

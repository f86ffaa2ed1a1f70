"""More workers, fewer workers, each one restarted, all under load: exact, and nobody waits long.

How long a partition stands idle is measured by `bench/members.py` and published; here it is bounded
so widely that only who waits for what he must not wait for is late, not who waits for a processor.
"""

from __future__ import annotations

import pytest

from footfall.admin import config
from footfall.tables.stored import PARTITION_KEY, PartitionState
from tests.system.exactness import check
from tests.system.idle import idle_s, longest
from tests.system.shop import Loader, Shop
from tests.system.test_kill import QUICK, QUIET_S_MAX
from tests.system.test_members import until_all_move
from tests.system.topics import Entry, State
from tests.system.workers import KILLED, SYSTEM_SECRET, Workers

#: On a machine that does ten other things: `bench/members.py` has what is found.
IDLE_S_MAX = 60.0
#: Whoever waited for a session to end would come too late.
LONG_SESSION_S = 120
#: Who is starved of its processor for 0.8 of a session takes itself for dead.
SESSION_S = 20.0
MOVE_S_MAX = 110.0


@pytest.mark.kafka
def test_one_worker_becomes_three_and_one_again(footfall_topics: str, workers: Workers) -> None:
    """Two join at once, one is killed for good, one leaves: all is counted once, and what the
    killed one had is taken up when its session has ended.
    """
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), QUICK)
    shop, loader, state = Shop(21, customers=200), Loader(footfall_topics), State(footfall_topics)
    first = workers.start(session_timeout_s=SESSION_S).until_ready(MOVE_S_MAX)
    loader.start_load(shop, at_least=3_000, a_second=150)
    until_all_move(state, MOVE_S_MAX)
    second, third = (workers.start(session_timeout_s=SESSION_S) for _ in range(2))
    second.until_ready(MOVE_S_MAX)
    third.until_ready(MOVE_S_MAX)
    until_all_move(state, MOVE_S_MAX)
    third.kill()
    until_all_move(state, MOVE_S_MAX)
    assert 0 == second.stop()
    until_all_move(state, MOVE_S_MAX)
    loader.join()
    first.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == first.stop()
    assert [0, 0, KILLED] == workers.exits
    seen = check(footfall_topics)
    idle = idle_s(footfall_topics)
    print(seen, idle)
    assert seen.triggers > 0
    assert SESSION_S < IDLE_S_MAX < LONG_SESSION_S
    assert max(idle.values()) <= IDLE_S_MAX, idle


@pytest.mark.kafka
def test_a_rolling_restart_loses_and_repeats_nothing(
        footfall_topics: str, workers: Workers) -> None:
    """Each of three static members is stopped and comes back: whoever waited for a session to end
    would be too late.
    """
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), QUICK)
    shop, loader, state = Shop(22, customers=200), Loader(footfall_topics), State(footfall_topics)
    names = ("w0", "w1", "w2")
    running = {name: workers.start(name, session_timeout_s=LONG_SESSION_S) for name in names}
    for worker in running.values():
        worker.until_ready(MOVE_S_MAX)
    loader.start_load(shop, at_least=3_000, a_second=150)
    until_all_move(state, MOVE_S_MAX)
    for name in names:
        assert 0 == running[name].stop()
        until_all_move(state, MOVE_S_MAX)  # by those who stayed
        running[name] = workers.start(name, session_timeout_s=LONG_SESSION_S)
        running[name].until_ready(MOVE_S_MAX)
        until_all_move(state, MOVE_S_MAX)
    loader.join()
    running["w0"].until(state.quiet, QUIET_S_MAX, "quiet")
    for worker in running.values():
        assert 0 == worker.stop()
    seen = check(footfall_topics)
    idle = idle_s(footfall_topics)
    print(seen, idle)
    assert (0, 0, 0) == (seen.repeated, seen.stale, seen.went_back)
    assert seen.triggers > 0
    assert max(idle.values()) <= IDLE_S_MAX, idle


@pytest.mark.kafka
def test_who_is_killed_while_it_takes_over_beside_its_own_leaves_no_trace(
        footfall_topics: str, workers: Workers) -> None:
    """What it had goes on while it reads what another one left; killed amidst, all is exact."""
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), QUICK)
    shop, loader, state = Shop(23, customers=200), Loader(footfall_topics), State(footfall_topics)
    first = workers.start("w0", crash_at="in_recovery:2", session_timeout_s=SESSION_S)
    loader.start_load(shop, at_least=3_000, a_second=150)
    until_all_move(state, MOVE_S_MAX)
    second = workers.start("w1", session_timeout_s=SESSION_S).until_ready(MOVE_S_MAX)
    until_all_move(state, MOVE_S_MAX)
    assert 0 == second.stop()
    assert KILLED == first.wait()
    assert first.says('"message":"partitions go on while others are recovered","partitions":2'
                      ), first.output()
    third = workers.start("w0", session_timeout_s=SESSION_S)
    until_all_move(state, MOVE_S_MAX)
    loader.join()
    third.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == third.stop()
    assert check(footfall_topics).triggers > 0


def test_idle_is_counted_from_when_a_record_waits() -> None:
    """Neither quiet times nor a `$partition` that comes again count; a record that waits does."""
    log = [Entry(0, offset, at, b"k", b"v") for offset, at in enumerate([0, 1_100, 9_000])]
    moves = [(1_300, 1), (3_800, 2), (3_900, 2), (9_200, 3)]  # the first one: nobody ran before
    changelog = [Entry(0, n, at, PARTITION_KEY, PartitionState(reached).encode())
                 for n, (at, reached) in enumerate(moves)]

    assert {0: 2.5} == longest(log, changelog)

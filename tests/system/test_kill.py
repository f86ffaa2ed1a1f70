"""The kill test: whatever moment a worker is killed at, state and triggers end exact."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from footfall.admin import config
from footfall.admin.topics import ensure
from tests.services import KafkaNode
from tests.system.exactness import check, check_commits
from tests.system.shop import Loader, Shop
from tests.system.topics import State, until
from tests.system.workers import (
    KILLED,
    PARTITIONS,
    SESSION_TIMEOUT_S,
    START_S_MAX,
    SYSTEM_SECRET,
    Workers,
)

pytestmark = pytest.mark.kafka

#: Short, so that carts are left, settle and come back while the test runs.
QUICK = {"cart": {"idle_s": 0.6},
         "clock": {"grace_s": 0.1, "late_s": 1.5, "settle_s": 2, "settle_s_max": 5}}
POINTS = ("after_outputs", "half_changelog", "after_changelog", "before_commit", "in_recovery",
          "in_timer")
#: All timers have fired.
QUIET_S_MAX = 150.0
LONG_S_MAX = 180.0


def test_a_worker_killed_at_any_moment_leaves_no_trace(
        footfall_topics: str, workers: Workers) -> None:
    """Five random kills and one at each named point: records, triggers and counts are exact."""
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), QUICK)
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    shop, loader = Shop(seed, customers=300), Loader(footfall_topics)
    state = State(footfall_topics)
    faults = [*POINTS, *["random"] * 5]
    chance.shuffle(faults)
    loader.start_load(shop, at_least=30_000, a_second=600)
    for fault in faults:
        before = state.offsets()
        if fault == "random":
            worker = workers.start("w1")
            worker.until(lambda before=before: state.offsets() != before, START_S_MAX, "progress")
            time.sleep(chance.random())
            worker.kill()
        else:
            worker = workers.start("w1", crash_at=f"{fault}:{1 if fault == 'in_recovery' else 3}")
        assert KILLED == worker.wait(), f"{fault}: {worker.output()}"
        check_commits(footfall_topics, state)
    loader.join()
    worker = workers.start("w1")
    worker.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == worker.stop()
    seen = check(footfall_topics)
    print(seen)
    assert [KILLED] * len(faults) + [0] == workers.exits
    assert seen.trigger_names.keys() >= {"cart_abandoned", "cart_recovered"}
    assert seen.trigger_names["cart_abandoned"] > 100
    assert seen.rejected > 0 and seen.counts["settled"] > 0 and seen.counts["repeat"] > 0
    assert len(loader.acked) == shop.made


@pytest.mark.chaos
def test_all_faults_at_once_leave_no_trace(
        own_kafka: Callable[..., KafkaNode], workers_of: Callable[[str], Workers]) -> None:
    """300,000 events of 1,000 customers: twelve random kills and each named point twice, members
    that join and leave, one that is stopped past its session, and a broker that is restarted.
    """
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    node = own_kafka()
    ensure(node.bootstrap, PARTITIONS, 1)
    config.apply(node.bootstrap, SYSTEM_SECRET.encode(), QUICK)
    workers = workers_of(node.bootstrap)
    shop, loader, state = Shop(seed, customers=1000), Loader(node.bootstrap), State(node.bootstrap)
    faults = [*POINTS * 2, *["random"] * 12, *["join and leave"] * 3, "stop the broker",
              "kill the broker", "kill the broker", "zombie", "zombie"]
    chance.shuffle(faults)
    loader.start_load(shop, at_least=300_000, a_second=1_500)
    #: Lives beside the one that is killed, most of the time: what is moved between them counts too.
    other = workers.start("w2")
    killed = zombies = 0
    for fault in faults:
        if not other.runs:  # gone with the broker, or as a zombie
            other = workers.start("w2")
        before = state.offsets()
        if fault in POINTS:
            count = 1 if fault == "in_recovery" else chance.randrange(1, 5)
            worker = workers.start("w1", crash_at=f"{fault}:{count}")
            assert KILLED == worker.wait(LONG_S_MAX)
            killed += 1
            continue
        worker = workers.start("w1").until_ready(seconds_max=LONG_S_MAX)
        until(lambda before=before: state.offsets() != before, LONG_S_MAX, "progress")
        time.sleep(2 * chance.random())
        if fault == "join and leave":
            third = workers.start().until_ready()
            assert 0 == third.stop()
        elif fault == "stop the broker":
            node.restart()
        elif fault == "kill the broker":
            node.kill9()
            node.start()
        elif fault == "zombie":
            other.pause()
            time.sleep(SESSION_TIMEOUT_S * 1.5)
            other.resume()
            other.wait(LONG_S_MAX)
            zombies += 1
        if worker.runs:
            worker.kill()
            killed += 1
        check_commits(node.bootstrap, state)
    loader.join()
    worker = workers.start("w1")
    until(state.quiet, LONG_S_MAX, "quiet")
    worker.stop()
    if other.runs:
        other.stop()
    seen = check(node.bootstrap)
    print(seen)
    assert killed == workers.exits.count(KILLED) >= 12 + 2 * len(POINTS)
    assert 2 == zombies <= workers.exits.count(1)
    assert len(loader.acked) == shop.made >= 300_000
    assert seen.trigger_names["cart_abandoned"] > 1000

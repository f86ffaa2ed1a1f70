"""The kill test: whatever moment a worker is killed at, state and triggers end exact."""

from __future__ import annotations

import random
import time

import pytest

from footfall.admin import config
from tests.system.exactness import check, check_commits
from tests.system.shop import Loader, Shop
from tests.system.topics import State, until
from tests.system.workers import KILLED, START_S_MAX, SYSTEM_SECRET, Workers

pytestmark = pytest.mark.kafka

#: Short, so that carts are left, settle and come back while the test runs.
QUICK = {"cart": {"idle_s": 0.6},
         "clock": {"grace_s": 0.1, "late_s": 1.5, "settle_s": 2, "settle_s_max": 5}}
POINTS = ("after_outputs", "half_changelog", "after_changelog", "before_commit", "in_recovery",
          "in_timer")
#: All timers have fired.
QUIET_S_MAX = 60.0


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
    assert seen.trigger_names.keys() == {"cart_abandoned", "cart_recovered"}
    assert seen.trigger_names["cart_abandoned"] > 100
    assert seen.rejected > 0 and seen.counts["settled"] > 0 and seen.counts["repeat"] > 0
    assert len(loader.acked) == shop.made

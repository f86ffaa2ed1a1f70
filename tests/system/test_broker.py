"""A broker that goes and comes back under a worker's feet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from footfall.admin import config
from footfall.admin.topics import ensure
from tests.services import KafkaNode
from tests.system.exactness import check
from tests.system.shop import Loader, Shop
from tests.system.test_kill import QUICK, QUIET_S_MAX
from tests.system.topics import State
from tests.system.workers import PARTITIONS, START_S_MAX, SYSTEM_SECRET, Workers

pytestmark = pytest.mark.kafka

PROGRESS_S_MAX = 60.0


def test_a_worker_lives_through_restarts_of_its_broker(
        own_kafka: Callable[..., KafkaNode], workers_of: Callable[[str], Workers]) -> None:
    """SIGTERM and kill -9 under load: the same worker process goes on, and nothing is lost."""
    node = own_kafka()
    ensure(node.bootstrap, PARTITIONS, 1)
    config.apply(node.bootstrap, SYSTEM_SECRET.encode(), QUICK)
    shop, loader, state = Shop(18, customers=200), Loader(node.bootstrap), State(node.bootstrap)
    loader.start_load(shop, at_least=5_000, a_second=400)
    # Longer than the broker is away: a worker that cannot be fenced meanwhile need not rejoin.
    worker = workers_of(node.bootstrap).start("w1", session_timeout_s=20)
    ended = []
    # It is not killed for being slow.
    for end in (partial(node.stop, START_S_MAX), node.kill9):
        before = state.offsets()
        worker.until(lambda before=before: state.offsets() != before, PROGRESS_S_MAX, "progress")
        pid = node.pid
        end()
        ended.append((node.exit_code(), node.pid == pid))
        node.start()
    before = state.offsets()
    worker.until(lambda: state.offsets() != before, PROGRESS_S_MAX, "progress")
    loader.join()
    worker.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == worker.stop()
    seen = check(node.bootstrap)
    print(seen)
    assert [(143, True), (-9, True)] == ended
    assert len(loader.acked) == shop.made

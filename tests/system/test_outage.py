"""Every timer of a partition at once, as after an outage: the worker outlives it and tells all."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from footfall.admin import config
from footfall.admin.topics import ensure
from footfall.events.topics import TRIGGERS
from tests.services import KafkaNode
from tests.system.exactness import check
from tests.system.shop import Loader
from tests.system.topics import State, Tail
from tests.system.workers import KILLED, PARTITIONS, READY, SYSTEM_SECRET, Workers
from tests.tables import events
from tests.tables.logs import CODECS, KEYS

pytestmark = pytest.mark.kafka

CLOCK = {"grace_s": 0.1, "late_s": 1.5, "settle_s": 2, "settle_s_max": 5}
HOUR_MS = 3_600_000
#: Stepping all timers takes longer than the session lasts.
CUSTOMERS = 40_000
SESSION_TIMEOUT_S = 2.0
CUSTOMERS_CHAOS = 300_000
QUIET_S_MAX = 240.0
QUIET_CHAOS_S_MAX = 400.0
#: A last checkpoint included; the bound of a SIGTERM.
STOP_S = 10.0


def leave_carts(bootstrap: str, customers: int) -> None:
    """Carts that were left an hour ago, all on one partition; their deadlines have settled."""
    config.apply(bootstrap, SYSTEM_SECRET.encode(), {"clock": CLOCK})
    loader = Loader(bootstrap)
    at = time.time_ns() // 1_000_000 - HOUR_MS
    for n in range(customers):
        loader.put(KEYS.of("user_id", f"customer-{n}"),
                   CODECS.interaction.encode(events.added(at, f"m{n}")), partition=0)
    loader.flush()
    time.sleep(CLOCK["settle_s"] + 0.5)


def test_a_worker_outlives_all_timers_at_once(
        own_kafka: Callable[..., KafkaNode], workers_of: Callable[[str], Workers]) -> None:
    """Killed in the middle, stopped in the middle, then left to it: each customer told exactly what
    the log gives, and the group never misses a heartbeat of the worker that fires.
    """
    node = own_kafka({"group.min.session.timeout.ms": "500"})
    ensure(node.bootstrap, PARTITIONS, 1)
    leave_carts(node.bootstrap, CUSTOMERS)
    workers, told = workers_of(node.bootstrap), Tail(node.bootstrap, TRIGGERS)
    settings = {"session_timeout_s": SESSION_TIMEOUT_S}

    killed = workers.start("w1", crash_at=f"in_timer:{CUSTOMERS // 4}", **settings)
    assert KILLED == killed.wait(QUIET_S_MAX)
    before = told.ends()
    stopped = workers.start("w1", **settings)
    stopped.until(lambda: told.ends() != before, QUIET_S_MAX, "triggers")
    began = time.monotonic()
    assert 0 == stopped.stop(), stopped.output()
    assert time.monotonic() - began < STOP_S
    fired = sum(told.ends().values()) - sum(before.values())
    assert fired < CUSTOMERS, "stopped too late to prove anything"

    state = State(node.bootstrap)
    last = workers.start("w1", **settings)
    last.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == last.stop()
    assert 1 == last.output().count(READY), last.output()
    seen = check(node.bootstrap)
    assert CUSTOMERS == seen.trigger_names["cart_abandoned"]
    assert seen.repeated > 0 == seen.stale
    told.close()


@pytest.mark.chaos
def test_a_worker_outlives_a_great_outage(
        own_kafka: Callable[..., KafkaNode], workers_of: Callable[[str], Workers]) -> None:
    """The default session, hundreds of thousands of customers, killed half way through writing."""
    node = own_kafka()
    ensure(node.bootstrap, PARTITIONS, 1)
    leave_carts(node.bootstrap, CUSTOMERS_CHAOS)
    workers, state = workers_of(node.bootstrap), State(node.bootstrap)
    # All those timers are one unit, so the first checkpoint may be the only one.
    for fault in (f"in_timer:{CUSTOMERS_CHAOS // 2}", "half_changelog"):
        worker = workers.start("w1", crash_at=fault, session_timeout_s=10)
        assert KILLED == worker.wait(QUIET_CHAOS_S_MAX)
    last = workers.start("w1", session_timeout_s=10)
    last.until(state.quiet, QUIET_CHAOS_S_MAX, "quiet")
    assert 0 == last.stop()
    assert 1 == last.output().count(READY), last.output()
    seen = check(node.bootstrap)
    assert CUSTOMERS_CHAOS == seen.trigger_names["cart_abandoned"]

"""What a worker publishes is what it did: on a real broker, over a kill and a second worker."""

from __future__ import annotations

import json
import re
import time
import urllib.request

import pytest

from footfall import tables
from footfall.admin import config
from footfall.events import reasons
from footfall.events.admit import admit
from footfall.events.arrival import Admitted, Arrival
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.topics import TRIGGERS
from footfall.stream.publishing import REPEATS
from footfall.up.ports import HOST, free_port
from tests.system.shop import Loader
from tests.system.topics import read_all
from tests.system.workers import CUSTOMER_KEY_SECRET, SYSTEM_SECRET, Workers

pytestmark = pytest.mark.kafka

KEYS = CustomerKeys(CUSTOMER_KEY_SECRET.encode())
USERS = [f"someone{n}" for n in range(12)]
SEEN_S_MAX = 90.0
#: At 0 from a worker's start, though nothing of the kind has happened yet.
KNOWN = dict.fromkeys((
    *(f'footfall_triggers_total{{name="{name}"}}' for t in tables.ALL for name in t.triggers),
    *(f'footfall_rejected_total{{reason="{name}",stage="worker"}}' for name in reasons.WORKER),
    *(f'footfall_duplicates_total{{kind="{kind}"}}' for kind in REPEATS),
    'footfall_processed_total{type="track"}', 'footfall_settled_total{table="cart"}',
    'footfall_limited_steps_total{table="orders"}',
    'footfall_written_bytes_total{topic="footfall.triggers"}'), 0.0)


def metrics(port: int) -> dict[str, float]:
    """Name with labels -> value."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def leave_carts(loader: Loader) -> None:
    """One of 9.90 each, 90 s old by its own time."""
    now = time.time_ns() // 1_000_000
    for user in USERS:
        item = json.dumps({
            "userId": user, "event": "Product Added", "messageId": f"of-{user}",
            "timestamp": now - 90_000,
            "properties": {"product_id": "secret-p", "price": "9.90", "currency": "EUR"}}).encode()
        admitted = admit(item, 0, Arrival("test", now, "r", "track"), KEYS)
        assert isinstance(admitted, Admitted)
        loader.load([(admitted.key, Codecs().interaction.encode(admitted.event))])


def test_metrics_tell_what_was_done_and_nothing_of_anybody(
        footfall_topics: str, workers: Workers) -> None:
    """Latencies, money, recovery and rebalances; no label or log line names a customer."""
    config.apply(footfall_topics, SYSTEM_SECRET.encode(),
                 {"cart": {"idle_s": 100}})
    port = free_port()
    worker = workers.start("w1", metrics_port=port).until_ready()
    fresh = metrics(port)
    assert 1 == fresh["footfall_rebalances_total"]
    assert KNOWN == {name: fresh.get(name) for name in KNOWN}
    began = time.monotonic()
    leave_carts(Loader(footfall_topics))
    processed = 'footfall_processed_total{type="track"}'
    worker.until(lambda: len(USERS) == metrics(port).get(processed), SEEN_S_MAX, "all applied")
    took_s = time.monotonic() - began + 1

    seen = metrics(port)
    count = seen["footfall_apply_latency_seconds_count"]
    assert 1 <= count <= len(USERS)
    assert 0 < seen["footfall_apply_latency_seconds_sum"] < count * took_s
    assert count == seen["footfall_event_age_seconds_count"]
    assert count * 89 < seen["footfall_event_age_seconds_sum"] < count * (90 + took_s)
    worker.until(lambda: {0.0} == {v for name, v in metrics(port).items()
                                   if name.startswith("footfall_lag_")}, SEEN_S_MAX, "no lag")
    assert seen["process_resident_memory_bytes"] > 1 << 20

    # The carts are told once their 100 s are over.
    worker.until(lambda: len(USERS) == _triggers(metrics(port)), SEEN_S_MAX, "triggers")
    worker.until(lambda: _triggers(seen := metrics(port), "")
                 == seen["footfall_trigger_latency_seconds_count"], SEEN_S_MAX, "acknowledged")
    seen = metrics(port)
    told = len(read_all(footfall_topics, TRIGGERS))
    assert told == _triggers(seen, "") > len(USERS)  # other tables tell, too
    money = seen['footfall_cart_value_total{currency="EUR",trigger="cart_abandoned"}']
    assert round(len(USERS) * 9.9, 9) == round(money, 9)
    assert 0 <= seen["footfall_trigger_latency_seconds_sum"] < told * 5
    assert seen['footfall_written_bytes_total{topic="footfall.triggers"}'] > len(USERS) * 100
    worker.until(lambda: 0 == metrics(port)["footfall_outbox_bytes"], SEEN_S_MAX, "all acked")
    _nothing_of_anybody(seen, worker.output())

    time.sleep(1.0)  # a checkpoint
    worker.kill()
    port = free_port()
    worker = workers.start("w1", metrics_port=port).until_ready()
    assert len(USERS) == metrics(port)["footfall_recovered_records_total"]
    assert 0 < metrics(port)["footfall_recovery_seconds"] < SEEN_S_MAX
    workers.start("w2").until_ready()
    worker.until(lambda: 2 == metrics(port)["footfall_rebalances_total"], SEEN_S_MAX, "rebalanced")
    owned = sum(name.startswith("footfall_customers{") for name in metrics(port))
    assert 2 == owned, "the others' gauges are another worker's"
    assert 0 == worker.stop()


def _triggers(seen: dict[str, float], name: str = "cart_abandoned") -> float:
    """Emitted so far, of one name or of all ("")."""
    return sum(value for sample, value in seen.items()
               if sample.startswith(f'footfall_triggers_total{{name="{name}'))


def _nothing_of_anybody(seen: dict[str, float], log: str) -> None:
    text = "\n".join(seen) + log
    for user in USERS:
        assert user not in text
        assert KEYS.of("user_id", user).decode().partition(":")[2] not in text
    assert "secret-p" not in text
    assert not re.search(r"user_id:[A-Za-z0-9_-]{22}", text)

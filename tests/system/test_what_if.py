"""What if on a real broker: exact, and not one record is written anywhere."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiokafka
import confluent_kafka
import msgspec
import pytest
from click.testing import CliRunner, Result

from footfall.admin import config, config_log
from footfall.admin.cluster import admin_client
from footfall.admin.scan import Scanner
from footfall.cli import footfall
from footfall.errors import Rejected
from footfall.events import topics
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.replay.what_if import recorded
from tests.system.shop import Loader
from tests.system.topics import State
from tests.system.workers import CUSTOMER_KEY_SECRET, PARTITIONS, SYSTEM_SECRET, Workers
from tests.tables.logs import CODECS, KEYS

pytestmark = pytest.mark.kafka

QUIET_S_MAX = 150.0
RULES: dict[str, Any] = {"rules": {"definitions": [
    {"name": "big_order", "version": 1, "on": {"call": "track", "event": "Order Completed"},
     "if": {"field": "event.properties.total", "at_least": 100}},
    {"name": "left", "version": 1, "on": {"call": "track", "event": "Product Viewed"},
     "wait": "2s", "unless": {"call": "track", "event": "Order Completed"}}]}}


class Calls:
    """Tracking calls of a few people; `orders` are (customer, total), each at its own key."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self.orders: list[tuple[str, int]] = []
        self._n = 0

    def records(self, count: int) -> Iterator[tuple[bytes, bytes]]:
        for _ in range(count):
            self._n += 1
            who, total = self._dice.randrange(40), self._dice.randrange(20, 200)
            called = self._dice.choice(["Product Viewed", "Order Completed"])
            names = {"userId": f"u{who}"}
            if self._dice.random() < 0.3:
                names["anonymousId"] = f"b{who}"
            now = time.time_ns() // 1_000_000
            admitted = admit(msgspec.json.encode({
                "type": "track", "event": called, "messageId": f"m{self._n}", **names,
                "properties": {"order_id": f"o{self._n}", "total": total, "currency": "EUR"},
            }), self._n, Arrival("shop", now, "shop"), KEYS)
            assert not isinstance(admitted, Rejected)
            if called == "Order Completed":
                self.orders.append((admitted.key.decode(), total))
            yield admitted.key, CODECS.interaction.encode(admitted.event)


def ends(bootstrap: str) -> dict[str, dict[int, int]]:
    """Where each partition of each topic of the cluster ends."""
    names = admin_client(bootstrap).list_topics(timeout=10).topics
    with Scanner(bootstrap) as scanner:
        return {name: {p: span.end for p, span in scanner.spans(name).items()}
                for name in names if not name.startswith("__")}


def ask(bootstrap: str, *arguments: str | Path) -> dict[str, Any]:
    result = run(bootstrap, *arguments, "--json", "--yes")
    assert 0 == result.exit_code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def run(bootstrap: str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(footfall, [*map(str, arguments)], env={
        "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET,
        "FOOTFALL_SYSTEM_SECRET": SYSTEM_SECRET, "FOOTFALL_PARTITIONS": str(PARTITIONS)})


def forbidden(*_arguments: object, **_named: object) -> None:
    raise AssertionError("nothing may be produced")


def test_it_names_the_customers_of_a_recount_and_writes_nothing(
        footfall_topics: str, workers: Workers, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends of all topics and what is committed stay; no producer is made. What was recorded, and
    the same folded, differ in nothing; a threshold and a wait differ as a recount says.
    """
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), RULES)
    calls, loader, state = Calls(4), Loader(footfall_topics), State(footfall_topics)
    worker = workers.start()
    loader.load(calls.records(600), a_second=400)
    worker.until(state.quiet, QUIET_S_MAX, "quiet")
    since = time.time_ns() // 1_000_000
    time.sleep(0.1)
    before_orders = len(calls.orders)
    loader.load(calls.records(600), a_second=400)
    worker.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == worker.stop()

    lower, shorter = tmp_path / "lower.json", tmp_path / "shorter.yaml"
    lower.write_text(json.dumps(RULES).replace("100", "60"))
    shorter.write_text("rules:\n  definitions:\n    - {name: left, version: 2, wait: 1s, "
                       "on: {call: track, event: Product Viewed}}\n")
    from_then = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since / 1000)) + (
        f".{since % 1000:03}Z")
    for module in (confluent_kafka, config_log):
        monkeypatch.setattr(module, "Producer", forbidden)
    monkeypatch.setattr(aiokafka.AIOKafkaProducer, "__init__", forbidden)
    with Scanner(footfall_topics) as scanner:
        spans = scanner.spans(topics.INTERACTIONS)
    written, done = ends(footfall_topics), recorded.worked_on(footfall_topics, spans)

    same = ask(footfall_topics, "replay", "what-if")
    assert "recorded" == same["against"]
    assert 0 == same["records_not_committed"]
    assert [] == same["differences"]
    assert same["triggers"]["both"] > 100

    found = ask(footfall_topics, "replay", "--dry-run", lower, "--since", from_then)
    recount = Counter(key for key, total in calls.orders[before_orders:] if 60 <= total < 100)
    assert recount == Counter(one["customer_key"] for one in found["differences"]
                              if one["what"] == "added")
    assert {"big_order"} == {one["name"] for one in found["differences"]}
    assert 0 == found["triggers"]["removed"]
    for arguments in (("--against", "fold"), ("--against", "recorded")):
        again = ask(footfall_topics, "replay", "what-if", lower, "--since", from_then, *arguments)
        assert found["differences"] == again["differences"]

    diff = ask(footfall_topics, "rules", "diff", shorter, "--keep", "--since", from_then)
    assert {"left"} == {one["name"] for one in diff["differences"]}
    assert "big_order" in diff["rules"]
    whole = ask(footfall_topics, "rules", "diff", shorter, "--since", from_then)
    assert 0 == whole["rules"]["big_order"]["what_if"] < whole["rules"]["big_order"]["removed"]

    shown = run(footfall_topics, "replay", "what-if", lower, "--since", from_then, "--yes")
    assert 0 == shown.exit_code
    assert f"{sum(recount.values())} added" in shown.output
    planned = run(footfall_topics, "replay", "what-if", lower, "--plan")
    assert 0 == planned.exit_code
    assert "nothing" in planned.output
    assert written == ends(footfall_topics)
    assert done == recorded.worked_on(footfall_topics, spans)

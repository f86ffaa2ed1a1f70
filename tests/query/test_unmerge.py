"""`footfall customer unmerge` as an administrator runs it, on a real log with real workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition

from footfall.admin.cluster import admin_client
from footfall.events.admit import admit
from footfall.events.arrival import Admitted, Arrival
from footfall.events.codec import Codecs
from footfall.events.topics import INTERACTIONS
from footfall.stream.partition import partition_of
from tests.query.test_customer import API_KEY, KEYS, SEEN_S_MAX, Setting
from tests.system.topics import read_all, until
from tests.system.workers import CUSTOMER_KEY_SECRET, PARTITIONS, SYSTEM_SECRET

pytestmark = pytest.mark.kafka

ANNA, BROWSER = ("user_id", "anna"), ("anonymous_id", "b")


class Shop(Setting):
    """Also visitors, and the command that takes a customer apart."""

    def track(self, message_id: str, user: str | None = None, browser: str | None = None) -> None:
        item: dict[str, Any] = {"event": "Product Added", "messageId": message_id,
                                "properties": {"product_id": message_id, "price": "1"}}
        item |= {name: value for name, value in (("userId", user), ("anonymousId", browser))
                 if value is not None}
        admitted = admit(json.dumps(item).encode(), 0,
                         Arrival("test", time.time_ns() // 1_000_000, "r", "track"), KEYS)
        assert isinstance(admitted, Admitted)
        producer = Producer({"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random"})
        producer.produce(INTERACTIONS, Codecs().interaction.encode(admitted.event), admitted.key)
        assert 0 == producer.flush(30)

    def products(self, kind: str, value: str) -> set[str]:
        """What lies in this identifier's own carts."""
        done = self.run(f"{kind}:{value}", "--json")
        tables = json.loads(done.stdout)["tables"] if done.returncode == 0 else {}
        return {line["product_id"] for cart in tables.get("cart", {}).get("carts", ())
                for line in cart["lines"]}

    def until_products(self, kind: str, value: str, *products: str) -> None:
        until(lambda: self.products(kind, value) == {*products}, SEEN_S_MAX,
              f"{products} at {kind}")

    def unmerge(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "footfall", "customer", "unmerge", *arguments],
            cwd=self._folder, capture_output=True, text=True, timeout=180, check=False, input=given,
            env={**os.environ, "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
                 "FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET,
                 "FOOTFALL_SYSTEM_SECRET": SYSTEM_SECRET, "FOOTFALL_API_KEY": API_KEY})


@pytest.fixture
def shop(footfall_topics: str, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(footfall_topics, tmp_path)
    yield made
    made.workers.end()


BOTH = ("user_id:anna", "anonymous_id:b")


def merged(shop: Shop) -> None:
    """A browser that became anna, who has done something since, both ways."""
    shop.track("m1", None, "b")
    shop.track("m2", "anna", "b")
    shop.track("m3", None, "b")
    shop.track("m4", "anna")
    shop.until_products(*ANNA, "m1", "m2", "m3", "m4")


def test_one_customer_becomes_two_while_a_worker_runs(shop: Shop) -> None:
    """The plan first; then each side has its own, and what names both merges nobody."""
    worker = shop.worker()
    merged(shop)
    shown = shop.unmerge(*BOTH, "--json")
    assert 0 == shown.returncode, shown.stderr
    plan = json.loads(shown.stdout)
    assert (None, 2, 2) == (plan["done"], plan["stays"]["events"], plan["leaves"]["events"])
    assert [KEYS.of(*BROWSER).decode()] == plan["leaves"]["identifiers"]
    assert {"customer_identified", "session_started"} <= {t["name"] for t in plan["triggers"]}
    asked = shop.unmerge(*BOTH, given="n\n")
    assert 1 == asked.returncode
    assert "Take them apart?" in asked.stdout
    assert {"m1", "m2", "m3", "m4"} == shop.products(*ANNA), "nothing was changed"

    done = shop.unmerge(*BOTH, given="y\n")
    assert 0 == done.returncode, done.stderr
    assert "unmerged, by the record at partition" in done.stdout
    shop.until_products(*ANNA, "m2", "m4")
    shop.until_products(*BROWSER, "m1", "m3")
    shop.track("m5", "anna", "b")
    shop.track("m6", None, "b")
    shop.until_products(*ANNA, "m2", "m4", "m5")
    shop.until_products(*BROWSER, "m1", "m3", "m6")
    again = shop.unmerge(*BOTH, "--yes", "--json")
    assert 0 == again.returncode, again.stderr
    place = json.loads(again.stdout)["done"]
    assert f"partition {place['partition']}, offset {place['offset']}" in done.stdout
    assert 0 == worker.stop()


def test_while_no_worker_runs_it_is_done_when_one_comes(shop: Shop) -> None:
    """Written once, also where the command runs twice; facts that were never applied count."""
    worker = shop.worker()
    merged(shop)
    worker.kill()
    shop.track("m5", "anna")
    first, second = (shop.unmerge(*BOTH, "--yes", "--json") for _ in range(2))
    assert [0, 0] == [first.returncode, second.returncode], first.stderr + second.stderr
    assert json.loads(first.stdout)["done"] == json.loads(second.stdout)["done"]
    written = [e for e in read_all(shop.bootstrap, INTERACTIONS) if b"$unmerge" in e.value[5:14]]
    assert 1 == len(written)
    shop.urls.clear()
    shop.worker()
    shop.until_products(*ANNA, "m2", "m4", "m5")
    shop.until_products(*BROWSER, "m1", "m3")


def test_a_log_that_does_not_reach_back_is_refused(shop: Shop) -> None:
    """Naming partition and offsets; and those who are not one customer."""
    shop.worker()
    merged(shop)
    nobody = shop.unmerge("user_id:anna", "anonymous_id:other", "--yes")
    assert 1 == nobody.returncode
    assert "nothing is held of anonymous_id:" in nobody.stderr
    partition = partition_of(KEYS.of(*BROWSER), PARTITIONS)
    cut = TopicPartition(INTERACTIONS, partition, 1)
    admin = admin_client(shop.bootstrap)
    for future in admin.delete_records([cut]).values():
        future.result(timeout=30)
    refused = shop.unmerge(*BOTH, "--yes")
    assert 1 == refused.returncode
    assert f"partition {partition} begins at offset 1 (0 to 0 are gone)" in refused.stderr

"""Delivery killed at any moment: every trigger arrives, repeats are exact ones, order is kept."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from footfall.events import topics
from footfall.events.codec import Codecs
from footfall.stream.partition import partition_of
from footfall.tables.outputs import Outputs
from footfall.tables.spec import Trigger
from tests.delivery.endpoint import Endpoint
from tests.system.topics import read_all, until
from tests.system.workers import KILLED, PARTITIONS, Workers
from tests.tables.logs import RESERVED

pytestmark = pytest.mark.kafka

DELIVERY = ("-m", "footfall", "delivery")
CUSTOMERS = [f"user_id:{n:022x}" for n in range(40)]
CODECS = Codecs()
ALL_SENT_S_MAX = 300.0


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


def routes_for(folder: Path, endpoint: Endpoint, policy: str = "") -> Path:
    """One webhook for everything, tried again soon."""
    path = folder / "routes.yaml"
    path.write_text(f"""
destinations:
  crm:
    channel: webhook
    url: http://127.0.0.1:{endpoint.port}/crm
    purpose: necessary
    timeout_s: 5
    retry: {{delays_s: [0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]}}
    breaker: {{failures: 1000}}
    {policy}
routes:
  - {{triggers: ["*"], to: [crm]}}
""")
    return path


class Teller:
    """Writes triggers as workers do, so many a second, on a thread."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all",
                                   "enable.idempotence": True, "linger.ms": 1})
        self.told: dict[str, list[str]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self, n: int) -> None:
        """One trigger."""
        customer = CUSTOMERS[n % len(CUSTOMERS)]
        key = customer.encode()
        at = time.time_ns() // 1_000_000
        number = partition_of(key, PARTITIONS)
        output = Outputs(CODECS, RESERVED, "log", number).trigger(
            key, Trigger("cart_abandoned", (n,), at, {"n": n}, {}), {}, at, "1:x")
        self.told.setdefault(customer, []).append(
            CODECS.trigger.decode(output.value)["trigger_id"])
        self._producer.produce(topics.TRIGGERS, output.value, key, number)

    def begin(self, a_second: float) -> None:
        """Tell until `end`."""
        def run() -> None:
            n = 0
            while not self._stop.is_set():
                self.tell(n)
                self._producer.poll(0)
                n += 1
                time.sleep(1 / a_second)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop, with all acknowledged."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
        assert self._producer.flush(30) == 0

    @property
    def ids(self) -> set[str]:
        """All that were told."""
        return {one for ids in self.told.values() for one in ids}


def start(workers: Workers, routes: Path, endpoint: Endpoint, crash_at: str = "", **settings: object
          ) -> object:
    return workers.start("d1", crash_at, program=DELIVERY, routes=routes,
                         delivery_allow=f"127.0.0.1:{endpoint.port}", delivery_from="earliest",
                         **settings)


def kill_all_the_time(bootstrap: str, workers: Workers, folder: Path, endpoint: Endpoint,
                      kills: int) -> None:
    """Kill it at random instants and at named points, then let it end its work; check all."""
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    endpoint.answer = lambda *_: 500 if chance.random() < 0.25 else 200
    routes = routes_for(folder, endpoint)
    teller = Teller(bootstrap)
    teller.begin(a_second=40)
    named = ["before_send", "after_send", "after_outputs", "after_changelog", "before_commit"]
    for n in range(kills):
        got = len(endpoint.got)
        if n % 2:
            point = f"{chance.choice(named)}:{chance.randrange(1, 9)}"
            worker = start(workers, routes, endpoint, point)
        else:
            worker = start(workers, routes, endpoint)
            worker.until(lambda got=got: len(endpoint.got) > got, 60, "deliveries")
            time.sleep(chance.random() / 2)
            worker.kill()
        assert worker.wait() == KILLED
    teller.end()
    worker = start(workers, routes, endpoint)
    worker.until(lambda: {g.webhook_id for g in endpoint.got if g.status == 200} >= teller.ids,
                 ALL_SENT_S_MAX, "all delivered")
    assert worker.stop() == 0
    check(bootstrap, teller, endpoint, kills)


def check(bootstrap: str, teller: Teller, endpoint: Endpoint, kills: int) -> None:
    """Every trigger, one body for each id, order of customers, and an account that balances."""
    got = [g for g in endpoint.got if g.status == 200]
    assert {g.webhook_id for g in endpoint.got} == teller.ids
    bodies: dict[str, set[bytes]] = {}
    for one in endpoint.got:
        bodies.setdefault(one.webhook_id, set()).add(one.body)
    assert {len(found) for found in bodies.values()} == {1}
    # In the order of the topic: a producer that has just begun may not keep that of its calls.
    told: dict[bytes | None, list[str]] = {}
    for entry in read_all(bootstrap, topics.TRIGGERS):
        told.setdefault(entry.key, []).append(CODECS.trigger.decode(entry.value)["trigger_id"])
    for key, ids in told.items():
        found = list(dict.fromkeys(g.webhook_id for g in got
                                   if json.loads(g.body)["customer_key"].encode() == key))
        assert found == ids
    records = [CODECS.delivery.decode(e.value) for e in read_all(bootstrap, topics.DELIVERIES)]
    ended: set[str] = set()
    for record in records:
        assert record["trigger_id"] not in ended, "something happened after it was sent"
        if record["status"] == "sent":
            ended.add(record["trigger_id"])
    assert ended == teller.ids
    # A crash repeats at most what was in flight: every request has a record of its intent.
    intents = Counter(r["trigger_id"] for r in records if r["status"] == "sending")
    requests = Counter(g.webhook_id for g in endpoint.got)
    assert all(requests[i] <= intents[i] for i in teller.ids)
    repeats = sum(Counter(g.webhook_id for g in got).values()) - len(teller.ids)
    print(f"{len(teller.ids)} triggers, {len(endpoint.got)} requests, {repeats} repeats of what was"
          f" delivered, {kills} kills")
    assert repeats <= kills * len(CUSTOMERS)


def test_six_kills(footfall_topics: str, workers: Workers, endpoint: Endpoint, tmp_path: Path
                   ) -> None:
    """The short form."""
    kill_all_the_time(footfall_topics, workers, tmp_path, endpoint, kills=6)


@pytest.mark.chaos
def test_fifty_kills(footfall_topics: str, workers: Workers, endpoint: Endpoint, tmp_path: Path
                     ) -> None:
    """The long form."""
    kill_all_the_time(footfall_topics, workers, tmp_path, endpoint, kills=50)


def test_two_processes_share_the_work(footfall_topics: str, workers: Workers, endpoint: Endpoint,
                                      tmp_path: Path) -> None:
    """A second one takes partitions over while triggers come, and gives them back: nothing is
    lost, nothing comes twice.
    """
    routes = routes_for(tmp_path, endpoint)
    teller = Teller(footfall_topics)
    first = start(workers, routes, endpoint)
    first.until_ready()
    teller.begin(a_second=100)
    second = workers.start("d2", program=DELIVERY, routes=routes, delivery_from="earliest",
                           delivery_allow=f"127.0.0.1:{endpoint.port}").until_ready()
    time.sleep(2)
    assert second.stop() == 0
    time.sleep(1)
    teller.end()
    until(lambda: {g.webhook_id for g in endpoint.got} >= teller.ids, ALL_SENT_S_MAX,
          "all delivered")
    assert first.stop() == 0
    assert Counter(g.webhook_id for g in endpoint.got) == Counter(teller.ids)
    check(footfall_topics, teller, endpoint, kills=0)

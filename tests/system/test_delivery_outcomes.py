"""What became of a delivery comes back into the log, where rules act on it: the whole ring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from footfall.admin import config
from footfall.events import topics
from tests.delivery.endpoint import Endpoint
from tests.system.test_delivery_email import CUSTOMERS, WANTED, Shop
from tests.system.topics import read_all
from tests.system.workers import SYSTEM_SECRET, Workers
from tests.tables.logs import CODECS

pytestmark = pytest.mark.kafka

#: It is delivered, too, and its own outcome makes it fire again: a ring.
THANKED = {"name": "thanked", "version": 1,
           "on": {"call": "delivery", "event": "delivery_sent"}}
RING_S_MAX = 180.0


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


def test_a_ring_of_rule_and_delivery_ends(footfall_topics: str, workers: Workers,
                                          endpoint: Endpoint, tmp_path: Path) -> None:
    """Each delivery that was sent fires a rule whose trigger is sent, too, up to the depth at which
    nothing is: five for each customer, with the sixth suppressed and no end to wait for.
    """
    config.apply(footfall_topics, SYSTEM_SECRET.encode(),
                 {"rules": {"definitions": [WANTED, THANKED]}})
    routes = tmp_path / "routes.yaml"
    routes.write_text(f"""
destinations:
  crm: {{channel: webhook, url: "http://127.0.0.1:{endpoint.port}/crm", purpose: necessary}}
routes: [{{triggers: [wanted, thanked], to: crm}}]
""")
    workers.start("w1").until_ready()
    delivery = workers.start("d1", program=("-m", "footfall", "delivery"), routes=routes,
                             delivery_allow=f"127.0.0.1:{endpoint.port}",
                             delivery_from="earliest").until_ready()
    shop = Shop(footfall_topics)
    for n in range(len(CUSTOMERS)):
        shop.want(n)
    shop.end()

    def told() -> Counter[tuple[str, str]]:
        return Counter((r["status"], r["reason"]) for r in (
            CODECS.delivery.decode(e.value)
            for e in read_all(footfall_topics, topics.DELIVERIES)))

    delivery.until(lambda: told()["suppressed", "too_deep"] == len(CUSTOMERS), RING_S_MAX,
                   "every ring has ended")

    depths = Counter((t["name"], t["depth"]) for t in (
        CODECS.trigger.decode(e.value) for e in read_all(footfall_topics, topics.TRIGGERS))
        if t["name"] in ("wanted", "thanked"))
    assert depths == {("wanted", 0): len(CUSTOMERS), **{
        ("thanked", depth): len(CUSTOMERS) for depth in range(1, 6)}}
    assert told()["sent", ""] == 5 * len(CUSTOMERS) == len(endpoint.got)

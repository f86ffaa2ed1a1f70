"""A cluster with TLS, SASL and an authorizer: each part has just the rights it needs.

Every part does its work with the rights of `footfall.rights` and is never denied anything; each of
these rights is used (the authorizer's own log says so), and without any one of them the part fails
and says what is missing.
"""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from footfall.admin.scan import Scanner
from footfall.cli import footfall
from footfall.errors import BrokerError
from footfall.events import topics
from footfall.rights import PARTS, Right
from footfall.stream.generations import topic_of
from footfall.up import kafka
from footfall.up.ports import free_port
from tests import services
from tests.system.secured import LOGGING, Authority, Decision, Secured
from tests.system.topics import until
from tests.system.workers import (
    CUSTOMER_KEY_SECRET,
    PARTITIONS,
    SYSTEM_SECRET,
    Worker,
    Workers,
)

pytestmark = pytest.mark.kafka

API_KEY = "an API key for tests only"
WRITE_KEY = "a-write-key-for-tests"
SHOP = "shop.triggers"
DONE_S_MAX = 60.0
#: Rights by which others are asked for too; without them the rest is still denied.
HTTP = "http://127.0.0.1:"


# -- the cluster -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """One for all of these tests, with a user for each part, who has its rights."""
    folder = tmp_path_factory.mktemp("secured")
    nodes: list[services.KafkaNode] = []

    def start(settings: dict[str, str], port: int) -> services.KafkaNode:
        nodes.append(services.kafka_node(folder / "kafka", port, settings))
        nodes[0].start()
        return nodes[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "_LOG4J", kafka._LOG4J + LOGGING)
        authority = Authority(folder / "certificates")
        try:
            made = Secured(start, authority, authority.issue("broker"))
        except BrokerError as error:
            if services.GIVEN.get("FOOTFALL_TEST_REQUIRE_KAFKA") == "1":
                raise
            pytest.skip(f"no Apache Kafka of one's own: {error}")
    for name, part in PARTS.items():
        made.user(name)
        made.grant(name, part.rights)
    run(made, "admin", "topics", "create")
    run(made, "admin", "config", "apply", "--set", "cart.idle_s=1")
    yield made
    nodes[0].stop(5.0)


def environment(cluster: Secured, user: str, **more: Any) -> dict[str, str]:
    """The variables of a program that is this user."""
    settings = cluster.settings(
        user, customer_key_secret=CUSTOMER_KEY_SECRET, system_secret=SYSTEM_SECRET,
        partitions=PARTITIONS, **more)
    return {f"FOOTFALL_{name.upper()}": str(value) for name, value in settings.items()}


def run(cluster: Secured, user: str, *arguments: str, **more: Any) -> str:
    """A command's output; raises what it fails with."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(cluster, user, **more).items():
            patch.setenv(name, value)
        found = CliRunner().invoke(footfall, list(arguments))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.stdout


# -- all of it at work -----------------------------------------------------------------------------


def test_each_part_works_with_its_rights_and_uses_every_one(
    cluster: Secured, tmp_path: Path
) -> None:
    """From a tracking call to a trigger at the shop and back to commands; nobody is ever denied."""
    admin_work(cluster)
    workers = Workers(cluster.bootstrap, tmp_path)
    try:
        started = run_installation(cluster, workers, tmp_path)
        commands_work(cluster, tmp_path)
        assert [None] * 3 == [one.exit_code for one in started]
        assert [0] * 3 == [one.stop() for one in started]
        clean_up(cluster)
    finally:
        workers.end()
        found = cluster.decisions()
        denied = {one for one in found if not one.is_allowed}
        print("denied:", denied)
    # It asks for which parts its user has enough rights, and is told.
    run(cluster, "admin", "doctor", "--json")
    found |= cluster.decisions()
    shop = Right("WRITE", "TOPIC", SHOP)
    assert set() == denied
    for name, part in PARTS.items():
        unused = [str(right) for right in part.rights if not is_used(name, right, found)]
        assert [] == unused, name
    assert is_used("delivery", shop, found)


def is_used(user: str, right: Right, found: set[Decision]) -> bool:
    """Whether the authorizer allowed an operation by it."""
    return any(
        one.who == user and one.operation == right.operation and one.kind.upper() == right.kind
        and (one.name.startswith(right.name) if right.is_prefix else one.name == right.name)
        for one in found if one.is_allowed)


def admin_work(cluster: Secured) -> None:
    """What an administrator does."""
    cluster.admin.delete_topics([topics.DELIVERIES])[topics.DELIVERIES].result(timeout=20)
    until(lambda: topics.DELIVERIES not in cluster.admin.list_topics(timeout=10).topics, 20)
    run(cluster, "admin", "topics", "create")
    run(cluster, "admin", "topics", "check")
    run(cluster, "admin", "config", "apply", "--set", "cart.idle_s=1")


def run_installation(cluster: Secured, workers: Workers, folder: Path) -> list[Worker]:
    """Collector, worker and delivery, until a trigger has gone all the way."""
    port = free_port()
    routes = folder / "routes.yaml"
    routes.write_text("destinations: {shop: {channel: kafka, purpose: necessary, topic: "
                      f"{SHOP}}}}}\nroutes: [{{triggers: ['*'], to: [shop]}}]\n")
    cluster.admin.create_topics([new_topic(SHOP)])[SHOP].result(timeout=20)
    cluster.grant("delivery", [Right("WRITE", "TOPIC", SHOP)])
    started = [
        workers.start(program=("-m", "footfall", part), **{
            **cluster.settings(part), "api_key": API_KEY, "routes": routes,
            "http_port": port, "write_keys": f"web:{WRITE_KEY}"})
        for part in ("worker", "delivery", "collector")]
    for one in started[:2]:
        one.until_ready()
    started[2].until(lambda: is_ready(port), DONE_S_MAX, "the collector is ready")
    with subscription(port) as stream:
        track(port, {"type": "track", "userId": "u1", "event": "Product Added", "properties": {
            "product_id": "p1", "price": "9.90", "currency": "EUR"}})
        track(port, {"type": "track", "userId": "u1"})  # without a name: rejected
        garbage(cluster, topics.INTERACTIONS, topics.TRIGGERS)
        assert b"cart_abandoned" in until_line(stream, b"cart_abandoned")
    with Scanner(cluster.node.bootstrap) as scanner:
        for topic, least in ((SHOP, 1), (topics.DELIVERIES, 2), (topics.REJECTED, 3)):
            until(lambda t=topic, n=least: sum(  # type: ignore[misc]
                span.end for span in scanner.spans(t).values()) >= n, DONE_S_MAX, topic)
    return started


def commands_work(cluster: Secured, folder: Path) -> None:
    """What people run beside it, and jobs over the past."""
    found = run(cluster, "reader", "tail", "triggers", "--json", "--from-beginning",
                "--idle-exit", "2")
    trigger = next(one["trigger_id"] for one in map(json.loads, found.splitlines())
                   if "trigger_id" in one)
    assert "rejected" in run(cluster, "reader", "tail", "rejected", "--json", "--from-beginning",
                             "--idle-exit", "2")
    assert "cart" in run(cluster, "reader", "customer", "user_id:u1", "--json")
    assert trigger in run(cluster, "reader", "why", trigger, "--json")
    run(cluster, "reader", "deliveries", "summary")
    routes = str(folder / "routes.yaml")
    run(cluster, "redrive", "deliveries", "disable", "shop", routes=routes)
    run(cluster, "redrive", "deliveries", "enable", "shop", routes=routes)
    run(cluster, "archive", "archive", "run", "--once", archive_target=str(folder / "archive"))
    (folder / "old.jsonl").write_text(json.dumps({
        "type": "track", "userId": "u2", "event": "Order Completed", "messageId": "old-1",
        "timestamp": "2026-01-01T00:00:00Z"}) + "\n")
    run(cluster, "import", "import", str(folder / "old.jsonl"), "--yes", "--rejects",
        str(folder / "rejects.jsonl"))
    run(cluster, "what-if", "replay", "what-if", "--from-start")
    run(cluster, "rebuild", "replay", "rebuild", "--yes", "--accept-differences")
    assert topic_of(2) in cluster.admin.list_topics(timeout=10).topics


def clean_up(cluster: Secured) -> None:
    """The last that a rebuild does; nobody may still need the old state."""
    run(cluster, "rebuild", "replay", "commit", "--yes")
    run(cluster, "rebuild", "replay", "status", "--json")


def new_topic(name: str) -> Any:
    from confluent_kafka.admin import NewTopic

    return NewTopic(name, PARTITIONS, 1)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"{HTTP}{port}/readyz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def track(port: int, item: dict[str, Any]) -> None:
    login = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    request = urllib.request.Request(
        f"{HTTP}{port}/v1/batch", json.dumps({"batch": [item]}).encode(),
        {"Authorization": f"Basic {login}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10):
        pass


def subscription(port: int) -> Any:
    request = urllib.request.Request(
        f"{HTTP}{port}/v1/triggers/stream", headers={"Authorization": f"Bearer {API_KEY}"})
    return urllib.request.urlopen(request, timeout=DONE_S_MAX)


def until_line(stream: Any, text: bytes) -> bytes:
    for line in stream:
        if text in line:
            return bytes(line)
    raise AssertionError("the stream ended")


def garbage(cluster: Secured, *names: str) -> None:
    """What no part can read."""
    producer = Producer({"bootstrap.servers": cluster.node.bootstrap, "log_level": 0})
    for name in names:
        producer.produce(name, b"garbage", b"garbage", 0)
    assert producer.flush(20) == 0

"""The real services that tests run on, and in which order they are chosen.

Kafka: a configured one (FOOTFALL_KAFKA_BOOTSTRAP_SERVERS), testcontainers (FOOTFALL_TEST_DOCKER=1
and a Docker engine that answers), Apache Kafka from Maven, the demo broker. Which one is used is
printed. FOOTFALL_TEST_REQUIRE_KAFKA=1 makes anything but real Apache Kafka a failure.

The variables are taken out of the environment when this module is imported: `footfall` refuses a
variable it does not know, and no test may depend on how a developer's shell is configured.
"""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

from footfall.admin.cluster import admin_client, answers
from footfall.admin.topics import ensure
from footfall.errors import BrokerError
from footfall.events import topics
from footfall.up import java, kafka_jars
from footfall.up.demo_broker import DemoBroker
from footfall.up.kafka import KafkaNode
from footfall.up.ports import HOST, free_port
from footfall.up.process import until

__all__ = ["GIVEN", "Broker", "DemoBroker", "KafkaNode", "delete_topics", "fresh_topics",
           "kafka_node", "pick"]

GIVEN = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("FOOTFALL_")}
IMAGE = "apache/kafka:4.1.0"
CONTAINER_READY_S_MAX = 90.0
TOPICS_SETTLE_S_MAX = 60.0


class Broker(NamedTuple):
    """The broker of this test run: its address, where it came from, how it is ended."""

    bootstrap: str
    origin: str
    stop: Callable[[], object]


def pick(environment: Mapping[str, str] | None = None) -> Broker:
    """Start or find the first broker of the order above; skips the test when there is none."""
    given = GIVEN if environment is None else environment
    reasons: list[str] = []
    for tier in (_configured, _container, _maven, _demo):
        try:
            broker = tier(given)
        except (BrokerError, ImportError) as error:
            reasons.append(f"{tier.__name__.lstrip('_')}: {error}")
            continue
        required = given.get("FOOTFALL_TEST_REQUIRE_KAFKA") == "1"
        if required and not is_apache_kafka(broker.bootstrap):
            broker.stop()
            pytest.exit("FOOTFALL_TEST_REQUIRE_KAFKA=1, but the tests would run on "
                        f"{broker.origin}; not available: {'; '.join(reasons)}", returncode=3)
        return broker
    return pytest.skip(f"no broker for tests: {'; '.join(reasons)}")


def kafka_node(
    folder: Path, port: int = 0, settings: Mapping[str, str] | None = None
) -> KafkaNode:
    """A node of one's own, not started yet: for tests that stop, kill or configure brokers."""
    found = java.find_java()
    if found is None:
        raise BrokerError(f"no Java {java.VERSION_MIN}+ here")
    return KafkaNode(folder, _libs(), found, port, settings)


def fresh_topics(bootstrap: str, partitions: int = 4) -> None:
    """All of Footfall's topics, empty: the isolation of tests that share one broker."""
    delete_topics(bootstrap)
    ensure(bootstrap, partitions, 1)


def delete_topics(bootstrap: str) -> None:
    """Remove all of Footfall's topics, and wait until they are gone."""
    admin = admin_client(bootstrap)
    there = admin.list_topics(timeout=10).topics
    names = {topic.name for topic in topics.ALL} | {
        name for name in there if name.startswith(f"{topics.CHANGELOG}-")}
    present = sorted(names & there.keys())
    if present:
        for future in admin.delete_topics(present).values():
            future.result()
    deadline = _deadline()
    while names & admin.list_topics(timeout=10).topics.keys():
        assert until(deadline, 0.1) > 0, "deleted topics did not go away"


def is_apache_kafka(bootstrap: str) -> bool:
    """Whether it describes itself with the settings that only Apache Kafka's KRaft broker has."""
    admin = admin_client(bootstrap)
    broker = next(iter(admin.list_topics(timeout=10).brokers))
    resource = ConfigResource(ResourceType.BROKER, str(broker))
    try:
        settings = admin.describe_configs([resource])[resource].result(timeout=10)
    except Exception:
        return False
    return {"process.roles", "controller.quorum.voters", "log.dirs"} <= settings.keys()


def _configured(given: Mapping[str, str]) -> Broker:
    bootstrap = given.get("FOOTFALL_KAFKA_BOOTSTRAP_SERVERS")
    if not bootstrap:
        raise BrokerError("FOOTFALL_KAFKA_BOOTSTRAP_SERVERS is not set")
    if not answers(bootstrap, seconds_max=10.0):
        pytest.exit(f"FOOTFALL_KAFKA_BOOTSTRAP_SERVERS={bootstrap} does not answer", returncode=3)
    return Broker(bootstrap, f"the configured broker {bootstrap}", lambda: None)


def _container(given: Mapping[str, str]) -> Broker:
    if given.get("FOOTFALL_TEST_DOCKER") != "1":
        raise BrokerError("FOOTFALL_TEST_DOCKER is not 1")
    if not docker_answers():
        raise BrokerError("no Docker engine answers")
    from testcontainers.core.container import DockerContainer

    port = free_port()
    container: Any = DockerContainer(IMAGE)
    container.ports["9092/tcp"] = (HOST, port)
    for name, value in {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }.items():
        container.with_env(name, value)
    container.start()
    bootstrap = f"{HOST}:{port}"
    deadline = _deadline(CONTAINER_READY_S_MAX)
    while not answers(bootstrap):
        if until(deadline, 0.5) <= 0:
            container.stop()
            raise BrokerError(f"{IMAGE} was not ready in {CONTAINER_READY_S_MAX:g} s")
    return Broker(bootstrap, f"a container of {IMAGE}", container.stop)


def _maven(_given: Mapping[str, str]) -> Broker:
    folder = tempfile.TemporaryDirectory(prefix="footfall-kafka-")
    node = kafka_node(Path(folder.name))
    node.start()

    def stop() -> None:
        node.stop(5.0)
        folder.cleanup()

    return Broker(node.bootstrap, f"Apache Kafka {kafka_jars.VERSION} from Maven", stop)


def _demo(_given: Mapping[str, str]) -> Broker:
    folder = tempfile.TemporaryDirectory(prefix="footfall-demo-")
    broker = DemoBroker(Path(folder.name))
    broker.start()

    def stop() -> None:
        broker.stop(5.0)
        folder.cleanup()

    return Broker(broker.bootstrap, "the demo broker (not Apache Kafka)", stop)


@functools.cache
def docker_answers() -> bool:
    """Whether a Docker engine answers."""
    try:
        import docker

        return bool(docker.from_env(timeout=5).ping())
    except Exception:  # absent, refused, not permitted: all the same here
        return False


@functools.cache
def _libs() -> Path:
    return kafka_jars.fetch(kafka_jars.cache_folder(os.environ))


def _deadline(seconds: float = TOPICS_SETTLE_S_MAX) -> float:
    return time.monotonic() + seconds

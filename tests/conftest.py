"""Fixtures that any test may ask for: brokers and registry (`tests/services.py`), npm packages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from footfall.errors import BrokerError
from tests import registry, services
from tests.node import packages
from tests.redis_server import RedisServer

#: How long an example took, or was made, says how busy the machine is and nothing of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

_used: list[str] = []


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap address of the one broker of this run; share it, never stop it."""
    broker = services.pick()
    _used.append(f"tests ran on {broker.origin}")
    yield broker.bootstrap
    broker.stop()


@pytest.fixture
def footfall_topics(kafka: str) -> str:
    """The same address, with all of Footfall's topics made anew and empty (4 partitions)."""
    services.fresh_topics(kafka)
    return kafka


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Callable[..., services.KafkaNode]]:
    """Starts Apache Kafka nodes that the test may stop, kill and configure: `own_kafka(settings)`.

    After kill -9 a node comes back once its own session has expired: 3 s here, 9 s by default.
    """
    nodes: list[services.KafkaNode] = []

    def start(settings: Mapping[str, str] | None = None, port: int = 0) -> services.KafkaNode:
        quick = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
        try:
            node = services.kafka_node(
                tmp_path / f"kafka-{len(nodes)}", port, {**quick, **(settings or {})}
            )
        except BrokerError as error:
            if services.GIVEN.get("FOOTFALL_TEST_REQUIRE_KAFKA") == "1":
                raise
            pytest.skip(f"no Apache Kafka of one's own: {error}")
        nodes.append(node)
        node.start(services.NODE_READY_S_MAX)
        return node

    yield start
    for node in nodes:
        node.resume()
        node.stop(5.0)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Starts Redis servers that a test may kill, stop and fill: `own_redis("--maxmemory", "2mb")`.
    """
    servers: list[RedisServer] = []

    def start(*arguments: str) -> RedisServer:
        servers.append(RedisServer(tmp_path / f"redis-{len(servers)}", *arguments))
        return servers[-1].start()

    yield start
    for server in servers:
        server.resume()
        server.kill()


@pytest.fixture(scope="session")
def registry_url() -> Iterator[str]:
    """URL of a real Confluent-compatible schema registry."""
    try:
        with registry.registry() as url:
            yield url
    except BrokerError as error:
        if services.GIVEN.get("FOOTFALL_TEST_REQUIRE_KAFKA") == "1":
            raise
        _used.append(f"tests of the schema registry were skipped: {error}")
        pytest.skip(f"no schema registry: {error}")


@pytest.fixture(scope="session")
def npm() -> Callable[[Path], Path]:
    """Installs what a folder's lock file names; gives the folder."""

    def install(folder: Path) -> Path:
        try:
            return packages.install(folder)
        except packages.NodeError as error:
            if services.GIVEN.get("FOOTFALL_TEST_REQUIRE_NODE") == "1":
                raise
            _used.append(f"tests that need npm in {folder.name} were skipped: {error}")
            pytest.skip(f"no Node packages: {error}")

    return install


@pytest.fixture(scope="session")
def node_packages(npm: Callable[[Path], Path]) -> Path:
    """Folder in which Node finds the packages of `tests/node`."""
    return npm(packages.FOLDER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests have a second chance (`.ci/run`), those on Kafka have none: what fails there once
    in many times may be something lost. But those of dashboards and alerts, which wait for others.
    """
    for item in items:
        if item.get_closest_marker("kafka") and item.path.parent.name != "deploy":
            item.add_marker(pytest.mark.flaky(reruns=0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which services were used: a run on the demo broker proves less."""
    for line in _used:
        terminalreporter.write_line(line)

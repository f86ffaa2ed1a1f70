"""Each broker is asked at the address that it advertises: the classic fault, and what to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from footfall.doctor.brokers import brokers, judged_release
from footfall.settings import Settings
from footfall.up.ports import HOST, free_port


@pytest.mark.parametrize(("version", "status", "text"), [
    (18, "ok", "Kafka 4.1 or later"), (14, "ok", "Kafka 3.1 or later"),
    (11, "ok", "Kafka 2.3 or later"), (10, "warning", "older than Kafka 2.3")])
def test_the_release_is_judged_by_what_the_broker_can(version: int, status: str, text: str) -> None:
    one = judged_release("a:1", version)
    assert (status, True) == (one.status, one.found.startswith(text))
    assert one.wanted == "Kafka 2.3 or later; tested on 4.1"


@pytest.mark.kafka
def test_a_broker_that_advertises_what_cannot_be_reached_is_an_error(
        own_kafka: Callable[..., Any]) -> None:
    """It answers at the address that is configured, and leads every client astray."""
    for host, text in (("no-such-broker.invalid", "the name no-such-broker.invalid is not known"),
                       (HOST, "it refuses the connection")):
        port = free_port()
        node = own_kafka({"advertised.listeners": f"PLAINTEXT://{host}:{port}"})
        told = {one.subject: one for one in brokers(Settings(
            kafka_bootstrap_servers=node.bootstrap))}
        assert "ok" == told["brokers"].status
        bad = told[f"{host}:{port}"]
        assert ("error", True) == (bad.status, text in bad.found)
        assert "advertised.listeners" in bad.change and bad.wanted
        node.stop(5.0)


@pytest.mark.kafka
def test_a_configured_address_that_is_dead_is_told_while_others_live(kafka: str) -> None:
    """Nobody notices until the others are away, too."""
    dead = f"{HOST}:{free_port()}"
    told = [one for one in brokers(Settings(kafka_bootstrap_servers=f"{kafka},{dead}"))
            if one.status != "ok"]
    assert [(dead, "warning")] == [(one.subject, one.status) for one in told]
    assert "refuses the connection" in told[0].found


@pytest.mark.kafka
def test_the_release_of_a_broker_is_told(kafka: str) -> None:
    """As far as Kafka's protocol tells it."""
    (found,) = [f for f in brokers(Settings(kafka_bootstrap_servers=kafka))
                if "fetch_version" in f.details]
    assert found.found.startswith(("Kafka ", "older than"))
    assert found.status == ("ok" if found.found.startswith("Kafka") else "warning")

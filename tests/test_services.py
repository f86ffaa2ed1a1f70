"""The services that the other tests stand on are what they claim to be."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from footfall.admin.cluster import admin_client, answers
from footfall.events import topics
from tests import services

pytestmark = pytest.mark.kafka


def test_the_broker_of_the_run_answers(kafka: str) -> None:
    """The fixture gives an address at which a broker answers."""
    assert answers(kafka, seconds_max=services.ANSWER_S_MAX)


def test_fresh_topics_are_empty_and_complete(kafka: str) -> None:
    """Records of one test are gone for the next, and every topic has its partitions."""
    services.fresh_topics(kafka)
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topics.REJECTED, b"left over", partition=0)
    assert 0 == producer.flush(30)

    services.fresh_topics(kafka, partitions=3)

    found = admin_client(kafka).list_topics(timeout=30).topics
    assert {3} == {len(found[t.name].partitions) for t in topics.ALL}
    assert 0 == _end(kafka, topics.REJECTED)


def test_a_test_on_kafka_is_never_tried_again(request: pytest.FixtureRequest) -> None:
    """Where others are (`.ci/run`): what fails once in many times may be something lost."""
    marker = request.node.get_closest_marker("flaky")
    assert marker is not None
    assert {"reruns": 0} == marker.kwargs


def test_the_demo_broker_is_not_taken_for_apache_kafka(tmp_path: object) -> None:
    """FOOTFALL_TEST_REQUIRE_KAFKA refuses the demo broker."""
    given = {"FOOTFALL_TEST_REQUIRE_KAFKA": "1"}
    broker = services._demo(given)
    try:
        configured = {**given, "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap}
        with pytest.raises(pytest.exit.Exception, match="would run on"):
            services.pick(configured)
    finally:
        broker.stop()


def test_a_killed_node_keeps_what_it_acknowledged(
    own_kafka: Callable[..., services.KafkaNode],
) -> None:
    """kill -9 and start again on the same port: the record is there."""
    node = own_kafka()
    assert services.is_apache_kafka(node.bootstrap)
    services.fresh_topics(node.bootstrap, partitions=1)
    producer = Producer({"bootstrap.servers": node.bootstrap, "log_level": 0})
    producer.produce(topics.REJECTED, b"kept")
    assert 0 == producer.flush(30)

    node.kill9()
    assert not answers(node.bootstrap)
    node.start(services.NODE_READY_S_MAX)

    assert 1 == _end(node.bootstrap, topics.REJECTED)
    assert node.stop(60.0)


def test_the_registry_speaks_confluents_api(registry_url: str) -> None:
    """It lists subjects as a JSON array; other tests of the run may have made some."""
    with urllib.request.urlopen(f"{registry_url}/subjects", timeout=5) as answer:
        assert isinstance(json.load(answer), list)


def _end(bootstrap: str, topic: str) -> int:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test"})
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
        return int(high - low)
    finally:
        consumer.close()

"""What `up` throws away on the demo broker: the state it names, and nothing of the other."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from footfall.admin.state import reset_delivery, reset_state
from footfall.events.topics import CHANGELOG, DELIVERIES, DELIVERY_CHANGELOG, TRIGGERS
from tests.system.topics import read_all
from tests.system.workers import PARTITIONS

pytestmark = pytest.mark.kafka
TOPICS = (CHANGELOG, DELIVERIES, DELIVERY_CHANGELOG, TRIGGERS)


def held(bootstrap: str) -> set[str]:
    """The topics that hold something."""
    return {topic for topic in TOPICS if list(read_all(bootstrap, topic))}


def test_each_state_is_reset_alone(footfall_topics: str) -> None:
    """Of delivery with its log, which names triggers by their offsets; the topics stay."""
    producer = Producer({"bootstrap.servers": footfall_topics, "log_level": 0})
    for topic in TOPICS:
        producer.produce(topic, b"value", b"key")
    assert 0 == producer.flush(30)
    assert set(TOPICS) == held(footfall_topics)

    reset_delivery(footfall_topics, PARTITIONS)
    assert {CHANGELOG, TRIGGERS} == held(footfall_topics)

    reset_state(footfall_topics, PARTITIONS)
    assert {TRIGGERS} == held(footfall_topics)

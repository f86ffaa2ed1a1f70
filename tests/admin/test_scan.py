"""What a scan of a topic reads: by time, by key, up to the end that it had."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from footfall.admin.scan import Scanner, Span
from tests.services import admin_client

pytestmark = pytest.mark.kafka

TOPIC = "test-scan"
NOW = 1_790_000_000_000
DAY = 86_400_000


@pytest.fixture
def topic(kafka: str) -> str:
    """One record a day in turn on two of three partitions, the newest of today."""
    admin = admin_client(kafka)
    if TOPIC in admin.list_topics(timeout=30).topics:
        for deleted in admin.delete_topics([TOPIC]).values():
            deleted.result()
    for made in admin.create_topics([NewTopic(TOPIC, 3, 1, config={
            "message.timestamp.type": "CreateTime", "retention.ms": "-1"})]).values():
        made.result()
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0})
    for n in range(10):
        producer.produce(TOPIC, str(n).encode(), b"even" if n % 2 == 0 else b"odd", n % 2,
                         timestamp=NOW - n * DAY)
    assert 0 == producer.flush(30)
    return kafka


def test_records_since_an_instant(topic: str) -> None:
    """By partition the first that is not earlier, and all after it; none where all are earlier."""
    with Scanner(topic) as scanner:
        spans = scanner.spans(TOPIC)
        assert {0: Span(0, 5), 1: Span(0, 5), 2: Span(0, 0)} == spans
        later = scanner.since(TOPIC, spans, NOW + DAY)
        assert {0: Span(5, 5), 1: Span(5, 5), 2: Span(0, 0)} == later
        assert [] == list(scanner.records(TOPIC, None, later))
        assert spans == scanner.since(TOPIC, spans, NOW - 8 * DAY - DAY // 2)


def test_records_under_a_key_or_all(topic: str) -> None:
    with Scanner(topic) as scanner:
        spans = scanner.spans(TOPIC)
        assert 5 == len(list(scanner.records(TOPIC, b"even", spans)))
        part = {0: Span(3, 5), 1: Span(0, 2)}
        assert [b"1", b"3", b"6", b"8"] == sorted(
            m.value() for m in scanner.records(TOPIC, None, part))

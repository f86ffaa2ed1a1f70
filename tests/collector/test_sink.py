"""The log on Kafka, where no broker is needed: what is refused at once, and what ends the process.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from confluent_kafka import KafkaError

from footfall.collector import sink
from footfall.collector.sink import KafkaSink, Outgoing, Record, UnavailableError
from footfall.errors import BrokerError
from footfall.up.ports import free_port


def records(count: int) -> list[Record]:
    return [{"key": b"k", "value": b"v"} for _ in range(count)]


def nowhere() -> str:
    return f"127.0.0.1:{free_port()}"


async def test_nothing_is_queued_before_a_broker_was_seen() -> None:
    made = KafkaSink(nowhere(), lambda _error: None)
    with pytest.raises(UnavailableError, match="no broker"):
        await made.send(Outgoing(records(1), []))
    assert not made.is_ready()
    await made.close(0)


async def test_a_full_queue_is_refused_at_once(monkeypatch: Any) -> None:
    monkeypatch.setattr(sink, "QUEUE_RECORDS_MAX", 10)
    made = KafkaSink(nowhere(), lambda _error: None)
    made._ready = True
    with pytest.raises(UnavailableError, match="too many"):
        await made.send(Outgoing(records(6), records(5)))
    await made.close(0)


async def test_records_that_the_queue_does_not_take_fail_their_request(monkeypatch: Any) -> None:
    """Some are taken, some are not: never acknowledged, and never waited for without end."""
    monkeypatch.setattr(sink, "QUEUE_RECORDS_MAX", 10)
    monkeypatch.setattr(sink, "DELIVERY_S_MAX", 0.5)
    made = KafkaSink(nowhere(), lambda _error: None)
    monkeypatch.setattr(sink, "QUEUE_RECORDS_MAX", 100)
    made._ready = True
    with pytest.raises(UnavailableError, match="did not answer"):
        async with asyncio.timeout(30):
            await made.send(Outgoing(records(20), []))
    await made.close(0)


async def test_a_record_not_acknowledged_in_time_fails_its_request(monkeypatch: Any) -> None:
    monkeypatch.setattr(sink, "DELIVERY_S_MAX", 0.5)
    made = KafkaSink(nowhere(), lambda _error: None)
    made._ready = True
    with pytest.raises(UnavailableError, match="did not answer"):
        async with asyncio.timeout(30):
            await made.send(Outgoing(records(3), records(1)))
    await made.close(0)


async def test_a_fatal_error_is_told_and_a_lost_broker_makes_it_unready() -> None:
    told: list[BrokerError] = []
    made = KafkaSink(nowhere(), told.append)
    made._ready = True
    made._on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    assert (False, []) == (made.is_ready(), told)
    made._on_error(KafkaError(KafkaError._FATAL, "gone", True))
    assert "restart the collector" in str(told[0])
    await made.close(0)

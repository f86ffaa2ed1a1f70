"""A record appended far ahead of our clock waits, and nothing overtakes it (law 4)."""

from __future__ import annotations

import asyncio
import logging
import time
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from faust.types import TP

from footfall.events import topics
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.settings import Settings
from footfall.stream import unit
from footfall.stream.engine import LOG_APPEND_TIME, Engine, Partition
from footfall.stream.poison import PoisonLimit
from footfall.tables.fold import Fold

CODECS = Codecs()
RESERVED = Reserved(b"a secret for tests")
HOUR_MS = 3_600_000
LOG = TP(topics.INTERACTIONS, 0)


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes = b"$tick"
    value: bytes = CODECS.interaction.encode(RESERVED.tick(0))
    timestamp_type: int = LOG_APPEND_TIME


def test_a_record_an_hour_ahead_is_held_with_all_that_follows(
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It is alarmed once, and applied in order when our clock has come near."""
    now = round(time.time() * 1000)
    keys = CustomerKeys(b"a secret for tests")
    engine = Engine(Settings(), (), codecs=CODECS, keys=keys, reserved=RESERVED, fail=_fail)
    engine.consumer = SimpleNamespace(held=set(), epoch=0)  # type: ignore[assignment]
    fold = Fold(0, (), codecs=CODECS, keys=keys, reserved=RESERVED, topic=topics.INTERACTIONS)
    partition = engine.partitions[0] = Partition(0, fold, PoisonLimit(0, 1.0, 100))
    first, second = _event(0), _event(0)

    async def act() -> None:
        await engine.process(_batch(first, [Record(0, now), Record(1, now + HOUR_MS)]))
        await engine.process(_batch(second, [Record(2, now + HOUR_MS)]))
        for _ in range(3):
            await engine.release(partition)
        assert 1 == fold.next_offset
        assert {LOG} == engine.consumer.held
        assert [] == partition.applied
        monkeypatch.setattr(unit, "AHEAD_MS_MAX", 2 * HOUR_MS)
        await engine.release(partition)

    with caplog.at_level(logging.ERROR):
        asyncio.run(act())

    assert (3, now + HOUR_MS) == (fold.next_offset, fold.clock)
    assert set() == engine.consumer.held
    assert [first, second] == partition.applied
    assert 1 == sum("held" in message for message in caplog.messages)


def _fail(error: BaseException) -> None:
    raise error


def _event(partition: int) -> Any:
    return SimpleNamespace(message=SimpleNamespace(partition=partition), ack=lambda: None)


def _batch(event: Any, records: list[Record]) -> Any:
    event.value = SimpleNamespace(epoch=0, records=records)
    return event

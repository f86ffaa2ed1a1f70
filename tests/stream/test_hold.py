"""A record appended far ahead of our clock waits, and nothing overtakes it (law 4)."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from faust.types import TP

from footfall.events import topics
from footfall.stream import unit
from tests.stream import live

HOUR_MS = 3_600_000
LOG = TP(topics.INTERACTIONS, 0)


def test_a_record_an_hour_ahead_is_held_with_all_that_follows(
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It is alarmed once, and applied in order when our clock has come near."""
    now = round(time.time() * 1000)
    engine = live.engine_of([], partitions=1)
    partition = engine.partitions[0]
    fold = partition.fold
    first = live.batch(engine, 0, [live.Tick(0, now), live.Tick(1, now + HOUR_MS)])
    second = live.batch(engine, 0, [live.Tick(2, now + HOUR_MS)])

    async def act() -> None:
        await engine.process(first)
        await engine.process(second)
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

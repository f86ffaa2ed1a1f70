"""A log record that releases very many timers: the loop goes on, and nothing of law 4 is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from footfall.stream import checkpoint, unit
from footfall.stream.engine import Engine
from tests.stream import live
from tests.tables import events
from tests.tables.logs import KEYS, START, Appended
from tests.tables.made import PULSE

CUSTOMERS = 3_000
PIECES_MIN = CUSTOMERS // unit.FIRED_MAX
PARTITION = 0


class Outbox:
    """Keeps what leaves; acknowledges it when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.acknowledged = 0
        self.at_once = True

    def lane(self, _topic: str, _partition: int) -> Outbox:
        return self

    def put(self, messages: list[Any], _since: int | None = None) -> None:
        self.sent += messages
        if self.at_once:
            self.acknowledged = len(self.sent)

    def waiting(self) -> int:
        return len(self.sent) - self.acknowledged


@pytest.fixture
def engine() -> Engine:
    """Owns one partition, whose customers have all been silent for hours and settle."""
    made = live.engine_of([PULSE], partitions=1)
    made.outbox = Outbox()  # type: ignore[assignment]
    live.feed(made, [Appended(START, KEYS.of("user_id", f"u{n}"), events.plain(START, f"m{n}"))
                     for n in range(CUSTOMERS)])
    fold = made.partitions[PARTITION].fold
    fold.apply(live.Tick(fold.next_offset, START + 3_600_000))
    fold.snapshot()
    return made


def fire(engine: Engine) -> Any:
    """The batch that releases all timers."""
    fold = engine.partitions[PARTITION].fold
    return live.batch(engine, PARTITION, [
        live.Tick(fold.next_offset, fold.clock + 10_001),
        live.Tick(fold.next_offset + 1, fold.clock + 10_002)])


async def _among(engine: Engine, what: Any, times: int = 1) -> None:
    """Process the batch; `what` runs beside it when the unit is open, so many times."""
    task = asyncio.create_task(engine.process(fire(engine)))
    fold = engine.partitions[PARTITION].fold
    for _ in range(times):
        await asyncio.sleep(0)
        assert fold.open
        await what()
    await task


def test_the_loop_goes_on_while_all_timers_fire(engine: Engine) -> None:
    """Once each few hundred customers; every trigger leaves, in the order of the timers."""
    turns = 0

    async def act() -> None:
        nonlocal turns
        task = asyncio.create_task(engine.process(fire(engine)))
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        await task

    engine.alive_at = 0.0
    engine.check_alive = lambda: None  # type: ignore[method-assign]
    asyncio.run(act())

    fold = engine.partitions[PARTITION].fold
    assert turns >= PIECES_MIN
    assert engine.alive_at > 0.0
    keys = [key for key, _value in engine.outbox.sent]  # type: ignore[attr-defined]
    assert sorted(KEYS.of("user_id", f"u{n}") for n in range(CUSTOMERS)) == keys
    assert (CUSTOMERS + 3, False) == (fold.next_offset, fold.open)
    assert engine.pending > CUSTOMERS - unit.FIRED_MAX


def test_no_checkpoint_takes_an_open_unit(engine: Engine) -> None:
    """Law 4: nothing of it is written, or its partition's state would stand between two instants.
    """
    partition = engine.partitions[PARTITION]
    partition.moved = True
    before = dict(partition.fold.store)

    async def act() -> None:
        await _among(engine, lambda: checkpoint.take(engine), times=3)

    asyncio.run(act())

    assert before == partition.fold.store
    assert partition.moved
    assert CUSTOMERS == len(partition.fold.snapshot())


def test_a_partition_that_goes_takes_its_open_unit_with_it(engine: Engine) -> None:
    """A stop or a rebalance does not wait for it: the partition is as it was committed."""
    partition = engine.partitions[PARTITION]
    acked: list[bool] = []

    async def act() -> None:
        event = fire(engine)
        event.ack = lambda: acked.append(True)
        task = asyncio.create_task(engine.process(event))
        await asyncio.sleep(0)
        assert partition.fold.open
        await engine.finish()
        await task

    asyncio.run(act())

    assert {} == engine.partitions
    assert [True] == acked
    assert [] == partition.applied
    assert len(engine.outbox.sent) < CUSTOMERS  # type: ignore[attr-defined]


def test_what_waits_for_the_broker_is_bounded(engine: Engine,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that does not answer stops the unit, not the loop."""
    monkeypatch.setattr(unit, "WAITING_MAX", unit.FIRED_MAX)
    outbox: Outbox = engine.outbox  # type: ignore[assignment]
    outbox.at_once = False

    async def act() -> None:
        task = asyncio.create_task(engine.process(fire(engine)))
        async with asyncio.timeout(30):
            while len(outbox.sent) < 2 * unit.FIRED_MAX:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await asyncio.sleep(5 * unit.WAIT_S)
        assert 2 * unit.FIRED_MAX == len(outbox.sent)
        while not task.done():
            outbox.acknowledged = len(outbox.sent)
            await asyncio.sleep(unit.WAIT_S)
        await task

    asyncio.run(act())
    assert CUSTOMERS == len(outbox.sent)


def test_a_batch_that_follows_waits_for_the_unit(engine: Engine) -> None:
    """What is released from being held is applied in pieces too, and nothing overtakes it."""
    partition = engine.partitions[PARTITION]
    first, second = fire(engine), fire(engine)
    end = second.value.records[-1]
    second.value.records[:] = [live.Tick(end.offset + 1, end.timestamp + 1)]
    partition.held.append((first, first.value.records))

    async def act() -> None:
        await asyncio.gather(engine.release(partition), engine.process(second))

    asyncio.run(act())
    assert [first, second] == partition.applied

"""The consumer of batches: what is fetched, and when all that the log holds was handed out."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from footfall.stream.transport import BatchConsumer

LOG = TP("log", 0)
NEW = TP("log", 1)


class Consumer(BatchConsumer):
    """Without Kafka: `known` is what aiokafka knows, `fetched` what it gives next."""

    def __init__(self) -> None:
        self.engine: Any = SimpleNamespace(
            inputs={"log": None}, log_topic="log",
            settings=SimpleNamespace(batch_records_max=2000),
            start_offsets=lambda: {LOG: 70, NEW: 7})
        self.app: Any = SimpleNamespace(consumer_generation_id=1)
        self.gate, self.epoch, self.flow_active = True, 0, True
        self.held: set[TP] = set()
        self.unrecovered: set[TP] = set()
        self._catching_up = None
        self.sought: list[dict[TP, int]] = []
        self.asked: list[set[TP]] = []
        self._read_offset: dict[TP, int | None] = {}
        self.delivered = {LOG: 0}
        self._handed_out: dict[TP, int] = {}
        self._fetching = asyncio.Lock()
        self.known = SimpleNamespace(has_valid_position=True, highwater=None, position=0)
        self.arrives: list[Any] = []
        self.handed = asyncio.Event()

    def _state(self, _tp: TP) -> Any:
        return self.known

    def _get_active_partitions(self) -> set[TP]:
        return {LOG, NEW}

    def assignment(self) -> set[TP]:
        return {LOG, NEW, TP("changelog", 0), TP("changelog", 1)}

    async def seek_wait(self, partitions: Any) -> None:
        self.sought.append(dict(partitions))

    def _is_changelog_tp(self, _tp: TP) -> bool:
        return False

    async def _getmany(self, wanted: set[TP], _timeout_s: float) -> dict[TP, list[Any]]:
        self.asked.append(set(wanted))
        records, self.arrives = self.arrives, []
        self.known.highwater = 3
        if records:
            # In aiokafka's thread the position moves on before we have the records.
            self.known.position = 3
            await self.handed.wait()
        return {LOG: records} if records else {}


async def test_what_is_on_its_way_to_us_is_not_handed_out() -> None:
    """Fetched, but not yet ours: whoever took that for the end would act without what it says."""
    consumer = Consumer()
    assert not consumer.at_end(LOG)
    consumer.arrives = [SimpleNamespace(offset=n) for n in range(3)]

    async def drain() -> list[Any]:
        return [message async for _tp, message in consumer.getmany(1.0)]

    draining = asyncio.create_task(drain())
    await asyncio.sleep(0.01)
    assert not consumer.at_end(LOG)
    consumer.handed.set()
    (message,) = await draining
    assert [0, 1, 2] == [record.offset for record in message.value.records]
    assert consumer.at_end(LOG)


async def test_the_end_of_a_log_without_records_is_known() -> None:
    """Nothing came, nothing is there: also behind records that are none (control records)."""
    consumer = Consumer()
    consumer.known.position = 3
    assert [] == [message async for _tp, message in consumer.getmany(1.0)]
    assert consumer.at_end(LOG)


async def test_what_came_new_is_kept_out_until_it_is_recovered_while_the_rest_goes_on() -> None:
    """Then it begins where its state stands; the rest is not sought again."""
    consumer = Consumer()
    consumer.keep_out({1})
    assert [] == [message async for _tp, message in consumer.getmany(1.0)]
    assert [{LOG}] == consumer.asked
    assert (False, True, False) == (
        consumer.is_ready, consumer.serves(0), consumer.serves(1))

    await consumer.let_in({1}, epoch=0)
    assert [{NEW: 7}] == consumer.sought
    assert {LOG: 0, NEW: 7} == consumer.delivered
    assert [] == [message async for _tp, message in consumer.getmany(1.0)]
    assert {LOG, NEW} == consumer.asked[-1]
    assert consumer.is_ready


async def test_batches_are_small_while_something_is_recovered() -> None:
    """Recovery has its turn after each: a backlog must not keep whole partitions waiting."""
    consumer = Consumer()
    consumer.handed.set()
    sizes = {}
    for kept_out in (frozenset({1}), frozenset[int]()):
        consumer.keep_out(kept_out)
        consumer.delivered[LOG] = 0
        consumer.arrives = [SimpleNamespace(offset=n) for n in range(600)]
        sizes[kept_out] = [len(message.value.records)
                           async for _tp, message in consumer.getmany(1.0)]
    assert [[250, 250, 100], [600]] == list(sizes.values())


async def test_the_end_of_what_is_kept_out_is_never_known() -> None:
    """Its position is anybody's: a tick appended for it would be a lie."""
    consumer = Consumer()
    consumer.known.position = consumer.known.highwater = 3
    consumer._handed_out = {LOG: 3, NEW: 3}
    consumer.keep_out({1})
    assert (True, False) == (consumer.at_end(LOG), consumer.at_end(NEW))


async def test_recovery_ends_with_its_assignment() -> None:
    """What it would have owned is somebody else's; and a late one lets nothing in."""
    consumer = Consumer()
    consumer.keep_out({1})
    owned: list[int] = []

    async def recover() -> None:
        await asyncio.sleep(0.01)
        owned.append(1)

    consumer.catch_up(recover())
    await asyncio.sleep(0)
    consumer._close()
    await asyncio.sleep(0.05)
    assert [] == owned
    assert set() == consumer.unrecovered

    consumer.keep_out({1})
    await consumer.let_in({1}, epoch=0)
    assert [] == consumer.sought
    assert {NEW} == consumer.unrecovered

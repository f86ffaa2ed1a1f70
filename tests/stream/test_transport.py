"""The consumer of batches: when all that the log holds has been handed out."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from footfall.stream.transport import BatchConsumer

LOG = TP("log", 0)


class Consumer(BatchConsumer):
    """Without Kafka: `known` is what aiokafka knows, `fetched` what it gives next."""

    def __init__(self) -> None:
        self.engine: Any = SimpleNamespace(
            inputs={"log": None}, settings=SimpleNamespace(batch_records_max=100))
        self.app: Any = SimpleNamespace(consumer_generation_id=1)
        self.gate, self.epoch, self.flow_active = True, 0, True
        self.held: set[TP] = set()
        self.delivered = {LOG: 0}
        self._handed_out: dict[TP, int] = {}
        self._fetching = asyncio.Lock()
        self.known = SimpleNamespace(has_valid_position=True, highwater=None, position=0)
        self.arrives: list[Any] = []
        self.handed = asyncio.Event()

    def _state(self, _tp: TP) -> Any:
        return self.known

    def _get_active_partitions(self) -> set[TP]:
        return {LOG}

    def _is_changelog_tp(self, _tp: TP) -> bool:
        return False

    async def _getmany(self, _wanted: set[TP], _timeout_s: float) -> dict[TP, list[Any]]:
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

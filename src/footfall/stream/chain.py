"""The chain of the log: each batch begins where the last one ended, or it is known why not (law 1).

Watermarks turn a batch that was skipped into loss that nobody would ever see. So a missing range is
read once more: one that holds no record (control records of transactions) is passed and counted,
one below the log's start is refused, with the command that accepts the gap; anything else ends the
process. Must never pass a record.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiokafka import TopicPartition

from footfall import telemetry
from footfall.errors import BrokerError, StateRefused
from footfall.stream.reader import Reader

if TYPE_CHECKING:
    from footfall.stream.log_engine import LogEngine, LogPartition

logger = logging.getLogger(__name__)


async def check(engine: LogEngine[Any], partition: LogPartition[Any], records: Sequence[Any]
                ) -> None:
    """Raise unless these records follow what was applied, and each other."""
    expected = partition.fold.next_offset
    for record in records:
        if record.offset != expected:
            if record.offset < expected:
                raise BrokerError(f"partition {partition.number}: got offset {record.offset} "
                                  f"after {expected - 1}; starting again reads on from there")
            await check_gap(engine, partition.number, expected, record.offset)
        expected = record.offset + 1


async def check_gap(engine: LogEngine[Any], number: int, start: int, end: int) -> None:
    """Raise unless the log holds no record from `start` to before `end`."""
    tp = TopicPartition(engine.log_topic, number)
    async with Reader(engine.settings.kafka_bootstrap_servers) as reader:
        (low, _high) = (await reader.bounds([tp]))[tp]
        if low > start:
            if not engine.settings.accept_gap:
                raise StateRefused(
                    f"partition {number}: the log begins at offset {low}, the state ends at"
                    f" {start}: {low - start} records are gone. To go on without them: "
                    "footfall worker --accept-gap")
            logger.warning("a gap was accepted", extra={
                "partition": number, "from_offset": start, "until_offset": low})
            start = min(low, end)
        async for _tp, records in reader.read({tp: (start, end)}):
            raise BrokerError(f"partition {number}: offset {records[0].offset} was skipped; "
                              "starting again reads it")
    telemetry.CONTROL_OFFSETS.inc(end - start)

"""Where a partition goes on in footfall.triggers.

Decides where delivery begins that has never run, and tells what it can no longer deliver: triggers
that retention took while it was away. Must never begin behind what was delivered already in
silence: a broker that forgot triggers would give their offsets to others.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from aiokafka import TopicPartition

from footfall import telemetry
from footfall.delivery.partition import DeliveryPartition
from footfall.errors import StateRefused
from footfall.events.topics import DELIVERIES, DELIVERY_CHANGELOG, TRIGGERS
from footfall.stream.reader import Reader

logger = logging.getLogger(__name__)


async def find(partitions: Sequence[DeliveryPartition], bootstrap: str, begin: str) -> None:
    """Set the position of each partition; `begin` (`earliest`, `latest`) is for those that have
    none. Raises `StateRefused`.
    """
    tps = [TopicPartition(TRIGGERS, partition.number) for partition in partitions]
    async with Reader(bootstrap) as reader:
        bounds = await reader.bounds(tps)
    for tp, partition in zip(tps, partitions, strict=True):
        first, end = bounds[tp]
        known = partition.fold.positions.get(TRIGGERS)
        if known is None:
            known = first if begin == "earliest" else end
        elif known > end:
            raise StateRefused(
                f"partition {tp.partition}: {TRIGGERS} ends at offset {end}, delivery knows offset "
                f"{known - 1}: the broker forgot triggers. Restore the topic, or delete "
                f"{DELIVERIES} and {DELIVERY_CHANGELOG} to begin anew")
        elif known < first:
            logger.error("triggers are gone by retention and were never delivered", extra={
                "topic": tp.topic, "partition": tp.partition, "records": first - known,
                "from_offset": known, "until_offset": first})
            telemetry.DELIVERY_MISSED.inc(first - known)
        partition.fold.read(TRIGGERS, max(known, first))
        partition.moved = True

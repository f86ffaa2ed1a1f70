"""Ticks: how time passes in a partition to which nobody writes (law 4).

Decides when a `$tick` is appended: a timer is due by the broker's clock as last seen, the worker
has handed out and applied all the log holds, and none was appended in the last 200 ms. So a lagging
worker never takes its own lateness for a customer's silence. The same loop tells that this worker
is alive, and tries again what was held back.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from footfall import telemetry
from footfall.events.interaction import TICK
from footfall.stream.log_engine import LogEngine, LogPartition

LOOP_S = 0.05
TICK_INTERVAL_S = 0.2


async def keep_time(engine: LogEngine[Any]) -> None:
    """Runs as long as the worker."""
    ticked: dict[int, float] = {}
    engine.alive_at = time.monotonic()
    while True:
        await asyncio.sleep(LOOP_S)
        engine.alive()
        now = engine.broker_now()
        for partition in list(engine.partitions.values()):
            if partition.held:
                await engine.release(partition)
            elif _due(engine, partition, now) and (
                    engine.alive_at - ticked.get(partition.number, 0.0) >= TICK_INTERVAL_S):
                ticked[partition.number] = engine.alive_at
                _append(engine, partition, now)


def _due(engine: LogEngine[Any], partition: LogPartition[Any], now: int) -> bool:
    return (not partition.fold.open and partition.fold.timer_before(now)
            and engine.has_applied_all(partition))


def _append(engine: LogEngine[Any], partition: LogPartition[Any], now: int) -> None:
    value = engine.codecs.interaction.encode(engine.reserved.tick(now))
    engine.outbox.lane(engine.log_topic, partition.number).put([(TICK.encode(), value)])
    telemetry.TICKS.inc()

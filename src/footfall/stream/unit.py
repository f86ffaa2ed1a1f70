"""Applies a batch in pieces: the event loop goes on while one log record releases many timers.

After an outage one tick may release every timer of a partition, and the fold never lets go of
Python's lock: at 100,000 customers neither heartbeats nor the loop would run for seconds, the
worker would be taken for dead, and the next one would begin the same unit again. Decides how long
a piece is and how many messages may wait meanwhile. What a piece tells leaves at once (law 1 asks
for outputs before records); no checkpoint takes a partition whose unit is open (law 4), and one
that ends first is dropped: its unit begins again elsewhere and tells the same triggers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from footfall.stream.log_engine import LogEngine, LogFold, LogPartition

#: Customers whose timers are stepped in one go: some 20 ms.
FIRED_MAX = 250
#: Messages that may wait for the broker before the next piece.
WAITING_MAX = 20_000
WAIT_S = 0.01
#: A record appended further ahead of our clock is held, unapplied, and alarmed (law 4).
AHEAD_MS_MAX = 60_000


async def apply(engine: LogEngine[Any], partition: LogPartition[Any], records: Sequence[Any]
                ) -> int | None:
    """Apply records up to the first that lies ahead of our clock; how many were. None when the
    partition has gone meanwhile.
    """
    fold: LogFold = partition.fold
    until = time.time() * 1000 + AHEAD_MS_MAX
    applied = fold.apply_all(records, until, FIRED_MAX)
    while fold.open:
        engine.pending += FIRED_MAX
        engine.send(partition, records[applied].timestamp)
        await asyncio.sleep(0)
        engine.alive()
        while engine.outbox.waiting() > WAITING_MAX:
            await asyncio.sleep(WAIT_S)
            engine.alive()
        if engine.partitions.get(partition.number) is not partition:
            return None
        applied += fold.apply_all(records[applied:], until, FIRED_MAX)
    return applied

"""A checkpoint: makes what was applied durable, in law 1's order.

    outputs acked -> changed records acked -> `$partition` acked -> batch acked -> offset committed

What is in the changelog may be shown. Decides that order and
nothing else. Must never let a later step begin before the one before it is acknowledged.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from faust.types import TP

from footfall import telemetry
from footfall.tables.stored import PARTITION_KEY, PartitionState

if TYPE_CHECKING:
    from footfall.stream.log_engine import LogEngine, LogPartition

#: A row of the changelog; without a value it has gone.
Change: TypeAlias = tuple[bytes, bytes | None]


class Snapshot(NamedTuple):
    """All of one instant of a partition: changed records, `$partition`, batches covered; and that
    instant (ms, by our own clock: for people alone).
    """

    partition: LogPartition[Any]
    changed: Sequence[Change]
    state: PartitionState
    events: list[Any]
    at: int


async def take(engine: LogEngine[Any]) -> None:
    """Returns when all that was applied before is durable and may be committed."""
    began = time.monotonic()
    epoch = engine.consumer.epoch
    # Not one whose unit is open: a log record and the timers it releases are one (law 4).
    snapshots = [_snapshot(engine, p) for p in engine.partitions.values()
                 if p.moved and not p.fold.open]
    engine.pending = 0
    if not snapshots:
        return
    await engine.outbox.barrier()
    engine.crash_point("after_outputs")
    lanes = []
    for at, (partition, changed, state, _events, _at) in enumerate(snapshots):
        lane = engine.changelog_lane(partition)
        lane.put(changed)
        if at == 0 and changed:
            engine.crash_point("half_changelog")
        lane.put([(PARTITION_KEY, state.encode())])
        lanes.append(lane)
    for lane in lanes:
        await lane.barrier()
    engine.crash_point("after_changelog")
    for snapshot in snapshots:
        engine.durable(snapshot)
    if epoch == engine.consumer.epoch:
        for (partition, _changed, state, events, _at), lane in zip(snapshots, lanes, strict=True):
            for event in events:
                event.ack()
            engine.consumer.mark_safe(TP(engine.log_topic, partition.number), state.next_offset,
                                      f"{state.next_offset}:{lane.end_offset}:{partition.generation}")
            for topic, offset in state.positions.items():
                engine.consumer.mark_safe(TP(topic, partition.number), offset, "")
    engine.crash_point("before_commit")
    engine.garbage.after_checkpoint()
    telemetry.CHECKPOINT_SECONDS.observe(time.monotonic() - began)


def _snapshot(engine: LogEngine[Any], partition: LogPartition[Any]) -> Snapshot:
    """Without a pause: nothing is applied meanwhile."""
    changed = [*partition.rewrites, *partition.fold.snapshot()]
    events, partition.applied, partition.rewrites = partition.applied, [], []
    partition.moved = False
    engine.publish(partition)
    engine.taken(partition, changed)
    now = time.time_ns() // 1_000_000
    return Snapshot(partition, changed, partition.fold.state(), events, now)

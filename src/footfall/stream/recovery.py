"""Bulk recovery: reads changelog partitions whole and proves that log and state fit (law 1).

Plugged into Faust as TableManager and Recovery, because Faust's own reads some 5,000 records a
second one by one. Takes of each key the record with the highest watermark, not the last one: a
stale row of a worker that had been replaced may lie behind the owner's. Decides where a partition
starts, or refuses it, saying why; must never start a partition that it could not prove.

Where some partitions were ours before, they go on at once and the new ones are recovered beside
them (2026-11-26): a rebalance gives everything up, and what had to be read for one partition kept
all the others waiting.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from aiokafka import TopicPartition
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery
from faust.types import TP

from footfall import telemetry
from footfall.errors import StateRefused
from footfall.stream.chain import check_gap
from footfall.stream.generations import FIRST, Taken
from footfall.stream.log_engine import LOG_APPEND_TIME, LogEngine
from footfall.stream.reader import Reader
from footfall.tables.fold import log_checksum
from footfall.tables.stored import PartitionState

logger = logging.getLogger(__name__)


async def recover(engine: LogEngine[Any], numbers: Iterable[int]) -> None:
    """Read and prove the partitions `numbers`; the engine owns them afterwards."""
    wanted = sorted(numbers)
    if not wanted:
        return
    began = time.monotonic()
    async with Reader(engine.settings.kafka_bootstrap_servers) as reader:
        logs = {n: TopicPartition(engine.log_topic, n) for n in wanted}
        bounds = await reader.bounds([*logs.values()])
        found = await engine.take_changelog(wanted)
        engine.crash_point("in_recovery")
        states = {n: taken.state for n, taken in found.items()}
        await _prove_last(engine, reader, states, bounds)
    committed = await engine.consumer._thread.committed_metadata(
        [TP(engine.log_topic, n) for n in wanted])
    rows = 0
    for n in wanted:
        first, end = bounds[logs[n]]
        metadata = committed[TP(engine.log_topic, n)]
        _prove(n, found[n], end=end, metadata=metadata)
        state = states[n]
        if state is not None and state.key_fingerprint != engine.keys.fingerprint:
            raise StateRefused(
                f"partition {n}: the state was made under another FOOTFALL_CUSTOMER_KEY_SECRET: "
                "every customer would be a stranger. Set the secret that this installation began "
                "with")
        partition = engine.own(n, state, found[n].best, found[n].generation)
        rows += len(found[n].best.store)
        start = partition.fold.next_offset
        if start < first:
            await check_gap(engine, n, start, first)
            partition.fold.pass_gap(first)
    await engine.recovered(wanted)
    took = time.monotonic() - began
    telemetry.RECOVERY_SECONDS.set(took)
    logger.info("recovered", extra={
        "partitions": len(wanted), "customers": rows, "seconds": round(took, 2)})


def _prove(number: int, taken: Taken, *, end: int, metadata: str) -> None:
    """Raise `StateRefused` where log, changelog and commit do not fit each other."""
    highest, state = taken.best.highest, taken.state
    if state is not None:
        highest = max(highest, state.next_offset - 1)
    if highest >= end:
        raise StateRefused(
            f"partition {number}: the log ends at offset {end}, the state knows offset {highest}: "
            "the broker forgot records that it had acknowledged. Restore the log, or fold anew "
            "(docs/engine.md)")
    offset, _, rest = metadata.partition(":")
    changelog_known, _, generation = rest.partition(":")
    if offset.isdigit() and changelog_known.isdigit():
        if taken.generation == int(generation or FIRST) and taken.end < int(changelog_known):
            raise StateRefused(
                f"partition {number}: the changelog ends at offset {taken.end}, the last commit"
                f" knew {changelog_known}: the broker forgot state. Fold anew (docs/engine.md)")
        if state is None or state.next_offset < int(offset):
            raise StateRefused(
                f"partition {number}: offset {offset} was committed, the changelog knows less: it "
                "has lost state. Fold anew (docs/engine.md)")


async def _prove_last(
    engine: LogEngine[Any], reader: Reader, states: dict[int, PartitionState | None],
    bounds: dict[TopicPartition, tuple[int, int]],
) -> None:
    """The last record read must still be the same one; gone by retention is no difference."""
    ranges = {}
    for number, state in states.items():
        tp = TopicPartition(engine.log_topic, number)
        if state is not None and bounds[tp][0] <= state.last_offset < bounds[tp][1]:
            ranges[tp] = (state.last_offset, state.last_offset + 1)
    async for tp, records in reader.read(ranges):
        state = states[tp.partition]
        record = records[0]
        assert state is not None
        if record.timestamp_type == LOG_APPEND_TIME and (
            record.offset != state.last_offset or record.timestamp != state.last_appended_at
            or log_checksum(record) != state.last_checksum
        ):
            raise StateRefused(
                f"partition {tp.partition}: the log holds another record at offset "
                f"{state.last_offset} than the one that was read: the broker forgot records and "
                "used their offsets again. Restore the log, or fold anew (docs/engine.md)")


class BulkRecovery(Recovery):  # type: ignore[misc]
    """Faust's recovery service with our reading in it."""

    #: The assignment that is being recovered, and what of it is left for when the rest goes on.
    epoch: int
    left: set[int]

    async def _build_highwaters(self, consumer: Any, tps: set[TP], destination: Any,
                                title: str) -> None:
        for tp in tps:
            destination[tp] = 0

    async def _build_offsets(self, consumer: Any, tps: set[TP], destination: Any,
                             title: str) -> None:
        for tp in tps:
            destination[tp] = 0
        if title == "active":
            engine = consumer.engine
            self.epoch = consumer.epoch
            numbers = {
                tp.partition for tp in consumer.assignment() if tp.topic == engine.log_topic}
            self.left = numbers - engine.retained()
            if self.left != numbers:
                consumer.keep_out(self.left)
                return
            self.left = set()
            try:
                await recover(engine, numbers)
            except RebalanceAgain:
                raise
            except Exception as error:
                engine.fail(error)

    async def _seek_offsets(self, *_args: Any, **_kwargs: Any) -> None:
        pass

    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        # Without Faust's time-out, which it takes for "stopped" and then never recovers.
        await super()._wait(coro, timeout=None)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Seek, resume, and only then let records in, if the assignment is still this one."""
        consumer = self.app.consumer
        epoch = self.epoch
        if epoch != consumer.epoch:
            return
        await super().on_recovery_completed(generation_id)
        if epoch == consumer.epoch and self.app.consumer_generation_id == generation_id:
            consumer.engine.assigned()
            consumer.open_gate(epoch)
            if self.left:
                logger.info("partitions go on while others are recovered",
                            extra={"partitions": len(consumer.engine.partitions)})
                consumer.catch_up(self._recover_rest(consumer, self.left, epoch))
            else:
                logger.info("ready", extra={"partitions": len(consumer.engine.partitions)})

    async def _recover_rest(self, consumer: Any, numbers: set[int], epoch: int) -> None:
        """Ended by the consumer when the assignment ends."""
        engine = consumer.engine
        try:
            await recover(engine, numbers)
            await self.app.on_rebalance_complete.send()  # there is more to be read
            await consumer.let_in(numbers, epoch)
        except Exception as error:
            engine.fail(error)
        if epoch == consumer.epoch:
            logger.info("ready", extra={"partitions": len(engine.partitions)})


class BulkTableManager(TableManager):  # type: ignore[misc]
    """Faust's table manager with `BulkRecovery`, and without its fixed second of sleep at start."""

    async def on_start(self) -> None:
        """Register the tables, then recover."""
        await self._update_channels()
        await self.recovery.start()

    @property
    def recovery(self) -> BulkRecovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery: BulkRecovery | None = BulkRecovery(
                self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

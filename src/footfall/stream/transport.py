"""Feeds Faust with batches: one Message for each (partition, up to N log records).

A subclass of Faust's aiokafka transport. Agents, tables, assignor and rebalancing stay Faust's;
what is overridden is what would lose data or cost 135 us a record (docs/engine.md lists each
point). Decides which records reach the agent and which offset is committed: the one that the
engine named after its checkpoint, nothing else. Other topics (a user's own agents) keep Faust's
own way, record by record.

Rules: nothing is fetched before recovery has ended (`gate`), of partitions that are recovered while
others go on (`unrecovered`) before theirs has; a fetch and a seek never overlap (`_fetching`), or
records handed out before the seek would be skipped for ever; every batch carries the `epoch` of its
assignment, and one of another epoch is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from footfall.errors import StateRefused

if TYPE_CHECKING:
    from footfall.stream.log_engine import LogEngine

FETCH_TIMEOUT_S = 0.25
CLOSED_SLEEP_S = 0.02
#: What the agent gets at once while other partitions are recovered: both take turns, a slice of the
#: changelog (`changelog.SLICE_RECORDS`) for each batch, and whole partitions wait for the one.
BESIDE_RECORDS_MAX = 250


class Batch(NamedTuple):
    """What the agent gets as an event's value: log records of one partition, in order."""

    epoch: int
    records: list[Any]


class BatchConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Commits the offsets with the metadata that law 1 wants; can leave the group for good."""

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        safe = self.consumer.commit_metadata
        assigned = self.assignment()
        try:
            await consumer.commit({
                # Offset and metadata of one checkpoint: another may have ended since `offsets`.
                TopicPartition(*tp): OffsetAndMetadata(*safe.get(tp, (offset, "")))
                for tp, offset in offsets.items() if tp in assigned
            })
        except (CommitFailedError, IllegalStateError):
            # Rebalanced or no member any more: the new owner starts from `$partition`.
            return False
        except KafkaError as error:
            if not error.retriable:
                raise
            return False  # the broker is away; the next commit says it all again
        return True

    async def committed_metadata(self, tps: Iterable[TP]) -> dict[TP, str]:
        """Metadata of the group's last commit of each partition; "" where there is none."""
        found: dict[TP, str] = await self.call_thread(self._committed_metadata, list(tps))
        return found

    async def _committed_metadata(self, tps: list[TP]) -> dict[TP, str]:
        wanted = [TopicPartition(*tp) for tp in tps]
        coordinator = self._ensure_consumer()._coordinator
        found = await coordinator.fetch_committed_offsets(wanted)
        return {tp: found[want].metadata if want in found else ""
                for tp, want in zip(tps, wanted, strict=True)}

    def plan_leave(self) -> None:
        """Give the partitions up at once when we stop: aiokafka sends no LeaveGroup for a static
        member, which is right for a restart and makes a planned leave wait for the timeout.
        """
        if self._consumer is not None and self._consumer._coordinator is not None:
            self._consumer._coordinator._group_instance_id = None


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """The consumer of the worker: batches of the log to the engine, the rest as Faust does it."""

    engine: LogEngine[Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gate = False
        self.epoch = 0
        self.delivered: dict[TP, int] = {}
        #: Where aiokafka stood when all it had given was handed out: while a fetch is on its way to
        #: us its position is already behind records that nobody has seen.
        self._handed_out: dict[TP, int] = {}
        self.held: set[TP] = set()
        #: What came new with this assignment and is being recovered, while the rest goes on.
        self.unrecovered: set[TP] = set()
        self._catching_up: asyncio.Task[None] | None = None
        #: What the engine's last checkpoint allows to commit, and what has been committed.
        self.safe: dict[TP, int] = {}
        self.commit_metadata: dict[TP, tuple[int, str]] = {}
        self._fetching = asyncio.Lock()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _is_log(self, tp: TP) -> bool:
        return tp.topic in self.engine.inputs

    # -- fetching ------------------------------------------------------------------------------

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Messages fetched; a message of the log holds a `Batch`."""
        async with self._fetching:
            epoch = self.epoch
            # Never an empty set: aiokafka would return every partition.
            wanted = {tp for tp in self._get_active_partitions()
                      if tp not in self.held and tp not in self.unrecovered
                      and not self._is_changelog_tp(tp)}
            fetched = None
            if self.gate and self.flow_active and wanted:
                fetched = await self._getmany(wanted, FETCH_TIMEOUT_S)
        if not fetched:
            self._note_handed_out()
            if not (self.gate and wanted):
                await asyncio.sleep(CLOSED_SLEEP_S)
            return
        generation = self.app.consumer_generation_id
        size = self.engine.settings.batch_records_max
        if self.unrecovered:
            size = min(size, BESIDE_RECORDS_MAX)
        for tp, records in fetched.items():
            if not self._is_log(tp):
                for record in records:
                    if epoch != self.epoch:
                        return
                    yield tp, self._to_message(tp, record)
                continue
            for start in range(0, len(records), size):
                chunk = records[start : start + size]
                if epoch != self.epoch or not self.gate:
                    return
                expected, first, last = self.delivered[tp], chunk[0].offset, chunk[-1].offset
                if first < expected:
                    # aiokafka began anew where the log still is; Faust would drop that in silence.
                    self.engine.fail(StateRefused(
                        f"partition {tp.partition}: the log went back from offset {expected} to "
                        f"{first}: the broker forgot records that it had acknowledged"))
                self.delivered[tp] = last + 1
                yield tp, ConsumerMessage(
                    tp.topic, tp.partition, last, 0.0, 0, [], None, Batch(epoch, chunk),
                    None, 0, 0, tp, generation_id=generation,
                )
        if epoch == self.epoch:
            self._note_handed_out()

    def _note_handed_out(self) -> None:
        for tp in self.delivered:
            state = self._state(tp)
            if state is not None and state.has_valid_position:
                self._handed_out[tp] = state.position

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        key, value = record.key, record.value
        return ConsumerMessage(
            tp.topic, tp.partition, record.offset, record.timestamp / 1000, record.timestamp_type,
            list(record.headers), key, value, record.checksum, len(key or b""), len(value or b""),
            tp, generation_id=self.app.consumer_generation_id,
        )

    async def perform_seek(self) -> None:
        """Go to where the engine's state stands (the log), or to the committed offset (others)."""
        async with self._fetching:
            committed = await self.seek_to_committed()
            assigned = self.assignment()
            starts = self.engine.start_offsets()
            # aiokafka does not seek where nothing, or 0, has been committed.
            unsought = [tp for tp in assigned if not committed.get(tp)
                        and not self._is_log(tp) and not self._is_changelog_tp(tp)]
            if unsought:
                starts.update(await self.earliest_offsets(*unsought))
            starts = {tp: offset for tp, offset in starts.items() if tp in assigned}
            for tp in assigned:
                offset = committed.get(tp)
                self._read_offset[tp] = self._committed_offset[tp] = offset or None
            await self._seek(starts)

    async def _seek(self, starts: Mapping[TP, int]) -> None:
        if starts:
            await self.seek_wait(starts)
        for tp, offset in starts.items():
            self._read_offset[tp] = offset or None
            self.delivered[tp] = offset

    def at_end(self, tp: TP) -> bool:
        """Whether all that the log is known to hold of a partition has been handed out."""
        state = self._state(tp)
        return bool(self.gate and tp not in self.unrecovered
                    and state is not None and state.has_valid_position
                    and state.highwater is not None and state.position >= state.highwater
                    and state.position == self._handed_out.get(tp))

    def _state(self, tp: TP) -> Any:
        """What aiokafka knows of a partition; None where it is not ours."""
        subscription = self._thread._consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        try:
            return None if assignment is None else assignment.state_value(TopicPartition(*tp))
        except KeyError:
            return None

    # -- acknowledging and committing ------------------------------------------------------------

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if not self._is_log(tp):
            await super()._add_gap(tp, offset_from, offset_to)

    def ack(self, message: ConsumerMessage) -> bool:
        """Faust's bookkeeping only: for the log the engine names the offset (`mark_safe`)."""
        if not self._is_log(message.tp):
            return bool(super().ack(message))
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def mark_safe(self, tp: TP, offset: int, metadata: str) -> None:
        """All before `offset` is durable: outputs, changed records and `$partition`."""
        self.safe[tp] = offset
        self.commit_metadata[tp] = offset, metadata

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        yield from super()._filter_tps_with_pending_acks(topics)
        for tp in self.safe:
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        return self.safe.get(tp) if self._is_log(tp) else super()._new_offset(tp)

    async def _commit_offsets(
        self, offsets: Mapping[TP, int], start_new_transaction: bool = True
    ) -> bool:
        assigned = self.assignment()
        wanted = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        if not wanted:
            return False
        await self.app.producer.flush()
        committed = await self._commit(wanted)
        if committed:
            # Only then: a failed commit must be tried again, not taken for done.
            self._committed_offset.update(wanted)
            self.app.monitor.on_tp_commit(wanted)
        return bool(committed)

    # -- rebalancing -----------------------------------------------------------------------------

    def _close(self) -> None:
        self._stop_catching_up()
        self.gate = False
        self.epoch += 1
        self.held.clear()
        self.unrecovered.clear()
        self._handed_out.clear()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """The engine's last checkpoint runs inside (`wait_empty`), then nothing more is ours."""
        self.gate = False
        await super().on_partitions_revoked(revoked)
        self._close()
        self.safe.clear()
        self.engine.revoked(self.is_member())

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Nothing is fetched until recovery of this very assignment opens the gate."""
        self._close()
        self.engine.keep_only(
            {tp.partition for tp in assigned if tp.topic == self.engine.log_topic})
        await super().on_partitions_assigned(assigned, generation_id)

    def open_gate(self, epoch: int) -> None:
        """Recovery of the assignment `epoch` has ended; a later one is still to be recovered."""
        if epoch == self.epoch:
            self.gate = True

    @property
    def is_ready(self) -> bool:
        """Whether all that is ours is being worked on."""
        return self.gate and not self.unrecovered

    def serves(self, number: int) -> bool:
        """Whether what is known of a partition holds: it is being worked on, or is not ours."""
        return self.gate and TP(self.engine.log_topic, number) not in self.unrecovered

    def keep_out(self, numbers: Set[int]) -> None:
        """Fetch nothing of these partitions until `let_in`: they are still to be recovered."""
        self.unrecovered = {tp for tp in self.assignment()
                            if self._is_log(tp) and tp.partition in numbers}

    def catch_up(self, recovery: Coroutine[Any, Any, None]) -> None:
        """Let the recovery of what was kept out run beside the rest, as long as this assignment."""
        self._catching_up = asyncio.create_task(recovery, name="catching up")

    def _stop_catching_up(self) -> None:
        if self._catching_up is not None:
            self._catching_up.cancel()
            self._catching_up = None

    async def let_in(self, numbers: Set[int], epoch: int) -> None:
        """These partitions have been recovered: go on where their state stands."""
        async with self._fetching:
            if epoch != self.epoch:
                return
            assigned = self.assignment()
            await self._seek({tp: offset for tp, offset in self.engine.start_offsets().items()
                              if tp.partition in numbers and tp in assigned})
            if epoch == self.epoch:
                self.unrecovered = {tp for tp in self.unrecovered if tp.partition not in numbers}

    def is_member(self) -> bool:
        """False when the group has given our place away: then nothing may be written."""
        consumer = self._thread._consumer
        return consumer is not None and consumer._coordinator.generation >= 0

    @property
    def member(self) -> str:
        """Our place in the group; another one means that others may have had our partitions."""
        return str(self._thread._consumer._coordinator.member_id)

    async def wait_empty(self) -> None:
        """The one hook of revocation and stop: the last checkpoint, then its commit."""
        self._stop_catching_up()  # nothing may come to be ours after the last checkpoint
        await self.engine.finish()
        for message in [m for m in self._unacked_messages if self._is_log(m.tp)]:
            self._unacked_messages.discard(message)
        await super().wait_empty()


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with the consumer above."""

    Consumer = BatchConsumer

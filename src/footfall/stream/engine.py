"""The shell round the folds: feeds them batches, makes what they say durable, in law 1's order.

    outputs acked -> changed records acked -> `$partition` acked -> batch acked -> offset committed

Holds the partitions that this worker owns. Decides which batches are applied and when what they say
leaves; `chain.py` proves that each begins where the last one ended, `checkpoint.py` makes it
durable. Any failure ends the process (`crash.die`). Must never write between a lost membership and
the next recovery.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from faust.types import TP

from footfall import telemetry
from footfall.errors import BrokerError, StateRefused
from footfall.events import topics
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import HANDOFF
from footfall.events.reserved import Reserved
from footfall.settings import Settings
from footfall.stream import chain, checkpoint, publishing, unit
from footfall.stream.crash import CrashPoints
from footfall.stream.garbage import Garbage
from footfall.stream.outbox import Message, Outbox
from footfall.stream.partition import partition_of
from footfall.stream.poison import PoisonLimit
from footfall.stream.transport import Batch, BatchConsumer
from footfall.tables.fold import Fold
from footfall.tables.outputs import REJECTED, TRIGGER
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable
from footfall.tables.stored import PartitionState

if TYPE_CHECKING:
    from footfall.stream.views import Views

logger = logging.getLogger(__name__)

LOG_APPEND_TIME = 1
#: Share of the session timeout after which a worker that stood still must not write any more.
STANDSTILL = 0.8


@dataclass(slots=True)
class Partition:
    """One owned partition of the log."""

    number: int
    fold: Fold
    limit: PoisonLimit
    #: Rows whose last changelog record was not the best: written again (law 2).
    rewrites: list[tuple[bytes, bytes]] = field(default_factory=list)
    #: Batches applied since the last checkpoint, to be acked by the next.
    applied: list[Any] = field(default_factory=list)
    #: Batches held back, because a record's append time lies ahead of our clock.
    held: deque[tuple[Any, Sequence[Any]]] = field(default_factory=deque)
    moved: bool = False


class Engine:
    """All that a worker holds and does, apart from Faust's own services."""

    def __init__(
        self, settings: Settings, tables: Sequence[AnyTable], *, codecs: Codecs,
        keys: CustomerKeys, reserved: Reserved, fail: Callable[[BaseException], None],
        log_topic: str = topics.INTERACTIONS, changelog_topic: str = topics.CHANGELOG,
        **fold_options: Any,
    ) -> None:
        self.settings = settings
        self.tables = tables
        self.codecs = codecs
        self.keys = keys
        self.reserved = reserved
        self.fail = fail
        self.log_topic = log_topic
        self.changelog_topic = changelog_topic
        self.partitions: dict[int, Partition] = {}
        self.consumer: BatchConsumer
        self.crash_point = CrashPoints(settings.crash_at)
        self.alive_at = time.monotonic()
        self.broker_skew_ms: float | None = None
        self.pending = 0
        self.outbox = Outbox(settings.kafka_bootstrap_servers, before_send=self.check_alive,
                             sent=self._learn_time, fail=fail, broker_now=self.broker_now,
                             acked=self._acked)
        self._fold_options = fold_options
        self._decode = fold_options.get("decode") or codecs.interaction.decode
        self.garbage = Garbage()
        #: What sends customers to the served view; None where there is none.
        self.views: Views | None = None
        self._money = publishing.Money()
        self._applying = asyncio.Lock()
        self._checkpointing = asyncio.Lock()
        self._finished = False
        self._member = ""

    async def start(self) -> None:
        """Connect; ends the process unless log and changelog have the partitions they should."""
        await self.outbox.start()
        # Not from the consumer: a static member that comes back may not know them for minutes.
        for topic in (self.log_topic, self.changelog_topic):
            count = await self.outbox.partitions(topic)
            if count != self.settings.partitions:
                self.fail(StateRefused(
                    f"topic {topic} has {count} partitions, FOOTFALL_PARTITIONS is "
                    f"{self.settings.partitions}: a customer's log and state would part. Set it to "
                    "what both topics have; a topic that was enlarged must be made anew"))

    # -- partitions --------------------------------------------------------------------------------

    def own(self, number: int, state: PartitionState | None, best: Best) -> Partition:
        """Take a recovered partition."""
        fold = Fold(
            number, self.tables, codecs=self.codecs, keys=self.keys, reserved=self.reserved,
            topic=self.log_topic, state=state, best=best, passed=self.crash_point,
            hot_records_max=max(1, self.settings.hot_records_max // self.settings.partitions),
            **self._fold_options,
        )
        limit = PoisonLimit(number, self.settings.rejected_ratio_max,
                            self.settings.rejected_run_max)
        rewrites = [(key, best.store[key]) for key in best.stale]
        telemetry.RECOVERED.inc(len(best.store))
        telemetry.STALE_RECORDS.inc(len(rewrites))
        partition = self.partitions[number] = Partition(number, fold, limit, rewrites,
                                                        moved=bool(rewrites))
        if self.views is not None:
            self.views.own(partition)
        return partition

    def retained(self) -> set[int]:
        """Partitions whose state is still ours: the last checkpoint was committed and nobody else
        can have owned them since. All others are dropped.
        """
        if not self._finished or self.consumer.member != self._member:
            self.partitions.clear()
        return set(self.partitions)

    def keep_only(self, numbers: set[int]) -> None:
        """Drop partitions that have gone to somebody else: they would come back stale."""
        for number in self.partitions.keys() - numbers:
            del self.partitions[number]

    def start_offsets(self) -> dict[TP, int]:
        """Where each owned partition of the log goes on."""
        return {TP(self.log_topic, n): p.fold.next_offset for n, p in self.partitions.items()}

    def revoked(self, is_member: bool) -> None:
        """The assignment has ended; what did not get its last checkpoint is dropped."""
        if not (self._finished and is_member):
            self.partitions.clear()
        for partition in self.partitions.values():
            partition.held.clear()
            partition.applied.clear()
        self.pending = 0

    def assigned(self) -> None:
        """Recovery has ended: from here on there is something to lose."""
        self._finished = False
        telemetry.REBALANCES.inc()
        publishing.forget(set(range(self.settings.partitions)) - self.partitions.keys())
        self._member = self.consumer.member
        # Joining may have waited long, for a dead worker's session to end: that is no standstill.
        self.alive_at = time.monotonic()

    # -- batches -----------------------------------------------------------------------------------

    async def process(self, event: Any) -> None:
        """Apply one batch; returns before anything is durable (`checkpoint` sees to that)."""
        batch: Batch = event.value
        async with self._applying:
            partition = self.partitions.get(event.message.partition)
            if partition is None or batch.epoch != self.consumer.epoch:
                event.ack()
                return
            if partition.held:
                partition.held.append((event, batch.records))
            else:
                await self._apply(partition, event, batch.records)
        while self.pending > self.settings.checkpoint_records_max:
            await self.checkpoint()

    async def _apply(self, partition: Partition, event: Any, records: Sequence[Any]) -> None:
        fold = partition.fold
        first = records[0]
        if first.timestamp_type != LOG_APPEND_TIME:
            raise BrokerError(f"topic {self.log_topic} has no log-append time: set "
                              "message.timestamp.type=LogAppendTime (footfall topics check)")
        if (first.offset != fold.next_offset
                or records[-1].offset - first.offset != len(records) - 1):
            epoch = self.consumer.epoch
            await chain.check(self, partition, records)
            if epoch != self.consumer.epoch:
                event.ack()
                return
        applied = await unit.apply(self, partition, records)
        if applied is None:
            event.ack()
            return
        if applied < len(records):
            self._hold(partition, event, records[applied:])
        else:
            partition.applied.append(event)
        partition.moved = True
        self.pending += len(records)
        if fold.outputs:
            self.send(partition, first.timestamp)
        ends = (first, records[-1])
        publishing.sample([r for r in ends if r.offset < fold.next_offset], self._decode)

    def _hold(self, partition: Partition, event: Any, records: Sequence[Any]) -> None:
        tp = TP(self.log_topic, partition.number)
        if tp not in self.consumer.held:
            logger.error("partition %d held: a record was appended %.0f s ahead of this clock; "
                         "check the clocks of broker and worker", partition.number,
                         records[0].timestamp / 1000 - time.time())
        self.consumer.held.add(tp)
        partition.held.appendleft((event, records))
        telemetry.HELD.labels(partition.number).set(1)

    async def release(self, partition: Partition) -> None:
        """Go on with what is held back, once our clock has come near it."""
        async with self._applying:
            until = time.time() * 1000 + unit.AHEAD_MS_MAX
            if not partition.held or partition.held[0][1][0].timestamp > until:
                return
            held, partition.held = partition.held, deque()
            epoch = self.consumer.epoch
            self.consumer.held.discard(TP(self.log_topic, partition.number))
            telemetry.HELD.labels(partition.number).set(0)
            while held and epoch == self.consumer.epoch:
                event, records = held.popleft()
                await self._apply(partition, event, records)
                if partition.held:
                    partition.held.extend(held)
                    return

    def send(self, partition: Partition, since: int) -> None:
        """Outputs leave at once; the checkpoint waits for their acknowledgement. `since`: when the
        batch's first record was appended.
        """
        fold = partition.fold
        outputs, fold.outputs = fold.outputs, []
        number = partition.number
        for kind, key, value, name in outputs:
            if kind == TRIGGER:
                self.outbox.lane(topics.TRIGGERS, number).put([(key, value)], since)
                if name in publishing.MONEY:
                    self._money.add(self.codecs.trigger.decode(value))
            elif kind == REJECTED:
                self.outbox.lane(topics.REJECTED, number).put([(None, value)])
                partition.limit.rejected(int(key))
            elif kind == HANDOFF:
                to = partition_of(key, self.settings.partitions)
                self.outbox.lane(self.log_topic, to).put([(key, value)])

    def _acked(self, topic: str, messages: list[Message]) -> None:
        """The broker has these triggers: from now on they may be shown."""
        if self.views is not None and topic == topics.TRIGGERS:
            self.views.told(messages)

    async def checkpoint(self) -> None:
        """Make all that was applied so far durable, in law 1's order."""
        async with self._checkpointing:
            await checkpoint.take(self)

    async def finish(self) -> None:
        """The last checkpoint before the partitions go; nothing is written without membership."""
        for partition in [p for p in self.partitions.values() if p.fold.open]:
            del self.partitions[partition.number]  # its unit begins again, wherever it goes
        if self.partitions and self.consumer.is_member():
            bound = 0.8 * self.settings.session_timeout_s
            try:
                await asyncio.wait_for(self.checkpoint(), bound)
            except TimeoutError:
                self.fail(BrokerError(f"the last checkpoint took more than {bound:.0f} s"))
            await self.consumer.commit()
            self._finished = True

    # -- time --------------------------------------------------------------------------------------

    def check_alive(self) -> None:
        """A worker that stood still (stopped, swapped out) may have been replaced: it must die."""
        still = time.monotonic() - self.alive_at
        if still > STANDSTILL * self.settings.session_timeout_s:
            self.fail(BrokerError(f"this worker stood still for {still:.1f} s: another one may own "
                                  "its partitions"))

    def alive(self) -> None:
        """The event loop has come round."""
        self.check_alive()
        self.alive_at = time.monotonic()

    def _learn_time(self, metadata: Any) -> None:
        if metadata.timestamp_type == LOG_APPEND_TIME and metadata.timestamp > 0:
            self.broker_skew_ms = metadata.timestamp - time.time() * 1000

    def broker_now(self) -> int:
        """The broker's clock as last seen in an append (ms); ours until then."""
        return round(time.time() * 1000 + (self.broker_skew_ms or 0))

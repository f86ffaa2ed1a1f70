"""The shell round the folds of a log: feeds them batches, makes durable what they say (law 1).

    outputs acked -> changed records acked -> `$partition` acked -> batch acked -> offset committed

Holds the partitions that this process owns. Decides which batches are applied and when what they
say leaves; `chain.py` proves that each begins where the last one ended, `checkpoint.py` makes it
durable. What the log is and what its records mean is the business of who extends it: the worker's
`Engine`, and that of delivery. Any failure ends the process (`crash.die`). Must never write between
a lost membership and the next recovery.
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from faust.types import TP

from footfall import telemetry
from footfall.errors import BrokerError, StateRefused
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.events.topics import MORE_PARTITIONS
from footfall.health import Part
from footfall.settings import Settings
from footfall.stream import chain, checkpoint, generations, publishing, readiness, unit
from footfall.stream.checkpoint import Change, Snapshot
from footfall.stream.crash import CrashPoints
from footfall.stream.garbage import Garbage
from footfall.stream.outbox import Lane, Message, Outbox
from footfall.stream.poison import PoisonLimit
from footfall.stream.transport import Batch, BatchConsumer
from footfall.tables.fold_state import LogRecord
from footfall.tables.records import Best
from footfall.tables.spec import Output
from footfall.tables.stored import PartitionState

logger = logging.getLogger(__name__)

LOG_APPEND_TIME = 1
#: Share of the session timeout after which a worker that stood still must not write any more.
STANDSTILL = 0.8
#: How often it is said that a partition waits for its new state.
WAITING_TOLD_S = 10.0


class LogFold(Protocol):
    """What the shell needs of the machine that folds one partition."""

    clock: int
    next_offset: int
    open: bool
    #: The generation of the changelog in which this partition goes on; 0: this one.
    moving: int
    outputs: list[Output]

    @property
    def store(self) -> Mapping[bytes, bytes]: ...  # noqa: D102
    def apply_all(self, entries: Sequence[LogRecord], appended_until: float,  # noqa: D102
                  fired_max: int = ...) -> int: ...
    def timer_before(self, now: int) -> bool: ...  # noqa: D102
    def pass_gap(self, next_offset: int) -> None: ...  # noqa: D102
    def snapshot(self) -> Sequence[Change]: ...  # noqa: D102
    def state(self) -> PartitionState: ...  # noqa: D102


F = TypeVar("F", bound=LogFold)


@dataclass(slots=True)
class LogPartition(Generic[F]):
    """One owned partition of the log."""

    number: int
    fold: F
    limit: PoisonLimit
    #: Rows whose last changelog record was not the best: written again (law 2).
    rewrites: list[tuple[bytes, bytes]] = field(default_factory=list)
    #: Batches applied since the last checkpoint, to be acked by the next.
    applied: list[Any] = field(default_factory=list)
    #: Batches held back, because a record's append time lies ahead of our clock.
    held: deque[tuple[Any, Sequence[Any]]] = field(default_factory=deque)
    moved: bool = False
    #: Of the changelog that holds its state.
    generation: int = generations.FIRST


P = TypeVar("P", bound=LogPartition[Any])


class LogEngine(ABC, Generic[P]):
    """All that a process holds and does, apart from Faust's own services."""

    def __init__(
        self, settings: Settings, *, codecs: Codecs, keys: CustomerKeys, reserved: Reserved,
        fail: Callable[[BaseException], None], log_topic: str, changelog_topic: str,
    ) -> None:
        self.settings = settings
        self.codecs = codecs
        self.keys = keys
        self.reserved = reserved
        self.fail = fail
        self.log_topic = log_topic
        self.changelog_topic = changelog_topic
        #: What comes in batches, and who takes them; the log first.
        self.inputs: dict[str, Callable[[Any], Awaitable[None]]] = {log_topic: self.process}
        #: What else runs as long as the process.
        self.tasks: list[Callable[[], Awaitable[None]]] = []
        self.partitions: dict[int, P] = {}
        self.consumer: BatchConsumer
        self.crash_point = CrashPoints(settings.crash_at)
        self.alive_at = time.monotonic()
        self.broker_skew_ms: float | None = None
        self.pending = 0
        self.outbox = Outbox(settings.kafka_bootstrap_servers, before_send=self.check_alive,
                             sent=self._learn_time, fail=fail, broker_now=self.broker_now,
                             acked=self.acked)
        self.garbage = Garbage()
        self._applying = asyncio.Lock()
        self._checkpointing = asyncio.Lock()
        self._moves: set[asyncio.Task[None]] = set()
        self._told_waiting_at = 0.0
        self._finished = False
        self._member = ""

    # -- what the log is -----------------------------------------------------------------------

    @abstractmethod
    def own(self, number: int, state: PartitionState | None, best: Best,
            generation: int = generations.FIRST) -> P:
        """Take a recovered partition, of a generation of the changelog."""

    @abstractmethod
    def send(self, partition: P, since: int) -> None:
        """Outputs leave at once; the checkpoint waits for their acknowledgement. `since`: when the
        batch's first record was appended.
        """

    @abstractmethod
    def publish(self, partition: P) -> None:
        """Metrics of one partition, at a checkpoint."""

    @abstractmethod
    def begin_metrics(self) -> None:
        """Every label that is known beforehand, at 0."""

    @abstractmethod
    def publish_all(self) -> None:
        """Every metric as it is now, for a scrape."""

    def parts(self) -> dict[str, Part]:
        """How it is, for `/readyz`."""
        return readiness.parts(self)

    def state(self) -> dict[str, Any]:
        """What `/readyz` says beside that, for programs."""
        return readiness.state(self)

    def applied(self, partition: P, records: Sequence[Any]) -> None:
        """These records have just been applied."""

    def acked(self, topic: str, messages: list[Message]) -> None:
        """The broker has these."""

    def taken(self, partition: P, changed: Sequence[Change]) -> None:
        """A snapshot has been taken of these rows."""

    def durable(self, snapshot: Snapshot) -> None:
        """The changelog has this snapshot."""

    async def recovered(self, numbers: Sequence[int]) -> None:
        """These partitions have just been taken; nothing of them has been read yet."""

    async def start(self) -> None:
        """Connect; ends the process unless log and changelog have the partitions they should."""
        await self.outbox.start()
        # Not from the consumer: a static member that comes back may not know them for minutes.
        for topic in (*self.inputs, self.changelog_topic):
            count = await self.outbox.partitions(topic)
            if count != self.settings.partitions:
                way = (f"Set it to what the topics have. {MORE_PARTITIONS}" if count else
                       "`footfall topics create` makes the topic")
                self.fail(StateRefused(
                    f"topic {topic} has {count} partitions, FOOTFALL_PARTITIONS is "
                    f"{self.settings.partitions}: a customer's log and state would part. {way}"))

    @property
    def checkpoint_s(self) -> float:
        """From one checkpoint to the next."""
        return self.settings.checkpoint_s

    async def stop(self) -> None:
        """Let go of the broker."""
        await self.outbox.stop()

    # -- partitions --------------------------------------------------------------------------------

    def retained(self) -> set[int]:
        """Partitions whose state is still ours: the last checkpoint was committed and nobody else
        can have owned them since. All others are dropped.
        """
        if not self._finished or self.consumer.member != self._member:
            self.partitions.clear()
        for number in [n for n, partition in self.partitions.items() if partition.fold.moving]:
            del self.partitions[number]  # recovery takes it from where it goes on
        return set(self.partitions)

    def keep_only(self, numbers: set[int]) -> None:
        """Drop partitions that have gone to somebody else: they would come back stale."""
        for number in self.partitions.keys() - numbers:
            del self.partitions[number]

    def start_offsets(self) -> dict[TP, int]:
        """Where each owned partition goes on, of the log and of the topics beside it."""
        starts = {}
        for number, partition in self.partitions.items():
            starts[TP(self.log_topic, number)] = partition.fold.next_offset
            for topic, offset in self.positions(partition).items():
                starts[TP(topic, number)] = offset
        return starts

    def positions(self, _partition: P) -> Mapping[str, int]:
        """Where a partition of each other topic in `inputs` goes on."""
        return {}

    def has_applied_all(self, partition: P) -> bool:
        """Whether all that the log is known to hold of a partition was applied."""
        tp = TP(self.log_topic, partition.number)
        return bool(self.consumer.at_end(tp)
                    and self.consumer.delivered.get(tp) == partition.fold.next_offset)

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
            if partition.held or partition.fold.moving:
                partition.held.append((event, batch.records))
            else:
                await self._apply(partition, event, batch.records)
        while self.pending > self.settings.checkpoint_records_max:
            await self.checkpoint()

    async def _apply(self, partition: P, event: Any, records: Sequence[Any]) -> None:
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
        if fold.moving:
            self._park(partition, event, records[applied:])
        elif applied < len(records):
            self._hold(partition, event, records[applied:])
        else:
            partition.applied.append(event)
        partition.moved = True
        self.pending += len(records)
        if fold.outputs:
            self.send(partition, first.timestamp)
        self.applied(partition, records[:applied])
        logger.debug("applied", extra={
            "topic": self.log_topic, "partition": partition.number, "records": applied,
            "from_offset": first.offset, "until_offset": fold.next_offset})

    def _hold(self, partition: P, event: Any, records: Sequence[Any]) -> None:
        tp = TP(self.log_topic, partition.number)
        if tp not in self.consumer.held:
            logger.error("held: a record was appended ahead of this clock; check the clocks of "
                         "broker and worker", extra={
                             "topic": tp.topic, "partition": partition.number,
                             "offset": records[0].offset,
                             "seconds": round(records[0].timestamp / 1000 - time.time())})
        self.consumer.held.add(tp)
        partition.held.appendleft((event, records))
        telemetry.HELD.labels(partition.number).set(1)

    async def release(self, partition: P) -> None:
        """Go on with what is held back, once our clock has come near it."""
        async with self._applying:
            until = time.time() * 1000 + unit.AHEAD_MS_MAX
            if (partition.held and not partition.fold.moving
                    and partition.held[0][1][0].timestamp <= until):
                await self._go_on(partition)

    async def _go_on(self, partition: P) -> None:
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

    # -- from one changelog to the next --------------------------------------------------------

    def changelog_lane(self, partition: P) -> Lane:
        """Where the rows of a partition go."""
        return self.outbox.lane(
            generations.topic_of(partition.generation, self.changelog_topic), partition.number)

    async def take_changelog(self, numbers: Iterable[int]) -> dict[int, generations.Taken]:
        """Read partitions of the changelog whole, from the generation that counts."""
        self._told_waiting_at = time.monotonic()
        return await generations.Generations(
            self.settings.kafka_bootstrap_servers, self.changelog_topic,
            read=lambda _records: self.read_on(), waits=self._waits).take(numbers)

    def read_on(self) -> None:
        """Reading takes long: that is no standstill."""
        self.alive_at = time.monotonic()

    def _waits(self, number: int, offset: int) -> None:
        self.read_on()
        if time.monotonic() - self._told_waiting_at > WAITING_TOLD_S:
            self._told_waiting_at = time.monotonic()
            logger.warning(
                "waits for `footfall replay rebuild` to finish the new state of a partition up to "
                "this offset; if no such command runs any more, run it again: it goes on where it "
                "ended", extra={"partition": number, "offset": offset})

    def _park(self, partition: P, event: Any, records: Sequence[Any]) -> None:
        """From here on the state is another one: what follows waits until that is here."""
        self.consumer.held.add(TP(self.log_topic, partition.number))
        if records:
            partition.held.appendleft((event, records))
        else:
            partition.applied.append(event)
        telemetry.HELD.labels(partition.number).set(1)
        task = asyncio.create_task(self._move(partition), name=f"move {partition.number}")
        self._moves.add(task)
        task.add_done_callback(self._moves.discard)

    async def _move(self, partition: P) -> None:
        """Say in the old changelog where the partition goes on, and go on there."""
        number, began = partition.number, time.monotonic()
        try:
            await self.checkpoint()
            self.crash_point("before_move")
            taken = (await self.take_changelog([number]))[number]
            async with self._applying:
                if self.partitions.get(number) is not partition:
                    return  # it has gone to somebody else, who finds the way by himself
                assert taken.state is not None
                assert taken.state.next_offset == partition.fold.next_offset
                moved = self.own(number, taken.state, taken.best, taken.generation)
                moved.held = partition.held
                moved.moved = True  # nobody may take it for unfinished any more
                await self._go_on(moved)
            self.crash_point("after_move")
            logger.info("a partition went over to another generation of its state", extra={
                "partition": number, "generation": taken.generation,
                "offset": taken.state.next_offset,
                "seconds": round(time.monotonic() - began, 1)})
        except Exception as error:
            self.fail(error)

    # -- checkpoints ---------------------------------------------------------------------------

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

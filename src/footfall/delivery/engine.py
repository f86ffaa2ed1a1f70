"""The shell of delivery: reads triggers, folds what becomes of them, keeps the ways out running.

    footfall.triggers -> planner -> footfall.deliveries -> fold -> rows -> lanes -> channels
                                          ^-------------- outcomes -----------'

Everything that happens to a delivery is a record in footfall.deliveries first. A partition is acted
upon only while this process owns it and only after its log was read to the end, for what stands at
the end may say that something was sent already. Where a position in footfall.triggers is not known
yet, `delivery_from` says where to begin. Decides when, never what: that is the planner's and the
lanes'. Must never send anything of which the intent was not acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from footfall import telemetry
from footfall.delivery import positions, readiness, reasons, row
from footfall.delivery.channels import open_channel
from footfall.delivery.decide import Verdict
from footfall.delivery.fold import DeliveryFold
from footfall.delivery.health import Health, disabled
from footfall.delivery.lane import Lane
from footfall.delivery.message import Person, Resources
from footfall.delivery.outputs import OUTCOME, Outputs
from footfall.delivery.partition import DeliveryPartition
from footfall.delivery.people import MARK_MS_MAX, People, Stale
from footfall.delivery.planner import Planner
from footfall.delivery.publishing import begin, publish, publish_all
from footfall.delivery.record import About, whole
from footfall.delivery.routes import Routes
from footfall.delivery.routes_row import Breaker
from footfall.errors import FootfallError
from footfall.events import topics
from footfall.health import Part
from footfall.settings import Settings
from footfall.stream.generations import FIRST
from footfall.stream.log_engine import LogEngine
from footfall.stream.outbox import Message
from footfall.stream.partition import partition_of
from footfall.stream.poison import PoisonLimit
from footfall.stream.transport import Batch
from footfall.tables.outputs import REJECTED, TRIGGER
from footfall.tables.records import Best
from footfall.tables.stored import PartitionState
from footfall.view.served import Served

logger = logging.getLogger(__name__)

LOOK_S = 0.005
LOOK_SELDOM_S = 0.05
#: Share of the session timeout for which a process that gives partitions up waits for attempts that
#: are under way.
LAST_ATTEMPTS = 0.3
UNKNOWN = Verdict(reasons.DEAD, "destination_unknown")


class DeliveryEngine(LogEngine[DeliveryPartition]):
    """All that a delivery process holds and does. `served` is the view of customers; None where
    there is none. `clock` gives the wall clock, in seconds.
    """

    def __init__(self, settings: Settings, routes: Routes, resources: Resources, *,
                 served: Served | None, clock: Callable[[], float] = time.time, **shared: Any
                 ) -> None:
        super().__init__(settings, log_topic=topics.DELIVERIES,
                         changelog_topic=topics.DELIVERY_CHANGELOG, **shared)
        self.inputs[topics.TRIGGERS] = self.process_triggers
        self.routes = routes
        self.lanes: dict[str, Lane] = {}
        self.is_stopping = False
        self._resources = resources
        self._served = served
        self._people = None if served is None else People(served, self.now)
        self._clock = clock
        self._planner = Planner(self)
        self._then: dict[int, list[Callable[[], None]]] = {}
        self._attempts: set[asyncio.Task[None]] = set()
        self.tasks += (self._run_lanes, self._watch)

    def now(self) -> int:
        """The wall clock, in ms."""
        return round(self._clock() * 1000)

    async def start(self) -> None:
        """Open every way out, then connect."""
        for name, destination in self.routes.destinations.items():
            try:
                channel = await open_channel(name, destination, self._resources)
            except FootfallError as error:
                self.fail(error)
                raise
            lane = self.lanes[name] = Lane(self, name, destination, channel)
            if lane.needs_person and self._people is None:
                logger.error("a destination needs to know customers, and FOOTFALL_REDIS_URL is not "
                             "set: what is for it waits", extra={"destination": name})
        await super().start()

    async def stop(self) -> None:
        """Let go of everything."""
        await super().stop()
        for lane in self.lanes.values():
            await lane.channel.close()

    async def _run_lanes(self) -> None:
        await self.until(lambda: bool(self.lanes))
        async with contextlib.AsyncExitStack() as stack:
            if self._served is not None:
                await stack.enter_async_context(self._served.while_running())
            try:
                await asyncio.gather(*(lane.run() for lane in self.lanes.values()))
            except Exception as error:
                self.fail(error)

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait for something that nobody announces."""
        while not what():
            self.alive()
            await asyncio.sleep(LOOK_S)

    # -- partitions ------------------------------------------------------------------------------

    def own(self, number: int, state: PartitionState | None, best: Best,
            generation: int = FIRST) -> DeliveryPartition:
        """Take a recovered partition."""
        fold = DeliveryFold(
            number, outputs=Outputs(self.codecs, self.reserved, number),
            fingerprint=self.keys.fingerprint, breaker_of=self._breaker_of,
            counted_as=self._counted_as, state=state, best=best)
        limit = PoisonLimit(number, self.settings.rejected_ratio_max,
                            self.settings.rejected_run_max)
        rewrites = [(key, best.store[key]) for key in best.stale]
        telemetry.RECOVERED.inc(len(best.store))
        telemetry.STALE_RECORDS.inc(len(rewrites))
        partition = self.partitions[number] = DeliveryPartition(
            number, fold, limit, rewrites, moved=bool(rewrites))
        return partition

    async def recovered(self, numbers: Sequence[int]) -> None:
        """Find out where triggers go on."""
        await positions.find([self.partitions[number] for number in numbers],
                             self.settings.kafka_bootstrap_servers, self.settings.delivery_from)

    def positions(self, partition: DeliveryPartition) -> Mapping[str, int]:
        """Where triggers go on."""
        return partition.fold.positions

    def assigned(self) -> None:
        """From here on something may be sent, once each partition is caught up."""
        super().assigned()
        self.is_stopping = False

    def holds(self, partition: DeliveryPartition) -> bool:
        """Whether something may begin in a partition: it is ours, and all its log says is known."""
        return self.may_record(partition) and partition.is_caught_up and not self.is_stopping

    def may_record(self, partition: DeliveryPartition) -> bool:
        """Whether a partition is still ours to write."""
        return self.partitions.get(partition.number) is partition and self.consumer.is_member()

    async def finish(self) -> None:
        """Begin nothing more, let attempts that are under way end, then the last checkpoint."""
        self.is_stopping = True
        bound = LAST_ATTEMPTS * self.settings.session_timeout_s
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=bound)
        with contextlib.suppress(TimeoutError):  # what is not acknowledged never was
            await asyncio.wait_for(self.outbox.barrier(), bound)
        await super().finish()
        for partition in self.partitions.values():
            partition.is_caught_up = False

    async def _watch(self) -> None:
        """Take up each partition once its log was read to the end."""
        while True:
            behind = [p for p in self.partitions.values() if not p.is_caught_up]
            for partition in behind:
                if self.has_applied_all(partition):
                    partition.is_caught_up = True
                    self._adopt(partition)
            await asyncio.sleep(LOOK_S if behind else LOOK_SELDOM_S)

    def _adopt(self, partition: DeliveryPartition) -> None:
        """Rows of before us: how destinations fared, and what waits."""
        rows = partition.fold.rows
        for name, lane in self.lanes.items():
            found = rows.health(name).health
            if (found.generation, found.disabled_at, found.last_sent_at, found.failing_since) > (
                    lane.health.generation, lane.health.disabled_at, lane.health.last_sent_at,
                    lane.health.failing_since):
                lane.health = found
        partition.fold.changed.update(rows.waiting_keys())
        self._look(partition)

    # -- what comes in ---------------------------------------------------------------------------

    async def process_triggers(self, event: Any) -> None:
        """Plan a batch of triggers."""
        batch: Batch = event.value
        partition = self.partitions.get(event.message.partition)
        if partition is not None and batch.epoch == self.consumer.epoch:
            await self.until(lambda: partition.is_caught_up or batch.epoch != self.consumer.epoch)
            await self._planner.take(partition, batch)
        event.ack()

    def applied(self, partition: DeliveryPartition, records: Sequence[Any]) -> None:
        """Look at what the log has just said."""
        partition.folded(records)
        if partition.is_caught_up:
            self._look(partition)

    def _look(self, partition: DeliveryPartition) -> None:
        changed, partition.fold.changed = partition.fold.changed, set()
        for key in changed:
            if key.startswith(row.DESTINATION):
                self._look_at_destination(partition, key)
                continue
            lane = self.lanes.get(row.parts(key)[1])
            if lane is not None:
                lane.look(partition, key)
            else:
                self._orphaned(partition, key)

    def _look_at_destination(self, partition: DeliveryPartition, key: bytes) -> None:
        """Enabled, or disabled by another process or an administrator: the lane follows."""
        lane = self.lanes.get(key.removeprefix(row.DESTINATION).decode())
        if lane is None:
            return
        found = partition.fold.rows.health(lane.name).health
        if _place(found) > _place(lane.health):
            lane.changed(found, self.partitions.values())

    # -- what goes out ---------------------------------------------------------------------------

    def record(self, partition: DeliveryPartition, record: Any,
               then: Callable[[], None] | None = None) -> None:
        """Append a record of a customer; `then` runs once it is acknowledged."""
        value = self.codecs.delivery.encode(record)
        partition.appended(record["customer_key"], value)
        if then is not None:
            self._then.setdefault(id(value), []).append(then)
        self.outbox.lane(self.log_topic, partition.number).put(
            [(record["customer_key"].encode(), value)])

    def acked(self, topic: str, messages: list[Message]) -> None:
        """What waited for an acknowledgement may begin."""
        if topic == self.log_topic:
            for _key, value in messages:
                for then in self._then.pop(id(value), ()):
                    then()

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold on to a task; its failure ends the process."""
        self._attempts.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._attempts.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def send(self, partition: DeliveryPartition, since: int) -> None:
        """What the fold has said beside its rows."""
        outputs, partition.fold.outputs = partition.fold.outputs, []
        for kind, key, value, _name in outputs:
            if kind == TRIGGER:
                # All partitions tell it to one, where it is recognised when it comes again.
                to = partition_of(key, self.settings.partitions)
                self.outbox.lane(topics.TRIGGERS, to).put([(key, value)])
            elif kind == REJECTED:
                self.outbox.lane(topics.REJECTED, partition.number).put([(None, value)])
                partition.limit.rejected(int(key))
            elif kind == OUTCOME:
                self.outbox.lane(topics.INTERACTIONS, partition.number).put([(key, value)])

    def disable(self, lane: Lane, reason: str) -> None:
        """Nothing more goes there, from any partition that is ours, until it is enabled."""
        lane.changed(disabled(lane.health, reason, self.now()), self.partitions.values())
        value = self.codecs.delivery.encode(
            lane.about.of_itself(reasons.DISABLED, reason, self.now()))
        for number in self.partitions:
            self.outbox.lane(self.log_topic, number).put([(row.health_key(lane.name), value)])

    def _orphaned(self, partition: DeliveryPartition, key: bytes) -> None:
        """What waits for a destination that routes no longer have is dead, not forgotten."""
        customer_key, name = row.parts(key)
        about = About(name, "", "", "", self.routes.version)
        if partition.unfolded(customer_key):
            partition.pass_over(customer_key, key)
            return
        for pending in partition.fold.rows.destination_row(key).pending:
            self.record(partition, about.step(
                customer_key, pending, UNKNOWN, now=self.now(),
                said=whole(pending, pending.message)))

    # -- whom and how ----------------------------------------------------------------------------

    async def person(self, customer_key: str, emitted_at: int) -> Person | None:
        """A customer as of now; raises `Stale` while the view knows less than the trigger did."""
        if self._people is None:
            raise Stale("unavailable")
        return await self._people.get(customer_key, emitted_at)

    def _breaker_of(self, name: str) -> Breaker:
        lane = self.lanes.get(name)
        return Breaker() if lane is None else lane.destination.breaker

    def _counted_as(self, name: str) -> str:
        lane = self.lanes.get(name)
        return name if lane is None else lane.counted_as

    def unconfirmed_partitions(self) -> int | None:
        """Of how many the served view has said nothing for too long; None where there is none."""
        if self._served is None:
            return None
        now = self.now()
        return self._served.partitions - sum(
            now - mark.at <= MARK_MS_MAX for mark in self._served.marks.values())

    # -- metrics ---------------------------------------------------------------------------------

    def parts(self) -> dict[str, Part]:
        """How it is, for `/readyz`."""
        return {**super().parts(), **readiness.parts(self)}

    def begin_metrics(self) -> None:
        """Every label that is known beforehand, at 0."""
        begin(self)

    def publish_all(self) -> None:
        """Everything as it is now, for a scrape."""
        publish_all(self)

    def publish(self, partition: DeliveryPartition) -> None:
        """What one partition's fold has counted."""
        publish(self, partition)


def _place(one: Health) -> tuple[int, bool]:
    """Later than another: enabled again since, or disabled."""
    return one.generation, bool(one.disabled_at)

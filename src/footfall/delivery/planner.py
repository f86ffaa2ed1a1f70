"""Triggers become deliveries: each goes to every destination that a route names for it, once.

Decides what is recorded first of a delivery: that it goes at once, where nothing of it has to be
asked of others, that it waits its turn, or that it never leaves and why. Must never pass over a
trigger that a route names without a record of it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from footfall import telemetry
from footfall.delivery import reasons, row
from footfall.delivery.decide import Verdict
from footfall.delivery.lane import NOBODY, Case, Lane
from footfall.delivery.outputs import STAGE
from footfall.delivery.row import SEPARATOR, Pending
from footfall.errors import DecodeError
from footfall.events import topics
from footfall.events.codec import TriggerRecord
from footfall.events.integrations import allows
from footfall.events.outcomes import DEPTH_MAX
from footfall.stream.transport import Batch
from footfall.tables.outputs import Outputs
from footfall.view.trigger import trigger as document_of

if TYPE_CHECKING:
    from footfall.delivery.engine import DeliveryEngine
    from footfall.delivery.partition import DeliveryPartition

#: Triggers planned before others get the event loop.
SLICE = 100
#: Records that may wait for the broker before the next trigger is planned.
UNSENT_MAX = 5_000
#: Of one customer to one destination; of one destination in one partition.
ROW_PENDING_MAX = 100
ROW_BYTES_MAX = 200_000
WAITING_MAX = 100_000
WAITING_BYTES_MAX = 64 << 20


class Planner:
    """For all partitions of one process."""

    def __init__(self, engine: DeliveryEngine) -> None:
        self._engine = engine

    async def take(self, partition: DeliveryPartition, batch: Batch) -> None:
        """Plan a batch of triggers, as far as it is still ours to plan."""
        engine = self._engine
        begin = partition.fold.positions.get(topics.TRIGGERS, 0)
        for n, record in enumerate(batch.records, 1):
            if batch.epoch != engine.consumer.epoch:
                return
            if record.offset < begin:
                continue
            try:
                self._plan(partition, engine.codecs.trigger.decode(record.value), record.offset)
            except DecodeError as error:
                self._reject(partition, record, error)
            partition.fold.read(topics.TRIGGERS, record.offset + 1)
            partition.moved = True
            if n % SLICE == 0:
                await asyncio.sleep(0)
                await engine.until(lambda: engine.outbox.waiting() <= UNSENT_MAX)

    def _reject(self, partition: DeliveryPartition, record: Any, error: DecodeError) -> None:
        """What is no trigger is put away with its bytes."""
        engine = self._engine
        outputs = Outputs(engine.codecs, engine.reserved, topics.TRIGGERS, partition.number, STAGE)
        rejected = outputs.rejected(record.offset, record.timestamp, record.value, error.reason,
                                    error.detail)
        engine.outbox.lane(topics.REJECTED, partition.number).put([(None, rejected.value)])
        telemetry.REJECTED.labels(STAGE, error.reason).inc()

    def _plan(self, partition: DeliveryPartition, trigger: TriggerRecord, offset: int) -> None:
        """Record what becomes of one trigger, at its offset; raises `DecodeError`."""
        if SEPARATOR in trigger["customer_key"]:
            raise DecodeError("key_invalid", "customer_key is none of ours")
        data = msgspec.json.decode(trigger["data"])
        names = self._engine.routes.targets(trigger["name"], data)
        if not names:
            return
        document = msgspec.json.encode(document_of(trigger))
        for name in names:
            self._deliver(partition, self._engine.lanes[name], trigger, document, offset)

    def _deliver(self, partition: DeliveryPartition, lane: Lane, trigger: TriggerRecord,
                 document: bytes, offset: int) -> None:
        now = self._engine.now()
        trigger_id, customer_key = trigger["trigger_id"], trigger["customer_key"]
        key = row.row_key(customer_key, lane.name)
        held = partition.fold.rows.destination_row(key)
        if held.knows(trigger_id) or held.find(trigger_id) is not None:
            telemetry.DELIVERY_REPEATS.inc()
            return
        pending = Pending(trigger_id, trigger["name"], row.WAITS, 0, now, now,
                          trigger["emitted_at"], trigger["depth"], document)
        case = Case(partition, key, pending, offset)
        never = self._never(partition, lane, trigger, pending, held)
        if never is not None:
            lane.carry_out(case, never)
        elif self._may_go_at_once(partition, lane, customer_key, held):
            lane.decide(case, NOBODY)
        else:
            lane.carry_out(case, Verdict(reasons.QUEUED, due_at=now))

    def _never(self, partition: DeliveryPartition, lane: Lane, trigger: TriggerRecord,
               pending: Pending, held: row.DestinationRow) -> Verdict | None:
        """Why it does not even wait; None: it does."""
        if trigger["held_out"]:
            return Verdict(reasons.SUPPRESSED, "held_out")
        if trigger["depth"] >= DEPTH_MAX:
            return Verdict(reasons.SUPPRESSED, "too_deep")
        if not allows(trigger["integrations"], lane.name, lane.about.channel):
            return Verdict(reasons.SUPPRESSED, "integrations")
        if lane.health.disabled_at:
            return Verdict(reasons.DEAD, "destination_disabled")
        rows = partition.fold.rows
        of_row = sum(p.size for p in held.pending) + pending.size
        if (len(held.pending) + partition.unfolded(trigger["customer_key"]) >= ROW_PENDING_MAX
                or of_row > ROW_BYTES_MAX or rows.waiting[lane.name] >= WAITING_MAX
                or rows.waiting_bytes[lane.name] >= WAITING_BYTES_MAX):
            return Verdict(reasons.DEAD, "backlog_full")
        return None

    def _may_go_at_once(self, partition: DeliveryPartition, lane: Lane, customer_key: str,
                        held: row.DestinationRow) -> bool:
        return (not lane.needs_person and not held.pending and not lane.queue
                and not partition.unfolded(customer_key) and lane.room() > 0)

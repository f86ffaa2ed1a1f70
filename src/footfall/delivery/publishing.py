"""What of delivery is published as metrics: at each checkpoint and each scrape.

The fold counts, this file publishes. Labels are names of routes.yaml and codes of reasons.py, all
known beforehand. Must never put anything of a customer into a label (law 6).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from footfall import telemetry
from footfall.delivery import health, reasons
from footfall.delivery.outputs import STAGE
from footfall.events import topics
from footfall.stream.publishing import lag

if TYPE_CHECKING:
    from footfall.delivery.engine import DeliveryEngine
    from footfall.delivery.partition import DeliveryPartition

WORKS, BREAKS, DISABLED = range(3)


def begin(engine: DeliveryEngine) -> None:
    """Every label that is known beforehand, at 0."""
    for name in engine.routes.destinations:
        for status in (*reasons.STATUSES, *reasons.DESTINATION_STATUSES):
            telemetry.at_zero(telemetry.DELIVERIES, reasons.REASONS.get(status, ("",)), name,
                              status)
        for status in reasons.STATUSES:
            telemetry.at_zero(telemetry.DELIVERIES_RESENT, reasons.REASONS.get(status, ("",)), name,
                              status)
        telemetry.DELIVERY_STALE.labels(name)
    telemetry.at_zero(telemetry.WRITTEN_BYTES, (engine.log_topic, engine.changelog_topic,
                                                topics.TRIGGERS, topics.REJECTED))


def publish_all(engine: DeliveryEngine) -> None:
    """Everything as it is now, for a scrape."""
    waiting: Counter[str] = Counter()
    for partition in engine.partitions.values():
        publish(engine, partition)
        waiting.update(partition.fold.rows.waiting)
    for name, lane in engine.lanes.items():
        telemetry.DELIVERIES_WAITING.labels(name).set(waiting[name])
        telemetry.DELIVERIES_IN_FLIGHT.labels(name).set(lane.in_flight)
        state = WORKS
        if lane.health.disabled_at:
            state = DISABLED
        elif health.is_open(lane.health, engine.now()):
            state = BREAKS
        telemetry.DELIVERY_STATE.labels(name).set(state)
    telemetry.OUTBOX_BYTES.set(engine.outbox.unacknowledged_bytes())


def publish(engine: DeliveryEngine, partition: DeliveryPartition) -> None:
    """What one partition's fold has counted since the last time, and where it stands."""
    fold = partition.fold
    for counts, counter in ((fold.counts, telemetry.DELIVERIES),
                            (fold.resent, telemetry.DELIVERIES_RESENT)):
        for (destination, status, reason), count in counts.items():
            if destination in engine.lanes:
                counter.labels(destination, status, reason).inc(count)
        counts.clear()
    for reason, count in fold.rejected.items():
        telemetry.REJECTED.labels(STAGE, reason).inc(count)
    fold.rejected.clear()
    telemetry.CLOCK.labels(partition.number).set(fold.clock / 1000)
    behind = lag(engine, partition)
    if behind is not None:
        telemetry.LAG.labels(partition.number).set(behind)

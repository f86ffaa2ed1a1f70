"""What of the engine is published as metrics, and when: at each checkpoint and each scrape.

The fold counts, this file publishes. What would cost something for every event is sampled: of each
batch its first record, which waited longest (else its last). Decides the labels of money: a
currency comes from what apps send, so only codes of three letters get a label, and only so many
(law 7). Must never put anything of a customer into a label (law 6).
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from faust.types import TP

from footfall import telemetry
from footfall.errors import DecodeError
from footfall.events import reasons, topics
from footfall.events.admit import CALLS
from footfall.events.codec import TriggerRecord
from footfall.events.interaction import (
    CONFIG,
    CUTOVER,
    DELIVERY,
    HANDOFF,
    IMPORT,
    TICK,
    UNMERGE,
    VIOLATION,
    Interaction,
)
from footfall.stream.trigger_sending import TRIGGER_OUTCOMES
from footfall.stream.view_sending import REASONS
from footfall.tables import consent_gate, consent_signals
from footfall.tables.fold_steps import LEVEL_CHANGED
from footfall.view.store import Failure

if TYPE_CHECKING:
    from footfall.stream.engine import Engine, Partition
    from footfall.stream.log_engine import LogEngine, LogPartition

#: Triggers whose `value` is money that a cart held, or that came of it after all.
MONEY = ("cart_abandoned", "cart_recovered")
#: Currencies with a label of their own; the others together are "other".
CURRENCIES_MAX = 64
#: How a record is recognised as a repeat.
REPEATS = ("handoff", "import", "message_id", "offset", "unmerge")
_CODE = re.compile(r"[A-Z]{3}")
_OF_PARTITIONS = (telemetry.LAG, telemetry.CLOCK, telemetry.CUSTOMERS, telemetry.HELD)
_COUNTERS = {
    "processed": telemetry.PROCESSED,
    "repeat": telemetry.DUPLICATES,
    "trigger": telemetry.TRIGGERS,
    "muted": telemetry.MUTED,
    "entered": telemetry.LEVEL_ENTRIES,
    "settled": telemetry.SETTLED,
    "limited": telemetry.LIMITED,
    "late": telemetry.LATE,
    "gated": telemetry.GATED,
    "unreadable": telemetry.UNREADABLE_CONSENTS,
    "rejected": telemetry.REJECTED,
}


class _Value(msgspec.Struct):
    """Of a trigger's data: currency -> decimal text."""

    value: dict[str, str] = {}


_value = msgspec.json.Decoder(_Value)


class Money:
    """Sums up what carts were worth, from the triggers that leave."""

    def __init__(self) -> None:
        self._currencies: set[str] = set()

    def add(self, trigger: TriggerRecord) -> None:
        """Count one trigger."""
        name = trigger["name"]
        if name in MONEY:
            for currency, amount in _value.decode(trigger["data"]).value.items():
                telemetry.CART_VALUE.labels(name, self._label(currency)).inc(float(amount))

    def _label(self, currency: str) -> str:
        known = self._currencies
        if currency not in known:
            if not _CODE.fullmatch(currency) or len(known) >= CURRENCIES_MAX:
                return "other"
            known.add(currency)
        return currency


def begin(engine: Engine) -> None:
    """Every label that is known beforehand, at 0. Currencies are not: they come from what apps
    send.
    """
    tables = engine.tables
    telemetry.at_zero(telemetry.PROCESSED, (
        *CALLS, DELIVERY, VIOLATION, IMPORT, TICK, CONFIG, HANDOFF, UNMERGE,
        CUTOVER))
    telemetry.at_zero(telemetry.LATE, (*CALLS, DELIVERY))
    telemetry.at_zero(telemetry.DUPLICATES, REPEATS)
    telemetry.at_zero(telemetry.TRIGGERS, [name for t in tables for name in t.triggers])
    telemetry.at_zero(telemetry.MUTED, [name for t in tables for name in t.triggers])
    for table in tables:
        if any(name.endswith(LEVEL_CHANGED) for name in table.triggers):
            telemetry.at_zero(telemetry.LEVEL_ENTRIES, table.levels, table.name)
    telemetry.at_zero(telemetry.SETTLED, [t.name for t in tables])
    telemetry.at_zero(telemetry.LIMITED, [
        *(t.name for t in tables if t.limited is not None), "integrations"])
    telemetry.at_zero(telemetry.GATED, [*consent_gate.CLASSES,
                                        *(t.name for t in tables if not t.sees_all)])
    telemetry.at_zero(telemetry.UNREADABLE_CONSENTS, consent_signals.UNREADABLE)
    telemetry.at_zero(telemetry.REJECTED, reasons.WORKER, "worker")
    telemetry.at_zero(telemetry.VIEW_WALKS, REASONS)
    telemetry.at_zero(telemetry.VIEW_FAILURES, get_args(Failure))
    telemetry.at_zero(telemetry.VIEW_TRIGGERS, TRIGGER_OUTCOMES)
    telemetry.at_zero(telemetry.WRITTEN_BYTES, (engine.log_topic, engine.changelog_topic,
                                                topics.TRIGGERS, topics.REJECTED))


def publish_all(engine: Engine) -> None:
    """Everything as it is now, for a scrape."""
    for partition in engine.partitions.values():
        publish(engine, partition)
    rows: Counter[tuple[str, str]] = Counter()
    for partition in engine.partitions.values():
        rows.update(partition.fold.records.levels())
    telemetry.ROWS.clear()
    for (table, level), customers in rows.items():
        telemetry.ROWS.labels(table, level).set(customers)
    telemetry.OUTBOX_BYTES.set(engine.outbox.unacknowledged_bytes())
    if engine.views is not None:
        telemetry.VIEW_WAITING.set(engine.views.waiting())


def publish(engine: Engine, partition: Partition) -> None:
    """What one partition's fold has counted since the last time, and where it stands."""
    fold = partition.fold
    for (what, label), count in fold.counts.items():
        labels: tuple[str, ...] = (label,)
        if what == "rejected":
            labels = ("worker", label)
        elif what == "entered":
            labels = tuple(label.split(" "))
        _COUNTERS[what].labels(*labels).inc(count)
    fold.counts.clear()
    telemetry.CLOCK.labels(partition.number).set(fold.clock / 1000)
    behind = lag(engine, partition)
    if behind is not None:
        telemetry.LAG.labels(partition.number).set(behind)
    telemetry.CUSTOMERS.labels(partition.number).set(len(fold.store))


def lag(engine: LogEngine[Any], partition: LogPartition[Any]) -> int | None:
    """Log records that are not yet applied; None before the log's end is known, and while the
    partition is taken from us. The mark that ends a transaction takes an offset and is no record.
    """
    try:
        if engine.has_applied_all(partition):
            return 0
        end = engine.consumer.highwater(TP(engine.log_topic, partition.number))
    except (AssertionError, AttributeError, KeyError):
        # aiokafka's: its thread has lost the partition already, and asking first would be no help.
        return None
    return None if end is None else max(0, end - partition.fold.next_offset)


def forget(numbers: Iterable[int]) -> None:
    """Partitions that have gone to another worker are its to publish."""
    for number in numbers:
        for gauge in _OF_PARTITIONS:
            gauge.remove(number)


def sample(applied: Sequence[Any], decode: Callable[[bytes | None], Interaction]) -> None:
    """One interaction of a batch that has just been applied: how long it took to get here. Of the
    records given the first that is one: a tick or a configuration waits for nobody.
    """
    for record in applied:
        try:
            event = decode(record.value)
        except DecodeError:
            continue  # the fold has rejected it
        if event["type"] in CALLS:
            took_s = time.time() - event["received_at"] / 1000
            telemetry.APPLY_LATENCY.observe(max(0.0, took_s))
            telemetry.EVENT_AGE.observe(max(0, record.timestamp - event["event_time"]) / 1000)
            return

"""Folds one partition of footfall.deliveries into rows: what was decided, applied.

Everything comes from that log: what was queued, which attempts began, what became of them. Decides
nothing about a delivery; it is told. A step that does not fit what is there (an outcome that came
twice, of a process that had been replaced) changes nothing and is counted. Each row has a watermark
of its own, and that of the delivery says whether a record was applied: it is written last. Must
never read a clock or send anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from footfall.delivery import health as health_of
from footfall.delivery import reasons, row
from footfall.delivery.message import Outcome
from footfall.delivery.outputs import Outputs
from footfall.delivery.routes_row import Breaker
from footfall.delivery.row import SEPARATOR, DestinationRow, HealthRow, Pending
from footfall.delivery.rows import Rows
from footfall.errors import DecodeError
from footfall.events import topics
from footfall.events.codec import DeliveryRecord
from footfall.tables.fold import EVERY_TIMER, log_checksum
from footfall.tables.fold_state import LogRecord
from footfall.tables.records import Best
from footfall.tables.spec import Output
from footfall.tables.stored import PartitionState

_STATES = {reasons.QUEUED: row.WAITS, reasons.SENDING: row.GOES, reasons.FAILED: row.FAILED,
           reasons.HELD: row.HELD, reasons.REDRIVEN: row.WAITS,
           reasons.RESENT: row.WAITS}
Fit = Literal["fits", "before", "unfit"]


class PersonalPart(msgspec.Struct, omit_defaults=True):
    """`personal` of a record: the trigger's document, and the message where it is rendered."""

    trigger: msgspec.Raw = msgspec.Raw(b"")
    message: msgspec.Raw = msgspec.Raw(b"")


_personal = msgspec.json.Decoder(PersonalPart)


class DeliveryFold:
    """The state of one partition. `breaker_of` and `counted_as` say of a destination's name what
    its breaker is, and with what caps count it together.
    """

    def __init__(self, partition: int, *, outputs: Outputs, fingerprint: str,
                 breaker_of: Callable[[str], Breaker], counted_as: Callable[[str], str],
                 state: PartitionState | None = None, best: Best | None = None) -> None:
        state = state or PartitionState()
        self.partition = partition
        self.clock = state.clock
        self.next_offset = state.next_offset
        self.open = False
        #: Its state is never made anew beside it.
        self.moving = 0
        self.outputs: list[Output] = []
        self.rows = Rows(best or Best(), counted_as)
        self.positions = dict(state.positions)
        self.counts: Counter[tuple[str, str, str]] = Counter()
        #: The same of what a resend has begun anew.
        self.resent: Counter[tuple[str, str, str]] = Counter()
        self.rejected: Counter[str] = Counter()
        #: Rows that changed since the shell last asked.
        self.changed: set[bytes] = set(self.rows.waiting_keys())
        self._encode = outputs
        self._breaker_of = breaker_of
        self._fingerprint = fingerprint
        self._state = state
        self._last: LogRecord | None = None

    @property
    def store(self) -> dict[bytes, bytes]:
        """Key -> encoded row as of the last snapshot. For reading only."""
        return self.rows.store

    # -- the log ---------------------------------------------------------------------------------

    def apply_all(self, entries: Sequence[LogRecord], appended_until: float,
                  _fired_max: int = EVERY_TIMER) -> int:
        """Apply log records in order, up to the first that was appended later (ms) than given; how
        many were.
        """
        n = 0
        for entry in entries:
            if entry.timestamp > appended_until:
                break
            self.apply(entry)
            n += 1
        return n

    def apply(self, entry: LogRecord) -> None:
        """Apply one record."""
        self.clock = max(self.clock, entry.timestamp)
        self.next_offset = entry.offset + 1
        self._last = entry
        try:
            record, personal = self._read(entry)
        except DecodeError as error:
            self.rejected[error.reason] += 1
            self.outputs.append(self._encode.rejected(entry, error))
            return
        counts = self.resent if record["run"] else self.counts
        counts[record["destination"], record["status"], record["reason"]] += 1
        if record["trigger_offset"] >= 0:
            self.read(topics.TRIGGERS, record["trigger_offset"] + 1)
        if record["status"] in reasons.DESTINATION_STATUSES:
            self._apply_destination(record, entry.offset)
            return
        fit = self._apply_delivery(record, personal, entry.offset)
        if fit == "unfit":
            counts[record["destination"], "repeat", ""] += 1
        if fit != "fits":
            return
        if record["status"] in (reasons.SENT, reasons.FAILED):
            self._apply_attempt(record, entry.offset)
        self.outputs += self._encode.outcome(record)

    def _read(self, entry: LogRecord) -> tuple[DeliveryRecord, PersonalPart]:
        record = self._encode.decode(entry.value)
        of_destination = record["status"] in reasons.DESTINATION_STATUSES
        if not of_destination and record["status"] not in reasons.STATUSES:
            raise DecodeError("status_unknown", "status is not one of docs/delivery.md")
        if SEPARATOR in record["customer_key"] or SEPARATOR in record["destination"]:
            raise DecodeError("key_invalid", "customer_key or destination is none of ours")
        expected = (row.health_key(record["destination"]) if of_destination
                    else record["customer_key"].encode())
        if entry.key != expected:
            raise DecodeError("key_invalid", "the Kafka key is not that of the record")
        try:
            personal = _personal.decode(record["personal"] or b"{}")
        except msgspec.MsgspecError:
            raise DecodeError("personal_invalid", "personal is not a JSON object") from None
        return record, personal

    def _apply_delivery(self, record: DeliveryRecord, personal: PersonalPart, offset: int) -> Fit:
        """Change the row of customer and destination, where the record fits what is there and was
        not applied before.
        """
        key = row.row_key(record["customer_key"], record["destination"])
        if self.rows.stored(key).watermark >= offset:
            return "before"
        held = self.rows.destination_row(key)
        status = record["status"]
        pending = held.find(record["trigger_id"])
        if record["trigger_offset"] >= 0 or status in reasons.ANEW:
            if pending is not None or _knows(held, record):
                return "unfit"
            self._remember(held, record)
        elif pending is None:
            return "unfit"
        else:
            self.rows.count(key, pending, -1)
        state = _STATES.get(status)
        if state is None:
            held.pending = [p for p in held.pending if p is not pending]
        else:
            if pending is None:
                pending = _pending(record)
                held.pending.append(pending)
            pending.state = state
            pending.due_at = record["due_at"]
            pending.attempt = record["attempt"]
            if personal.trigger:
                pending.document = bytes(personal.trigger)
            if personal.message:
                pending.message = bytes(personal.message)
            self.rows.count(key, pending, 1)
        self.rows.put(key, held, offset)
        self.changed.add(key)
        return "fits"

    def _remember(self, held: DestinationRow, record: DeliveryRecord) -> None:
        since = record["at"] - row.HANDLED_MS
        kept = [(known, at) for known, at in held.handled if at > since]
        kept.append((row.hash_of(record["trigger_id"]), record["at"]))
        if record["status"] == reasons.RESENT:
            again = row.run_key(record["run"], record["trigger_id"])
            kept.append((row.hash_of(again), record["at"]))
        held.handled = kept[-row.HANDLED_MAX:]

    def _apply_attempt(self, record: DeliveryRecord, offset: int) -> None:
        """What an attempt says of caps and of the destination."""
        destination, now = record["destination"], record["at"]
        outcome = Outcome("retry", record["reason"], record["code"])
        if record["status"] == reasons.SENT:
            outcome = Outcome("sent")
            self._count_sent(record, offset)
        breaker = self._breaker_of(destination)
        self._put_health(destination, lambda h: health_of.after(h, breaker, outcome, now), offset)

    def _count_sent(self, record: DeliveryRecord, offset: int) -> None:
        key = record["customer_key"].encode()
        if self.rows.stored(key).watermark >= offset:
            return
        held = self.rows.sent_row(record["customer_key"])
        name = row.counted_as(record["medium"], record["purpose"])
        since = record["at"] - row.SENT_MS
        kept = [at for at in held.sent.get(name, ()) if at > since]
        held.sent[name] = [*kept, record["at"]][-row.SENT_MAX:]
        self.rows.put(key, held, offset)

    # -- destinations ----------------------------------------------------------------------------

    def _apply_destination(self, record: DeliveryRecord, offset: int) -> None:
        destination = record["destination"]
        if record["status"] == reasons.ENABLED:
            self._put_health(destination, health_of.enabled, offset)
            return
        before = self.rows.health(destination).health
        self._put_health(
            destination, lambda h: health_of.disabled(h, record["reason"], record["at"]), offset)
        if not before.disabled_at:
            self.outputs.append(self._encode.disabled(record, before))

    def _put_health(self, destination: str,
                    change: Callable[[health_of.Health], health_of.Health], offset: int) -> None:
        key = row.health_key(destination)
        if self.rows.stored(key).watermark < offset:
            held = self.rows.health(destination)
            self.rows.put(key, HealthRow(health=change(held.health)), offset)
            self.changed.add(key)

    # -- checkpoints -----------------------------------------------------------------------------

    def read(self, topic: str, next_offset: int) -> None:
        """What lies before an offset of another topic has been taken."""
        self.positions[topic] = max(self.positions.get(topic, 0), next_offset)

    def timer_before(self, _now: int) -> bool:
        """Nothing here waits for the log's clock."""
        return False

    def pass_gap(self, next_offset: int) -> None:
        """Go on at `next_offset`: what lies before holds no record."""
        assert next_offset >= self.next_offset
        self.next_offset = next_offset

    def snapshot(self) -> list[tuple[bytes, bytes | None]]:
        """Encode what changed into the store; gives (key, value) of each."""
        return self.rows.snapshot(self.clock)

    def state(self) -> PartitionState:
        """The `$partition` record as of now."""
        last = self._last
        if last is None:
            known = self._state
            seen = known.last_offset, known.last_appended_at, known.last_checksum
        else:
            seen = last.offset, last.timestamp, log_checksum(last)
        return PartitionState(self.next_offset, self.clock, 0, b"{}", *seen, self._fingerprint,
                              dict(self.positions))


def _knows(held: DestinationRow, record: DeliveryRecord) -> bool:
    """Whether what a record begins was begun before: a trigger once, by each run of a resend once
    more, by an administrator as often as it ends.
    """
    if record["status"] == reasons.REDRIVEN:
        return False
    if record["status"] == reasons.RESENT:
        return held.knows(row.run_key(record["run"], record["trigger_id"]))
    return held.knows(record["trigger_id"])


def _pending(record: DeliveryRecord) -> Pending:
    return Pending(
        record["trigger_id"], record["trigger"], row.WAITS, record["attempt"], record["at"],
        record["due_at"], record["emitted_at"], record["depth"], b"", run=record["run"])

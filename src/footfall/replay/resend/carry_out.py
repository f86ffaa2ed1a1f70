"""The records that send triggers again: read a second time, for a plan holds nothing personal.

Decides that a message which was made for the destination goes out byte for byte, and that what
something happened to since the plan was made is left out. A record says which run it is of: the
fold of deliveries takes each run's word for a trigger once, so that one that was written twice, or
by two who resume the same run, is sent once. Of one customer and in all no more goes at a time
than leaves room for what is live; who has none left keeps their order, and the rest goes later.
Whether it may be sent is delivery's to decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from footfall.admin.scan import Scanner, Span
from footfall.delivery import reasons, row
from footfall.delivery.decide import Verdict
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_log import DeliveriesLog
from footfall.delivery.deliveries_redrive import Rows, kept_in
from footfall.delivery.planner import WAITING_BYTES_MAX
from footfall.delivery.record import About, whole
from footfall.delivery.row import Pending
from footfall.errors import DecodeError
from footfall.events.codec import Codecs, DeliveryRecord, TriggerRecord
from footfall.events.topics import DELIVERIES, TRIGGERS
from footfall.replay.resend.documents import document, record_of
from footfall.replay.resend.plan import Plan, spans_of
from footfall.replay.resend.survey import Asked, Planned

#: In memory at a time, with what was sent.
AT_A_TIME: Final = 500
#: Reading on costs less than beginning anew so far away.
APART_MAX: Final = 20_000

#: Of one partition: half of what may wait for a destination before what is live finds no room.
BACKLOG_BYTES_MAX: Final = WAITING_BYTES_MAX // 2

#: Something happened to it since the plan was made; it is not in its topic any more; there is no
#: room for it now.
Missed = Literal["changed", "gone", "later"]


class Begun(NamedTuple):
    """The record that sends a trigger again. `missed` says why there is none."""

    partition: int = -1
    key: bytes = b""
    value: bytes = b""
    missed: Missed | None = None


class Kept(NamedTuple):
    """A trigger with its document, byte for byte."""

    record: TriggerRecord
    document: bytes


def resent(kept: Kept, message: bytes, to: About, run: str, now: int) -> DeliveryRecord:
    """The record that sends a trigger again. `message`: as it was made for this destination; b""
    where it never was.
    """
    trigger = kept.record
    pending = Pending(trigger["trigger_id"], trigger["name"], row.WAITS, 0, now, now,
                      trigger["emitted_at"], trigger["depth"], kept.document, run=run)
    return to.step(trigger["customer_key"], pending, Verdict(reasons.RESENT, due_at=now), now=now,
                   said=whole(pending, message))


class _Room:
    """How much one partition has been given by this run."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._bytes = 0
        self._full: set[str] = set()

    def take(self, record: DeliveryRecord) -> bool:
        """Whether one more has room. Once a customer has none, later ones of theirs have none."""
        customer = record["customer_key"]
        size = len(record["personal"])
        if (customer in self._full or self._bytes + size > BACKLOG_BYTES_MAX
                or not self._rows.take(record)):
            self._full.add(customer)
            return False
        self._bytes += size
        return True


class Carrier:
    """Reads again what is planned."""

    def __init__(self, scanner: Scanner, log: DeliveriesLog, codecs: Codecs, asked: Asked) -> None:
        self._scanner = scanner
        self._log = log
        self._codecs = codecs
        self._asked = asked

    def carried_out(self, plan: Plan) -> Iterator[Begun]:
        """The records, partition by partition, in the order of the triggers."""
        by_partition: dict[int, list[Planned]] = {}
        for one in plan.planned:
            by_partition.setdefault(one.partition, []).append(one)
        ends = self._log.ends()
        for partition, planned in sorted(by_partition.items()):
            planned.sort(key=lambda one: one.trigger_at)
            since = {partition: Span(plan.ends[partition], ends[partition].end)}
            there = Filter(destinations=(self._asked.to.destination,))
            changed = {step.record["trigger_id"] for step in self._log.steps(since, there)}
            room = _Room()
            for n in range(0, len(planned), AT_A_TIME):
                some = [one for one in planned[n:n + AT_A_TIME] if one.trigger_id not in changed]
                yield from [Begun(missed="changed")] * (len(planned[n:n + AT_A_TIME]) - len(some))
                yield from self._some(partition, some, room)

    def _some(self, partition: int, planned: Sequence[Planned], room: _Room) -> Iterator[Begun]:
        kept = self._kept(partition, planned)
        messages = self._messages(partition, planned)
        asked = self._asked
        for one in planned:
            trigger = kept.get(one.trigger_id)
            message = messages.get(one.trigger_id, b"")
            if trigger is None or (one.message_at >= 0 and not message):
                yield Begun(missed="gone")
                continue
            record = resent(trigger, message, asked.to, asked.run, asked.now)
            if not room.take(record):
                yield Begun(missed="later")
                continue
            yield Begun(partition, record["customer_key"].encode(),
                        self._codecs.delivery.encode(record))

    def _kept(self, partition: int, planned: Sequence[Planned]) -> Mapping[str, Kept]:
        """The triggers, from where they were found."""
        is_step = self._asked.deliveries is not None
        at = {one.trigger_at: one.trigger_id for one in planned}
        found: dict[str, Kept] = {}
        for offset, value in self._values(DELIVERIES if is_step else TRIGGERS, partition, list(at)):
            try:
                if is_step:
                    text = bytes(kept_in(self._codecs.delivery.decode(value)).get("trigger", b""))
                    record = record_of(text)
                else:
                    record = self._codecs.trigger.decode(value)
                    text = document(record)
            except DecodeError:
                continue
            if record["trigger_id"] == at[offset]:
                found[at[offset]] = Kept(record, text)
        return found

    def _messages(self, partition: int, planned: Sequence[Planned]) -> Mapping[str, bytes]:
        """The messages that were made of them."""
        at = {one.message_at: one.trigger_id for one in planned if one.message_at >= 0}
        found: dict[str, bytes] = {}
        for offset, value in self._values(DELIVERIES, partition, list(at)):
            try:
                record = self._codecs.delivery.decode(value)
            except DecodeError:
                continue
            if record["trigger_id"] == at[offset]:
                found[at[offset]] = bytes(kept_in(record).get("message", msgspec.Raw(b"")))
        return found

    def _values(self, topic: str, partition: int, offsets: list[int]
                ) -> Iterator[tuple[int, bytes]]:
        """The records at these offsets, as far as they are still there."""
        wanted = set(offsets)
        low = self._scanner.spans(topic)[partition].low
        for span in spans_of([at for at in offsets if at >= low], APART_MAX):
            for message in self._scanner.records(topic, None, {partition: span}):
                offset, value = message.offset(), message.value()
                if offset in wanted and value is not None:
                    yield offset or 0, value

"""Reads footfall.deliveries for commands: a partition at a time, within bounds, with progress.

Decides what is read: the customer's partition alone where one is asked for, nothing that was
recorded before `since`, and at most so many records, the newest. Belongs to no group and commits
nothing. What is no step of a delivery is counted and passed over. Must never keep more than one
partition in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import Message

from footfall.admin.scan import Scanner, Span, newest
from footfall.delivery.deliveries_account import Account, Place
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_shown import Step
from footfall.delivery.reasons import DISABLED
from footfall.delivery.row import DESTINATION
from footfall.errors import DecodeError
from footfall.events.codec import Codecs
from footfall.events.topics import DELIVERIES
from footfall.stream.partition import partition_of

#: Read at most, unless a command is told otherwise.
RECORDS_MAX = 10_000_000
#: An id stands near the beginning of a record: what has it not there is not decoded.
_HEAD_BYTES = 512


class Bounds(NamedTuple):
    """What is to be read. `is_cut`: not all that was asked for. `before`: what the same partitions
    hold that is older.
    """

    spans: dict[int, Span]
    is_cut: bool
    before: dict[int, Span]

    @property
    def records(self) -> int:
        """How many."""
        return sum(span.end - span.low for span in self.spans.values())


class DeliveriesLog:
    """footfall.deliveries, for whoever asks what became of triggers; `close` when done."""

    def __init__(self, bootstrap: str, codecs: Codecs,
                 progress: Callable[[int], object] = lambda _records: None) -> None:
        self._scanner = Scanner(bootstrap)
        self._decode = codecs.delivery.decode
        self.progress = progress
        #: Records that are no step of a delivery.
        self.unreadable = 0

    def __enter__(self) -> DeliveriesLog:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._scanner.__exit__()

    def bounds(self, wanted: Filter, records_max: int = RECORDS_MAX) -> Bounds:
        """What has to be read for a filter; raises `BrokerError` where there is no topic."""
        spans = self._scanner.spans(DELIVERIES)
        if wanted.customer_key:
            of = partition_of(wanted.customer_key.encode(), len(spans))
            spans = {of: spans[of]}
        asked = spans
        if wanted.since:
            asked = self._scanner.since(DELIVERIES, spans, wanted.since)
        read = newest(asked, records_max)
        before = {p: Span(span.low, read[p].low) for p, span in spans.items()}
        return Bounds(read, read != asked, newest(before, records_max))

    def ends(self) -> dict[int, Span]:
        """Where every partition begins and ends now."""
        return self._scanner.spans(DELIVERIES)

    def steps(self, spans: Mapping[int, Span], wanted: Filter) -> Iterator[Step]:
        """The steps of destinations, and those of deliveries that a filter may mean."""
        head = wanted.trigger_id.encode()
        for message in self._scanner.records(DELIVERIES, None, spans):
            self.progress(1)
            value = message.value()
            if value is None or (head and head not in value[:_HEAD_BYTES]
                                 and not (message.key() or b"").startswith(b"$")):
                continue
            try:
                record = self._decode(value)
            except DecodeError:
                self.unreadable += 1
                continue
            if not record["trigger_id"] or wanted.concerns(record):
                yield Step(record, _place(message))

    def disabled_before(self, bounds: Bounds) -> set[tuple[int, str]]:
        """Partition and destination of those that were disabled before what is read begins, and not
        enabled before it either. Keys alone are looked at.
        """
        last: dict[tuple[int, str], str] = {}
        for message in self._scanner.records(DELIVERIES, None, bounds.before):
            self.progress(1)
            if (message.key() or b"").startswith(DESTINATION):
                try:
                    record = self._decode(message.value())
                except DecodeError:
                    continue
                last[message.partition() or 0, record["destination"]] = record["status"]
        return {place for place, status in last.items() if status == DISABLED}

    def accounts(self, bounds: Bounds, wanted: Filter) -> Iterator[tuple[int, Account]]:
        """Partition by partition what became of the deliveries that a filter may mean."""
        for partition, span in bounds.spans.items():
            account = Account()
            for step in self.steps({partition: span}, wanted):
                account.take(*step)
            yield partition, account


def _place(message: Message) -> Place:
    _kind, appended_at = message.timestamp()
    return Place(message.partition() or 0, message.offset() or 0, max(0, appended_at))

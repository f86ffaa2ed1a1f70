"""Which records of the past a selection means. Pure; the options are in `selection.py`.

Decides that time is when the broker appended a record (of a trigger: when it was emitted), that a
customer is who a record is of or whom it names, and that names fit as rules' do (any case, blanks
or underscores). All that is given must fit; of one thing given several times, any. Records of our
own (handoffs, ticks, configuration) are nobody's interactions: only time and offset choose them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from footfall.admin.history import Entry
from footfall.admin.scan import Span
from footfall.errors import DecodeError, FootfallError
from footfall.events.codec import TriggerRecord
from footfall.events.identifiers import identifiers
from footfall.events.interaction import Interaction
from footfall.replay.expression import Expression
from footfall.tables.computed_filter import TYPES, named
from footfall.view.trigger import ids_of

#: (spans, ms) -> of the spans what was appended then or later: `Scanner.since` of a topic.
Lookup: TypeAlias = Callable[[Mapping[int, Span], int], Mapping[int, Span]]

#: Brokers' clocks differ: so much later a record of an earlier time may still come.
CLOCKS_MS_MAX: Final = 60_000


class SelectionError(FootfallError):
    """What was asked for is not there."""


@dataclass(frozen=True, slots=True)
class Customers:
    """Some customers: their keys, and the identifiers they were asked for by."""

    keys: frozenset[str]
    ids: frozenset[tuple[str, str]]

    def fits(self, key: str, ids: Iterable[tuple[str, str]]) -> bool:
        """Whether a record under this key, which names these, is of one of them."""
        return key in self.keys or not self.ids.isdisjoint(ids)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is empty or 0 does not ask for anything. Times in ms; `until` and `to_offsets` are the
    first that no longer fit. `events`: as `named`; `types`: as rules name calls.
    """

    since: int = 0
    until: int = 0
    from_offsets: Mapping[int, int] | None = None
    to_offsets: Mapping[int, int] | None = None
    customers: Customers | None = None
    sources: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    triggers: frozenset[str] = frozenset()
    where: Expression | None = None

    @property
    def asks_content(self) -> bool:
        """Whether a record has to be decoded to know."""
        return bool(self.customers or self.sources or self.types or self.events or self.where)

    def reaches(self, partition: int, entry: Entry) -> bool:
        """Whether time and offset fit: all that can be told before a record is decoded."""
        return (entry.timestamp >= self.since
                and (not self.until or entry.timestamp < self.until)
                and entry.offset >= (self.from_offsets or {}).get(partition, 0)
                and entry.offset < (self.to_offsets or {}).get(partition, entry.offset + 1))

    def matches(self, partition: int, entry: Entry, event: Interaction | None) -> bool:
        """Whether a record of the log is meant. `event`: as a step sees it; None where it cannot
        be decoded, or was not because nothing asks (`asks_content`).
        """
        if not self.reaches(partition, entry):
            return False
        if not self.asks_content:
            return True
        if event is None or event["type"] not in TYPES or entry.key is None:
            return False
        return (
            (not self.types or TYPES[event["type"]] in self.types)
            and (not self.sources or event["source"] in self.sources)
            and (not self.events or (bool(event["event"]) and named(event["event"]) in self.events))
            and (self.customers is None
                 or self.customers.fits(entry.key.decode("utf-8", "replace"),
                                        identifiers(event).items()))
            and (self.where is None or self.where.of_event(event)))

    def matches_trigger(self, record: TriggerRecord) -> bool:
        """Whether a trigger is meant: by when it was emitted, its name, whose it is, its content.
        """
        at = record["emitted_at"]
        return (at >= self.since and (not self.until or at < self.until)
                and (not self.triggers or record["name"] in self.triggers)
                and (self.customers is None
                     or self.customers.fits(record["customer_key"], _ids(record)))
                and (self.where is None or self.where.of_trigger(record)))

    def bounds(self, spans: Mapping[int, Span], since: Lookup, *, of_triggers: bool = False
               ) -> dict[int, Span]:
        """What of the spans has to be read, for a log that finds times by `since`. A trigger may
        be appended long after it was emitted, so that of them the end of time cuts nothing. Raises
        `SelectionError` for a partition that there is not.
        """
        asked = {*(self.from_offsets or ()), *(self.to_offsets or ())}
        if asked - spans.keys():
            raise SelectionError(f"there is no partition {min(asked - spans.keys())}: there are "
                                 f"{len(spans)}, from 0 to {max(spans, default=0)}")
        lows = since(spans, self.since) if self.since else spans
        ends = (since(spans, self.until + CLOCKS_MS_MAX) if self.until and not of_triggers else {})
        found = {}
        for number, span in spans.items():
            low = max(lows[number].low, (self.from_offsets or {}).get(number, 0))
            end = min(span.end, (self.to_offsets or {}).get(number, span.end),
                      ends[number].low if number in ends else span.end)
            found[number] = Span(min(low, span.end), max(end, min(low, span.end)))
        return found


def _ids(record: TriggerRecord) -> Iterable[tuple[str, str]]:
    try:
        return ids_of(record).items()
    except DecodeError:
        return ()

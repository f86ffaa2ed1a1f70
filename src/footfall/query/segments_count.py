"""Which customers are in segments, judged over the stored state: before these are published.

Decides by the engine's own conditions (`tables/rules_conditions.py`), as of one instant, of every
record that is a customer's own; one that points at another customer is not counted. What a
condition would count for the first time is empty, and `uncounted` says so. Keeps counts and the few
customers of a sample, never all. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappush, heappushpop
from typing import Any, Final, NamedTuple

import msgspec

from footfall import tables
from footfall.admin.config_document import DEFINITIONS
from footfall.errors import ConfigError
from footfall.tables.computed_limits import key_of
from footfall.tables.config import Config
from footfall.tables.record import CustomerRecord, RecordCodec
from footfall.tables.rules_aggregates import aggregates
from footfall.tables.rules_book import SEGMENTS, CompiledSegment
from footfall.tables.rules_fields import Seen
from footfall.tables.rules_row import Condition
from footfall.tables.segments_row import Membership, SegmentsTold
from footfall.tables.spec import Announcement
from footfall.tables.step import Step
from footfall.view.pointers import owner_of

_COMPUTED: Final = "computed"
_RULES: Final = "rules"


class Member(NamedTuple):
    """A customer of a sample."""

    key: str
    ids: Mapping[str, str]


class Judge:
    """Segments under one configuration."""

    def __init__(self, config: Config, names: Sequence[str]) -> None:
        self._codec = RecordCodec(tables.ALL)
        self._steps = {table.name: Step(self._codec.rows[table.name], config.sections[table.name],
                                        config.bound.get(table.name)) for table in tables.ALL}
        self._book = config.book
        self._ids = next(table for table in tables.ALL if table.ids is not None)
        by_name = {one.said.name: one for one in self._book.segments}
        for name in names:
            if name not in by_name:
                raise ConfigError(f"there is no segment {name[:60]!r}; there are "
                                  f"{', '.join(by_name) or 'none'}")
        self.segments: list[CompiledSegment] = [by_name[name] for name in names or by_name]
        self._names_others = any(one.asked for one in self.segments)

    @property
    def names(self) -> list[str]:
        """Of the segments that are judged, in order."""
        return [one.said.name for one in self.segments]

    def record(self, data: bytes) -> CustomerRecord | None:
        """A customer's record; None for one that is not its own."""
        record = self._codec.decode(data)
        return None if owner_of(record) is not None else record

    def inside(self, record: CustomerRecord, now: int) -> tuple[bool, ...]:
        """Of each segment whether the customer is in it at an instant (ms)."""
        seen = Seen(self._steps, record, (), None, now)
        if self._names_others:
            self._settle(seen)
        return tuple(one.condition.holds(seen) for one in self.segments)

    def ids(self, record: CustomerRecord) -> Mapping[str, str]:
        """The customer's identifiers."""
        table = self._ids
        facts, _told = self._codec.rows[table.name].read(record.rows.get(table.name))
        assert table.ids is not None
        return table.ids(facts)

    def _settle(self, seen: Seen) -> None:
        """Judge all segments: in the book each comes after those that it asks for."""
        step = self._steps[SEGMENTS]
        facts, _told = seen.row(SEGMENTS)
        held: list[Membership] = []
        for one in self._book.segments:
            held.append(Membership(one.code, one.condition.holds(seen), 0, 0))
            seen.stage([(step, None, facts, Announcement(SegmentsTold(0, tuple(held))))])


class Tally:
    """Counts over all customers: by which of the segments each is in."""

    def __init__(self, sample_max: int = 0) -> None:
        self.customers = 0
        self.together: dict[tuple[bool, ...], int] = {}
        self._sample_max = sample_max
        self._sample: list[tuple[int, Member]] = []

    def take(self, judge: Judge, records: Mapping[bytes, bytes], now: int) -> None:
        """Take in the records of a partition."""
        for key, data in records.items():
            record = judge.record(data)
            if record is None:
                continue
            self.customers += 1
            inside = judge.inside(record, now)
            self.together[inside] = self.together.get(inside, 0) + 1
            if self._sample_max and inside[0]:
                self._draw(judge, key, record)

    def members(self, place: int) -> int:
        """How many customers are in the segment at a place."""
        return sum(count for inside, count in self.together.items() if inside[place])

    def sample(self) -> list[Member]:
        """Some customers of the first segment: those whose keys' hashes are the least, so that the
        same are shown each time, and none is favoured.
        """
        return [member for _rank, member in sorted(self._sample, reverse=True)]

    def _draw(self, judge: Judge, key: bytes, record: CustomerRecord) -> None:
        rank = -int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
        if len(self._sample) < self._sample_max:
            heappush(self._sample, (rank, Member(key.decode(), judge.ids(record))))
        elif rank > self._sample[0][0]:
            heappushpop(self._sample, (rank, Member(key.decode(), judge.ids(record))))


def proposed(in_force: bytes, document: Mapping[str, Any]) -> bytes:
    """The configuration in force, with the segments and computed traits of a document: those of
    the same name in the place of its own, and first, so that a refusal counts them as the document
    does. Rules tell of no membership and are left out.
    """
    made: dict[str, Any] = msgspec.json.decode(in_force)
    made.pop(_RULES, None)
    for section in (_COMPUTED, SEGMENTS):
        new = document.get(section, {}).get(DEFINITIONS, [])
        names = {one.get("name") for one in new if isinstance(one, dict)}
        kept = [one for one in made.get(section, {}).get(DEFINITIONS, ())
                if one["name"] not in names]
        made[section] = {DEFINITIONS: [*new, *kept]}
    return msgspec.json.encode(made)


def uncounted(judge: Judge, config: Config, in_force: Config) -> dict[str, list[str]]:
    """Segment -> what it asks that the configuration in force does not count yet."""
    bound = in_force.bound.get(_COMPUTED, in_force.sections[_COMPUTED])
    counted = {key_of(one) for one in bound.definitions}
    traits = {one.name: one for one in config.sections[_COMPUTED].definitions}
    by_name = {one.said.name: one.said.if_ for one in judge._book.segments}
    found: dict[str, list[str]] = {}
    for name in judge.names:
        missing = []
        for said in _conditions(by_name[name], by_name, {name}):
            trait = traits.get((said.field or "").removeprefix(f"{_COMPUTED}."))
            if said.of is not None and key_of(aggregates(said)[0]) not in counted:
                over = said.over
                what = over.event or over.call or "any event" if over is not None else "any event"
                missing.append(f"{said.of} of {what} over {said.window}")
            elif trait is not None and key_of(trait) not in counted:
                missing.append(f"{said.field} version {trait.version}")
        if missing:
            found[name] = list(dict.fromkeys(missing))
    return found


def _conditions(said: Condition, by_name: Mapping[str, Condition], passed: set[str]
                ) -> Iterator[Condition]:
    """All comparisons of a condition, and of the segments that it names."""
    for one in said.members:
        yield from _conditions(one, by_name, passed)
    if said.segment is not None and said.segment not in passed and said.segment in by_name:
        passed.add(said.segment)
        yield from _conditions(by_name[said.segment], by_name, passed)
    if not said.group:
        yield said

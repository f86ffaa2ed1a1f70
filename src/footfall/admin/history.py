"""Folds the log again for a few customers, to know which events made each what it is.

Decides by law 4: it runs the worker's own fold, so that it comes to the same records, watermarks
and links. One more table travels with every row: the places in the log of the events that are in
it. Handoffs in the log are history (law 5): that one was sent, and when it came, is as recorded;
what was in it is what the sender's fold, here, had in it. So a receiver waits for the sender, and
since causes come before effects nobody waits for ever. An event that passes through a pointer is
stepped at the owner: its place stays that of the log record that it was. Pure: it is given records
and sends nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from footfall import tables
from footfall.errors import DecodeError, FootfallError
from footfall.events.codec import Codecs, TriggerRecord
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import (
    DELIVERY,
    HANDOFF,
    IMPORT,
    TYPE_AT,
    UNMERGE,
    VIOLATION,
    Interaction,
    type_bytes,
)
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import Handoff
from footfall.events.topics import INTERACTIONS
from footfall.tables import links
from footfall.tables.config import Config
from footfall.tables.fold import Fold
from footfall.tables.linking import EVENT
from footfall.tables.links_row import LinksTold
from footfall.tables.outputs import REJECTED, TRIGGER
from footfall.tables.record import CustomerRecord
from footfall.tables.spec import Announcement, AnyTable, NoConfig, TableSpec, wants_all
from footfall.tables.stored import PartitionState

#: Events of all customers that are followed, held in memory.
EVENTS_MAX: Final = 1_000_000
_HANDOFF: Final = type_bytes(HANDOFF)
#: Stands for all records that concern none of those who are followed: it moves the clock.
_NOBODY: Final[Any] = {"type": VIOLATION}

#: Last by name, so that an event which another table refuses is not counted here.
PLACES: Final = "~places"
Place = tuple[int, int]


class Entry(NamedTuple):
    """A record of the log."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Kept(NamedTuple):
    """An event of one who is followed: its append time (ms), key, bytes, and the configuration in
    force then.
    """

    timestamp: int
    key: bytes
    value: bytes
    config: Config


class HistoryGapError(FootfallError):
    """The log does not reach back far enough."""


class WidenedError(Exception):
    """A handoff has come from one who is not followed yet."""


class Bag(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Facts: which set of places is this row's; 0 is none."""

    number: int = 0


class Nothing(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Told."""


class Relations:
    """Who ever sent rows or letters to whom: customers between whom nothing went share nothing."""

    def __init__(self, codecs: Codecs, reserved: Reserved) -> None:
        self._decode = codecs.interaction.decode
        self._reserved = reserved
        self._up: dict[bytes, bytes] = {}

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Look at one record of the log, in any order."""
        if key is None or value is None or not value.startswith(_HANDOFF, TYPE_AT):
            return
        try:
            sender = self._reserved.read_handoff(self._decode(value), key).sender
        except DecodeError:
            return  # a worker would not take it either
        one, other = self._top(key), self._top(sender)
        if one != other:
            self._up[one] = other

    def of(self, keys: Iterable[bytes]) -> set[bytes]:
        """All who may have to do with these."""
        tops = {self._top(key) for key in keys}
        return {*keys, *tops, *(key for key in self._up if self._top(key) in tops)}

    def _top(self, key: bytes) -> bytes:
        up = self._up
        while (above := up.get(key)) is not None:
            higher = up.get(above)
            if higher is not None:
                up[key] = higher  # halves the way for the next time
            key = above
        return key


class History:
    """The log of every partition from `starts` on, folded for the customers in `followed`."""

    def __init__(self, followed: set[bytes], starts: Mapping[int, int], *, codecs: Codecs,
                 keys: CustomerKeys, reserved: Reserved,
                 specs: Iterable[AnyTable] = tables.ALL) -> None:
        self.followed = followed
        self.events: dict[Place, Kept] = {}
        self.triggers: list[TriggerRecord] = []
        self._codecs = codecs
        self._reserved = reserved
        self._starts = dict(starts)
        self._bags: dict[int, list[Place]] = {}
        self._place: Place = (-1, -1)
        #: Of handoffs in which an event is on its way: its place.
        self._passing: dict[tuple[Handoff, bytes], Place] = {}
        self._contents: dict[tuple[Handoff, bytes], bytes] = {}
        self._waiting: dict[int, deque[Entry]] = {p: deque() for p in starts}
        self.tables = (*specs, self._table())
        self._folds = {
            p: Fold(p, self.tables, codecs=codecs, keys=keys, reserved=reserved,
                    topic=INTERACTIONS, decode=self._decode,
                    state=PartitionState(next_offset=start))
            for p, start in starts.items()}

    # -- the log -------------------------------------------------------------------------------

    def take(self, partition: int, entry: Entry) -> None:
        """One more record of a partition; `run` folds it."""
        key = entry.key
        if key not in self.followed and not (key and key.startswith(b"$")):
            entry = Entry(entry.offset, entry.timestamp, None, None)
        self._waiting[partition].append(entry)

    def run(self) -> bool:
        """Fold what was taken, as far as causes are known; whether all of it was."""
        moved = True
        while moved:
            moved = False
            for partition, waiting in self._waiting.items():
                while waiting and self._apply(partition, waiting[0]):
                    waiting.popleft()
                    moved = True
        return not any(self._waiting.values())

    def _apply(self, partition: int, entry: Entry) -> bool:
        """Fold one record; False where its cause has not been folded yet."""
        fold = self._folds[partition]
        key = entry.key
        place = partition, entry.offset
        if key is not None and key in self.followed and entry.value is not None:
            try:
                event = self._codecs.interaction.decode(entry.value)
                kind = event["type"]
                if kind == HANDOFF:
                    value = self._content(fold, event, key)
                    if value is None:
                        return False
                    entry = entry._replace(value=value)
                    move = self._reserved.read_handoff(event, key)
                    place = self._passing.get((move, key), place)
                elif kind == UNMERGE:
                    entry = entry._replace(value=self._sides(fold, event, key))
                else:
                    self._keep(place, entry, fold)
            except DecodeError:
                pass  # the fold rejects it as a worker does
        self._place = place
        fold.apply(entry)
        self._collect(fold)
        return True

    def _keep(self, place: Place, entry: Entry, fold: Fold) -> None:
        assert entry.key is not None
        assert entry.value is not None
        if len(self.events) >= EVENTS_MAX:
            raise FootfallError(f"these customers have more than {EVENTS_MAX} events: too many to "
                                "be folded again in memory")
        self.events[place] = Kept(entry.timestamp, entry.key, entry.value,
                                  fold.config)

    def _content(self, fold: Fold, event: Interaction, key: bytes) -> bytes | None:
        """The handoff with what its sender had in it; None where the sender has to be waited
        for.
        """
        move = self._reserved.read_handoff(event, key)
        if move.sender not in self.followed:
            raise WidenedError(move.sender)
        value = self._contents.get((move, key))
        if value is not None:
            return value
        record = fold.records.peek(key)
        if record is not None and record.senders.get(move.partition, (-1, -1)) >= (
                move.offset, move.n):
            return self._codecs.interaction.encode(event)  # had come before: it is not read
        if move.offset < self._starts[move.partition]:
            raise HistoryGapError(
                f"the log does not reach back: partition {move.partition} begins at offset "
                f"{self._starts[move.partition]}, and what came of the record at {move.offset} is "
                "a part of these customers")
        if self._folds[move.partition].next_offset <= move.offset:
            return None
        raise HistoryGapError(
            f"the log says that the record at partition {move.partition}, offset {move.offset} "
            "moved a customer, and this code does not: it was read by other code")

    def _sides(self, fold: Fold, event: Interaction, key: bytes) -> bytes:
        """An unmerge with the places that each side gets."""
        asked = self._reserved.read_unmerge(event, key)
        codec = fold.records.codec
        stay, leave = codec.unpack_sides(event["personal"])
        rows = codec.rows[PLACES]
        staying, leaving = split(self.places(key), self.events, asked.leaving)
        sides: list[dict[str, Any]] = []
        for side, places in ((stay, staying), (leave, leaving)):
            with_places: dict[str, Any] = dict(side)
            if side:
                with_places[PLACES] = rows.make(self._bag(places), Nothing())
            sides.append(with_places)
        asked_again = self._reserved.unmerge(key, asked, codec.pack_sides(*sides),
                                             event["event_time"])
        return self._codecs.interaction.encode(asked_again)

    def _collect(self, fold: Fold) -> None:
        for output in fold.outputs:
            if output.kind == HANDOFF:
                event = self._codecs.interaction.decode(output.value)
                move = self._reserved.read_handoff(event, output.key)
                self._contents[move, output.key] = output.value
                if EVENT in fold.records.codec.unpack(event["personal"]):
                    self._passing[move, output.key] = self._place
            elif output.kind == TRIGGER:
                self.triggers.append(self._codecs.trigger.decode(output.value))
            elif output.kind == REJECTED:
                self.events.pop(self._place, None)
        fold.outputs.clear()

    def _decode(self, value: bytes | None) -> Interaction:
        return _NOBODY if value is None else self._codecs.interaction.decode(value)

    # -- what came of it -----------------------------------------------------------------------

    def next_offset(self, partition: int) -> int:
        """Up to where a partition is folded."""
        return self._folds[partition].next_offset

    def record(self, key: bytes) -> CustomerRecord | None:
        """A customer's record as every worker has it; None for one never seen."""
        for fold in self._folds.values():
            record = fold.records.peek(key)
            if record is not None:
                return record
        return None

    def told(self, key: bytes) -> LinksTold:
        """Whom a customer belongs to, and who to it."""
        row = self._row(key, links.NAME)
        return LinksTold() if row is None else row.told

    def root(self, key: bytes) -> bytes:
        """Where what this identifier does ends up."""
        while owner := self.told(key).owner:
            key = owner
        return key

    def places(self, key: bytes) -> list[Place]:
        """The events that are in a customer's facts."""
        row = self._row(key, PLACES)
        found = [] if row is None else self._bags.get(row.facts.number, [])
        return [place for place in found if place in self.events]

    def event(self, place: Place) -> Interaction:
        """An event as a step sees it."""
        event = self._codecs.interaction.decode(self.events[place].value)
        if event["type"] == IMPORT:
            return self._reserved.passed_import(event)
        return self._reserved.passed_delivery(event) if event["type"] == DELIVERY else event

    def _row(self, key: bytes, name: str) -> Any:
        for fold in self._folds.values():
            row = fold.row(key, name)
            if row is not None:
                return row
        return None

    # -- the table of places -------------------------------------------------------------------

    def _bag(self, places: Iterable[Place]) -> Bag:
        number = len(self._bags) + 1
        self._bags[number] = list(places)
        return Bag(number)

    def _table(self) -> AnyTable:
        def observe(bag: Bag, _event: Interaction, _when: int) -> Bag:
            if not bag.number:
                return self._bag([self._place])
            self._bags[bag.number].append(self._place)
            return bag

        def merge(mine: Bag, theirs: Bag) -> Bag:
            if not mine.number or not theirs.number:
                return theirs if theirs.number else mine
            self._bags[mine.number] += self._bags.pop(theirs.number)
            self._bags[theirs.number] = []  # numbers are given once
            return mine

        return TableSpec(PLACES, 1, Bag, Nothing, NoConfig, wants_all, observe,
                         lambda told, _facts, _now, _config, _fired: Announcement(told), merge,
                         lambda mine, _theirs: mine)


def split(places: Iterable[Place], events: Mapping[Place, Kept], leaving: Iterable[bytes]
          ) -> tuple[list[Place], list[Place]]:
    """The events of those who stay, and of those who leave: an event is its key's."""
    gone = frozenset(leaving)
    staying: list[Place] = []
    left: list[Place] = []
    for place in places:
        (left if events[place].key in gone else staying).append(place)
    return staying, left


def kept_of(history: History, keys: Iterable[bytes]) -> Iterator[tuple[Place, Kept]]:
    """The events whose key is one of these, wherever they count by now."""
    wanted = frozenset(keys)
    return ((place, kept) for place, kept in history.events.items() if kept.key in wanted)

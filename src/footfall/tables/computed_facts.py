"""The facts of computed traits: of each definition what its events come to, in buckets of time.

The one table whose facts depend on the configuration: a definition's facts begin with it. They are
kept under its digest (name, version and all that it says), so another version begins anew, facts of
two are never mixed, and law 3's equality is claimed for the same definitions in force. Facts of a
definition that is no longer declared are dropped at the customer's next event that any definition
takes, and read by nobody before. Values that cannot be read are counted (`skipped`).
Must never read a clock or what other definitions keep, nor change what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from footfall.events.amount import to_bytes
from footfall.events.interaction import Interaction
from footfall.tables import computed_candidates, computed_cells, computed_sketch
from footfall.tables.computed_filter import VALUES_MAX, Filter, Values, cut
from footfall.tables.computed_limits import (
    AVERAGE,
    COUNT,
    DISTINCT_COUNT,
    FIRST,
    ID_BYTES_MAX,
    MAX,
    MIN,
    MOST_FREQUENT,
    ROW_BYTES_MAX,
    SINCE_FIRST,
    SINCE_LAST,
    SUM,
    UNIQUE_LIST,
    key_of,
    kind_of,
    shape_of,
    window_of,
)
from footfall.tables.computed_row import ComputedConfig, ComputedFacts, Definition, State

#: Of an entry: the digest of its definition, then whether a limit has cut it.
KEY_BYTES: Final = 8
_HEAD_BYTES: Final = KEY_BYTES + 1
_WHOLE: Final = b"\0"
_CUT: Final = b"\1"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(State).decode


class Traits:
    """The definitions in force, taken apart once for all events."""

    def __init__(self, config: ComputedConfig) -> None:
        self._definitions = [Trait(said) for said in config.definitions]
        self._filter = Filter(config.definitions)
        self._keys = {trait.key for trait in self._definitions}
        #: What `wants` found of the event that is about to be observed.
        self._event: Interaction | None = None
        self._values: Values | None = None
        self._chosen: list[Trait] = []
        if any(trait.kind == DISTINCT_COUNT for trait in self._definitions):
            computed_sketch.load()

    def wants(self, event: Interaction) -> bool:
        """Whether an event counts for any of them."""
        chosen: list[Trait] = []
        values: Values | None = None
        for n, test in self._filter.candidates(event):
            if test is not None:
                if values is None:
                    values = self._filter.read(event)
                if not test(values):
                    continue
            chosen.append(self._definitions[n])
        self._event, self._values, self._chosen = event, values, chosen
        return bool(chosen)

    def observe(self, facts: ComputedFacts, event: Interaction, when: int) -> ComputedFacts:
        """Facts with one more event."""
        if self._event is not event:
            self.wants(event)
        chosen, values = self._chosen, self._values
        self._event = None
        entries = {entry[:KEY_BYTES]: entry for entry in facts.entries}
        is_changed = is_sorted = True
        if entries.keys() <= self._keys:
            is_changed = False
        else:
            entries = {key: entry for key, entry in entries.items() if key in self._keys}
        for trait in chosen:
            if trait.path is not None and values is None:
                values = self._filter.read(event)
            before = entries.get(trait.key)
            after = trait.added(before, event, when, values)
            if after is not before and after is not None:
                entries[trait.key] = after
                is_changed = True
                if before is None:
                    is_sorted = False
        if not is_changed:
            return facts
        kept = list(entries.values())
        if not is_sorted:
            kept.sort()
        return ComputedFacts(tuple(kept), facts.cut)


class Trait:
    """One definition."""

    def __init__(self, said: Definition) -> None:
        self.key = key_of(said)
        self.path = said.value
        self.shape = shape_of(said)
        self.kind = kind_of(self.shape)
        self.window = window_of(self.shape)

    def added(self, before: bytes | None, event: Interaction, when: int, values: Values | None
              ) -> bytes | None:
        """An entry with one more event; `before` itself where it adds nothing."""
        read: list[Any] = []
        skipped = 0
        if self.path is not None and values is not None:
            found: list[Any] = []
            found += (values.units(self.path) if self.kind in _OF_AMOUNTS
                      else values.texts(self.path))
            if not found:
                return before
            read = [one for one in found[:VALUES_MAX] if one is not None]
            skipped = len(found) - len(read)
        state = State(self.shape) if before is None else _decode(before[_HEAD_BYTES:])
        cells, newest, is_cut = state.cells, state.newest, False
        if self.path is None or read:
            if self.kind in (MOST_FREQUENT, UNIQUE_LIST):
                bucket = computed_candidates.bucket_of(self.shape, when)
                cells, is_cut = computed_candidates.with_values(
                    self.shape, newest, cells, bucket, read)
            else:
                bucket = computed_cells.bucket_of(self.window, when)
                cells = computed_cells.with_cell(
                    self.kind, self.window, (newest, cells), bucket,
                    self._cell(event, when, read))
                is_cut = computed_cells.is_cut(self.kind, cells)
                if is_cut:
                    cells = computed_cells.cut(cells)
            if not state.cells or bucket > newest:
                newest = bucket
        if cells is state.cells and newest == state.newest and not skipped:
            return before
        is_cut = is_cut or (before is not None and is_cut_entry(before))
        return _entry(self.key, is_cut, State(self.shape, newest, state.skipped + skipped, cells))

    def _cell(self, event: Interaction, when: int, read: Sequence[Any]) -> tuple[Any, ...]:
        """What one event is by itself."""
        kind = self.kind
        if kind == COUNT:
            return (1,)
        if kind == SUM:
            return (to_bytes(sum(read)),)
        if kind == AVERAGE:
            return (to_bytes(sum(read)), len(read))
        if kind == MIN:
            return (to_bytes(min(read)),)
        if kind == MAX:
            return (to_bytes(max(read)),)
        if kind == DISTINCT_COUNT:
            return (computed_sketch.of(read),)
        if kind in (SINCE_FIRST, SINCE_LAST):
            return (when,)
        message_id = cut(event["message_id"], ID_BYTES_MAX)
        return (when, message_id, read[0] if kind == FIRST else read[-1])


#: What is added up or compared, and so must be a number.
_OF_AMOUNTS: Final = frozenset({SUM, AVERAGE, MIN, MAX})


def merge(mine: ComputedFacts, theirs: ComputedFacts) -> ComputedFacts:
    """Facts of both, as if one customer had done it all. Those of definitions that are no longer
    declared come along until the next event; should they be too many, the last by digest go.
    """
    if not theirs.entries:
        return ComputedFacts(mine.entries, mine.cut or theirs.cut) if theirs.cut else mine
    entries = {entry[:KEY_BYTES]: entry for entry in mine.entries}
    for entry in theirs.entries:
        key = entry[:KEY_BYTES]
        known = entries.get(key)
        entries[key] = entry if known is None else _both(known, entry)
    kept = sorted(entries.values())
    is_cut = mine.cut or theirs.cut
    size = sum(map(len, kept))
    while size > ROW_BYTES_MAX:
        size -= len(kept.pop())
        is_cut = True
    return ComputedFacts(tuple(kept), is_cut)


def is_limited(facts: ComputedFacts) -> bool:
    """Whether a limit has touched these facts, so that the order of events may show in them."""
    return facts.cut or any(is_cut_entry(entry) for entry in facts.entries)


def is_cut_entry(entry: bytes) -> bool:
    """Whether a limit has cut what is kept of one definition."""
    return entry[KEY_BYTES] != 0


def entry_of(facts: ComputedFacts, key: bytes) -> bytes | None:
    """What is kept of a definition."""
    for entry in facts.entries:
        if entry.startswith(key):
            return entry
    return None


def state_of(entry: bytes) -> State:
    """An entry, read."""
    return _decode(entry[_HEAD_BYTES:])


def _entry(key: bytes, is_cut: bool, state: State) -> bytes:
    return key + (_CUT if is_cut else _WHOLE) + _encode(state)


def _both(mine: bytes, theirs: bytes) -> bytes:
    a, b = state_of(mine), state_of(theirs)
    shape = a.shape
    kind = kind_of(shape)
    is_cut = is_cut_entry(mine) or is_cut_entry(theirs)
    if not a.cells or not b.cells:
        newest, cells = (a.newest, a.cells) if a.cells else (b.newest, b.cells)
    elif kind in (MOST_FREQUENT, UNIQUE_LIST):
        newest = max(a.newest, b.newest)
        cells, over = computed_candidates.joined(shape, newest, a.cells, b.cells)
        is_cut = is_cut or over
    else:
        newest = max(a.newest, b.newest)
        cells = computed_cells.joined(
            kind, window_of(shape), (a.newest, a.cells), (b.newest, b.cells))
        if computed_cells.is_cut(kind, cells):
            cells, is_cut = computed_cells.cut(cells), True
    return _entry(mine[:KEY_BYTES], is_cut, State(shape, newest, a.skipped + b.skipped, cells))

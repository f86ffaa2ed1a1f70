"""What a computed trait is at an instant: the pure functions that others read it by.

    value(facts, definition, now)       its value, by facts, as of now
    changes_at(facts, definition, now)  the next instant at which time alone may change it
    counted_from(facts, definition, now)  of time_since_*: the instant that it counts from

Decides windows on reading (law 3): the current bucket and the whole ones before it. Amounts are
integers of 10^-9, times and spans ms, everything else text; never a float. Nothing read here is
ever stored. `now` earlier than the newest event reads as of that event. Must never change facts.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

from footfall.events.amount import from_bytes
from footfall.tables import computed_candidates, computed_sketch
from footfall.tables.computed_cells import WIDTH, each
from footfall.tables.computed_facts import entry_of, is_cut_entry, state_of
from footfall.tables.computed_limits import (
    AVERAGE,
    COUNT,
    DISTINCT_COUNT,
    EVER,
    FIRST,
    LAST,
    MAX,
    MIN,
    MOST_FREQUENT,
    SINCE_FIRST,
    SINCE_LAST,
    SUM,
    UNIQUE_LIST,
    UNIT_MS,
    WHOLE,
    key_of,
    kind_of,
    shape_of,
    window_of,
)
from footfall.tables.computed_row import ComputedFacts, Definition, State

#: count, distinct_count: an integer. sum, average, min, max: an integer of 10^-9. first, last,
#: most_frequent: text. unique_list: texts, sorted. time_since_*: ms. None: there is no value.
Value = int | str | tuple[str, ...] | None


def value(facts: ComputedFacts, definition: Definition, now: int) -> Value:
    """The value at `now` (ms). Without events a count is 0 and a sum is 0, all else None."""
    state = _state(facts, definition)
    kind = kind_of(state.shape)
    if kind == MOST_FREQUENT:
        return _most_frequent(state, now)
    if kind == UNIQUE_LIST:
        return tuple(sorted(_within(state, now)))
    cells = [cell for _bucket, cell in _live(state, now)]
    if kind == COUNT:
        return sum(int(cell[0]) for cell in cells)
    if kind == SUM:
        return sum(from_bytes(cell[0]) for cell in cells)
    if kind == DISTINCT_COUNT:
        return computed_sketch.estimate(cell[0] for cell in cells) if cells else 0
    if not cells:
        return None
    if kind == AVERAGE:
        total = sum(from_bytes(cell[0]) for cell in cells)
        return round(Fraction(total, sum(int(cell[1]) for cell in cells)))
    if kind in (MIN, MAX):
        amounts = [from_bytes(cell[0]) for cell in cells]
        return min(amounts) if kind == MIN else max(amounts)
    if kind in (FIRST, LAST):
        text: str = (min(cells) if kind == FIRST else max(cells))[2]
        return text
    times: list[int] = [cell[0] for cell in cells]
    return max(0, now - (min(times) if kind == SINCE_FIRST else max(times)))


def changes_at(facts: ComputedFacts, definition: Definition, now: int) -> int | None:
    """The next instant (ms, after `now`) at which the value may be another without any event: when
    the oldest bucket that it is made of leaves its window. None: it stays as it is. A time since
    grows besides: it reaches a span at `counted_from` plus that span.
    """
    state = _state(facts, definition)
    window = window_of(state.shape)
    if window == EVER:
        return None
    if kind_of(state.shape) in (MOST_FREQUENT, UNIQUE_LIST):
        buckets = [b for seen in _within(state, now).values() for b in seen]
    else:
        buckets = [bucket for bucket, _cell in _live(state, now)]
    if not buckets:
        return None
    return (min(buckets) + WHOLE[window] + 1) * UNIT_MS[window]


def counted_from(facts: ComputedFacts, definition: Definition, now: int) -> int | None:
    """Of time_since_first and time_since_last: when that event was (ms); None for none, and for all
    other aggregates.
    """
    state = _state(facts, definition)
    kind = kind_of(state.shape)
    times = [cell[0] for _bucket, cell in _live(state, now)] if kind in _SINCE else []
    if not times:
        return None
    found: int = min(times) if kind == SINCE_FIRST else max(times)
    return found


def is_limited(facts: ComputedFacts, definition: Definition) -> bool:
    """Whether a limit has cut what its value is made of."""
    entry = entry_of(facts, key_of(definition))
    return entry is not None and is_cut_entry(entry)


def skipped(facts: ComputedFacts, definition: Definition) -> int:
    """How many values could not be read, ever."""
    return _state(facts, definition).skipped


_SINCE = (SINCE_FIRST, SINCE_LAST)


def _state(facts: ComputedFacts, definition: Definition) -> State:
    key, shape = _known(definition)
    entry = entry_of(facts, key)
    return State(shape) if entry is None else state_of(entry)


@lru_cache(maxsize=1_024)
def _known(definition: Definition) -> tuple[bytes, int]:
    """Key and shape: rules ask for the same definitions with each event."""
    return key_of(definition), shape_of(definition)


def _oldest(state: State, now: int) -> int | None:
    """The oldest bucket within the window at `now`; None: every bucket is."""
    window = window_of(state.shape)
    if window == EVER:
        return None
    return max(now // UNIT_MS[window], state.newest) - WHOLE[window]


def _live(state: State, now: int) -> list[tuple[int, tuple[Any, ...]]]:
    """(bucket, cell) within the window, newest first."""
    kind = kind_of(state.shape)
    if not state.cells:
        return []
    oldest = _oldest(state, now)
    return [(bucket, cell) for bucket, cell in each(WIDTH[kind], state.newest, state.cells)
            if oldest is None or bucket >= oldest]


def _within(state: State, now: int) -> computed_candidates.Seen:
    """Values within the window."""
    seen = computed_candidates.read(state.shape, state.cells)
    oldest = _oldest(state, now)
    if oldest is None:
        return seen
    within = {value: {bucket: n for bucket, n in buckets.items() if bucket >= oldest}
              for value, buckets in seen.items()}
    return {value: buckets for value, buckets in within.items() if buckets}


def _most_frequent(state: State, now: int) -> str | None:
    totals = {value: sum(buckets.values()) for value, buckets in _within(state, now).items()}
    return min(totals, key=lambda value: (-totals[value], value), default=None)

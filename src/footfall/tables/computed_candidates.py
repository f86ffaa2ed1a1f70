"""Values with when or how often they were seen: `unique_list` and `most_frequent`.

Decides the form and what is cut. Both are flat tuples sorted by value. `unique_list`: value, newest
bucket, value, ... (of `ever` the day). `most_frequent`: value, newest bucket, events in it, how
many buckets to the next older one, events in it, ..., value, ... Texts stand apart from integers,
so no lengths are needed. What no window can read any more is dropped, back from the newest bucket
of all. Past its limit a list keeps the values seen last (of one bucket the first by the alphabet).
A full `most_frequent` is a Space-Saving summary (Metwally, Agrawal, El Abbadi, ICDT 2005): a new
value takes the place and the count of the least frequent one (of equals the last by the alphabet),
so that whatever makes up more than 1 / values_max of all events is among those kept. Either way the
row is marked. Must never read a clock, nor change what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from footfall.tables.computed_limits import (
    DAY_MS,
    EVER,
    UNIQUE_LIST,
    UNIT_MS,
    WHOLE,
    kind_of,
    pairs_of,
    values_of,
    window_of,
)

Cells = tuple[Any, ...]
#: Value -> bucket -> events in it; of a list the newest bucket alone, with 0.
Seen = dict[str, dict[int, int]]


def bucket_of(shape: int, at: int) -> int:
    """The bucket of an instant (ms)."""
    window = window_of(shape)
    if window != EVER:
        return at // UNIT_MS[window]
    return at // DAY_MS if kind_of(shape) == UNIQUE_LIST else 0


def with_values(shape: int, newest: int, cells: Cells, bucket: int, values: Iterable[str]
                ) -> tuple[Cells, bool]:
    """Cells, of which `newest` is the greatest bucket, with the values of one more event; and
    whether any was dropped for the limit.
    """
    is_list = kind_of(shape) == UNIQUE_LIST
    left: list[str] = []
    for value in values:
        if bucket == newest and value in cells:
            at = cells.index(value)
            if cells[at + 1] == bucket:
                if not is_list:
                    cells = (*cells[: at + 2], cells[at + 2] + 1, *cells[at + 3 :])
                continue
        left.append(value)
    if not left:
        return cells, False
    newest = max(newest, bucket) if cells else bucket
    if newest - bucket > WHOLE[window_of(shape)] and window_of(shape) != EVER:
        return cells, False
    seen = _within(shape, read(shape, cells), newest)
    kept = values_of(shape)
    is_cut = False
    for value in left:
        first = 0
        if value not in seen and not is_list and len(seen) >= kept:
            first, is_cut = _evicted(seen), True
        buckets = seen.setdefault(value, {})
        buckets[bucket] = buckets.get(bucket, first) + 1
    cells, over = _written(shape, seen, newest)
    return cells, is_cut or over


def joined(shape: int, newest: int, mine: Cells, theirs: Cells) -> tuple[Cells, bool]:
    """The cells of both, of which `newest` is the greatest bucket."""
    seen = read(shape, mine)
    for value, buckets in read(shape, theirs).items():
        known = seen.setdefault(value, {})
        for bucket, events in buckets.items():
            known[bucket] = known.get(bucket, 0) + events
    return _written(shape, seen, newest)


def read(shape: int, cells: Cells) -> Seen:
    """What cells hold."""
    seen: Seen = {}
    if kind_of(shape) == UNIQUE_LIST:
        for n in range(0, len(cells), 2):
            seen[cells[n]] = {cells[n + 1]: 0}
        return seen
    buckets: dict[int, int] = {}
    bucket, waits = 0, False
    for one in cells:
        if isinstance(one, str):
            buckets = {}
            seen[one] = buckets
            bucket, waits = 0, False
        elif not waits:  # where the next events are: an absolute bucket, then gaps
            bucket = bucket - one if buckets else one
            waits = True
        else:
            buckets[bucket] = one
            waits = False
    return seen


def _written(shape: int, seen: Seen, newest: int) -> tuple[Cells, bool]:
    """Cells within window and limit, and whether the limit dropped any."""
    seen = _within(shape, seen, newest)
    kept = values_of(shape)
    is_list = kind_of(shape) == UNIQUE_LIST
    names = sorted(seen)
    is_cut = False
    if is_list:
        if len(names) > kept:
            names = sorted(sorted(names, key=lambda v: (-max(seen[v]), v))[:kept])
            is_cut = True
        return tuple(part for v in names for part in (v, max(seen[v]))), is_cut
    pairs = pairs_of(shape)
    if len(names) > kept or sum(map(len, seen.values())) > pairs:
        names = _most_frequent(seen, kept, pairs)
        is_cut = True
    flat: list[Any] = []
    for value in names:
        flat.append(value)
        newer: int | None = None
        for bucket in sorted(seen[value], reverse=True):
            flat += (bucket if newer is None else newer - bucket, seen[value][bucket])
            newer = bucket
    return tuple(flat), is_cut


def _within(shape: int, seen: Seen, newest: int) -> Seen:
    """What a window can still read."""
    window = window_of(shape)
    if window == EVER:
        return seen
    least = newest - WHOLE[window]
    within = {value: {b: n for b, n in buckets.items() if b >= least}
              for value, buckets in seen.items()}
    return {value: buckets for value, buckets in within.items() if buckets}


def _evicted(seen: Seen) -> int:
    """Makes room for one value; how often the one that left was seen."""
    least = max(seen, key=lambda value: (-sum(seen[value].values()), value))
    return sum(seen.pop(least).values())


def _most_frequent(seen: Seen, kept: int, pairs: int) -> list[str]:
    """The values that stay, sorted."""
    ranked = sorted(seen, key=lambda v: (-sum(seen[v].values()), v))[:kept]
    while len(ranked) > 1 and sum(len(seen[v]) for v in ranked) > pairs:
        ranked.pop()
    return sorted(ranked)

"""Buckets with one cell each: counts, sums, extremes, first and last, sketches.

Cells are a flat tuple, newest bucket first: the parts of its cell, how many buckets lie to the next
older one that has anything, the parts of that, and so on. Decides what a cell of each aggregate
holds, how two of one bucket join, and what is cut: buckets that no window can read any more, back
from the newest one held; and those that can never be the answer again (an older least that is not
less than a newer one). Both are cut by content alone, so any order and split give the same (law 3).
Amounts are integers of 10^-9 as bytes. Must never read a clock, nor change what it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from footfall.events.amount import from_bytes, to_bytes
from footfall.tables import computed_sketch
from footfall.tables.computed_limits import (
    AVERAGE,
    COUNT,
    DISTINCT_COUNT,
    FIRST,
    LAST,
    MAX,
    MIN,
    SINCE_FIRST,
    SINCE_LAST,
    SKETCHES_BYTES_MAX,
    SUM,
    UNIT_MS,
    WHOLE,
)

Cells = tuple[Any, ...]

#: Parts of a cell. count: events. sum: amount. average: amount, how many. min, max: amount. first,
#: last: when, messageId, value. distinct_count: sketch. time_since: when.
WIDTH = {COUNT: 1, SUM: 1, AVERAGE: 2, MIN: 1, MAX: 1, FIRST: 3, LAST: 3, DISTINCT_COUNT: 1,
         SINCE_FIRST: 1, SINCE_LAST: 1}
#: Of which the newest bucket alone can be the answer.
_OF_NEWEST: Final = (LAST, SINCE_LAST)
_EXTREMES: Final = (MIN, MAX)


def bucket_of(window: int, at: int) -> int:
    """The bucket of an instant (ms)."""
    return at // UNIT_MS[window] if window else 0


def with_cell(kind: int, window: int, mine: tuple[int, Cells], bucket: int, cell: Cells) -> Cells:
    """The cells of (newest bucket, cells) with one more; the newest bucket is then the greater."""
    newest, cells = mine
    if not cells:
        return cell
    width = WIDTH[kind]
    if bucket == newest:
        both = joined_cell(kind, cells[:width], cell)
        if both == cells[:width]:
            return cells
        return _pruned(kind, (*both, *cells[width:]))
    if bucket > newest:
        return _pruned(kind, _within(WHOLE[window], width, (*cell, bucket - newest, *cells)))
    return joined(kind, window, mine, (bucket, cell))


def joined(kind: int, window: int, mine: tuple[int, Cells], theirs: tuple[int, Cells]) -> Cells:
    """The cells of two (newest bucket, cells)."""
    width = WIDTH[kind]
    found = dict(each(width, *mine))
    for bucket, cell in each(width, *theirs):
        known = found.get(bucket)
        found[bucket] = cell if known is None else joined_cell(kind, known, cell)
    flat: list[Any] = []
    before = 0
    for bucket in sorted(found, reverse=True):
        if flat:
            flat.append(before - bucket)
        flat += found[bucket]
        before = bucket
    return _pruned(kind, _within(WHOLE[window], width, tuple(flat)))


def each(width: int, newest: int, cells: Cells) -> Iterator[tuple[int, Cells]]:
    """(bucket, cell), newest first."""
    bucket = newest
    for start in range(0, len(cells), width + 1):
        if start:
            bucket -= cells[start - 1]
        yield bucket, cells[start : start + width]


def joined_cell(kind: int, a: Cells, b: Cells) -> Cells:
    """What two cells of one bucket are together."""
    if kind == COUNT:
        return (a[0] + b[0],)
    if kind == SUM:
        return (_sum(a[0], b[0]),)
    if kind == AVERAGE:
        return (_sum(a[0], b[0]), a[1] + b[1])
    if kind == MIN:
        return a if from_bytes(a[0]) <= from_bytes(b[0]) else b
    if kind == MAX:
        return a if from_bytes(a[0]) >= from_bytes(b[0]) else b
    if kind == DISTINCT_COUNT:
        return (computed_sketch.joined(a[0], b[0]),)
    if kind in (FIRST, SINCE_FIRST):
        return min(a, b)
    return max(a, b)


def is_cut(kind: int, cells: Cells) -> bool:
    """Whether cells are past their limit, so that `cut` must be called."""
    return kind == DISTINCT_COUNT and sum(map(len, cells[::2])) > SKETCHES_BYTES_MAX


def cut(cells: Cells) -> Cells:
    """Sketches within their limit: of all buckets a half of the values, or a quarter, ..."""
    halvings = 0
    sketches = cells[::2]
    while sum(map(len, sketches)) > SKETCHES_BYTES_MAX:
        halvings += 1
        sketches = tuple(computed_sketch.sampled(sketch, halvings) for sketch in cells[::2])
    flat = list(cells)
    flat[::2] = sketches
    return tuple(flat)


def _sum(a: bytes, b: bytes) -> bytes:
    return to_bytes(from_bytes(a) + from_bytes(b))


def _within(whole: int, width: int, cells: Cells) -> Cells:
    """Cells of the newest bucket and of so many before it."""
    step = width + 1
    age = sum(cells[width::step])
    while age > whole:
        age -= cells[-step]
        cells = cells[:-step]
    return cells


def _pruned(kind: int, cells: Cells) -> Cells:
    """Without cells that can never be the answer again."""
    if kind in _OF_NEWEST:
        return cells[: WIDTH[kind]]
    if kind not in _EXTREMES or len(cells) < 2:
        return cells
    sign = 1 if kind == MAX else -1
    best = sign * from_bytes(cells[0])
    kept: list[Any] = [cells[0]]
    gap = 0
    for n in range(2, len(cells), 2):
        gap += cells[n - 1]
        value = sign * from_bytes(cells[n])
        if value > best:
            best = value
            kept += (gap, cells[n])
            gap = 0
    return tuple(kept) if len(kept) < len(cells) else cells

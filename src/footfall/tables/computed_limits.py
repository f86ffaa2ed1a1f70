"""How much computed traits may keep: the bytes of each definition at most, and of all together.

Decides the shape of a definition (aggregate, window, limit of values: what a merge of facts must
know), its digest, and what a set of definitions may be. The limit is on what the most hostile
customer could make them keep, so it is refused when it is declared and never met by a customer.
Must never look at facts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from footfall.errors import MisfitError

if TYPE_CHECKING:
    from footfall.tables.computed_row import Definition

#: Definitions of one configuration, versions of one name counted apart.
DEFINITIONS_MAX: Final = 50
#: The same with what rules and segments count.
COUNTED_MAX: Final = 250
#: Of one customer's row.
ROW_BYTES_MAX: Final = 40_000
#: Of a text that is kept, in UTF-8.
VALUE_BYTES_MAX: Final = 100
#: Of a messageId, to tell events of one millisecond apart: a UUID.
ID_BYTES_MAX: Final = 36
#: One sketch, and those of one definition together.
SKETCH_BYTES_MAX: Final = 4_120
SKETCHES_BYTES_MAX: Final = 6_000
#: Pairs of a value and a bucket that `most_frequent` keeps, for each value it may keep.
PAIRS_A_VALUE: Final = 8

COUNT: Final = 0
SUM: Final = 1
AVERAGE: Final = 2
MIN: Final = 3
MAX: Final = 4
FIRST: Final = 5
LAST: Final = 6
MOST_FREQUENT: Final = 7
UNIQUE_LIST: Final = 8
DISTINCT_COUNT: Final = 9
SINCE_FIRST: Final = 10
SINCE_LAST: Final = 11
#: In the order of the codes above; stored, so the order is for good.
KINDS = ("count", "sum", "average", "min", "max", "first", "last", "most_frequent", "unique_list",
         "distinct_count", "time_since_first", "time_since_last")
WINDOWS = ("ever", "1h", "24h", "7d", "30d")
EVER: Final = 0
#: Of each window: the length of its buckets in ms, and how many whole ones it has beside the
#: current one (law 3). Ever is one bucket.
UNIT_MS = (0, 60_000, 900_000, 3_600_000, 86_400_000)
WHOLE = (0, 60, 96, 168, 30)
DAY_MS: Final = UNIT_MS[4]
#: Values kept where a definition does not say.
VALUES_USUAL = {MOST_FREQUENT: 20, UNIQUE_LIST: 100}

_KIND_CODES: Final = 16
_WINDOW_CODES: Final = 8
#: An integer at most, a text's head, an exact sum of 2^60 of the largest amounts, one amount.
_INTEGER: Final = 9
_HEAD: Final = 2
_SUM: Final = _HEAD + 20
_AMOUNT: Final = _HEAD + 12
_BUCKET: Final = 5
_GAP: Final = 2
#: Digest, mark, shape, newest bucket, skipped, and the heads of all that.
_ENTRY: Final = 8 + 1 + 3 + _BUCKET + _INTEGER + 3 + 1 + 3
#: Bytes of one bucket's cell.
_CELL = {
    COUNT: _INTEGER, SUM: _SUM, AVERAGE: _SUM + _INTEGER, MIN: _AMOUNT, MAX: _AMOUNT,
    FIRST: _INTEGER + _HEAD + ID_BYTES_MAX + _HEAD + VALUE_BYTES_MAX,
    LAST: _INTEGER + _HEAD + ID_BYTES_MAX + _HEAD + VALUE_BYTES_MAX,
    DISTINCT_COUNT: 3, SINCE_FIRST: _INTEGER, SINCE_LAST: _INTEGER,
}
_OF_NEWEST = frozenset({LAST, SINCE_LAST})


def shape_of(definition: Definition) -> int:
    """What a merge must know, as one integer."""
    kind = KINDS.index(definition.of)
    values = definition.values_max or VALUES_USUAL.get(kind, 0)
    return (values * _KIND_CODES + kind) * _WINDOW_CODES + WINDOWS.index(definition.window)


def kind_of(shape: int) -> int:
    """The aggregate's code."""
    return shape // _WINDOW_CODES % _KIND_CODES


def window_of(shape: int) -> int:
    """The window's code."""
    return shape % _WINDOW_CODES


def values_of(shape: int) -> int:
    """How many values are kept."""
    return shape // (_WINDOW_CODES * _KIND_CODES)


def pairs_of(shape: int) -> int:
    """How many pairs of a value and a bucket `most_frequent` keeps: all of one value at least."""
    values, buckets = values_of(shape), WHOLE[window_of(shape)] + 1
    return values if buckets == 1 else max(values * PAIRS_A_VALUE, buckets)


def key_of(definition: Definition) -> bytes:
    """Under what the facts of a definition are kept: name, version and all else that it says. So
    facts of two definitions are never mixed, also where somebody forgot to give it a new version.
    """
    said = {**msgspec.to_builtins(definition), "window": definition.window}
    return hashlib.blake2b(msgspec.json.encode(said, order="sorted"), digest_size=8).digest()


def bytes_max(definition: Definition) -> int:
    """What a definition can take of a customer's row, whatever is sent."""
    shape = shape_of(definition)
    kind, values = kind_of(shape), values_of(shape)
    buckets = WHOLE[window_of(shape)] + 1
    if kind == UNIQUE_LIST:
        return _ENTRY + values * (_HEAD + VALUE_BYTES_MAX + _BUCKET)
    if kind == MOST_FREQUENT:
        return (_ENTRY + values * (_HEAD + VALUE_BYTES_MAX + _BUCKET)
                + pairs_of(shape) * (_INTEGER + _GAP))
    if kind == DISTINCT_COUNT:
        sketches = min(SKETCHES_BYTES_MAX, buckets * SKETCH_BYTES_MAX)
        return _ENTRY + sketches + buckets * (_CELL[kind] + _GAP)
    return _ENTRY + (1 if kind in _OF_NEWEST else buckets) * (_CELL[kind] + _GAP)


def check(definitions: Sequence[Definition], count_max: int = DEFINITIONS_MAX) -> None:
    """Refuses definitions that cannot be declared together."""
    if len(definitions) > count_max:
        raise MisfitError(f"has {len(definitions)} definitions; at most {count_max}",
                          "definitions", count_max)
    seen: set[tuple[str, int]] = set()
    for n, said in enumerate(definitions):
        if (said.name, said.version) in seen:
            raise MisfitError(f"{said.name!r} has version {said.version} twice", "definitions", n,
                              "version")
        seen.add((said.name, said.version))
    total = 0
    for n, said in enumerate(definitions):
        total += bytes_max(said)
        if total > ROW_BYTES_MAX:
            largest = max(definitions, key=bytes_max)
            raise MisfitError(
                f"with {said.name!r} a customer's row may take {total} bytes; at most "
                f"{ROW_BYTES_MAX}. Declare fewer, or with shorter windows or smaller values_max; "
                f"the largest is {largest.name!r} with {bytes_max(largest)}", "definitions", n)


def check_change(before: Sequence[Definition], after: Sequence[Definition]) -> None:
    """Refuses a definition that says something else under a version that is in force: whoever reads
    a value by name and version relies on what it means.
    """
    known = {(said.name, said.version): key_of(said) for said in before}
    for n, said in enumerate(after):
        key = known.get((said.name, said.version))
        if key is not None and key != key_of(said):
            raise MisfitError(f"{said.name!r} differs from its version {said.version} in force: "
                              f"give it version {said.version + 1}", "definitions", n, "version")

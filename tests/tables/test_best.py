"""Law 2: of each key a changelog holds the record with the highest watermark, wherever it lies."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.errors import StateRefused
from footfall.tables.record import header
from footfall.tables.records import Best
from footfall.tables.stored import FORMAT, HEADER, HEADER_1, NEVER, PARTITION_KEY, PartitionState

KEYS = (b"anna", b"bert", b"cara")


def value(watermark: int, wake_at: int = NEVER, marks: int = 0, rest: bytes = b"") -> bytes:
    """The head of a record, which is all that is looked at."""
    return HEADER.pack(FORMAT, watermark, wake_at, marks) + rest


#: (key, watermark or None for a null, wake_at, marks)
_records = st.lists(st.tuples(
    st.sampled_from(KEYS), st.none() | st.integers(0, 9), st.sampled_from([NEVER, 5, 7]),
    st.integers(0, 2)), max_size=30)


@given(_records, st.integers(1, 9))
def test_any_changelog_gives_the_best_records_and_what_is_counted_of_them(
    records: list[tuple[bytes, int | None, int, int]], size: int
) -> None:
    """Against a plain recount, however the records come in slices."""
    expected: dict[bytes, bytes] = {}
    last: dict[bytes, bytes] = {}
    made = [(key, None if watermark is None else value(watermark, wake_at, marks, bytes([n])))
            for n, (key, watermark, wake_at, marks) in enumerate(records)]
    for key, data in made:
        if data is None:
            expected.pop(key, None)
            last.pop(key, None)
            continue
        last[key] = data
        if key not in expected or header(expected[key])[0] <= header(data)[0]:
            expected[key] = data
    best = Best()
    for at in range(0, len(made), size):
        best.take(made[at : at + size])

    assert expected == best.store
    assert {k for k in expected if last[k] != expected[k]} == best.stale
    assert {k: header(v)[1] for k, v in expected.items() if header(v)[1]} == best.wakes
    assert Counter(header(v)[2] for v in expected.values()) == +best.marks
    assert max((w for _, w, _, _ in records if w is not None), default=-1) == best.highest


def test_the_null_of_a_removal_ends_a_stale_record_too() -> None:
    """Nothing is left to be rewritten once the null has come, and a new record begins anew."""
    best = Best()
    best.take([(b"anna", value(9)), (b"anna", value(3)), (b"anna", None)])
    assert ({}, set()) == (best.store, best.stale)

    best.take([(b"anna", value(10))])

    assert ({b"anna": value(10)}, set()) == (best.store, best.stale)


def test_the_partition_s_own_record_is_no_customer() -> None:
    """Of several the highest holds, and of the same watermark the last."""
    first, second = (PartitionState(5, clock).encode() for clock in (1, 2))
    best = Best()
    best.take([(PARTITION_KEY, first), (PARTITION_KEY, second),
               (PARTITION_KEY, PartitionState(4).encode())])

    assert (second, {}, -1) == (best.state, best.store, best.highest)


def test_records_of_the_first_format_are_taken() -> None:
    """They have no marks."""
    old = HEADER_1.pack(1, 3, 5)
    best = Best({b"anna": old})

    assert ({b"anna": old}, {b"anna": 5}, {0: 1}, 3) == (
        best.store, best.wakes, best.marks, best.highest)


def test_a_record_of_a_newer_format_is_refused() -> None:
    """Whoever went on would throw away what newer code wrote."""
    with pytest.raises(StateRefused, match="format 4"):
        Best({b"anna": b"\4" + bytes(24)})

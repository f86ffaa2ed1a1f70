"""Which rows are the same: by content, and by which of the equal rows of their file they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.replay.imports.row_ids import ROW_ID_BYTES, RowIds

#: Few, so that many are equal.
CONTENTS = st.lists(st.sampled_from([b"", b"a", b"b", b"c", b"d" * 1000]), max_size=60)


def ids_of(contents: Sequence[bytes], chunk: int = 7) -> list[bytes]:
    """The ids of a file that is read so many rows at a time."""
    ids = RowIds()
    found = [one for at in range(0, len(contents), chunk)
             for one in ids.of(contents[at:at + chunk])]
    ids.close()
    return found


def counted(contents: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """Each content with how many equal ones there were before it: what an id stands for."""
    before: Counter[bytes] = Counter()
    found = []
    for content in contents:
        found.append((content, before[content]))
        before[content] += 1
    return found


@given(CONTENTS, CONTENTS, st.integers(1, 9), st.integers(1, 9))
def test_an_id_is_a_content_and_its_count(first: list[bytes], second: list[bytes], a: int, b: int
                                          ) -> None:
    """Over two files, however they are read: ids are equal where content and count are."""
    meanings = counted(first) + counted(second)
    ids = ids_of(first, a) + ids_of(second, b)
    assert len(meanings) == len(ids)
    assert len(set(meanings)) == len(set(ids)) == len(set(zip(meanings, ids, strict=True)))


@given(CONTENTS, st.randoms())
def test_order_does_not_matter(contents: list[bytes], chance: object) -> None:
    """A file in another order has the same rows."""
    shuffled = list(contents)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sorted(ids_of(contents)) == sorted(ids_of(shuffled))


def test_ids_are_for_all_times() -> None:
    """They are in the records of customers: another way to make them would double every row."""
    first = blake2b(b"a", digest_size=ROW_ID_BYTES).digest()
    second = blake2b(first + (1).to_bytes(8), digest_size=ROW_ID_BYTES).digest()
    assert [first, second] == ids_of([b"a", b"a"])
    assert "27c35e6e9373877f29e562464e46497e" == first.hex()


@pytest.mark.parametrize("equal", [1, 2, 3])
def test_many_rows(equal: int) -> None:
    """Far apart in a large file, in chunks of thousands."""
    contents = [b"%d" % n for n in range(20_000)] * equal
    ids = ids_of(contents, 4_096)
    assert len(contents) == len(set(ids))
    assert ids_of(contents[:20_000], 100) == ids[:20_000]

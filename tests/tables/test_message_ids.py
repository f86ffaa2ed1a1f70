"""The memory of messageIds: which SDK retries a key still recognises (law 2)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.tables.message_ids import BUCKET_MS, KEPT_MAX, KEPT_MIN, MessageIds

HOUR_MS = 3_600_000
START = 1_700_000_000_000


def digest(n: int) -> bytes:
    return n.to_bytes(8, "big")


def test_the_newest_256_are_kept_however_old() -> None:
    """A retry after days is recognised as long as few messages came since."""
    memory = MessageIds()
    for n in range(KEPT_MIN + 10):
        memory.add(digest(n), START + n * HOUR_MS)
    assert [n >= 10 for n in range(KEPT_MIN + 10)] == [
        digest(n) in memory for n in range(KEPT_MIN + 10)]


def test_a_batch_of_one_key_is_recognised_whole() -> None:
    """Review R1: 257, 300, 500 and 4,096 items at once, retried at once and at the hour's end."""
    for items in (257, 300, 500, KEPT_MAX):
        memory = MessageIds()
        for n in range(items):
            memory.add(digest(n), START)
        assert all(digest(n) in memory for n in range(items)), items
        memory.add(digest(-1 % 2**64), START + HOUR_MS)
        assert all(digest(n) in memory for n in range(1, items)), items


def test_at_most_4096_are_kept() -> None:
    """The oldest go first, in log order."""
    memory = MessageIds()
    for n in range(KEPT_MAX + 100):
        memory.add(digest(n), START + n)
    assert KEPT_MAX * 8 == len(memory.hashes)
    assert [digest(99) in memory, digest(100) in memory] == [False, True]


def test_what_is_older_than_the_hour_goes_back_to_256() -> None:
    """The hour is kept in half hours, so that at most an hour and a half is."""
    memory = MessageIds()
    for n in range(1000):
        memory.add(digest(n), START)
    memory.add(digest(1000), START + HOUR_MS + BUCKET_MS)
    assert KEPT_MIN * 8 == len(memory.hashes)


def test_a_hash_is_found_only_where_one_begins() -> None:
    """Eight bytes that lie across two hashes are nobody's."""
    memory = MessageIds()
    memory.add(bytes(range(8)), START)
    memory.add(bytes(range(8, 16)), START)
    assert bytes(range(4, 12)) not in memory
    memory.add(bytes(range(4, 12)), START)
    assert bytes(range(4, 12)) in memory


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 700),
                          st.sampled_from([0, 1, 60_000, BUCKET_MS - 1, BUCKET_MS, HOUR_MS,
                                           2 * HOUR_MS])), max_size=14))
def test_bounds(additions: list[tuple[int, int]]) -> None:
    """Never fewer than the law says, never more than its limits and half an hour allow."""
    memory = MessageIds()
    added: list[tuple[int, bytes]] = []
    clock = START
    for count, step in additions:
        clock += step
        for _ in range(count):
            value = digest(len(added))
            added.append((clock, value))
            memory.add(value, clock)
        must = {v for at, v in added if clock - at <= HOUR_MS} | {v for _, v in added[-KEPT_MIN:]}
        may = {v for at, v in added if clock - at <= HOUR_MS + BUCKET_MS} | must
        kept = [bytes(memory.hashes[i : i + 8]) for i in range(0, len(memory.hashes), 8)]
        assert [v for _, v in added][-len(kept):] == kept, "not the newest in log order"
        assert len(kept) <= KEPT_MAX
        assert {v for _, v in added[-KEPT_MAX:]} & must <= set(kept) <= may
        again = MessageIds(bytearray(memory.hashes), list(memory.recent))
        memory, again = again, memory
        assert sum(memory.recent[1::2]) <= len(kept)

"""The law of facts and the rule of told (laws.md, 3), for every table in `tables.ALL`.

The law is about distinct messages: the fold drops repeats. A count cannot be a join; a table that
remembers messageIds is one, and is held to it (`strategies.JOINING`).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall import tables
from footfall.tables.spec import Announcement, AnyTable
from tests.tables.strategies import EVENTS, JOINING, Happening, bound, config_of

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
every_table = pytest.mark.parametrize("table", tables.ALL, ids=lambda t: t.name)
every_joining_table = pytest.mark.parametrize(
    "table", [t for t in tables.ALL if t.name in JOINING], ids=lambda t: t.name)


def fold(table: AnyTable, happenings: Sequence[Happening]) -> Any:
    facts = table.facts()
    wants, observe = bound(table)
    for event, when in happenings:
        if wants(event):
            before = _encode(facts)
            after = observe(facts, event, when)
            assert before == _encode(facts), "observe changed what it was given"
            facts = after
    return facts


def test_every_table_has_a_strategy() -> None:
    """A table cannot escape the law by saying nothing of its events."""
    assert {t.name for t in tables.ALL} == set(EVENTS)


def test_tables_are_sorted_and_named_once() -> None:
    """`ALL` is in the order in which tables are stepped."""
    names = [t.name for t in tables.ALL]
    assert sorted(set(names)) == names


def test_slots_are_given_once() -> None:
    """Two tables at one place of the marks would each read the other's level."""
    slots = [t.slot for t in tables.ALL if t.slot is not None]
    assert len(set(slots)) == len(slots)
    assert set(slots) <= set(range(16))


@every_table
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_facts_are_the_same_bytes_for_any_split_and_order(table: AnyTable, data: st.DataObject
                                                          ) -> None:
    """Any split of distinct messages over up to four identities, any order, any tree of merges."""
    happenings = data.draw(EVENTS[table.name])
    parts: list[list[Happening]] = [[], [], [], []]
    for happening in data.draw(st.permutations(happenings)):
        parts[data.draw(st.integers(0, 3))].append(happening)
    check_split(table, happenings, parts, data)


@every_joining_table
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_repeats_over_identities_change_nothing(table: AnyTable, data: st.DataObject) -> None:
    """A table that remembers messageIds takes one message in several parts, or twice in one."""
    happenings = data.draw(EVENTS[table.name])
    parts: list[list[Happening]] = [[], [], [], []]
    for happening in data.draw(st.permutations(happenings)):
        for part in data.draw(st.lists(st.sampled_from(range(4)), min_size=1, max_size=3)):
            parts[part].append(happening)
    check_split(table, happenings, parts, data)


def check_split(table: AnyTable, happenings: Sequence[Happening],
                parts: Sequence[Sequence[Happening]], data: st.DataObject) -> None:
    """The parts merged, in a drawn tree, are the bytes that one row of all events is."""
    whole = fold(table, happenings)
    expected = _encode(whole)
    assert whole == msgspec.msgpack.decode(expected, type=table.facts)
    rows = [fold(table, part) for part in parts]
    while len(rows) > 1:
        left = rows.pop(data.draw(st.integers(0, len(rows) - 1)))
        right = rows.pop(data.draw(st.integers(0, len(rows) - 1)))
        rows.append(merged(table, left, right))
    if not (is_limited(table, whole) or is_limited(table, rows[0])):
        assert expected == _encode(rows[0])


def is_limited(table: AnyTable, facts: Any) -> bool:
    """Whether a limit has touched these facts: then their table claims no equality."""
    return table.limited is not None and table.limited(facts)


def merged(table: AnyTable, left: Any, right: Any) -> Any:
    """Facts of both, made without changing either."""
    before = _encode((left, right))
    facts = table.merge_facts(left, right)
    assert before == _encode((left, right)), "merge_facts changed what it was given"
    return facts


@every_table
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_merge_of_facts_is_a_sum(table: AnyTable, data: st.DataObject) -> None:
    """Commutative, associative, and a row without events adds nothing."""
    parts: list[list[Happening]] = [[], [], []]
    for happening in data.draw(EVENTS[table.name]):
        parts[data.draw(st.integers(0, 2))].append(happening)
    a, b, c = (fold(table, part) for part in parts)
    assert _encode(merged(table, a, b)) == _encode(merged(table, b, a))
    assert _encode(a) == _encode(merged(table, a, table.facts()))
    assert _encode(a) == _encode(merged(table, table.facts(), a))
    left = merged(table, merged(table, a, b), c)
    right = merged(table, a, merged(table, b, c))
    if not (is_limited(table, left) or is_limited(table, right)):
        assert _encode(left) == _encode(right)


@every_joining_table
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_merge_of_facts_is_a_join(table: AnyTable, data: st.DataObject) -> None:
    """Idempotent as well, also where one messageId came with two contents."""
    a, b, c = (fold(table, data.draw(EVENTS[table.name])) for _ in range(3))
    merge = table.merge_facts
    assert _encode(merge(a, b)) == _encode(merge(b, a))
    assert _encode(merge(merge(a, b), c)) == _encode(merge(a, merge(b, c)))
    assert _encode(a) == _encode(merge(a, a))


class Customer:
    """One row under a clock of its own: what was told, and every cause of it once."""

    def __init__(self, table: AnyTable) -> None:
        self.table = table
        self.config = config_of(table)
        self.wants, self._observe = bound(table)
        self.facts = table.facts()
        self.told = table.told()
        self.due: int | None = None
        self.causes: set[tuple[Any, ...]] = set()

    def observe(self, happening: Happening, now: int) -> None:
        self.facts = self._observe(self.facts, happening.event, min(happening.when, now))
        self._take(now, None)

    def wake(self, now: int) -> None:
        if self.due is not None and self.due <= now:
            self._take(now, self.due)
            assert self.due is None or self.due > now, "a timer must move forward"

    def join(self, other: Customer, now: int) -> None:
        before = _encode((self.told, other.told))
        told = self.table.merge_told(self.told, other.told)
        assert before == _encode((self.told, other.told)), "merge_told changed what it was given"
        self.told = told
        self.facts = self.table.merge_facts(self.facts, other.facts)
        self.causes |= other.causes
        self._take(now, None)

    def _take(self, now: int, fired: int | None) -> None:
        before = _encode(self.told)
        said: Announcement[Any] = self.table.announce(
            self.told, self.facts, now, self.config, fired)
        assert before == _encode(self.told), "announce changed what it was given"
        for trigger in said.triggers:
            cause = (trigger.name, *trigger.cause)
            assert cause not in self.causes, f"told twice: {cause}"
            self.causes.add(cause)
            msgspec.json.encode((trigger.data, trigger.evidence))
        self.told, self.due = said.told, said.due


@every_table
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_no_cause_is_told_twice(table: AnyTable, data: st.DataObject) -> None:
    """Two identities in any interleaving, with late events and long silences, then merged."""
    first, second = Customer(table), Customer(table)
    happenings = data.draw(EVENTS[table.name])
    join_at = data.draw(st.integers(0, len(happenings)))
    stretch = data.draw(st.sampled_from([1, 600_000]))
    now = 1_700_000_000_000
    for i, (event, when) in enumerate(happenings):
        if i == join_at:
            second.join(first, now)
        stretched = 1_700_000_000_000 + (when - 1_700_000_000_000) * stretch
        now += data.draw(st.sampled_from(
            [0, 1, 60_000, 1_800_000, 7_200_000, 90_000_000, 3_000_000_000]))
        for customer in (first, second) if i < join_at else (second,):
            customer.wake(now)
        target = second if i >= join_at or data.draw(st.booleans()) else first
        if target.wants(event):
            target.observe(Happening(event, stretched), now)
    if join_at == len(happenings):
        second.join(first, now)
    for step in (10_000_000, 10_000_000, 10_000_000, 900_000_000, 3_000_000_000):
        now += step
        second.wake(now)


@every_table
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_merge_of_told_is_a_join(table: AnyTable, data: st.DataObject) -> None:
    """Whichever side is asked first, the same counts as told."""
    told = []
    for _ in range(3):
        customer = Customer(table)
        now = 1_700_000_000_000
        for event, when in data.draw(EVENTS[table.name]):
            now = max(now, when) + data.draw(st.sampled_from([0, 1_800_000, 3_000_000_000]))
            customer.wake(now)
            if customer.wants(event):
                customer.observe(Happening(event, when), now)
        told.append(customer.told)
    a, b, c = told
    merge = table.merge_told
    assert _encode(merge(a, b)) == _encode(merge(b, a))
    assert _encode(merge(merge(a, b), c)) == _encode(merge(a, merge(b, c)))
    assert _encode(a) == _encode(merge(a, a))
    assert _encode(a) == _encode(merge(a, table.told()))
    assert _encode(a) == _encode(merge(table.told(), a)), "a row is taken over as it is"


_DIGEST = """
from tests.tables.test_laws import digest
print(digest())
"""


def digest() -> str:
    """Hash of the facts that a fixed list of events makes, over all tables."""
    from tests.tables import events

    state = hashlib.sha256()
    for table in tables.ALL:
        made = [
            events.commerce("product_added", n, f"m{n}", events.line(f"p{n % 3}"),
                            cart_id=f"c{n % 4}") for n in range(9)
        ] + [events.plain(n, f"i{n}", {"userId": f"u{n}", "anonymousId": "a"}) for n in range(3)]
        state.update(_encode(fold(table, [Happening(e, e["event_time"]) for e in made])))
    return state.hexdigest()


def test_facts_do_not_depend_on_the_hash_seed() -> None:
    """Counterexample 11: a set encodes differently per PYTHONHASHSEED."""
    seeds = ("1", "4242")
    found = {
        subprocess.run([sys.executable, "-c", _DIGEST], check=True, capture_output=True, text=True,
                       env={**os.environ, "PYTHONHASHSEED": seed}).stdout.strip()
        for seed in seeds
    }
    assert {digest()} == found

"""After merge and unmerge the facts equal never merged, for every generated interleaving.

Random events over random identifiers; the log is read at a random place, with rows and letters on
their way, and one identifier is taken out of its customer; then more events, restarts anywhere. The
reference is that of `test_links_interleaved.py`, told of each event only what is on its own side.
"""

from __future__ import annotations

import random
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import event as seen
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.admin.history import PLACES
from footfall.admin.unmerge import Plan, plan, was_done
from tests.tables.graph import Named, Reference
from tests.tables.log import Log
from tests.tables.logs import KEYS, START
from tests.tables.test_links_interleaved import EVENTS, SPECS, _advance, applied, told
from tests.tables.unmerging import append, history


def _seen(what: str) -> None:
    if hypothesis.currently_in_test_context():
        seen(what)


class Play:
    """A log with events, some of them read, whose workers may end anywhere."""

    def __init__(self, seed: int, partitions: int) -> None:
        self.dice = random.Random(seed)
        self.log = Log(SPECS, partitions)
        self.happened: list[Named] = []
        self.was_quiet = False

    def happen(self, happened: list[Named]) -> None:
        for one in happened:
            n = len(self.happened)
            self.happened.append(one)
            self.log.append(one.key(), one.event(START + n, f"m{n}"),
                            max(START + n + 1, self.log.now))
            for _ in range(self.dice.choice((0, 0, 1, 3, 8))):
                _advance(self.log, self.dice)

    def quiet(self) -> None:
        while self.is_waiting():
            for _ in range(2 * len(self.log.workers)):
                _advance(self.log, self.dice)

    def is_waiting(self) -> bool:
        return any(w.fold.next_offset < len(self.log.entries[w.number]) for w in self.log.workers)

    def unmerge(self) -> tuple[Plan, bool] | None:
        """Take one identifier out of its customer, if there is a customer with two; whether what
        happened between reading and writing let it.
        """
        if self.dice.random() < 0.5:
            self.quiet()
        self.was_quiet = not self.is_waiting()
        keys = sorted({key for one in self.happened for key in Named.keys(one)})
        read = history(self.log, *keys)
        owned = [key for key in keys if (root := told_root(read, key)) != key
                 and key in {link.key for link in read.told(root).owned}]
        if not owned:
            return None
        named = self.dice.choice(owned)
        wanted = plan(read, told_root(read, named), named, KEYS)
        if self.dice.random() < 0.1:
            self.was_quiet = False
            self.happen([self.dice.choice(self.happened)])
        place = append(self.log, wanted, read)
        if self.dice.random() < 0.2:
            append(self.log, wanted, read)  # the command ran twice
        return wanted, was_done(history(self.log, *keys), wanted, place)


def told_root(read: Any, key: bytes) -> bytes:
    root: bytes = read.root(key)
    return root


def own_side(one: Named, wanted: Plan) -> tuple[Named, bool]:
    """An event without what is on the other side of its key; and whether it names both sides."""
    if one.key() in wanted.leaves.keys:
        other = {*wanted.stays.keys}
    elif one.key() in wanted.stays.keys:
        other = {*wanted.leaves.keys}
    else:
        return one, any({*one.keys(), *one.before()} & {*side.keys} and
                        {*one.keys(), *one.before()} & {*another.keys}
                        for side, another in ((wanted.stays, wanted.leaves),))
    kinds = {"user": "user_id", "email": "email", "phone": "phone", "anonymous": "anonymous_id"}
    gone = {field: None for field, kind in kinds.items()
            if (value := getattr(one, field)) is not None and KEYS.of(kind, value) in other}
    if other & {*one.before()}:
        gone["previous"] = None
    return one._replace(**gone), bool(gone)


def whose(reference: Reference, key: bytes) -> set[bytes]:
    """Who may have this identifier in the end."""
    root = reference.root.get(key, key)
    return reference.owners.get(root, {root})


def check_sides(play: Play, wanted: Plan, found: dict[str, bytes]) -> None:
    """Each side's events are at one customer, and the two are two."""
    read = history(play.log, wanted.root, wanted.named)
    stay, leave = ({read.event(place)["message_id"] for place in side.places}
                   for side in (wanted.stays, wanted.leaves))
    root = told_root(read, wanted.root)
    if (not play.was_quiet and root == told_root(read, wanted.named)
            and root not in (*wanted.stays.keys, *wanted.leaves.keys)):
        _seen("another claimed both while the unmerge was on its way")
        return
    here, there = {found[m] for m in stay}, {found[m] for m in leave}
    assert len(here) <= 1
    assert len(there) <= 1
    assert not here & there
    cut = [own_side(one, wanted) for one in play.happened]
    known = stay | leave
    both = {*wanted.stays.keys, *wanted.leaves.keys}
    if any(names_both for n, (_one, names_both) in enumerate(cut)
           if f"m{n}" not in known
           and not {*play.happened[n].keys(), *(both & {*play.happened[n].before()})}
           <= {wanted.root, wanted.named}):
        return  # who names both sides from then on is of either
    if any(not set(one.before()).isdisjoint(wanted.stays.keys)
           and not set(one.before()).isdisjoint(wanted.leaves.keys) for one in play.happened):
        return  # one previousId is a user on one side and a browser on the other
    reference = Reference(one for one, _names_both in cut)
    if whose(reference, wanted.root) & whose(reference, wanted.named):
        return  # another names both: it may own both identifiers, never what both did
    assert root != told_root(read, wanted.named)
    _seen("equal to never merged")
    # What was on its way through several, while another claimed both sides, may have got there.
    marked = set() if play.was_quiet else {
        key for key in play.log.records() if told(play.log, key).parted}
    for n, (one, _names_both) in enumerate(cut):
        if f"m{n}" not in known:
            # Who was let go, or refused, is its own until an event has it claimed again, or that of
            # others whom no user has.
            tree = reference.root[one.key()]
            alone = {key for key, top in reference.root.items() if top == tree} if tree in {
                reference.root.get(key)
                for key in (*wanted.leaves.keys, *wanted.stays.keys)} else set()
            assert found[f"m{n}"] in reference.customers(one) | alone | marked, (n, one)


def check(play: Play, wanted: Plan | None) -> None:
    """All that is asked of a log that has been read to its end."""
    log = play.log
    assert [] == log.rejected()
    found = applied(log)
    assert {f"m{n}" for n in range(len(play.happened))} == set(found)
    of: dict[bytes, list[int]] = {}
    for message_id, key in found.items():
        of.setdefault(key, []).append(int(message_id[1:]))
        assert not told(log, key).owner
    for key in log.records():
        for table in SPECS:
            if table.name in ("links", PLACES):
                continue
            facts = table.facts()
            for n in sorted(of.get(key, ())):
                one = play.happened[n].event(START + n, f"m{n}")
                if table.wants(one):
                    facts = table.observe(facts, one, START + n)
            if table.limited is not None and table.limited(facts):
                continue
            got = log.facts(key, table.name)
            assert msgspec.msgpack.encode(facts, order="deterministic") == msgspec.msgpack.encode(
                table.facts() if got is None else got, order="deterministic"), table.name
    if wanted is not None:
        check_sides(play, wanted, found)
    again = log.fold_again()
    assert log.records() == again.records()
    assert log.outputs() == again.outputs()
    assert log.handoffs() == again.handoffs()


def play_through(before: list[Named], after: list[Named], seed: int, partitions: int
                 ) -> tuple[Plan, bool] | None:
    """Events, an unmerge, more events, and all that is asked of it."""
    play = Play(seed, partitions)
    play.happen(before)
    done = play.unmerge()
    play.happen(after)
    play.quiet()
    check(play, done[0] if done is not None and done[1] else None)
    return done


@settings(deadline=None, max_examples=100)
@given(before=st.lists(EVENTS, min_size=2, max_size=14), after=st.lists(EVENTS, max_size=6),
       seed=st.integers(0, 2**32), partitions=st.integers(1, 4))
def test_after_merge_and_unmerge_facts_equal_never_merged(
        before: list[Named], after: list[Named], seed: int, partitions: int) -> None:
    """Whatever is on its way, whoever dies, whatever comes after."""
    done = play_through(before, after, seed, partitions)
    seen("nobody to unmerge" if done is None else f"took effect: {done[1]}")


#: Events before an unmerge and after it, of which some interleaving was wrong once.
WRONG_ONCE: tuple[tuple[list[Named], list[Named]], ...] = (
    # A browser points at the customer through another user, and comes back through it.
    ([*[Named(anonymous="a0")] * 9, Named("u0", previous="u0"), Named("u1", previous="u3"),
      Named("u1", previous="a0"), Named("u3", previous="u0"), Named(anonymous="a0")],
     [Named(anonymous="a0")]),
    # Another user claims the browser while its rows are on their way, then loses it.
    ([Named("u2", "a1", "e1@example.org"), Named("u0", None, "e1@example.org"),
      Named(anonymous="a1"), Named("u2"), Named("u3", "a1", "e2@example.org"),
      Named(anonymous="a1"), Named(anonymous="a3"), Named("u3"), Named("u2")],
     [Named("u2", "a1"), Named("u0", previous="u1"), Named("u1", previous="a1"),
      Named(anonymous="a0"), Named("u3", previous="u2")]),
    # Who stays points at a user who leaves.
    ([Named("u1", None, "e0@example.org"), Named("u0", previous="u0"),
      Named(None, "a3", "e0@example.org"), Named("u2", "a1"), Named("u0", previous="u1"),
      Named("u2", previous="u1"), Named("u1", "a0", "e1@example.org"),
      Named("u1", previous="a1"), Named("u2")],
     [Named(anonymous="a0"), Named(anonymous="a1"), Named("u2", "a1", "e1@example.org"),
      Named(anonymous="a1")]),
    # An alias call comes later than a newer one.
    ([Named("u0", previous="u2"), Named("u3", previous="a3"), Named("u2", None, "e0@example.org")],
     [Named(anonymous="a3"), Named("u0", previous="u3"), Named("u2", previous="u2")]),
)


@pytest.mark.parametrize("number", range(len(WRONG_ONCE)))
def test_what_was_wrong_once(number: int) -> None:
    """In a good many interleavings of each."""
    before, after = WRONG_ONCE[number]
    for seed in range(60):
        play_through(before, after, seed, 1 + seed % 3)


@pytest.mark.parametrize("seed", range(4))
def test_a_storm_with_unmerges_loses_nothing(seed: int) -> None:
    """Hundreds of events, and a customer taken apart now and then."""
    play = Play(seed, 4)
    dice = play.dice
    for _ in range(8):
        play.happen([Named(
            dice.choice([None, f"u{dice.randrange(12)}"]), f"a{dice.randrange(24)}",
            f"e{dice.randrange(12)}@example.org" if dice.random() < 0.15 else None, None)
            for _ in range(30)])
        play.unmerge()
    play.quiet()
    check(play, None)

"""Law 3 over identities: every generated interleaving gives the customers of a simple reference
(`graph.py`): the same facts, byte for byte.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall import tables
from footfall.events.customer_key import order
from footfall.tables import cart, identity, links
from footfall.tables.links_row import LinksTold
from footfall.tables.spec import AnyTable
from tests.tables.graph import Named, Reference, check_facts
from tests.tables.log import Log
from tests.tables.logs import START
from tests.tables.made import TALLY

SPECS: tuple[AnyTable, ...] = (cart.TABLE, identity.TABLE, links.TABLE, TALLY)


def scattered(happened: list[Named], dice: random.Random, partitions: int) -> Log:
    """A log whose partitions are read in any order, by workers that end anywhere."""
    log = Log(SPECS, partitions)
    at = START
    for n, one in enumerate(happened):
        at += 1
        log.append(one.key(), one.event(START + n, f"m{n}"), max(at, log.now))
        for _ in range(dice.choice((0, 0, 1, 3, 8))):
            _advance(log, dice)
    waiting = True
    while waiting:
        for _ in range(2 * partitions):
            _advance(log, dice)
        waiting = any(w.fold.next_offset < len(log.entries[w.number]) for w in log.workers)
    return log


def _advance(log: Log, dice: random.Random) -> bool:
    worker = dice.choice(log.workers)
    if dice.random() < 0.1:
        worker.checkpoint(dice.choice((None, None, 0, 1)))
    elif dice.random() < 0.05:
        worker.crash()
    return worker.step()


def told(log: Log, key: bytes) -> LinksTold:
    row = log.fold_of(key).row(key, "links")
    return LinksTold() if row is None else row.told


def roots(log: Log) -> Iterator[tuple[bytes, LinksTold]]:
    for key in log.records():
        yield key, told(log, key)


def applied(log: Log) -> dict[str, bytes]:
    """messageId -> the customer it counts for; each must count once."""
    found: dict[str, bytes] = {}
    for key in log.records():
        facts = log.facts(key, "tally")
        for message_id, (count, _when) in {} if facts is None else facts.seen.items():
            assert (1, None) == (count, found.get(message_id)), message_id
            found[message_id] = key
    return found


def check(happened: list[Named], log: Log) -> None:
    """All that the law asks of a log that has been read to its end."""
    reference = Reference(happened)
    found = applied(log)
    assert [] == log.rejected()
    assert {f"m{n}" for n in range(len(happened))} == set(found)
    of: dict[bytes, list[int]] = {}
    for n, one in enumerate(happened):
        assert found[f"m{n}"] in reference.customers(one), (n, one)
        of.setdefault(found[f"m{n}"], []).append(n)
    for key, mine in roots(log):
        if mine.owner:
            assert order(key) < order(mine.owner)
            record = log.fold_of(key).records.peek(key)
            assert record is not None
            assert {"links"} == set(record.rows)
            assert not record.timers
    specs = [table for table in SPECS if table.name != "links"]
    for key, numbers in of.items():
        mine = [(happened[n].event(START + n, f"m{n}"), START + n) for n in numbers]
        check_facts(specs, mine, lambda name, key=key: log.facts(key, name))
    again = log.fold_again()
    assert log.records() == again.records()
    assert log.outputs() == again.outputs()
    assert log.handoffs() == again.handoffs()


USERS = [f"u{n}" for n in range(4)]
BROWSERS = [f"a{n}" for n in range(4)]
ADDRESSES = [f"e{n}@example.org" for n in range(3)]
NONE = st.none()
_browser, _address = st.sampled_from(BROWSERS), st.sampled_from(ADDRESSES)
EVENTS = st.one_of(
    st.builds(Named, NONE, _browser, st.one_of(NONE, NONE, _address), NONE, NONE),
    st.builds(Named, st.sampled_from(USERS), st.one_of(NONE, _browser), st.one_of(NONE, _address),
              NONE, NONE),
    st.builds(Named, st.sampled_from(USERS), NONE, NONE, st.sampled_from([*USERS, *BROWSERS]),
              NONE))


@settings(deadline=None, max_examples=500)
@given(happened=st.lists(EVENTS, min_size=1, max_size=14), seed=st.integers(0, 2**32),
       partitions=st.integers(1, 4))
def test_every_interleaving_gives_the_same_customers(happened: list[Named], seed: int,
                                                     partitions: int) -> None:
    """Random events over random identifiers, partitions read in any order, restarts anywhere."""
    check(happened, scattered(happened, random.Random(seed), partitions))


@pytest.mark.parametrize("seed", range(6))
def test_a_storm_gives_the_same_customers(seed: int) -> None:
    """The same with hundreds of events at once."""
    dice = random.Random(seed)
    users = [f"u{n}" for n in range(30)]
    browsers = [f"a{n}" for n in range(60)]
    happened = []
    for _ in range(400):
        shape = dice.random()
        user = None if shape < 0.5 else dice.choice(users)
        happened.append(Named(
            user, dice.choice(browsers),
            f"e{dice.randrange(40)}@example.org" if dice.random() < 0.1 else None,
            dice.choice([*users, *browsers]) if user and dice.random() < 0.1 else None))
    check(happened, scattered(happened, dice, 4))


def test_links_are_a_table() -> None:
    """The whole is in what workers run."""
    assert links.TABLE in tables.ALL

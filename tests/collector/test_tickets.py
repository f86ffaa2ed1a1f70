"""A ticket opens streams for a minute, for the key that it was given to; nothing else does."""

from __future__ import annotations

import pytest

from footfall.collector.tickets import TICKET_S, Tickets
from footfall.settings import ApiKeySettings
from footfall.view.roles import ApiKey, ApiKeys

SECRET = b"a secret of sixteen bytes or more"
NAMED = {"desk": ApiKeySettings(role="support", keys=["the first", "the second"],
                                triggers=["cart_abandoned"])}


class Clock:
    now = 1_800_000_000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keys(**named: ApiKeySettings) -> ApiKeys:
    return ApiKeys("the owner's", named)


def key(value: str, of: ApiKeys) -> ApiKey:
    found = of.of_header(f"Bearer {value}")
    assert found is not None
    return found


@pytest.mark.parametrize("value", ["the owner's", "the first", "the second"])
def test_another_collector_knows_whose_it_is(clock: Clock, value: str) -> None:
    """Each has hashes of its own of the same keys."""
    ours, theirs = keys(**NAMED), keys(**NAMED)
    ticket = Tickets(SECRET, ours, clock).of(key(value, ours))
    assert key(value, theirs) == Tickets(SECRET, theirs, clock).holder(ticket)


def test_it_holds_for_a_minute(clock: Clock) -> None:
    known = keys()
    made = Tickets(SECRET, known, clock)
    ticket = made.of(key("the owner's", known))
    began = clock.now
    for later, is_known in ((TICKET_S - 1, True), (TICKET_S, False), (-TICKET_S + 1, True),
                            (-TICKET_S - 1, False)):
        clock.now = began + later
        assert is_known == (made.holder(ticket) is not None), later


def test_it_dies_with_the_value_of_its_key(clock: Clock) -> None:
    """Not with the name alone, which another value may have taken over."""
    before = keys(**NAMED)
    ticket = Tickets(SECRET, before, clock).of(key("the first", before))
    replaced = keys(desk=ApiKeySettings(role="support", keys=["the second", "the third"]))
    assert None is Tickets(SECRET, replaced, clock).holder(ticket)


def test_what_it_opens_is_what_the_key_may_see_now(clock: Clock) -> None:
    before = keys(**NAMED)
    ticket = Tickets(SECRET, before, clock).of(key("the first", before))
    narrower = keys(desk=ApiKeySettings(role="analyst", keys=["the first"], triggers=["x"]))
    found = Tickets(SECRET, narrower, clock).holder(ticket)
    assert found is not None
    assert ("analyst", frozenset({"x"})) == (found.role, found.triggers)


def test_nothing_else_is_one(clock: Clock) -> None:
    """Nor of another secret, nor with any of its bits changed, nor cut, nor longer."""
    known = keys()
    made, owner = Tickets(SECRET, known, clock), key("the owner's", known)
    ticket = made.of(owner)
    assert owner == made.holder(ticket)
    others = [Tickets(b"another secret of many bytes", known, clock).of(owner), "", "A" * 32,
              "é", "a=b", ticket[:-4], ticket[4:], ticket + "AAAA", "the owner's", "A" * 8_000]
    others += [ticket[:n] + ("B" if ticket[n] == "A" else "A") + ticket[n + 1:]
               for n in range(len(ticket))]
    assert set() == {other for other in others if made.holder(other) is not None}


def test_neither_key_nor_name_stands_in_it(clock: Clock) -> None:
    known = keys(**NAMED)
    texts = {Tickets(SECRET, known, clock).of(one) for one in known.holders()}
    assert {32} == {len(text) for text in texts}
    assert 3 == len(texts)
    assert not any(word in text for text in texts for word in ("desk", "first", "support"))

"""Computed traits equal a brute-force recount at any instant, for any order and split of events."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.tables import computed, computed_facts, computed_reading
from footfall.tables.computed_limits import KINDS, UNIT_MS, WHOLE, WINDOWS
from footfall.tables.computed_row import ComputedConfig, ComputedFacts, Definition
from tests.tables import events, recount_computed
from tests.tables.strategies import Happening
from tests.tables.traits import configured, definition

START = 1_700_000_000_000
MINUTE, DAY = 60_000, 86_400_000
_OVER: tuple[dict[str, Any], ...] = (
    {}, {"call": "track"}, {"call": "track", "event": "Buy"},
    {"where": {"path": "properties.value", "greater": 5}},
    {"call": "page", "where": {"any": [
        {"path": "properties.kind", "equals": "a"}, {"path": "properties.kind", "exists": False}]}},
    {"where": {"all": [{"path": "properties.kind", "not_equals": "b"},
                       {"path": "properties.value", "exists": True}]}},
    {"where": {"path": "properties.kind", "in": ["a", 7, True]}},
    {"where": {"path": "properties.kind", "contains": "a"}},
    {"where": {"path": "properties.value", "less": "2.5"}},
)
_VALUES = ("a", "b", "banana", "a", "b", True, 7, "7", 0, -3.25, 2.5, 1e-9, "19.90", 7, 2.5, None,
           1e300, "", {"x": 1}, [1, 2.5, "b"], [], 12345678901234567.125)


def _happening(seed: int) -> Happening:
    """Drawn by one integer, so that long lists of full events are common."""
    dice = random.Random(seed)
    said = {name: dice.choice(_VALUES) for name in ("value", "kind") if dice.random() < 0.9}
    made = events.plain(0, f"{dice.getrandbits(128):032x}", {"properties": said})
    made["type"] = dice.choice(("track", "track", "page"))
    made["event"] = dice.choice(("Buy", "Buy", "Look"))
    when = START + dice.choice((0, 0, 0, 1, 6, 7, 29, 30, 31)) * DAY
    when += dice.choice((0, 1, 15, 60, 61, 90, 180, dice.randrange(1440))) * MINUTE
    return Happening(made, when + dice.choice((0, 0, 1, 59_999)))


_happenings = st.lists(st.builds(_happening, st.integers(0, 2**64)), min_size=4, max_size=40)


def _definition(of: str) -> st.SearchStrategy[Definition]:
    return st.builds(lambda window, over: definition("t", of, window=window, over=over),
                     st.sampled_from(WINDOWS), st.just({}) | st.sampled_from(_OVER))


def facts_of(config: ComputedConfig, happenings: Sequence[Happening]) -> ComputedFacts:
    wants, observe = computed.TABLE.bind(config)  # type: ignore[misc]
    facts = ComputedFacts()
    for event, when in happenings:
        if wants(event):
            facts = observe(facts, event, when)
    return facts


@pytest.mark.parametrize("of", KINDS)
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_value_is_what_a_recount_gives(of: str, data: st.DataObject) -> None:
    """In any order, over two identities that are merged, at the newest event and later."""
    said = data.draw(_definition(of))
    happenings = data.draw(_happenings)
    newest = max((when for _event, when in happenings), default=START)
    config = configured(said)
    parts: tuple[list[Happening], list[Happening]] = ([], [])
    for happening in data.draw(st.permutations(happenings)):
        parts[data.draw(st.integers(0, 1))].append(happening)
    facts = computed_facts.merge(*(facts_of(config, part) for part in parts))
    assert not computed_facts.is_limited(facts)
    now = newest
    for _ in range(6):
        expected = recount_computed.value(said, happenings, now)
        assert expected == computed_reading.value(facts, said, now)
        changes_at = computed_reading.changes_at(facts, said, now)
        if changes_at is None:
            now += data.draw(st.integers(0, 40 * DAY))
            continue
        assert changes_at > now
        before = changes_at - 1
        if not said.of.startswith("time_since"):
            assert expected == recount_computed.value(said, happenings, before)
        now = data.draw(st.sampled_from([before, changes_at, changes_at + 5 * MINUTE]))


@pytest.mark.parametrize("of", KINDS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_nothing_is_left_of_a_window_that_is_over(of: str, data: st.DataObject) -> None:
    """Windows fall without events: a unit after their length nothing is in them."""
    said = data.draw(_definition(of))
    happenings = data.draw(_happenings)
    facts = facts_of(configured(said), happenings)
    window = WINDOWS.index(said.window)
    if not window:
        return
    end = START + 40 * DAY + (WHOLE[window] + 2) * UNIT_MS[window]
    empty = computed_reading.value(ComputedFacts(), said, end)
    assert empty == computed_reading.value(facts, said, end)
    assert computed_reading.changes_at(facts, said, end) is None

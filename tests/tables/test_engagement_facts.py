"""The facts of engagement at their limits and edges."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.tables.engagement import TABLE
from footfall.tables.engagement_facts import DEVICES_MAX, is_limited, merge, observe, sessions_of
from footfall.tables.engagement_row import EngagementFacts
from footfall.tables.engagement_sessions import IDLE_MS, SESSIONS_MAX, each_session
from footfall.tables.engagement_windows import KINDS_MAX, NAME_CHARS_MAX, counts
from tests.tables import events

START = 1_700_000_000_000
MINUTE = 60_000
DAY = 1440 * MINUTE
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def fold(*happened: tuple[int, str, dict[str, Any]]) -> EngagementFacts:
    """(when, channel, personal) of each event."""
    facts = EngagementFacts()
    for when, channel, personal in happened:
        event = events.plain(when, "m")
        event["channel"], event["personal"] = channel, json.dumps(personal).encode()
        facts = observe(facts, event, when)
    return facts


def at(*times: int) -> EngagementFacts:
    return fold(*((when, "", {}) for when in times))


def totals(facts: EngagementFacts, now: int) -> dict[tuple[str, str], int]:
    return {(k.type, k.channel): counts(k, now).total for k in facts.kinds}


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 40), min_size=26, max_size=60), st.data())
def test_kinds_past_their_limit_are_the_same_for_any_split(numbers: list[int],
                                                           data: st.DataObject) -> None:
    """The first by name are kept, the rest is one kind; nothing is lost."""
    happened = [(START + n * 7 * MINUTE, f"c{number:02}", {}) for n, number in enumerate(numbers)]
    whole = fold(*happened)
    shuffled = data.draw(st.permutations(happened))
    cut = data.draw(st.integers(0, len(shuffled)))
    assert _encode(whole.kinds) == _encode(fold(*shuffled).kinds)
    merged = merge(fold(*shuffled[:cut]), fold(*shuffled[cut:]))
    assert _encode(whole.kinds) == _encode(merged.kinds)
    kept = sorted(set(numbers))[:KINDS_MAX]
    found = totals(whole, START + 60 * 7 * MINUTE)
    expected = {("track", f"c{n:02}"): numbers.count(n) for n in kept}
    rest = sum(n not in kept for n in numbers)
    if rest:
        expected["other", ""] = rest
    assert expected == found


def test_long_names_are_cut() -> None:
    """A channel is free text: its row must not grow with it, nor be a new one each time."""
    facts = fold((START, "c" * 500, {}), (START + 1, "c" * 400, {}))
    assert {("track", "c" * NAME_CHARS_MAX): 2} == totals(facts, START + 1)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.integers(0, 70), min_size=1, max_size=30), st.data())
def test_sessions_past_their_limit_are_equal_unless_marked(minutes: list[int],
                                                           data: st.DataObject) -> None:
    """Where no row is marked as limited its sessions are those of any order and split."""
    times = [START + n * 20 * MINUTE for n in minutes]
    shuffled = data.draw(st.permutations(times))
    cut = data.draw(st.integers(0, len(times)))
    whole = at(*sorted(times))
    for other in (at(*shuffled), merge(at(*shuffled[:cut]), at(*shuffled[cut:]))):
        if not is_limited(other):
            assert _encode(whole) == _encode(other)
    assert not is_limited(whole)
    starts = [t for t in sorted(set(times)) if not any(0 < t - u <= IDLE_MS for u in times)]
    kept = list(each_session(sessions_of(whole)))
    assert starts[-SESSIONS_MAX:] == [s.first for s in kept][::-1]
    assert len(starts) == len(kept) + whole.closed


@settings(deadline=None, max_examples=300)
@given(st.lists(st.integers(0, 240), min_size=1, max_size=12), st.integers(-60, 300),
       st.lists(st.integers(0, 30), min_size=1, max_size=4))
def test_a_short_visit_joins_as_if_one_customer_had_made_it(
        mine: list[int], begin: int, theirs: list[int]) -> None:
    """Minutes of one customer, and a visit of another: before, among and after them, at the edges
    of a session and over midnight; either way round.
    """
    edge = START // DAY * DAY + DAY - 120 * MINUTE
    ours = [edge + n * MINUTE for n in mine]
    visit = [edge + (begin + n) * MINUTE for n in theirs]
    whole = _encode(at(*sorted(ours + visit)))
    assert whole == _encode(merge(at(*ours), at(*visit)))
    assert whole == _encode(merge(at(*visit), at(*ours)))


def test_a_row_in_order_is_not_marked_by_the_sessions_it_closes() -> None:
    """Else every loyal customer would count as limited; an event among the closed ones marks it."""
    facts = at(*(START + n * DAY for n in range(20)))
    assert (20 - SESSIONS_MAX, False) == (facts.closed, is_limited(facts))
    late = merge(facts, at(START + 3 * DAY + MINUTE))
    assert is_limited(late)
    event = events.plain(START, "m")
    assert is_limited(observe(facts, event, START + 3 * DAY + MINUTE))


def test_devices_are_told_apart_and_the_newest_are_kept() -> None:
    """By device id, else anonymousId; the kind that says most stays."""
    facts = fold((START, "web", {"anonymousId": "a"}),
                 (START + 1, "web", {"anonymousId": "a", "context": {"os": {"name": "iOS"}}}),
                 (START + 2, "web", {"anonymousId": "a", "context": {"device": {
                     "id": "d", "type": "tablet"}}}),
                 (START + 3, "web", {"anonymousId": "a"}),
                 (START + 4, "web", {"userId": "u"}))
    assert [("a", "iOS", START, START + 3, 3), ("d", "tablet", START + 2, START + 2, 1)] == [
        (d.id, d.kind, d.first, d.last, d.events) for d in facts.devices]
    assert not is_limited(facts)
    many = fold(*((START + n, "", {"anonymousId": f"a{n:02}"}) for n in range(DEVICES_MAX + 2)))
    assert [f"a{n:02}" for n in range(2, DEVICES_MAX + 2)] == [d.id for d in many.devices]
    assert is_limited(many)


_HOUR = 60 * MINUTE
_WINDOWS = {"h1": (60, MINUTE), "h24": (96, 15 * MINUTE), "d7": (168, _HOUR), "d30": (30, DAY)}


@settings(deadline=None, max_examples=500)
@given(st.sampled_from([(150, MINUTE), (110, 15 * MINUTE), (200, _HOUR), (70, 12 * _HOUR)]),
       st.data())
def test_what_a_window_reads_is_held_finely_enough(scale: tuple[int, int],
                                                   data: st.DataObject) -> None:
    """Around the length of each window, at any place within the coarser buckets."""
    size, unit = scale
    span = st.integers(0, size * unit)
    times = [START + n for n in data.draw(st.lists(span, min_size=1, max_size=8))]
    (kind,) = at(*times).kinds
    for wait in (0, data.draw(span)):
        now = max(times) + wait
        found = counts(kind, now)._asdict()
        assert len(times) == found.pop("total")
        assert found == {
            name: sum(now // bucket - t // bucket <= whole for t in times)
            for name, (whole, bucket) in _WINDOWS.items()}


def test_a_window_ends_between_two_milliseconds() -> None:
    """The current bucket and 60 minutes before it; likewise the others."""
    midnight = START // DAY * DAY
    facts = at(midnight + 30_000)
    (kind,) = facts.kinds
    for window, (size, unit) in _WINDOWS.items():
        end = midnight + (size + 1) * unit
        assert 1 == getattr(counts(kind, end - 1), window)
        assert 0 == getattr(counts(kind, end), window)
        assert 1 == counts(kind, end).total


def test_a_row_of_fifty_events_is_small() -> None:
    """Five visits of ten, three kinds, a UUID as device: also what a million customers take."""
    device = {"anonymousId": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
              "context": {"device": {"type": "mobile"}}}
    facts, told = EngagementFacts(), TABLE.told()
    for n in range(50):
        when = START + n // 10 * (3 * DAY + 61 * MINUTE) + n % 10 * 45_000
        event = events.plain(when, "m", device)
        event["type"], event["channel"] = ("page", "track", "identify")[n % 3], "web"
        facts = observe(facts, event, when)
        told = TABLE.announce(told, facts, when, TABLE.config(), None).told
    assert 350 > len(_encode((1, facts, told)))

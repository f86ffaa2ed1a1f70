"""The last interactions of a customer: which are kept, how they are shown, and the limits."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.events.admit import CALLS
from footfall.events.interaction import Interaction
from footfall.tables import timeline
from footfall.tables.spec import NoConfig
from footfall.tables.timeline import KEPT_MAX, NAME_CHARS_MAX, PLACE_CHARS_MAX, TYPES, observe
from footfall.tables.timeline_row import Interacted, TimelineFacts, TimelineTold
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, START


class Raw(NamedTuple):
    """One interaction as it is in the log."""

    at: int
    message_id: str
    type: str = "track"
    event: str = "Seen"
    channel: str = "web"
    source: str = "shop"


def interaction(raw: Raw) -> Interaction:
    made = events.plain(raw.at, raw.message_id)
    made["type"], made["event"] = raw.type, raw.event
    made["channel"], made["source"] = raw.channel, raw.source
    return made


def facts_of(*raws: Raw) -> TimelineFacts:
    facts = TimelineFacts()
    for raw in raws:
        facts = observe(facts, interaction(raw), raw.at)
    return facts


def view(facts: TimelineFacts) -> Any:
    shown = timeline.view(facts, TimelineTold(), START, NoConfig())
    assert shown == json.loads(json.dumps(shown)), "JSON values only"
    return shown["interactions"]


def test_the_newest_is_shown_first_with_its_type_name_and_place() -> None:
    facts = facts_of(Raw(START, "m1"), Raw(START + 1, "m2", "page", "Über uns", "", "ios"))

    assert [
        {"at": "2023-11-14T22:13:20.001Z", "type": "page", "event": "Über uns", "channel": "",
         "source": "ios"},
        {"at": "2023-11-14T22:13:20.000Z", "type": "track", "event": "Seen", "channel": "web",
         "source": "shop"}] == view(facts)
    assert [] == view(TimelineFacts())


def test_every_call_has_its_type() -> None:
    assert {*CALLS, "delivery"} == set(TYPES) - {""}
    for kind in CALLS:
        assert kind == view(facts_of(Raw(1, "m", kind)))[0]["type"]
    assert "delivery" == view(facts_of(Raw(1, "m", "$delivery")))[0]["type"]
    assert "" == view(facts_of(Raw(1, "m", "other")))[0]["type"]


def test_as_many_are_kept_and_no_more() -> None:
    raws = [Raw(START + n, f"m{n}") for n in range(KEPT_MAX + 1)]
    assert KEPT_MAX == len(view(facts_of(*raws[:-1])))
    assert [raw.at for raw in reversed(raws[1:])] == [
        one.at for one in timeline.interactions(facts_of(*raws))]


def test_what_is_older_than_all_that_is_kept_changes_nothing() -> None:
    """By identity: then nothing is stored."""
    full = facts_of(*(Raw(START + n, f"m{n}") for n in range(KEPT_MAX)))
    assert observe(full, interaction(Raw(START - 1, "late")), START - 1) is full
    one_less = facts_of(*(Raw(START + n, f"m{n}") for n in range(KEPT_MAX - 1)))
    assert KEPT_MAX == len(view(observe(one_less, interaction(Raw(START - 1, "l")), START - 1)))


def test_a_late_interaction_takes_its_place() -> None:
    facts = facts_of(Raw(1, "a", channel="x"), Raw(3, "b", channel="y"), Raw(2, "c", channel="x"))
    assert [(3, "y"), (2, "x"), (1, "x")] == [
        (one.at, one.channel) for one in timeline.interactions(facts)]


def test_a_repeat_is_kept_once() -> None:
    raws = [Raw(1, "a"), Raw(2, "b"), Raw(2, "b"), Raw(1, "a")]
    assert facts_of(*raws[:2]) == facts_of(*raws[:3]) == facts_of(*raws)


def test_of_one_stamp_the_content_decides() -> None:
    """Also at the edge: of the oldest that is kept and one that equals it in time and messageId."""
    newer = [Raw(START + n, f"m{n}") for n in range(1, KEPT_MAX)]
    less, more = Raw(START, "m0", event="A"), Raw(START, "m0", event="B")
    for facts in (facts_of(*newer, less, more), facts_of(*newer, more, less)):
        assert KEPT_MAX == len(view(facts))
        assert "B" == view(facts)[-1]["event"]


@pytest.mark.parametrize(("field", "most"), [
    ("event", NAME_CHARS_MAX), ("channel", PLACE_CHARS_MAX), ("source", PLACE_CHARS_MAX)])
def test_texts_at_their_limit_and_one_above(field: str, most: int) -> None:
    """In characters, of four bytes if need be."""
    for n in (most, most + 1):
        shown = view(facts_of(Raw(1, "m", **{field: "\U0001f600" * n})))
        assert "\U0001f600" * most == shown[0][field]


@pytest.mark.parametrize(("when", "shown"), [
    (-1, 0), (0, 0), (2**48 - 1, 2**48 - 1), (2**48, 2**48 - 1)])
def test_times_fit_into_six_bytes(when: int, shown: int) -> None:
    """The year 9999 lies within; an import may say anything."""
    facts = observe(TimelineFacts(), interaction(Raw(0, "m")), when)
    assert shown == timeline.interactions(facts)[0].at


def test_interactions_of_a_visit_share_their_place() -> None:
    """So that a customer's twenty stay small."""
    def size(*raws: Raw) -> int:
        facts = facts_of(*raws)
        return len(facts.newest + facts.place + facts.older)

    visit = [Raw(START + n, f"m{n}") for n in range(5)]
    done = 11 + len("Seen")
    assert 5 * done + len("1web4shop") == size(*visit)
    assert 6 * done + len("1web4shop") + len("1ios4shop") == (
        size(*visit, Raw(START + 9, "x", channel="ios")))
    assert 6 * done + 2 * len("1web4shop") + len("1ios4shop") == size(
        *visit[:2], Raw(START + 2, "x", channel="ios"), *visit[2:])


# -- recounted -------------------------------------------------------------------------------------


_raws = st.lists(st.builds(
    Raw, st.integers(START, START + 40), st.text("abc", min_size=1, max_size=3),
    st.sampled_from(sorted(CALLS)), st.sampled_from(["", "Seen", "Bought", "ü" * 70]),
    st.sampled_from(["", "web", "mobile"]), st.sampled_from(["shop", "app"])),
    min_size=10, max_size=40, unique_by=lambda raw: raw.message_id)


def recount(raws: list[Raw]) -> list[Interacted]:
    """A list of all, sorted and cut."""
    def order(raw: Raw) -> Any:
        return (raw.at, crc32(raw.message_id.encode()) >> 8)

    newest = sorted(raws, key=order, reverse=True)[:20]
    return [Interacted(raw.at, raw.type, raw.event[:60], raw.channel, raw.source)
            for raw in newest]


@settings(deadline=None, max_examples=150)
@given(_raws, st.randoms(use_true_random=False))
def test_the_timeline_is_what_a_sorted_list_holds(raws: list[Raw], random: Any) -> None:
    """Through log and fold: in any order, sent twice, split over two customers whose rows then are
    merged.
    """
    log = Log([timeline.TABLE])
    arrived = random.sample(raws, len(raws))
    for n, raw in enumerate([*arrived, *arrived[:3]]):
        log.append(random.choice((ANNA, BERT)) if n < len(raws) else ANNA, interaction(raw),
                   START + 100)
    log.run()
    rows = [log.facts(key, "timeline") or TimelineFacts() for key in (ANNA, BERT)]

    assert recount(raws) == timeline.interactions(timeline.TABLE.merge_facts(*rows))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.sampled_from("mt"), st.integers(1, 15), st.sampled_from([0, 1, 1]),
                          st.sampled_from(["web", "web", "web", "mobile"])), max_size=6))
def test_what_one_did_between_two_of_the_other_is_put_there(
        stretches: list[tuple[str, int, int, str]]) -> None:
    """A visit by an unknown browser, within what its user did before and after; some at the instant
    of the one before, or elsewhere.
    """
    sides: dict[str, TimelineFacts] = {"m": TimelineFacts(), "t": TimelineFacts()}
    whole = TimelineFacts()
    at = START
    for n, (who, count, step, channel) in enumerate(stretches):
        at += step
        for i in range(count):
            event = interaction(Raw(at + i, f"m{n}-{i}", event=f"E{n}", channel=channel))
            whole = observe(whole, event, at + i)
            sides[who] = observe(sides[who], event, at + i)
        at += count - 1
    mine, theirs = sides["m"], sides["t"]
    assert whole == timeline.merge(mine, theirs) == timeline.merge(theirs, mine)

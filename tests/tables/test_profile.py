"""What is known of a person: which word holds, whose it is, how it shows, and the limits."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import msgspec
import pytest

from footfall import tables
from footfall.errors import ConfigError
from footfall.events.interaction import Interaction
from footfall.tables import profile
from footfall.tables.config import Config
from footfall.tables.profile_facts import (
    BYTES_MAX,
    NAME_CHARS_MAX,
    SOURCE_CHARS_MAX,
    TRAIT_BYTES,
    TRAITS_MAX,
    VALUE_BYTES_MAX,
    merge,
    observe,
    wants,
)
from footfall.tables.profile_row import ProfileConfig, ProfileFacts, ProfileTold
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, START
from tests.tables.profiles import admitted

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def call(at: int, traits: Any = None, *, type: str = "identify", source: str = "web",
         message_id: str = "", context: Any = None) -> Interaction:
    sent = {"traits": traits, "context": context}
    made = events.plain(at, message_id or f"m{at}",
                        {name: value for name, value in sent.items() if value is not None})
    made["type"], made["source"] = type, source
    return made


def facts_of(*calls: Interaction) -> ProfileFacts:
    facts = ProfileFacts()
    for event in calls:
        if wants(event):
            facts = observe(facts, event, event["event_time"])
    return facts


def view(facts: ProfileFacts, config: ProfileConfig | None = None, now: int = START) -> Any:
    shown = profile.view(facts, ProfileTold(), now, config or ProfileConfig())
    assert shown == json.loads(json.dumps(shown)), "JSON values only"
    return shown


def values(facts: ProfileFacts) -> dict[str, Any]:
    return {name: trait["value"] for name, trait in view(facts)["traits"].items()}


# -- what is read ----------------------------------------------------------------------------------


def test_a_trait_is_shown_with_when_by_which_source_and_on_whose_word() -> None:
    facts = facts_of(call(START, {"plan": "gold"}, context={"provenance": "declared"}))

    assert {"traits": {"plan": {"value": "gold", "group": "custom", "source": "web",
                                "at": "2023-11-14T22:13:20.000Z", "provenance": "declared"}},
            "removed": {}, "limited": False} == view(facts)


@pytest.mark.parametrize("type", ["identify", "track", "page", "screen", "alias"])
def test_context_traits_are_the_persons(type: str) -> None:
    assert {"a": 1} == values(facts_of(call(1, type=type, context={"traits": {"a": 1}})))


@pytest.mark.parametrize("type", ["track", "page", "screen", "alias", "group"])
def test_traits_of_other_calls_than_identify_are_not(type: str) -> None:
    assert not wants(call(1, {"a": 1}, type=type))


def test_a_group_call_says_nothing_of_the_person() -> None:
    event = call(1, {"name": "Acme"}, type="group", context={"traits": {"name": "Acme"}})

    assert not wants(event)
    assert ProfileFacts() == observe(ProfileFacts(), event, 1)


def test_traits_of_an_identify_hold_over_those_of_its_context() -> None:
    event = call(1, {"a": 1, "b": None}, context={"traits": {"a": 9, "b": 9, "c": 9}})

    assert {"a": 1, "c": 9} == values(facts_of(event))


@pytest.mark.parametrize(("traits", "context"), [
    (None, None), ({}, None), ({}, {"traits": {}}), (None, {"ip": "192.0.2.1"}), ({}, 7)])
def test_a_call_without_traits_makes_no_row(traits: Any, context: Any) -> None:
    event = call(1, traits, context=context)
    assert not wants(event)
    log = Log(tables.ALL)
    log.append(ANNA, event, START)
    assert log.run().facts(ANNA, "profile") is None


@pytest.mark.parametrize("traits", [7, "x", [1], True])
def test_what_is_no_object_of_traits_says_nothing(traits: Any) -> None:
    assert ProfileFacts() == facts_of(call(1, traits, context={"traits": traits, "device": 7}))


def test_reserved_traits_have_two_spellings() -> None:
    """The greater value of two in one call: members of an object have no order."""
    facts = facts_of(call(1, {"firstName": "Ann"}), call(2, {"first_name": "Eve"}))
    assert {"first_name": "Eve"} == values(facts)
    both = [{"firstName": "B", "first_name": "A"}, {"first_name": "A", "firstName": "B"}]
    assert [{"first_name": "B"}] * 2 == [values(facts_of(call(1, traits))) for traits in both]
    assert {"myName": 1, "my_name": 2} == values(facts_of(call(1, {"myName": 1, "my_name": 2})))


def test_values_keep_their_digits_from_the_call_to_the_row() -> None:
    """Through the collector's `admit`, the log's codec, the fold and its stored bytes."""
    item = (b'{"type": "identify", "userId": "anna", "traits": {"score": 1.10, "n": '
            b'123456789012345678901234567890, "e": 1E5, "o": { "z" : 0.30000000000000000001,'
            b' "a":"\\u00e4\\/" } } }')
    key, event, _found = admitted(item, "test", START)
    log = Log(tables.ALL)
    log.append(key, event, START)
    log.run().workers[0].checkpoint()
    log.workers[0].crash()

    traits = log.facts(key, "profile").said[0].traits
    assert {"score": "1.10", "n": "123456789012345678901234567890", "e": "1E5",
            "o": '{"a":"ä/","z":0.30000000000000000001}'} == dict(
                zip(traits[::2], traits[1::2], strict=True))
    shown = view(log.facts(key, "profile"))["traits"]
    assert (1.1, "1.10") == (shown["score"]["value"], shown["score"]["sent"])
    assert "123456789012345678901234567890" == shown["n"]["value"]
    assert {"a": "ä/", "z": "0.30000000000000000001"} == shown["o"]["value"]


# -- which word holds ------------------------------------------------------------------------------


def test_the_latest_call_has_the_last_word_in_any_order() -> None:
    calls = [call(1, {"a": 1, "b": 1}), call(2, {"a": 2}), call(3, {"a": None, "b": 3}),
             call(4, {"c": 4})]
    expected = _encode(facts_of(*calls))
    for order in itertools.permutations(calls):
        assert expected == _encode(facts_of(*order))
    shown = view(facts_of(*calls))
    assert {"b": 3, "c": 4} == {name: trait["value"] for name, trait in shown["traits"].items()}
    assert {"a": {"at": "1970-01-01T00:00:00.003Z", "source": "web", "provenance": "observed"}
            } == shown["removed"]


def test_a_word_repeated_moves_its_time() -> None:
    """Else a late word from between would win against it."""
    first, again, late = call(1, {"a": 1}), call(3, {"a": 1}), call(2, {"a": 2})
    assert {"a": 1} == values(facts_of(first, again, late))


def test_a_late_word_does_not_bring_a_trait_back() -> None:
    assert {} == values(facts_of(call(2, {"a": None}), call(1, {"a": 1})))


def test_of_one_instant_the_message_decides_then_the_content() -> None:
    one, other = (call(1, {"a": m}, message_id=m) for m in ("m1", "m2"))
    assert values(facts_of(one, other)) == values(facts_of(other, one))
    one, other = (call(1, {"a": n}, message_id="m") for n in (1, 2))
    assert {"a": 2} == values(facts_of(one, other)) == values(facts_of(other, one))


def test_an_event_that_changes_nothing_leaves_the_row_as_it_is() -> None:
    """By identity: then nothing is stored."""
    facts = facts_of(call(2, {"a": 2}))
    assert observe(facts, call(1, {"a": 1}), 1) is facts
    assert observe(facts, call(2, {"a": 2}), 2) is facts


def test_the_event_time_is_that_of_the_step() -> None:
    """An event from the future counts as of when it was appended (law 4)."""
    log = Log(tables.ALL)
    log.append(ANNA, call(START + 99_000, {"a": 1}), START)
    assert START == log.run().facts(ANNA, "profile").said[0].call.at


# -- provenance ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stated", "provenance"), [
    ("declared", "declared"), ("Zero-Party", "declared"), ("observed", "observed"),
    (" first_party ", "observed"), ("THIRD_PARTY", "third_party"), ("third-party", "third_party"),
    ("hearsay", "observed"), ("", "observed"), (None, "observed"), (7, "observed")])
def test_a_call_states_its_provenance(stated: Any, provenance: str) -> None:
    facts = facts_of(call(1, {"a": 1}, context={"provenance": stated}))
    assert provenance == view(facts)["traits"]["a"]["provenance"]


def test_a_source_stands_for_a_provenance_where_the_call_states_none() -> None:
    """Whatever the configuration says later holds for what was said before: facts know nothing of
    it.
    """
    config = Config(tables.ALL, 1, b'{"profile":{"provenance":{"crm":"third_party"}}}')
    facts = facts_of(call(1, {"a": 1}, source="crm"), call(2, {"b": 1}),
                     call(3, {"c": 1}, source="crm", context={"provenance": "declared"}),
                     call(4, {"a": None, "d": 1}, source="crm"))
    shown = view(facts, config.sections["profile"])
    assert {"b": "observed", "c": "declared", "d": "third_party"} == {
        name: trait["provenance"] for name, trait in shown["traits"].items()}
    assert "third_party" == shown["removed"]["a"]["provenance"]


@pytest.mark.parametrize("content", [
    b'{"profile":{"provenance":{"crm":"hearsay"}}}', b'{"profile":{"provenance":[]}}',
    b'{"profile":{"provenances":{}}}',
    b'{"profile":{"provenance":{%s}}}' % b",".join(b'"s%d":"observed"' % n for n in range(1001))])
def test_a_wrong_configuration_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigError, match="profile"):
        Config(tables.ALL, 1, content)


# -- limits ----------------------------------------------------------------------------------------


def kept(facts: ProfileFacts) -> set[str]:
    return {name for said in facts.said for name in said.traits[::2]}


def test_the_traits_said_longest_ago_go_first() -> None:
    calls = [call(n, {f"t{n}": n}) for n in range(1, TRAITS_MAX + 2)]
    whole = facts_of(*calls[:TRAITS_MAX])
    assert (TRAITS_MAX, False) == (len(kept(whole)), whole.limited)
    over = facts_of(*calls)
    assert (kept(whole) - {"t1"} | {f"t{TRAITS_MAX + 1}"}, True) == (kept(over), over.limited)


def test_documented_traits_stay_longest() -> None:
    """A flood of made-up names cannot push the address out."""
    many = {f"t{n}": n for n in range(TRAITS_MAX)}
    facts = facts_of(call(1, {"email": "a@b.example", "lastName": "X"}), call(2, many))
    assert facts.limited and TRAITS_MAX == len(kept(facts))
    assert {"email", "last_name"} <= kept(facts)


def test_traits_taken_away_count() -> None:
    many = {f"t{n}": None for n in range(TRAITS_MAX)}
    facts = facts_of(call(1, {"a": 1}), call(2, many))
    assert facts.limited and "a" not in kept(facts)


def test_a_value_at_its_limit_and_one_above() -> None:
    """One that is too long is the last word nonetheless."""
    fits, over = "x" * (VALUE_BYTES_MAX - 2), "ä" + "x" * (VALUE_BYTES_MAX - 3)
    facts = facts_of(call(1, {"a": fits}))
    assert ({"a": fits}, False) == (values(facts), facts.limited)
    facts = facts_of(call(1, {"a": fits}), call(2, {"a": over}))
    shown = view(facts)["traits"]["a"]
    assert facts.limited and view(facts)["limited"]
    assert (None, False, "was longer than 2,000 bytes; nothing of it is kept") == (
        shown["value"], shown["valid"], shown["reason"])
    assert {"a": 3} == values(facts_of(call(2, {"a": over}), call(3, {"a": 3})))


def test_a_name_at_its_limit_and_one_above() -> None:
    fits, over = "ä" * NAME_CHARS_MAX, "ä" * (NAME_CHARS_MAX + 1)
    facts = facts_of(call(1, {fits: 1}))
    assert ({fits: 1}, False) == (values(facts), facts.limited)
    facts = facts_of(call(1, {over: 1, "a": 1}))
    assert ({"a": 1}, True) == (values(facts), facts.limited)
    alone = facts_of(call(1, {over: 1}))
    assert ({}, True) == (values(alone), alone.limited)


def test_all_traits_at_their_limit_and_one_byte_above() -> None:
    """Names, values and sources in UTF-8, and 30 bytes for each trait."""
    big = {f"t{n:02}": "x" * (VALUE_BYTES_MAX - 2) for n in range(19)}
    left = BYTES_MAX - 19 * (TRAIT_BYTES + 3 + 3 + VALUE_BYTES_MAX)
    last = left - TRAIT_BYTES - 1 - 3 - 2
    fits = facts_of(call(2, big), call(1, {"a": "x" * last}))
    assert (20, False) == (len(kept(fits)), fits.limited)
    over = facts_of(call(2, big), call(1, {"a": "x" * (last + 1)}))
    assert (19, True) == (len(kept(over)), over.limited)
    assert "a" not in kept(over)
    older = observe(fits, call(0, {"b": 1}), 0)
    assert (kept(fits), True) == (kept(older), older.limited), "what fits exactly stays"


def test_a_repeat_by_a_source_of_a_longer_name_is_held_to_the_limit() -> None:
    traits = {f"t{n:02}": "x" * 1_960 for n in range(20)}
    facts = facts_of(call(1, traits), call(2, traits))
    assert (20, False) == (len(kept(facts)), facts.limited)
    longer = observe(facts, call(3, traits, source="s" * 50), 3)
    assert (19, True) == (len(kept(longer)), longer.limited)


def test_what_either_object_of_a_call_has_too_much_is_marked() -> None:
    over = {"x" * (NAME_CHARS_MAX + 1): 1, "a": 1}
    for own, context in ((over, {"b": 1}), ({"b": 1}, over), ({}, over)):
        assert facts_of(call(1, own, context={"traits": context})).limited


def test_a_long_source_is_cut() -> None:
    facts = facts_of(call(1, {"a": 1}, source="s" * (SOURCE_CHARS_MAX + 1)))
    assert "s" * SOURCE_CHARS_MAX == view(facts)["traits"]["a"]["source"]


def test_the_law_of_facts_holds_past_the_limit_of_traits() -> None:
    """Whoever is dropped has at least so many above it in any order."""
    dice = random.Random(5)
    calls = [call(dice.randrange(1, 400), {f"t{dice.randrange(500)}": dice.choice((1, None))},
                  message_id=f"m{n}") for n in range(1_500)]
    expected = facts_of(*calls)
    assert expected.limited and TRAITS_MAX == len(kept(expected))
    for _ in range(5):
        dice.shuffle(calls)
        a, b, c = (facts_of(*calls[n::3]) for n in range(3))
        assert _encode(merge(merge(a, b), c)) == _encode(merge(a, merge(b, c))) == _encode(expected)


def test_bytes_that_are_no_json_say_nothing() -> None:
    """No item that the collector admits; but nothing that the log holds may fail a step."""
    event = call(1)
    event["personal"] = (b'{"traits":{"a":"\\ud800"},"context":{"traits":{"a":'
                         + b"9" * 4400 + b"}}}")
    assert ProfileFacts() == facts_of(event)

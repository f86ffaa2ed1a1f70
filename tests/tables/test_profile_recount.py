"""The profile is what a plain dictionary makes of the same calls in order, however they came."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.tables import profile
from footfall.tables.profile_row import ProfileConfig, ProfileFacts, ProfileTold
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, START
from tests.tables.profiles import admitted

CONFIG = ProfileConfig(provenance={"crm": "third_party"})
#: As sent -> as kept.
VALUES = {'"gold"': '"gold"', "1.10": "1.10", " 7 ": "7", "null": "null", "[ 1, true ]": "[1,true]",
          '{"b": 1, "a" : "\\u00e4"}': '{"a":"ä","b":1}', '""': '""'}
#: As sent -> as kept.
NAMES = {"plan": "plan", "firstName": "first_name", "first_name": "first_name",
         "createdAt": "created_at", "myName": "myName"}
PROVENANCES = {None: 0, "declared": 1, "zero-party": 1, "observed": 2, "third_party": 3, "x": 0}

_traits = st.dictionaries(st.sampled_from(list(NAMES)), st.sampled_from(list(VALUES)), max_size=4)


class Raw(NamedTuple):
    """One call, in the words of docs/tables.md; traits None: it has none."""

    at: int
    message_id: str
    type: str
    source: str
    provenance: str | None
    traits: dict[str, str] | None
    context: dict[str, str] | None


_raws = st.lists(st.builds(
    Raw, st.integers(START, START + 6), st.text("ab", min_size=1, max_size=3),
    st.sampled_from(["identify", "identify", "identify", "track", "page", "group", "alias"]),
    st.sampled_from(["web", "crm"]), st.sampled_from(list(PROVENANCES)), st.none() | _traits,
    st.none() | _traits), max_size=12, unique_by=lambda raw: raw.message_id)


def recount(raws: list[Raw]) -> dict[str, tuple[str, int, str, str]]:
    """Trait -> (value, at, source, provenance); taken away: "null"."""
    words = []
    for raw in raws:
        stated: dict[str, str] = {}
        for holder in (raw.context, raw.traits):
            if holder is None or raw.type == "group" or (
                    holder is raw.traits and raw.type != "identify"):
                continue
            own: dict[str, str] = {}
            for name, value in holder.items():
                own[NAMES[name]] = max(own.get(NAMES[name], ""), VALUES[value])
            stated |= own
        order = (raw.at, crc32(raw.message_id.encode()), raw.source, PROVENANCES[raw.provenance])
        words += [(*order, value, name) for name, value in stated.items()]
    found = {}
    for at, _message, source, code, value, name in sorted(words):
        said = ("", "declared", "observed", "third_party")[code]
        found[name] = value, at, source, said or CONFIG.provenance.get(source, "observed")
    return found


def held(facts: ProfileFacts) -> dict[str, tuple[str, int, str, str]]:
    """What the table holds, in the same terms."""
    return {name: (value, said.call.at, said.call.source, profile.provenance(said.call, CONFIG))
            for said in facts.said
            for name, value in zip(said.traits[::2], said.traits[1::2], strict=True)}


def as_json(raw: Raw) -> bytes:
    """The item as an app sends it, blanks and spellings and all."""
    def members(traits: dict[str, str]) -> str:
        return "{" + ", ".join(f'"{name}" : {value}' for name, value in traits.items()) + "}"

    context = {"ip": '"192.0.2.1"'}
    if raw.provenance is not None:
        context["provenance"] = json.dumps(raw.provenance)
    if raw.context is not None:
        context["traits"] = members(raw.context)
    item = {"type": f'"{raw.type}"', "userId": '"u"', "messageId": f'"{raw.message_id}"',
            "timestamp": str(raw.at), "event": '"Seen"', "groupId": '"g"', "previousId": '"p"',
            "context": members(context)}
    if raw.traits is not None:
        item["traits"] = members(raw.traits)
    return members(item).encode()


@settings(deadline=None, max_examples=200)
@given(_raws, st.randoms(use_true_random=False))
def test_the_profile_is_what_a_dictionary_holds(raws: list[Raw], random: Any) -> None:
    """Through collector, log and fold: in any order, sent twice, split over two customers whose
    rows then are merged.
    """
    log = Log([profile.TABLE])
    arrived = random.sample(raws, len(raws))
    for n, raw in enumerate([*arrived, *arrived[:3]]):
        event = admitted(as_json(raw), raw.source, START + 100).event
        log.append(random.choice((ANNA, BERT)) if n < len(raws) else ANNA, event, START + 100)
    log.run()
    rows = [log.facts(key, "profile") or ProfileFacts() for key in (ANNA, BERT)]
    facts = profile.TABLE.merge_facts(*rows)

    expected = recount(raws)
    assert expected == held(facts)
    assert not facts.limited
    shown = profile.view(facts, ProfileTold(), START, CONFIG)
    assert {name for name, said in expected.items() if said[0] != "null"} == set(shown["traits"])
    assert {name for name, said in expected.items() if said[0] == "null"} == set(shown["removed"])
    assert log.outputs() == set()

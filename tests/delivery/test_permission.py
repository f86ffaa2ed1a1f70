"""Whether somebody may be told something: consent as of the moment of sending."""

from __future__ import annotations

from itertools import permutations
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.delivery.message import Person
from footfall.delivery.permission import Refusal, refusal
from footfall.events.interaction import Interaction
from footfall.tables import consent_facts
from footfall.tables.consent_reading import effective
from footfall.tables.consent_row import EVERY, GRANTED, ConsentFacts
from tests.tables.consents import ANNA, COOKIE, act, at, carried, facts

HOUR = 3_600_000
GPC = {"context": {"globalPrivacyControl": True}}
BOTH = {**ANNA, **COOKIE}


def asked(consent: ConsentFacts | None, purpose: str, medium: str = "email", now: int = at(HOUR),
          gpc_denies: tuple[str, ...] = (EVERY,)) -> Refusal:
    return refusal(Person(consent=consent), purpose, medium, now, gpc_denies)


#: Ads are granted in general and were withdrawn by mail; news are granted by mail alone, until an
#: hour has passed; profiling is denied; all was said of sms that can be.
SAID = facts(
    act(at(1), "a", purposes={"ads": True, "profiling": False}),
    act(at(2), "b", purposes={"ads": "withdrawn"}, channel="email"),
    act(at(3), "c", purposes={"news": True}, channel="email", expires_at=at(2 * HOUR)),
    act(at(4), "d", purposes={}, channel="sms"))
#: purpose: by medium.
MATRIX = {
    "necessary": {"email": "", "webhook": "", "sms": ""},
    "ads": {"email": "consent_withdrawn", "webhook": "", "sms": "consent_denied"},
    "news": {"email": "", "webhook": "consent_unknown", "sms": "consent_denied"},
    "profiling": {"email": "consent_denied", "webhook": "consent_denied", "sms": "consent_denied"},
    "never heard of": {"email": "consent_unknown", "webhook": "consent_unknown",
                       "sms": "consent_denied"},
}


@pytest.mark.parametrize("purpose", MATRIX)
@pytest.mark.parametrize("medium", ["email", "webhook", "sms"])
def test_purposes_and_media(purpose: str, medium: str) -> None:
    """A medium is a channel of consent; what holds in general holds where nothing was said of it.
    """
    assert MATRIX[purpose][medium] == asked(SAID, purpose, medium)


@pytest.mark.parametrize("purpose", ["ads", "", EVERY, "Necessary", "necessary "])
def test_who_is_not_known_has_not_consented(purpose: str) -> None:
    """Nobody, nobody's consent, nothing said: all but what is necessary is refused."""
    unknown = "consent_unknown"

    assert unknown == refusal(None, purpose, "email", at(0), (EVERY,))
    assert unknown == asked(None, purpose) == asked(ConsentFacts(), purpose)
    for person in (None, Person(), Person(consent=ConsentFacts())):
        assert "" == refusal(person, "necessary", "email", at(0), (EVERY,))


#: What happens between the trigger, when ads are granted, and sending; and what comes of it.
BETWEEN: list[tuple[list[Interaction], int, Refusal]] = [
    ([], at(HOUR), ""),
    ([act(at(5), "w", purposes={"ads": "withdrawn"})], at(HOUR), "consent_withdrawn"),
    ([act(at(5), "w", purposes={"ads": False})], at(HOUR), "consent_denied"),
    ([act(at(5), "w", event="Unsubscribed")], at(HOUR), "consent_withdrawn"),
    ([act(at(5), "w", event="Email Marked as Spam")], at(HOUR), "consent_withdrawn"),
    ([act(at(5), "w", event="Unsubscribed", channel="sms")], at(HOUR), ""),
    ([act(at(5), "w", purposes={"news": "withdrawn"})], at(HOUR), ""),
    ([carried(at(5), "w", allowed={"ads": False})], at(HOUR), "consent_denied"),
    # The last millisecond of a grant, and the first without.
    ([], at(2 * HOUR) - 1, ""), ([], at(2 * HOUR), "consent_expired"),
    ([act(at(5), "w", purposes={"ads": True})], at(2 * HOUR), ""),
    # Withdrawn and then granted anew; and a withdrawal that came late, of before the grant.
    ([act(at(5), "w", purposes={"ads": "withdrawn"}), act(at(6), "g", purposes={"ads": True})],
     at(HOUR), ""),
    ([act(at(0), "w", purposes={"ads": "withdrawn"})], at(HOUR), ""),
]


@pytest.mark.parametrize(("between", "now", "expected"), BETWEEN)
def test_between_trigger_and_sending(between: list[Interaction], now: int, expected: Refusal
                                     ) -> None:
    """Only what holds at the moment of sending counts."""
    granted = act(at(1), "g", purposes={"ads": True}, expires_at=at(2 * HOUR))
    assert "" == asked(facts(granted), "ads", now=at(2))

    assert expected == asked(facts(granted, *between), "ads", now=now)


@pytest.mark.parametrize(("cookie", "user", "expected"), [
    ({"ads": True}, {}, ""), ({}, {"ads": True}, ""),
    ({"ads": True}, {"ads": "withdrawn"}, "consent_withdrawn"),
    ({"ads": "withdrawn"}, {"ads": True}, ""),
    ({"ads": False}, {"news": True}, "consent_denied")])
def test_when_identifiers_are_joined(cookie: dict[str, Any], user: dict[str, Any],
                                     expected: Refusal) -> None:
    """The user's word holds over the cookie's, also an older one; in whichever order they join."""
    said = [facts(act(at(5), "c", COOKIE, purposes=cookie)) if cookie else ConsentFacts(),
            facts(act(at(3), "u", ANNA, purposes=user)) if user else ConsentFacts()]

    for first, second in permutations(said):
        assert expected == asked(consent_facts.merge(first, second), "ads")


@pytest.mark.parametrize(("gpc_denies", "expected"), [
    ((EVERY,), "consent_denied"), (("ads",), "consent_denied"), (("news",), ""), ((), "")])
def test_global_privacy_control(gpc_denies: tuple[str, ...], expected: Refusal) -> None:
    """Denies what the configuration says, and never what is necessary."""
    said = facts(act(at(1), "a", purposes={"ads": True}), carried(at(2), "b", **GPC["context"]))

    assert expected == asked(said, "ads", gpc_denies=gpc_denies)
    assert "" == asked(said, "necessary", gpc_denies=gpc_denies)


STATES = st.sampled_from([True, False, "withdrawn"])
ACTS = st.lists(st.tuples(
    st.integers(0, 5), st.sampled_from(["ads", "news"]), STATES,
    st.sampled_from([None, "email", "sms"]), st.sampled_from([ANNA, COOKIE, BOTH]),
    st.sampled_from([None, at(HOUR), at(3 * HOUR)])), max_size=6)


@given(ACTS, st.sampled_from(["ads", "news", "other"]), st.sampled_from(["email", "webhook"]))
def test_nothing_goes_without_a_grant_in_force(
        acts: list[tuple[Any, ...]], purpose: str, medium: str) -> None:
    """Of this purpose, by name; and each refusal has its code."""
    said = facts(*[
        act(at(when), f"m{n}", ids, purposes={name: state},
            **{"channel": channel} if channel else {}, **{"expires_at": ends} if ends else {})
        for n, (when, name, state, channel, ids, ends) in enumerate(acts)])
    found = asked(said, purpose, medium, at(2 * HOUR))

    assert found in get_args(Refusal)
    assert (found == "") == (GRANTED == effective(said, purpose, medium, at(2 * HOUR)).status)
    assert found or any(name == purpose and state is True and channel in (None, medium)
                        and (ends is None or ends > at(2 * HOUR))
                        for _when, name, state, channel, _ids, ends in acts)

"""What each signal decides, which consent is in force, and when a change of it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from footfall import Client, tables
from footfall.events.admit import admit
from footfall.events.arrival import Admitted, Arrival
from footfall.tables import consent, consent_facts, consent_reading, consent_signals
from footfall.tables.consent_choices import unpacked
from footfall.tables.consent_row import (
    DENIED,
    EXPIRED,
    GRANTED,
    STATUSES,
    UNKNOWN,
    WITHDRAWN,
    ConsentConfig,
    ConsentFacts,
    ConsentTold,
)
from tests.tables.consents import ANNA, COOKIE, act, at, carried, facts
from tests.tables.events import plain
from tests.tables.logs import ANNA as ANNA_KEY
from tests.tables.logs import KEYS, START, Appended, fold, tick, triggers

HOUR = 3_600_000
BOTH = {**ANNA, **COOKIE}


def status(found: ConsentFacts, purpose: str, channel: str = "", now: int = at(HOUR),
           gpc_denies: tuple[str, ...] = ("*",)) -> str:
    return STATUSES[consent_reading.effective(found, purpose, channel, now, gpc_denies).status]


# -- signals -------------------------------------------------------------------------------------

#: Segment's table "Reconcile consent object and integrations object conflicts", row by row:
#: consent object, integrations object, destination -> its categories (none: unmapped), destinations
#: that get it here. Where Segment sends more because nothing was said, its answer stands last. Two
#: of the eleven rows speak of two objects each, so there are thirteen.
AD, BOTH_MAPPED = {"facebook": "a", "google-ads": "a"}, {"facebook": "ab", "google-ads": "a",
                                                        "amplitude": "b"}
EACH_MAPPED = {"facebook": "a", "google-ads": "a", "amplitude": "b"}
FREE = {"facebook": "", "amplitude": ""}
MAPPED = {"facebook": "a", "amplitude": "b", "other": ""}
INTEGRATIONS = {"facebook": True, "amplitude": False}
SEGMENT = [
    (None, {}, MAPPED, {"other"}, {"facebook", "amplitude", "other"}),
    ({}, {}, MAPPED, {"other"}, {"facebook", "amplitude", "other"}),
    ({"categoryPreferences": {}}, {}, MAPPED, {"other"}, None),
    (None, INTEGRATIONS, MAPPED, {"other"}, {"facebook", "other"}),
    ({}, INTEGRATIONS, MAPPED, {"other"}, None),
    ({"categoryPreferences": {}}, INTEGRATIONS, MAPPED, {"other"}, None),
    ({"categoryPreferences": {"a": True, "b": False}}, {}, FREE, {"facebook", "amplitude"}, None),
    ({"categoryPreferences": {"a": True, "b": False}}, {}, EACH_MAPPED,
     {"facebook", "google-ads"}, None),
    ({"categoryPreferences": {"a": True, "b": False}}, INTEGRATIONS, EACH_MAPPED,
     {"facebook", "google-ads"}, None),
    ({"categoryPreferences": {"a": True, "b": False}}, {"facebook": False, "amplitude": False},
     EACH_MAPPED, {"google-ads"}, None),
    ({"categoryPreferences": {"a": True, "b": False}}, INTEGRATIONS, BOTH_MAPPED,
     {"google-ads"}, None),
    ({"categoryPreferences": {"a": True, "b": True}}, INTEGRATIONS, BOTH_MAPPED,
     {"facebook", "google-ads"}, None),
    ({"categoryPreferences": {"a": False, "b": True}}, INTEGRATIONS, BOTH_MAPPED, set(), None),
]


@pytest.mark.parametrize("has_gpc", [False, True])
@pytest.mark.parametrize(("said", "integrations", "mapped", "expected", "segments"), SEGMENT)
def test_the_truth_table_of_segment(
    said: Any, integrations: dict[str, bool], mapped: dict[str, str], expected: set[str],
    segments: set[str] | None, *, has_gpc: bool,
) -> None:
    """A destination gets an item where every category it is mapped to is granted. Segment sends
    what says nothing; here unknown is denied. Under Global Privacy Control only what is unmapped.
    """
    context = {} if said is None else {"consent": said}
    if has_gpc:
        context["globalPrivacyControl"] = True
    found = facts(carried(at(0), "m", **context))
    got = {name for name, categories in mapped.items()
           if integrations.get(name, True)
           and all(status(found, category) == "granted" for category in categories)}

    if has_gpc:
        expected = {name for name in expected if not mapped[name]}
    assert expected == got
    assert segments is None or expected < segments


CARRIED = [
    ({"consent": {"categoryPreferences": {"ads": True}}}, "granted", ()),
    ({"consent": {"categoryPreferences": {"ads": False}}}, "denied", ()),
    ({"consent": {"categoryPreferences": {}}}, "denied", ()),
    ({"consentManagement": {"allowedConsentIds": ["ads"]}}, "granted", ()),
    ({"consentManagement": {"allowedConsentIds": [], "deniedConsentIds": ["ads"]}}, "denied", ()),
    ({"consentManagement": {"allowedConsentIds": ["ads"], "deniedConsentIds": ["ads"]}},
     "denied", ()),
    ({"consentManagement": {"allowedConsentIds": []}}, "denied", ()),
    ({"consent": {"categoryPreferences": {"ads": True}},
      "consentManagement": {"allowedConsentIds": ["ads"]}}, "granted", ()),
    ({"consent": {"categoryPreferences": {"ads": True}},
      "consentManagement": {"allowedConsentIds": ["other"]}}, "denied", ()),
    ({"globalPrivacyControl": True}, "denied", ()),
    ({"globalPrivacyControl": False}, "unknown", ()),
    ({"consent": None}, "unknown", ()),
    # What cannot be read is no consent, and counted.
    ({"consent": {}}, "unknown", ("categoryPreferences",)),
    ({"consent": True}, "unknown", ("categoryPreferences",)),
    ({"consent": "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"}, "unknown",
     ("categoryPreferences",)),
    ({"consent": {"categoryPreferences": "C" * 10_000}}, "unknown", ("categoryPreferences",)),
    ({"consent": {"categoryPreferences": ["ads"]}}, "unknown", ("categoryPreferences",)),
    ({"consent": {"categoryPreferences": {"ads": "false"}}}, "unknown", ("categoryPreferences",)),
    ({"consent": {"categoryPreferences": {"ads": 1}}}, "unknown", ("categoryPreferences",)),
    ({"consent": {"categoryPreferences": {"": True}}}, "unknown", ("categoryPreferences",)),
    ({"consent": {"categoryPreferences": {"ads": True, "x": None}}}, "granted",
     ("categoryPreferences",)),
    ({"consentManagement": []}, "unknown", ("consentManagement",)),
    ({"consentManagement": {"allowedConsentIds": "ads"}}, "unknown", ("consentManagement",)),
    ({"consentManagement": {"allowedConsentIds": ["ads", 5]}}, "granted", ("consentManagement",)),
    ({"consent": {"categoryPreferences": {"ads": True}}, "consentManagement": 5}, "unknown",
     ("categoryPreferences",)),
    ({"globalPrivacyControl": "1"}, "unknown", ("globalPrivacyControl",)),
]


@pytest.mark.parametrize(("context", "expected", "unreadable"), CARRIED)
def test_what_an_item_carries(context: dict[str, Any], expected: str, unreadable: tuple[str, ...]
                              ) -> None:
    """Objects of Segment and RudderStack, Global Privacy Control, and what is none of these."""
    event = carried(at(0), "m", **context)
    assert consent_signals.wants(event)
    assert expected == status(facts(event), "ads")
    assert unreadable == consent_signals.unreadable(event)


def test_an_item_that_says_nothing_is_not_looked_at() -> None:
    """The usual case without consent: it costs no step."""
    assert not consent_signals.wants(plain(at(0), "m", {"userId": "u", "context": {"ip": "::1"}}))
    assert not consent_signals.wants(plain(at(0), "m", {"userId": "u"}))


ACTS = [
    ("Segment Consent Preference Updated",
     {"context": {"consent": {"categoryPreferences": {"ads": True}}}},
     ("granted", "granted"), ()),
    ("segment_consent_preference_updated",
     {"context": {"consent": {"categoryPreferences": {"ads": False}}}}, ("denied", "denied"), ()),
    ("Segment Consent Preference Updated", {"purposes": {"ads": True}}, ("granted", "granted"), ()),
    ("Segment Consent Preference Updated", {"purposes": {"ads": "withdrawn"}},
     ("withdrawn", "withdrawn"), ()),
    ("Segment Consent Preference Updated", {"purposes": {"ads": True}, "channel": "Email"},
     ("unknown", "granted"), ()),
    ("Segment Consent Preference Updated", {"purposes": {"ads": "denied"}, "channel": "email"},
     ("unknown", "denied"), ()),
    ("Segment Consent Preference Updated",
     {"channel": "email", "context": {"consent": {"categoryPreferences": {"ads": True}}}},
     ("unknown", "granted"), ()),
    ("Segment Consent Preference Updated", {"purposes": {"ads": True}, "expires_at": at(2 * HOUR)},
     ("granted", "granted"), ()),
    ("Segment Consent Preference Updated", {"purposes": {"ads": True}, "expires_at": at(HOUR)},
     ("expired", "expired"), ()),
    ("Segment Consent Preference Updated",
     {"purposes": {"ads": True}, "expires_at": "2033-01-01T00:00:00Z"}, ("granted", "granted"), ()),
    ("Segment Consent Preference Updated", {"purposes": {}}, ("denied", "denied"), ()),
    ("Segment Consent Preference Updated", {"purposes": {}, "channel": "email"},
     ("unknown", "denied"), ()),
    ("Segment Consent Preference Updated", {"purposes": False, "channel": "email"},
     ("unknown", "denied"), ()),
    ("Segment Consent Preference Updated", {"purposes": True}, ("unknown", "unknown"), True),
    ("Unsubscribed", {}, ("unknown", "withdrawn"), ()),
    ("Email Unsubscribed", {"purpose": "ads"}, ("unknown", "withdrawn"), ()),
    ("Unsubscribed", {"purpose": "other"}, ("unknown", "unknown"), ()),
    ("Unsubscribed", {"channel": "sms"}, ("unknown", "unknown"), ()),
    ("Email Marked as Spam", {}, ("unknown", "withdrawn"), ()),
    ("Subscribed", {"purpose": "ads"}, ("unknown", "granted"), ()),
    ("Subscribed", {"purpose": "ads", "channel": "sms"}, ("unknown", "unknown"), ()),
    ("Subscribed", {}, ("unknown", "unknown"), ()),
    ("Subscribed", {"channel": "email"}, ("unknown", "unknown"), ()),
    ("Email Bounced", {}, ("unknown", "unknown"), ()),
    # A grant in what cannot be read is none; a refusal is one, on every channel if need be.
    ("Segment Consent Preference Updated", {}, ("unknown", "unknown"), True),
    ("Segment Consent Preference Updated", {"purposes": ["ads"]}, ("unknown", "unknown"), True),
    ("Segment Consent Preference Updated", {"purposes": {"ads": "yes"}}, ("unknown", "unknown"),
     True),
    ("Segment Consent Preference Updated", {"purposes": {"ads": True}, "channel": 5},
     ("unknown", "unknown"), True),
    ("Segment Consent Preference Updated", {"purposes": {"ads": False}, "channel": 5},
     ("denied", "denied"), True),
    ("Segment Consent Preference Updated", {"purposes": {"ads": True}, "expires_at": "soon"},
     ("unknown", "unknown"), True),
    ("Segment Consent Preference Updated", {"purposes": {"ads": False}, "expires_at": "soon"},
     ("denied", "denied"), True),
    ("Segment Consent Preference Updated", {"purposes": {"ads": True}, "expires_at": 0},
     ("unknown", "unknown"), True),
    ("Unsubscribed", {"channel": ["email"]}, ("withdrawn", "withdrawn"), True),
    ("Unsubscribed", {"purpose": 5}, ("unknown", "withdrawn"), True),
    ("Subscribed", {"purpose": 5}, ("unknown", "unknown"), True),
    ("Subscribed", {"purpose": "ads", "channel": 5}, ("unknown", "unknown"), True),
]


@pytest.mark.parametrize(("name", "said", "expected", "unreadable"), ACTS)
def test_what_an_act_decides(name: str, said: dict[str, Any], expected: tuple[str, str],
                             unreadable: Any) -> None:
    """In general, and on the channel email."""
    event = act(at(0), "m", event=name, **said)
    found = facts(event) if consent_signals.wants(event) else ConsentFacts()
    assert expected == (status(found, "ads"), status(found, "ads", "email"))
    assert bool(unreadable) == bool(consent_signals.unreadable(event))


def test_a_page_of_an_acts_name_is_none() -> None:
    event = act(at(0), "m", event="Unsubscribed")
    event["type"] = "page"
    event["personal"] = b"{}"
    assert not consent_signals.wants(event)


def test_an_act_with_purposes_of_its_own_leaves_what_the_item_carries() -> None:
    """The object in its context is what the page remembers, for every channel."""
    found = facts(act(at(0), "m", purposes={"ads": True}, channel="sms",
                      context={"consent": {"categoryPreferences": {"ads": False, "b": True}}}))
    assert ("denied", "denied", "granted") == (
        status(found, "ads"), status(found, "ads", "sms"), status(found, "b"))


def test_an_identifier_that_stands_for_nobody_decides_nothing() -> None:
    assert ConsentFacts() == facts(carried(at(0), "m", {"userId": "null"}, allowed={"ads": True}))


def test_the_proof_of_a_decision_is_kept() -> None:
    """Message, time, source, wording."""
    found = facts(act(at(5), "m7", purposes={"ads": True}, wording_version="2026-05"))
    shown = consent.TABLE.view and consent.TABLE.view(found, ConsentTold(), at(9), ConsentConfig())
    assert shown is not None
    proof = {"signal": "Segment Consent Preference Updated", "source": "test", "message_id": "m7",
             "decided_at": "2023-11-14T22:13:20.005Z", "wording_version": "2026-05",
             "expires_at": None, "identifier": "user_id", "value": "anna", "purpose": "ads",
             "channel": "", "status": "granted"}
    assert [proof] == shown["effective"] == shown["decisions"]


@pytest.mark.parametrize(("given", "expected"), [
    ({"purposes": {"ads": True}}, ("granted", "granted")),
    ({"purposes": {"ads": "withdrawn"}}, ("withdrawn", "withdrawn")),
    ({"purposes": {"ads": True}, "channel": "email"}, ("unknown", "granted")),
    ({"purposes": {"ads": True}, "expires_at": at(HOUR)}, ("expired", "expired")),
    ({"purposes": {}}, ("denied", "denied")),
])
def test_what_the_python_sdk_sends_is_read(given: dict[str, Any], expected: tuple[str, str]
                                           ) -> None:
    """From the call to the row, through the collector's own reading."""
    with Client(test_mode=True) as client:
        item = client.consent("anna", timestamp=at(0), wording_version=7, **given).message
    admitted = admit(json.dumps(item).encode(), 0, Arrival("web", at(0), "0" * 32), KEYS)
    assert isinstance(admitted, Admitted)
    found = facts(admitted.event)
    assert expected == (status(found, "ads"), status(found, "ads", "email"))
    assert ("web", "7") == found.subjects[0].statements[0][3:5]


# -- which one is in force -----------------------------------------------------------------------


def test_the_last_decision_counts_whatever_the_order() -> None:
    granted, denied = (carried(at(n), f"m{n}", allowed={"ads": n == 2}) for n in (2, 1))
    assert "granted" == status(facts(granted, denied), "ads") == status(
        facts(denied, granted), "ads")


def test_of_one_time_the_stricter_counts() -> None:
    first, second = carried(at(1), "z", allowed={"ads": True}), carried(
        at(1), "a", allowed={"ads": False})
    assert "denied" == status(facts(first, second), "ads") == status(facts(second, first), "ads")


@pytest.mark.parametrize("ends", [{}, {"expires_at": at(2 * HOUR)}])
def test_of_one_time_and_status_the_greater_message_is_the_proof(ends: dict[str, Any]) -> None:
    """In whichever order they come, also where one object is said twice."""
    said = [act(at(1), m, purposes={"ads": True}, **ends) for m in ("a", "b")]
    said += [carried(at(1), m, allowed={"ads": True}) for m in ("c", "d")]
    found = facts(*said)
    assert ["d", "b"] == sorted((s.message_id for s in found.subjects[0].statements), reverse=True)
    assert found == facts(*reversed(said))


def test_what_is_carried_never_gives_back_what_an_act_took() -> None:
    """A page that still remembers the grant sends it for days after the withdrawal."""
    found = facts(carried(at(1), "a", allowed={"ads": True}),
                  act(at(2), "b", purposes={"ads": "withdrawn"}),
                  carried(at(3), "c", allowed={"ads": True}))
    assert "withdrawn" == status(found, "ads")
    found = consent_facts.observe(found, act(at(4), "d", purposes={"ads": True}), at(4))
    assert "granted" == status(found, "ads")


def test_what_is_carried_takes_what_an_act_granted_before() -> None:
    found = facts(act(at(1), "a", purposes={"ads": True}),
                  carried(at(2), "b", allowed={"ads": False}))
    assert "denied" == status(found, "ads")
    found = consent_facts.observe(found, carried(at(3), "c", allowed={"ads": True}), at(3))
    assert "granted" == status(found, "ads")


def test_the_highest_identifier_that_has_one_decides() -> None:
    found = facts(carried(at(9), "a", COOKIE, allowed={"ads": False, "b": True}),
                  carried(at(1), "b", BOTH, allowed={"ads": True}))
    assert ("granted", "granted") == (status(found, "ads"), status(found, "b"))


def test_when_identities_join_does_not_matter() -> None:
    """Counterexample 17: a cookie's grant of t5, a user's refusal of t3, joined before or after."""
    cookie, user = carried(at(5), "a", COOKIE, allowed={"ads": True}), carried(
        at(3), "b", ANNA, allowed={"ads": False})
    joined = consent_facts.merge(ConsentFacts(), facts(user))
    before = consent_facts.observe(joined, cookie, at(5))
    after = consent_facts.merge(facts(cookie), facts(user))
    assert before == after
    assert "denied" == status(after, "ads")


def test_of_identifiers_of_one_rank_the_strictest_counts() -> None:
    found = facts(carried(at(1), "a", {"anonymousId": "a1"}, allowed={"ads": False}),
                  carried(at(9), "b", {"anonymousId": "a2"}, allowed={"ads": True}))
    assert "denied" == status(found, "ads")


def test_unsubscribing_outlives_the_grant_that_pages_carry() -> None:
    """For mail; other channels keep what was granted in general."""
    found = facts(carried(at(1), "a", allowed={"ads": True}), act(at(2), "b", event="Unsubscribed"),
                  carried(at(3), "c", allowed={"ads": True}))
    assert ("granted", "withdrawn", "granted") == (
        status(found, "ads"), status(found, "ads", "email"), status(found, "ads", "sms"))
    again = consent_facts.observe(
        found, act(at(4), "d", event="Subscribed", channel="email"), at(4))
    assert "granted" == status(again, "ads", "email")


def test_subscribing_to_one_purpose_leaves_the_others_withdrawn() -> None:
    found = facts(carried(at(1), "a", allowed={"ads": True, "news": True}),
                  act(at(2), "b", event="Unsubscribed"),
                  act(at(3), "c", event="Subscribed", purpose="news"))
    assert ("withdrawn", "granted") == (
        status(found, "ads", "email"), status(found, "news", "email"))


def test_a_later_refusal_of_all_channels_takes_a_channels_grant() -> None:
    found = facts(act(at(1), "a", purposes={"ads": True}, channel="sms"),
                  act(at(2), "b", purposes={"ads": False}))
    assert "denied" == status(found, "ads", "sms")
    found = consent_facts.observe(
        found, act(at(3), "c", purposes={"ads": True}, channel="sms"), at(3))
    assert ("granted", "denied") == (status(found, "ads", "sms"), status(found, "ads"))


def test_necessary_is_refused_by_nothing_that_refuses_everything() -> None:
    found = facts(carried(at(1), "a", allowed={"necessary": True}),
                  carried(at(2), "b", allowed={}, globalPrivacyControl=True))
    assert ("granted", "denied") == (status(found, "necessary"), status(found, "ads"))


def test_global_privacy_control_denies_the_purposes_configured() -> None:
    """A later act outweighs it, what pages carry does not."""
    found = facts(carried(at(1), "a", allowed={"ads": True, "sale": True}),
                  carried(at(2), "b", globalPrivacyControl=True),
                  carried(at(3), "c", allowed={"ads": True, "sale": True}))
    assert ("denied", "denied") == (status(found, "ads"), status(found, "sale"))
    assert ("granted", "denied") == (status(found, "ads", gpc_denies=("sale",)),
                                     status(found, "sale", gpc_denies=("sale",)))
    found = consent_facts.observe(found, act(at(4), "d", purposes={"sale": True}), at(4))
    assert ("denied", "granted") == (status(found, "ads"), status(found, "sale"))


def test_a_grant_ends_at_its_time() -> None:
    found = facts(act(at(0), "a", purposes={"ads": True}, expires_at=at(10)))
    assert ("granted", "expired") == (
        status(found, "ads", now=at(9)), status(found, "ads", now=at(10)))
    assert not consent_reading.effective(found, "ads", "", at(10)).is_granted


def test_statuses_are_in_their_order() -> None:
    """The stricter the greater: stored for good."""
    assert list(range(5)) == [GRANTED, EXPIRED, UNKNOWN, DENIED, WITHDRAWN]


# -- what is told --------------------------------------------------------------------------------


def told(log: list[Appended]) -> list[tuple[str, str, str, str]]:
    return [(t["data"]["purpose"], t["data"]["channel"], t["data"]["from"], t["data"]["to"])
            for t in triggers(fold(log, tables.ALL)) if t["name"] == "consent_changed"]


def appended(*happened: Any) -> list[Appended]:
    return [Appended(event["event_time"], ANNA_KEY, event) for event in happened]


def test_a_change_is_told_and_a_repetition_is_not() -> None:
    log = appended(*(carried(at(n), f"m{n}", allowed={"ads": n < 3, "b": True}) for n in range(6)))
    assert [("ads", "", "unknown", "granted"), ("b", "", "unknown", "granted"),
            ("ads", "", "granted", "denied")] == told(log)


def test_each_change_is_a_cause_of_its_own() -> None:
    """Forth, back and forth again: three triggers, not two."""
    log = appended(*(carried(at(n), f"m{n}", allowed={"ads": n % 2 == 0}) for n in range(3)))
    ids = {t["trigger_id"] for t in triggers(fold(log, tables.ALL))
           if t["name"] == "consent_changed"}
    assert 3 == len(ids)


def test_unsubscribing_is_told_for_every_purpose() -> None:
    log = appended(act(at(0), "a", event="Unsubscribed"),
                   act(at(1), "b", event="Subscribed", channel="email"))
    assert [("", "email", "unknown", "withdrawn"), ("", "email", "withdrawn", "unknown")
            ] == told(log)


def test_global_privacy_control_is_told_once() -> None:
    log = appended(*(carried(at(n), f"m{n}", globalPrivacyControl=True) for n in range(3)))
    assert [("", "", "unknown", "denied")] == told(log)


def test_expiry_is_told_by_time_without_any_event() -> None:
    """At its instant, once, with the proof of the grant that ended."""
    log = appended(act(at(0), "m1", purposes={"ads": True}, expires_at=at(60_000)))
    assert 1 == len(told([*log, tick(at(59_999))]))
    log += [tick(at(60_400)), tick(at(60_600)), tick(at(120_000))]
    last = [t for t in triggers(fold(log, tables.ALL)) if t["name"] == "consent_changed"][-1]
    assert 2 == len(told(log))
    assert {"purpose": "ads", "channel": "", "from": "granted", "to": "expired",
            "changed_at": "2023-11-14T22:14:20.000Z", "expires_at": "2023-11-14T22:14:20.000Z"
            } == last["data"]
    assert ("time", "m1", at(60_000)) == (
        last["evidence"]["because"], last["evidence"]["message_id"], last["occurred_at"])


def test_a_grant_that_was_renewed_in_time_does_not_end() -> None:
    log = appended(act(at(0), "a", purposes={"ads": True}, expires_at=at(60_000)),
                   act(at(30_000), "b", purposes={"ads": True}, expires_at=at(90_000)))
    assert 1 == len(told([*log, tick(at(80_000)), tick(at(81_000))]))
    assert 2 == len(told([*log, tick(at(95_000)), tick(at(96_000))]))


def test_a_grant_that_is_over_when_it_comes_is_told_by_time_alone() -> None:
    """Law 4: what is revealed late has to settle."""
    late = act(START, "a", purposes={"ads": True}, expires_at=START + 1_000)
    log = [Appended(START + 60_000, ANNA_KEY, late)]
    assert [] == told(log)
    assert [("ads", "", "unknown", "expired")] == told([*log, tick(START + 69_000),
                                                        tick(START + 71_000)])


def test_a_merge_tells_what_it_changes() -> None:
    """A cookie's grant was told; the user whom it turns out to be had refused."""
    config = ConsentConfig()
    cookie = facts(carried(at(1), "a", COOKIE, allowed={"ads": True}))
    user = facts(carried(at(0), "b", allowed={"ads": False}))
    one = consent.announce(ConsentTold(), cookie, at(1), config, None)
    other = consent.announce(ConsentTold(), user, at(1), config, None)
    both = consent.announce(consent.merge_told(one.told, other.told),
                            consent_facts.merge(cookie, user), at(2), config, None)
    assert [] == [t.data["to"] for t in both.triggers]  # the stricter counts as told
    assert ["denied"] == [STATUSES[c.status] for c in unpacked(both.told.known)]
    alone = consent.announce(one.told, consent_facts.merge(cookie, user), at(2), config, None)
    assert [("granted", "denied")] == [(t.data["from"], t.data["to"]) for t in alone.triggers]

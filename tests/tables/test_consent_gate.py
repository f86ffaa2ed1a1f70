"""What is collected without its purpose is kept out of the rows, counted, and the same again."""

from __future__ import annotations

from typing import Any

import pytest

from footfall import tables
from footfall.errors import ConfigError
from footfall.events.identifiers import identifiers
from footfall.events.interaction import Interaction
from footfall.tables import consent_gate
from footfall.tables.config import Config
from tests.tables import events
from tests.tables.consents import ANNA as IDS
from tests.tables.consents import act, carried
from tests.tables.log import Log
from tests.tables.logs import ANNA, START

ITEM: dict[str, Any] = {
    **IDS, "anonymousId": "cookie", "context": {"ip": "192.0.2.1", "device": {"id": "d1"}},
    "properties": {"card_fingerprint": "f", "coupon": "X", "channel": "pos", "renewal": True}}


def log(gate: dict[str, str], *happened: Interaction, **config: Any) -> Log:
    made = Log(tables.ALL)
    made.config(START, 1, consent={"gate": gate, **config})
    for event in happened:
        made.append(ANNA, event, event["event_time"])
    return made.run()


def paid(at: int, message_id: str, **consent: Any) -> Interaction:
    """An order by card, of an item with everything in it."""
    event = events.ordered(START + at, message_id, order_id=message_id, total="5")
    context = {**ITEM["context"], **({"consent": {"categoryPreferences": consent}}
                                     if consent else {})}
    event["event"] = "Order Completed"
    event["personal"] = events.plain(0, "", {**ITEM, "context": context})["personal"]
    return event


def cards(found: Log) -> int:
    facts = found.facts(ANNA, "risk")
    return 0 if facts is None else len(facts.cards)


def test_nothing_is_gated_by_default() -> None:
    """No gate is made: it costs nothing."""
    assert consent_gate.gate_of(log({}).fold_of(ANNA)._steps) is None
    assert cards(log({}, paid(1, "a")))


def test_a_table_does_not_see_what_its_purpose_does_not_allow() -> None:
    """Neither unknown nor refused; from the grant on it does."""
    found = log({"risk": "fraud"}, paid(1, "a"), paid(2, "b", fraud=False))
    assert found.facts(ANNA, "risk") is None
    assert 2 == found.count("gated", "risk")
    assert found.facts(ANNA, "orders") is not None
    found = log({"risk": "fraud"}, paid(1, "a"), paid(2, "b", fraud=True), paid(3, "c"))
    assert (2,) == found.facts(ANNA, "risk").counts
    assert 1 == found.count("gated", "risk")


def test_what_a_table_would_not_look_at_is_not_counted() -> None:
    assert 0 == log({"cart": "x"}, events.plain(START, "a", IDS)).count("gated", "cart")


def test_a_table_that_no_purpose_is_named_for_sees_everything() -> None:
    found = log({"risk": "necessary"}, paid(1, "a"))
    assert (0, True) == (found.count("gated", "risk"), bool(cards(found)))


def test_personal_leaves_the_envelope() -> None:
    """Orders and counts stay; channel, card, device and network are not known; but identity, which
    sees all, keeps the device as an identifier.
    """
    found = log({"personal": "analytics"}, paid(1, "a"))
    risk, orders = found.facts(ANNA, "risk"), found.facts(ANNA, "orders").orders
    assert (b"", b"", b"", b"", 1) == (
        risk.cards, risk.coupons, risk.devices, risk.networks, len(orders))
    record = found.records()[ANNA]
    assert (1, 0) == (record.count(b"d1"), record.count(b"pos"))
    assert 1 == found.count("gated", "personal")
    assert {"user_id": "anna", "anonymous_id": "cookie", "device": "d1"} == {
        n.kind: n.value for n in found.facts(ANNA, "identity").named}


def test_whom_an_event_names_is_forgotten_with_the_rest() -> None:
    """Also where somebody who sees all has asked before."""
    steps = log({"personal": "analytics"}).fold_of(ANNA)._steps
    gate = consent_gate.gate_of(steps)
    assert gate is not None
    event = paid(1, "a")
    assert "user_id" in identifiers(event)
    _steps, cut, _kept_out = gate.passed(event, steps, {}, START, START)
    assert ({}, True) == (identifiers(cut), "user_id" in identifiers(event))


def test_personal_comes_back_with_consent() -> None:
    found = log({"personal": "analytics"}, paid(1, "a"), paid(2, "b", analytics=True))
    assert b"d1" in found.records()[ANNA]
    assert 1 == found.count("gated", "personal")


def test_sensitive_leaves_everything_else() -> None:
    found = log({"sensitive": "profiling"}, paid(1, "a"))
    risk = found.facts(ANNA, "risk")
    assert (b"", b"") == (risk.cards, risk.networks)
    assert risk.devices and risk.coupons
    assert 1 == found.count("gated", "sensitive")


def test_an_event_without_anything_sensitive_is_not_counted() -> None:
    assert 0 == log({"sensitive": "profiling"},
                    events.plain(START, "a", IDS)).count("gated", "sensitive")


@pytest.mark.parametrize("name", ["card_fingerprint", "payment_fingerprint", "card"])
def test_every_spelling_of_a_sensitive_field_is_cut(name: str) -> None:
    """JSON may write a letter as a number."""
    event = paid(1, "a")
    escaped = f"\\u{ord(name[0]):04x}{name[1:]}"
    value = '{"fingerprint":"f"}' if name == "card" else '"f"'
    event["personal"] = b'{"userId":"anna","properties":{"%s":%s}}' % (
        escaped.encode(), value.encode())
    assert cards(log({}, event))
    assert not cards(log({"sensitive": "profiling"}, event))


def test_the_event_itself_must_cover_the_purpose() -> None:
    """A user who has granted uses a browser whose banner was refused."""
    granted = act(START, "a", purposes={"fraud": True})
    assert cards(log({"risk": "fraud"}, granted, paid(1, "b")))
    assert not cards(log({"risk": "fraud"}, granted, paid(1, "b", other=True)))
    assert not cards(log({"risk": "fraud"}, granted, paid(1, "b", fraud="yes")))


def test_global_privacy_control_closes_what_it_denies() -> None:
    granted = act(START, "a", purposes={"fraud": True})
    controlled = carried(START + 1, "b", globalPrivacyControl=True)
    assert 1 == log({"risk": "fraud"}, granted, controlled).count("gated", "risk")
    assert 0 == log({"risk": "fraud"}, granted, controlled,
                    gpc_denies=["sale"]).count("gated", "risk")


def test_an_expired_grant_closes_without_any_event() -> None:
    found = log({"risk": "fraud"},
                act(START, "a", purposes={"fraud": True}, expires_at=START + 10),
                paid(9, "b"), paid(10, "c"))
    assert 1 == found.count("gated", "risk")


def test_a_repetition_is_not_counted_again() -> None:
    assert 1 == log({"risk": "fraud"}, paid(1, "a"), paid(1, "a")).count("gated", "risk")


def test_what_cannot_be_read_is_counted() -> None:
    found = log({}, carried(START, "a", allowed={"ads": "false"}),
                carried(START, "b", globalPrivacyControl=5),
                act(START, "c", event="Unsubscribed", channel=5))
    assert [1, 1, 1] == [found.count("unreadable", signal) for signal in (
        "categoryPreferences", "globalPrivacyControl", "Unsubscribed")]


def test_one_log_gives_the_same_rows_again() -> None:
    """Law 4, with kill and recovery on the way, though what is kept out depends on the place."""
    happened = [paid(1, "a"), paid(2, "b", analytics=True), paid(3, "c"),
                act(START + 4, "d", event="Unsubscribed"), paid(5, "e", analytics=False),
                act(START + 6, "f", purposes={"analytics": True}, expires_at=START + 8),
                paid(7, "g"), paid(8, "h")]
    gate = {"personal": "analytics", "cart": "analytics", "sensitive": "x"}
    found = log(gate, *happened)
    again = found.fold_again()
    assert found.records() == again.records()
    assert found.outputs() == again.outputs()
    crashing = Log(tables.ALL, entries=found.entries)
    worker = crashing.workers[0]
    for n in range(len(found.entries[0]) * 2):
        worker.step()
        if n % 2:
            worker.checkpoint()
            worker.crash()
    crashing.run()
    assert found.records() == crashing.records()


@pytest.mark.parametrize("name", ["consent", "identity", "clock", "carts", "Personal"])
def test_a_gate_on_something_else_is_refused(name: str) -> None:
    """A mistake here would keep nothing out, silently."""
    document = b'{"consent":{"gate":{"%s":"x"}}}' % name.encode()
    with pytest.raises(ConfigError, match=rf"gate\.{name}: is no table .*; known: cart, "):
        Config(tables.ALL, 1, document)


@pytest.mark.parametrize(("document", "told"), [
    (b'{"consent":{"gate":{"risk":""}}}', "risk"),
    (b'{"consent":{"gate":{"risk":"%s"}}}' % (b"x" * 65), "risk"),
    (b'{"consent":{"gpc_denies":[""]}}', "gpc_denies"),
    (b'{"consent":{"gpc_denies":"ads"}}', "gpc_denies"),
])
def test_a_purpose_has_a_name(document: bytes, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Config(tables.ALL, 1, document)
    assert Config(tables.ALL, 1, b'{"consent":{"gpc_denies":[],"gate":{"risk":"%s"}}}' % (
        b"x" * 64))

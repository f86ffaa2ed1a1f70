"""A record of a topic as people and programs read it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.events.codec import Codecs
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ConfigPayload, DeliveryPayload, Handoff, ImportPayload
from footfall.query.lines import text_of
from footfall.query.rendering import Source, line, renderer
from footfall.view.trigger import moment
from tests.events.records import AT, a_rejected, a_trigger, an_interaction

CODECS = Codecs()
KINDS = ("triggers", "interactions", "rejected")
KEY = b"user_id:AAAAAAAAAAAAAAAAAAAAAA"


def shown(kind: str, value: bytes | None, key: bytes | None = KEY) -> dict[str, Any]:
    """As `tail --json` prints it, read back."""
    printed = line(renderer(kind, CODECS)(Source(2, 7, AT, key, value)))
    assert b"\n" not in printed
    document: dict[str, Any] = json.loads(printed)
    return document


def test_trigger_has_the_fields_that_receivers_rely_on() -> None:
    """design.md, section 6, and nothing else."""
    assert {
        "trigger_id": "0" * 32, "name": "cart_abandoned",
        "customer_key": "user_id:AAAAAAAAAAAAAAAAAAAAAA", "ids": {"user_id": "u1"},
        "occurred_at": "2026-09-21T14:13:20.123Z", "emitted_at": "2026-09-21T14:13:20.124Z",
        "config_version": "1:abcd", "held_out": False, "data": {"value": "12.50"},
        "evidence": {"deadline": 1},
    } == shown("triggers", CODECS.trigger.encode(a_trigger()))


@pytest.mark.parametrize("changed", [
    {"key_id": "k1", "personal": b"\x00\x01"}, {"personal": b""}, {"personal": b"{}"}])
def test_trigger_without_readable_ids_has_none(changed: dict[str, Any]) -> None:
    """Encrypted or unknown: the trigger is shown all the same."""
    assert {} == shown("triggers", CODECS.trigger.encode(a_trigger(**changed)))["ids"]


def test_interaction_shows_what_was_sent_exactly() -> None:
    """Envelope, amounts as text, big numbers and decimals as they were."""
    value = CODECS.interaction.encode(an_interaction())
    document = shown("interactions", value)
    printed = line(renderer("interactions", CODECS)(Source(2, 7, AT, KEY, value)))
    assert b'{"n":12345678901234567890123,"x":1.10}' in printed
    assert ("track", "Product Added", "m-1", "web") == tuple(
        document[name] for name in ("type", "event", "message_id", "channel"))
    assert ("12.5", None) == (document["commerce"]["revenue"], document["commerce"]["total"])
    assert ("12.5", "1") == tuple(
        document["commerce"]["lines"][0][name] for name in ("price", "quantity"))
    assert (2, 7, KEY.decode()) == tuple(
        document[name] for name in ("partition", "offset", "customer_key"))
    assert "u1" == document["personal"]["userId"]


def test_encrypted_personal_is_not_shown() -> None:
    """Its key is."""
    document = shown("interactions", CODECS.interaction.encode(
        an_interaction(key_id="k1", personal=b"\xff\x00")))
    assert ("k1", None) == (document["key_id"], document["personal"])


@pytest.mark.parametrize("event", [
    Reserved(b"x" * 16).config(ConfigPayload(3, b'{"secret":1}'), AT),
    Reserved(b"x" * 16).handoff(KEY, Handoff(KEY, 1, 2, 3, AT), b"secret rows"),
    Reserved(b"x" * 16).tick(AT)])
def test_reserved_records_show_their_type_alone(event: Any) -> None:
    """No payload, no MAC, no rows."""
    document = shown("interactions", CODECS.interaction.encode(event))
    assert {"partition", "offset", "appended_at", "customer_key", "type", "event_time"} == set(
        document)
    assert event["type"] == document["type"]


def test_what_became_of_a_delivery_shows_its_name_and_place() -> None:
    """As its envelope says, whoever wrote it."""
    payload = DeliveryPayload("dead", "crm", "webhook", "webhook", "ads", "cart_abandoned", "t1")
    event = Reserved(b"x" * 16).delivery(KEY, payload, AT)
    document = shown("interactions", CODECS.interaction.encode(event))
    assert ("$delivery", "delivery_dead", "crm", "webhook") == tuple(
        document[name] for name in ("type", "event", "source", "channel"))
    assert not {"personal", "system"} & set(document)


def test_an_import_shows_the_interaction_that_it_brings() -> None:
    """All of it but what proves who wrote it."""
    row = ImportPayload("run", b"sixteen bytes of")
    event = Reserved(b"x" * 16).imported(KEY, an_interaction(), row, AT)
    document = shown("interactions", CODECS.interaction.encode(event))
    live = shown("interactions", CODECS.interaction.encode(an_interaction()))
    assert "$import" == document["type"]
    assert "system" not in document
    assert all(document[name] == value for name, value in live.items()
               if name not in ("type", "received_at"))


def test_rejected_shows_the_original_bytes() -> None:
    """As text where they are text, else in base64."""
    assert "{broken" == shown("rejected", CODECS.rejected.encode(a_rejected()))["original"]
    document = shown("rejected", CODECS.rejected.encode(a_rejected(personal=b"\xff")))
    assert ("/w==", False) == (document["original_base64"], "original" in document)


@pytest.mark.parametrize("sent", [b"", b"[]", b"{", b'{"a":"\xff"}', b"[" * 100_000, b"{} x"])
def test_personal_that_is_no_object_is_poison(sent: bytes) -> None:
    """A record that a worker cannot read is not shown as if it could."""
    document = shown("interactions", CODECS.interaction.encode(an_interaction(personal=sent)))
    assert "personal_invalid" == document["poison"]


def test_a_line_stays_one_line() -> None:
    """JSON with line breaks between its tokens, as another producer may write it."""
    sent = b'{\r\n "userId":\n "a\\nb"\n}'
    document = shown("interactions", CODECS.interaction.encode(an_interaction(personal=sent)))
    assert {"userId": "a\nb"} == document["personal"]


def test_foreign_key_is_not_shown() -> None:
    """It may hold anything, an address too."""
    value = CODECS.interaction.encode(an_interaction())
    assert shown("interactions", value, b"someone@example.com")["customer_key"] is None


@pytest.mark.parametrize("kind", KINDS)
@given(value=st.none() | st.binary(max_size=200) | st.binary().map(lambda b: b"\0\0\0\0\x10" + b),
       key=st.none() | st.binary(max_size=40))
def test_anything_can_be_shown(kind: str, value: bytes | None, key: bytes | None) -> None:
    """Poison is shown as such, to programs and to people."""
    document = renderer(kind, CODECS)(Source(0, 0, -1, key, value))
    assert "\n" not in text_of(document).plain
    assert isinstance(json.loads(line(document)), dict)


@pytest.mark.parametrize("at", [-1, 253_402_300_800_000, 2**63 - 1])
def test_time_out_of_range_is_poison(at: int) -> None:
    """No calendar has it."""
    assert "time_out_of_range" == shown(
        "triggers", CODECS.trigger.encode(a_trigger(occurred_at=at)))["poison"]


@pytest.mark.parametrize(("at", "text"), [
    (0, "1970-01-01T00:00:00.000Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z")])
def test_moment(at: int, text: str) -> None:
    """First and last."""
    assert text == moment(at)


def test_people_see_no_terminal_orders() -> None:
    """Text comes from anywhere."""
    event = an_interaction(event="\x1b[2J\x07Bad\u202e")
    document = renderer("interactions", CODECS)(
        Source(0, 0, AT, KEY, CODECS.interaction.encode(event)))
    assert not [c for c in text_of(document).plain if not c.isprintable()]
    assert "\\x1b[2J" in text_of(document).plain


def test_people_see_name_customer_and_values() -> None:
    """The line of a trigger."""
    data = b'{"value":{"EUR":"12.5"},"lines":[{},{}],"late":false,"cart_id":""}'
    document = renderer("triggers", CODECS)(
        Source(0, 0, AT, KEY, CODECS.trigger.encode(a_trigger(data=data))))
    assert ("2026-09-21T14:13:20.124Z  cart_abandoned  user_id=u1  value=EUR:12.5  lines=2"
            "  00000000") == text_of(document).plain


VIOLATED = (b'{"properties":{"eventName":"Viewed","violationField":"properties.price",'
            b'"violationType":"type","violationAction":"omitted","count":3}}')


@pytest.mark.parametrize(("personal", "words"), [
    (VIOLATED, "web  3 x properties.price type, omitted  partition"),
    (b"{}", "web  partition"), (b'{"properties":7}', "web  partition"), (b"7", "poison")])
def test_people_see_what_was_violated(personal: bytes, words: str) -> None:
    """By which source and how often; a violation has no customer."""
    event = an_interaction(type="violation", event="Viewed", commerce=None, personal=personal)
    document = renderer("interactions", CODECS)(
        Source(0, 0, AT, b"$violation", CODECS.interaction.encode(event)))
    assert words in text_of(document).plain

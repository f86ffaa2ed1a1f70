"""Links by which customers unsubscribe: blind, authentic, bounded, and what a click becomes."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.identifiers import identifiers
from footfall.events.unsubscribe import TOKEN_CHARS_MAX, Ask, Links, highest, interaction
from footfall.testing import Harness
from footfall.testing.harness import installation

KEYS = CustomerKeys(b"a secret of sixteen bytes or more")
LINKS = Links(KEYS)
NOW = 1_795_428_000_000
ASK = Ask("email", "anna@shop.example", "marketing", "email", NOW)


def test_vector() -> None:
    """Written down once: mails that are out must stay readable."""
    token = ("i68oBNRvsK5118sa5LBKPocvRBDE8ofhqTTJ6bV1D1_6LsZZIIFLMXF8_A84c2IKPWxvFd4iHnoRdrz3eBu"
             "JnvTG")

    assert token == LINKS.token(ASK)
    assert ASK == LINKS.read(token)


def test_a_token_tells_nothing() -> None:
    """Neither as it is nor decoded; it is of one installation alone."""
    token = LINKS.token(ASK)
    sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))

    for part in (b"anna", b"shop", b"marketing", b"email"):
        assert part not in sealed
        assert part not in token.encode()
    assert Links(CustomerKeys(b"another secret of that length")).read(token) is None


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    """Any other character at any place, a cut, an addition, another spelling of the same bytes."""
    token = LINKS.token(ASK)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \nü"))
    changed = [token[:at], token[:at] + other + token[at:], token + "=", token + "\n"]
    if other != token[at]:
        changed.append(token[:at] + other + token[at + 1:])

    for one in changed:
        assert LINKS.read(one) is None


@given(st.text(max_size=900) | st.binary(max_size=700).map(
    lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()))
def test_no_text_breaks_reading(token: str) -> None:
    """Whatever comes from outside is a token or none."""
    assert LINKS.read(token) is None


def test_tokens_fit_into_a_line_of_a_mail() -> None:
    """The longest identifier there is in ASCII fits; what does not is told when it is made."""
    longest = Ask("user_id", "x" * 500, "p" * 20, "email", NOW)

    assert len(LINKS.token(longest)) <= TOKEN_CHARS_MAX
    for value, purpose, medium in (("ü" * 500, "p", "email"), ("x" * 501, "p", "email"),
                                   ("x", "p" * 65, "email"), ("x", "p", "m" * 33), ("", "p", "m")):
        with pytest.raises(ValueError, match="too long"):
            LINKS.token(Ask("user_id", value, purpose, medium, NOW))


@pytest.mark.parametrize(("ids", "expected"), [
    ({"email": "a@b.example", "user_id": "u1"}, ("user_id", "u1")),
    ({"anonymous_id": "a1", "email": "a@b.example"}, ("email", "a@b.example")),
    ({"device": "d", "crm": "7", "billing": "8"}, ("billing", "8")),
    ({"anonymous_id": "a1", "device": "d"}, ("device", "d")),
    ({"anonymous_id": "a1"}, ("anonymous_id", "a1")),
    ({"user_id": ""}, None),
    ({}, None),
])
def test_the_highest_identifier_asks(ids: dict[str, str], expected: tuple[str, str] | None
                                     ) -> None:
    """In the order in which decisions outrank each other."""
    assert expected == highest(ids)


@pytest.mark.parametrize(("kind", "value"), [
    ("user_id", "u1"), ("email", "anna@shop.example"), ("phone", "+493012345678"), ("crm", "c-7"),
    ("device", "d-1"), ("anonymous_id", "a1")])
def test_a_click_names_one_identifier(kind: str, value: str) -> None:
    """Of every kind, on its own key; and it survives the log's codec."""
    codec = Codecs().interaction
    admitted = interaction(Ask(kind, value, "marketing", "email", 1), "token", KEYS, NOW)

    assert KEYS.of(kind, value) == admitted.key
    assert {kind: value} == identifiers(codec.decode(codec.encode(admitted.event)))


def test_clicks_of_a_minute_are_one_message() -> None:
    """A program that sends twice is one record; a click of another minute or mail is another."""
    def message_id(token: str, now: int) -> str:
        return interaction(ASK, token, KEYS, now).event["message_id"]

    assert message_id("a", 60_000) == message_id("a", 119_999)
    assert 3 == len({message_id("a", 60_000), message_id("a", 120_000), message_id("b", 60_000)})
    assert len(message_id("a" * TOKEN_CHARS_MAX, NOW)) <= 100


@pytest.mark.parametrize(("ids", "asker"), [
    ({"userId": "anna", "traits": {"email": "anna@shop.example"}}, ("user_id", "anna")),
    ({"anonymousId": "cookie", "traits": {"email": "anna@shop.example"}},
     ("email", "anna@shop.example")),
    ({"anonymousId": "cookie", "traits": {"phone": "+493012345678"}}, ("phone", "+493012345678")),
    ({"anonymousId": "cookie"}, ("anonymous_id", "cookie"))])
def test_a_click_withdraws(ids: dict[str, object], asker: tuple[str, str]) -> None:
    """Whoever the customer is known as: what was granted is withdrawn, on this medium and for this
    purpose alone, and a later grant holds again."""
    shop = Harness()
    who = {name: value for name, value in ids.items() if name != "traits"}
    shop.send(type="identify", **ids)
    for purpose, channel in (("marketing", "email"), ("marketing", "sms"), ("news", "email")):
        shop.send(type="track", event="Subscribed", **who, context={"traits": ids.get("traits")},
                  properties={"purpose": purpose, "channel": channel})
    shop.advance("1m")

    admitted = interaction(Ask(*asker, "marketing", "email", 1), "token", installation().keys,
                           shop._now)
    shop._log.append(admitted.key, admitted.event, shop._now)
    shop._run()

    assert {("marketing", "email"): "withdrawn", ("marketing", "sms"): "granted",
            ("news", "email"): "granted"} == standing(shop, asker)
    shop.advance("1m")
    shop.send(type="track", event="Subscribed", **who, context={"traits": ids.get("traits")},
              properties={"purpose": "marketing", "channel": "email"})
    assert "granted" == standing(shop, asker)["marketing", "email"]


def standing(shop: Harness, asker: tuple[str, str]) -> dict[tuple[str, str], str]:
    """(purpose, channel) -> status."""
    found = shop.customer(":".join(asker))
    assert found is not None
    return {(one["purpose"], one["channel"]): one["status"]
            for one in found["tables"]["consent"]["effective"]}

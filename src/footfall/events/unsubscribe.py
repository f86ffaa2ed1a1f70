"""Unsubscribing by a link: who asks, for what, in a token that says nothing to anybody else.

Decides what a link holds and what a click on it becomes. A token is encrypted and authenticated
(AES-SIV) under a key of its own: nobody reads an address in it, and nobody makes one for somebody
else. The same ask is the same token, so that a message that is rendered again has the same bytes.
It does not expire: a mail that is found years later still works. So the key comes from
`FOOTFALL_CUSTOMER_KEY_SECRET` (2026-11-26), which is permanent and which collectors hold anyway;
`FOOTFALL_SYSTEM_SECRET` would let whoever breaks into one write configuration, too.

A click is the event `Unsubscribed` of docs/consent.md under the identifier of the token alone. It
names no other, for an event that names two links them, and what was one customer when the mail was
sent may since be two. Its messageId is that of the token and the minute: programs that send twice
are one record, and who subscribed again in between can leave by the same link.

Must never raise for what comes from outside.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from footfall.events.arrival import Admitted
from footfall.events.customer_key import KINDS, CustomerKeys

#: As a mail's line of 998 octets takes it, behind the address of the collector.
TOKEN_CHARS_MAX: Final = 850
#: The event of docs/consent.md, and as whose it is recorded.
EVENT: Final = "Unsubscribed"
SOURCE: Final = "unsubscribe"
_MINUTE_MS: Final = 60_000
#: What a token is for: what is encrypted for anything else does not open as one.
_PURPOSE: Final = [b"footfall unsubscribe 1"]
#: Where an item says who did it, for those kinds that `userId` and `anonymousId` are not.
_IN_ITEM: Final = {"user_id": "userId", "anonymous_id": "anonymousId"}
_IN_TRAITS: Final = ("email", "phone")
#: Highest first; external ids are between.
_BEFORE: Final = KINDS[:KINDS.index("device")]
_AFTER: Final = KINDS[KINDS.index("device"):]


class Ask(msgspec.Struct, frozen=True, array_like=True):
    """Who asks to be left alone: identifier, for what purpose, by which medium, and when the
    message was made that has the link (ms).
    """

    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    value: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    purpose: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    medium: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    issued: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


class Links:
    """Makes and reads the tokens of an installation."""

    def __init__(self, keys: CustomerKeys) -> None:
        self._siv = AESSIV(keys.link_key)

    def token(self, ask: Ask) -> str:
        """The token of an ask, of letters, digits, - and _; raises `ValueError` where one of its
        parts is too long, or all of them for a line of a mail.
        """
        sealed = self._siv.encrypt(msgspec.msgpack.encode(ask), _PURPOSE)
        token = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        if self.read(token) != ask:
            raise ValueError("the customer's identifier, purpose or medium is too long for a link")
        return token

    def read(self, token: str) -> Ask | None:
        """What a token asks; None where it is none of ours."""
        if len(token) > TOKEN_CHARS_MAX or not token.isascii():
            return None
        try:
            # Strict: each token has one spelling, and so one messageId.
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_",
                                      validate=True)
            if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != token:
                return None
            return _decoder.decode(self._siv.decrypt(sealed, _PURPOSE))
        except (binascii.Error, ValueError, InvalidTag, msgspec.MsgspecError):
            return None


def highest(ids: Mapping[str, str]) -> tuple[str, str] | None:
    """The identifier under which a decision outranks those under the others; None without any."""
    external = sorted(kind for kind in ids if kind not in KINDS)
    for kind in (*_BEFORE, *external, *_AFTER):
        if ids.get(kind):
            return kind, ids[kind]
    return None


def interaction(ask: Ask, token: str, keys: CustomerKeys, now: int) -> Admitted:
    """What the log gets of a click at `now` (ms). Not by way of `admit`, which asks for `userId` or
    `anonymousId`: a customer may be known by an address alone.
    """
    clicked = hashlib.blake2b(token.encode(), digest_size=16).hexdigest()
    return Admitted(keys.of(ask.kind, ask.value), {
        "type": "track",
        "event": EVENT,
        "message_id": f"unsubscribe-{clicked}-{now // _MINUTE_MS}",
        "event_time": now,
        "received_at": now,
        "source": SOURCE,
        "channel": "",
        "commerce": None,
        "system": None,
        "key_id": None,
        "personal": msgspec.json.encode({
            **_named(ask.kind, ask.value),
            "properties": {"purpose": ask.purpose, "channel": ask.medium,
                           "message_issued_at": ask.issued},
        }),
    })


def _named(kind: str, value: str) -> dict[str, Any]:
    """The members of an item that name this identifier and no other."""
    if kind in _IN_ITEM:
        return {_IN_ITEM[kind]: value}
    if kind in _IN_TRAITS:
        return {"context": {"traits": {kind: value}}}
    if kind == "device":
        return {"context": {"device": {"id": value}}}
    return {"context": {"externalIds": [
        {"type": kind, "id": value, "collection": "users", "encoding": "none"}]}}


_decoder = msgspec.msgpack.Decoder(Ask)

"""What one event says of risk: which signal it is, and of which device, network, card, coupon.

Decides which names are signals (matched like those of e-commerce events: any case, blanks or
underscores or neither, either word first) and what stands for a device (its id or, of a browser,
its anonymousId), a network, a card: eight bytes of BLAKE2b of what the app sent, never the thing
itself. Everything read here is free content: what is missing or of another type is no signal. Must
never look at other events.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from typing import Final

from footfall.events.commerce import names_of, paths_of, squeeze
from footfall.events.interaction import Interaction
from footfall.events.personal import properties
from footfall.tables.cart_operations import read_order
from footfall.tables.risk_row import OrderValue, Properties, Signal
from footfall.tables.spec import Reads

HASH_BYTES: Final = 8
#: Characters of a text that are hashed.
_TEXT_CHARS: Final = 200
#: Names, addresses and devices whose reading is remembered by the process.
_REMEMBERED: Final = 16_384
_CURRENCY_CHARS: Final = 8

#: Signals that are counted.
FAILED_PAYMENT: Final = 0
FAILED_LOGIN: Final = 1
REFUND: Final = 2
ORDER: Final = 3
#: Signals that only name a card or a coupon.
CARD: Final = 4
COUPON: Final = 5

_NAMES = {
    "payment failed": FAILED_PAYMENT, "payment declined": FAILED_PAYMENT,
    "login failed": FAILED_LOGIN, "sign in failed": FAILED_LOGIN, "signed in failed": FAILED_LOGIN,
    "order refunded": REFUND,
    "order completed": ORDER, "subscription renewed": ORDER,
    "payment info entered": CARD,
    "coupon entered": COUPON, "coupon applied": COUPON, "coupon denied": COUPON,
}


def _turned(name: str) -> str:
    """The last word first: "payment failed" -> "failed payment"."""
    rest, _, last = name.rpartition(" ")
    return f"{last} {rest}"


_SIGNALS = {squeeze(spelling): kind for name, kind in _NAMES.items()
            for spelling in (name, _turned(name))}

#: The names of signals, for the documents.
NAMES = tuple(_NAMES)

_CARDS = ("card_fingerprint", "payment_fingerprint", "card.fingerprint")
_COUPONS = ("coupon", "coupon_code", "coupon_id")
#: Of each kind, the properties that are read.
_READ = {FAILED_PAYMENT: _CARDS, CARD: _CARDS, ORDER: (*_CARDS, *_COUPONS),
         COUPON: (*_CARDS, *_COUPONS)}
_ORDER = ("order_id", "currency", "total", "revenue", "lines.price", "lines.quantity")
#: What is read of an item, as it was sent.
READ = (
    Reads(frozenset({"anonymousId", "context.device.id", "context.ip"})),
    *(Reads(frozenset(f"properties.{name}" for name in names),
            frozenset(name for name, named in _SIGNALS.items() if named == kind))
      for kind, names in _READ.items()),
    *(Reads(paths_of(action, *_ORDER), names_of(action))
      for action in ("order_completed", "subscription_renewed")),
)


@lru_cache(maxsize=_REMEMBERED)
def kind_of(name: str) -> int | None:
    """The signal that a tracked event of this name is."""
    return _SIGNALS.get(squeeze(name))


@lru_cache(maxsize=_REMEMBERED)
def network_of(ip: str) -> bytes:
    """The network of an address: /24 of IPv4, /48 of IPv6; b"" for what is no address."""
    try:
        address = ip_address(ip[:_TEXT_CHARS])
    except ValueError:
        return b""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return _digest(b"6" + address.packed[:6])
        address = address.ipv4_mapped
    return _digest(b"4" + address.packed[:3])


@lru_cache(maxsize=_REMEMBERED)
def hashed(text: str) -> bytes:
    """Eight bytes that stand for a text."""
    return _digest(text[:_TEXT_CHARS].encode(errors="surrogatepass"))


def read(event: Interaction, kind: int, when: int) -> Signal:
    """What an event of this kind says."""
    if kind in (FAILED_LOGIN, REFUND):
        return Signal(kind, b"", b"", None)
    said = properties(event, Properties)
    fingerprint = said.card_fingerprint or said.payment_fingerprint
    if not fingerprint and said.card is not None:
        fingerprint = said.card.fingerprint
    named = said.coupon or said.coupon_code or (str(said.coupon_id) if said.coupon_id else "")
    if kind == COUPON:
        named = named or event["message_id"]  # one that names none is an attempt of its own
    elif kind != ORDER:
        named = ""
    return Signal(kind, hashed(fingerprint) if fingerprint else b"",
                  hashed(named) if named else b"",
                  _order(event, when) if kind == ORDER else None)


def _order(event: Interaction, when: int) -> OrderValue | None:
    commerce = event["commerce"]
    if commerce is None:
        return None
    message_id = event["message_id"]
    value = read_order(commerce, when, message_id).value
    if value[0] >= 128 or not any(value):  # below zero, or zero
        return None
    return OrderValue(when, hashed(commerce["order_id"] or message_id),
                      commerce["currency"][:_CURRENCY_CHARS], value)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=HASH_BYTES).digest()

"""The identifiers that an event names: kind -> value, each in the one spelling that is kept.

Decides what is an identifier and what stands for nobody: values that many people share by accident
(`customer_key.is_blocked`), role addresses such as info@, what is no e-mail address or no telephone
number. E-mail addresses are compared without case (RFC 5321 lets a host tell them apart by case; no
host in use does); numbers are brought into E.164 by Google's libphonenumber and need their country
code, for nothing here knows a caller's country. Pure; must never guess.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

import msgspec

from footfall.events.customer_key import KINDS, is_blocked
from footfall.events.interaction import Interaction
from footfall.events.personal import read
from footfall.events.personal_row import ABSENT

#: A longer device or external id is none.
ID_CHARS_MAX: Final = 128
#: Of one event.
EXTERNAL_IDS_MAX: Final = 16
#: RFC 5321, 4.5.3.1.3, less the angle brackets.
EMAIL_CHARS_MAX: Final = 254
#: RFC 2142 and what else companies put on their letters: read by many, so nobody's own.
ROLES: Final = frozenset({
    "abuse", "accounting", "accounts", "admin", "administrator", "all", "billing", "bookings",
    "careers", "compliance", "contact", "customerservice", "do-not-reply", "donotreply",
    "enquiries", "everyone", "feedback", "finance", "hello", "help", "helpdesk", "hostmaster", "hr",
    "info", "inquiries", "invoice", "invoices", "it", "jobs", "legal", "mail", "mailer-daemon",
    "marketing", "media", "newsletter", "no-reply", "noc", "noreply", "office", "orders",
    "postmaster", "press", "privacy", "reception", "root", "sales", "security", "service", "shop",
    "spam", "staff", "support", "team", "test", "undisclosed-recipients", "unsubscribe",
    "webmaster", "www"})
_EMAIL: Final = re.compile(r"[^\s@\"<>,;:]{1,64}@[^\s@\"<>,;:]+\.[^\s@\"<>,;:]+")
_SENT_AS_IS: Final = ("user_id", "anonymous_id")
#: Of an external id's type.
KIND_PATTERN: Final = "[a-z][a-z0-9_]{0,31}"
_KIND: Final = re.compile(KIND_PATTERN)

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str | int)
_list = msgspec.json.Decoder(list[dict[str, Any]])


def identifiers(event: Interaction) -> dict[str, str]:
    """Kind -> value of everything that this event says of who did it; highest rank first. Found
    once, then remembered in the event: whoever asks must not change it.
    """
    if "named" in event:
        return event["named"]
    found = _identifiers(event)
    event["named"] = found
    return found


def _identifiers(event: Interaction) -> dict[str, str]:
    personal = read(event)
    found: dict[str, str] = {}
    if personal.user_id and not is_blocked(personal.user_id):
        found["user_id"] = personal.user_id
    context = personal.context
    if event["type"] != "group":  # a group's e-mail address is not its member's
        if event["type"] == "identify":
            _contacts(personal.traits, found)
        if context is not None:
            _contacts(context.traits, found)
    if context is not None:
        if context.external_ids is not ABSENT:
            _externals(bytes(context.external_ids), found)
        device = context.device
        if device is not None and device.id and normalised("device", device.id) is not None:
            found["device"] = device.id
    if personal.anonymous_id and not is_blocked(personal.anonymous_id):
        found["anonymous_id"] = personal.anonymous_id
    return found


def previous(event: Interaction) -> str:
    """What an alias call says that its user was called before; "" for any other."""
    if event["type"] != "alias":
        return ""
    value = read(event).previous_id or ""
    return "" if is_blocked(value) else value


def normalised(kind: str, value: str) -> str | None:
    """The one spelling of an identifier; None where it stands for nobody in particular."""
    if kind == "email":
        return email(value)
    if kind == "phone":
        return phone(value)
    is_long = kind not in _SENT_AS_IS and len(value) > ID_CHARS_MAX
    return None if is_long or is_blocked(value) else value


@lru_cache(4096)
def email(value: str) -> str | None:
    """An address in lower case; None where it is none, or a role's."""
    address = value.strip().lower()
    if len(address) > EMAIL_CHARS_MAX or _EMAIL.fullmatch(address) is None:
        return None
    role = address.partition("@")[0].partition("+")[0].replace(".", "")
    return None if role in ROLES or is_blocked(role) else address


@lru_cache(4096)
def phone(value: str) -> str | None:
    """A number as E.164: +493012345; None where it is none or names no country."""
    # Numbering plans of 6 MB, for those who send numbers; not there when this is compiled.
    phonenumbers = import_module("phonenumbers")
    try:
        number = phonenumbers.parse(value.strip(), None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def is_kind(name: str) -> bool:
    """Whether an identifier may be of this kind: one of ours, or an external id's type."""
    return _KIND.fullmatch(name) is not None


def _contacts(raw: msgspec.Raw, found: dict[str, str]) -> None:
    """E-mail address and number from traits; what is neither is a trait all the same."""
    if raw is ABSENT:
        return
    try:
        traits = _object.decode(raw)
    except msgspec.DecodeError:
        return
    for kind in ("email", "phone"):
        if kind in traits and kind not in found:
            try:
                value = normalised(kind, str(_text.decode(traits[kind])))
            except msgspec.DecodeError:
                continue
            if value is not None:
                found[kind] = value


def _externals(raw: bytes, found: dict[str, str]) -> None:
    """Segment's `context.externalIds`: [{id, type, collection, encoding}], of users, in clear."""
    try:
        ids = _list.decode(raw)
    except msgspec.DecodeError:
        return
    for one in ids[:EXTERNAL_IDS_MAX]:
        named, value = one.get("type"), one.get("id")
        if not isinstance(named, str) or not isinstance(value, str):
            continue
        kind = named.lower().replace(".", "_").replace("-", "_")
        if (is_kind(kind) and kind not in KINDS and kind not in found
                and one.get("collection", "users") == "users"
                and one.get("encoding", "none") == "none"
                and normalised(kind, value) is not None):
            found[kind] = value

"""What the tables read of `personal`, the item as it was sent: once an event, whatever was sent.

Decides which of its members tables may read. All is free content: a member of another type than
expected counts as absent and never fails a step. Must never change `personal` itself.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from footfall.events.interaction import Interaction
from footfall.events.personal_row import ABSENT, Personal

S = TypeVar("S", bound=msgspec.Struct)

_typed = msgspec.json.Decoder(Personal)
_any = msgspec.json.Decoder()
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NONE = Personal()


def read(event: Interaction) -> Personal:
    """The members of an event that tables read; decoded once, then remembered in the event."""
    if "read" in event:
        return event["read"]
    try:
        personal = _typed.decode(event["personal"])
    except msgspec.DecodeError:
        personal = _tolerant(event["personal"])
    event["read"] = personal
    return personal


def properties(event: Interaction, kind: type[S]) -> S:
    """The properties that a struct names (all its members optional); others are passed over."""
    raw = read(event).properties
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError:
        value = _any.decode(raw)
        return _fitting(value, kind)


def _tolerant(data: bytes) -> Personal:
    """The same where some member has another type: the others still count."""
    try:
        value = _any.decode(data)
    except msgspec.DecodeError:
        return _NONE
    personal = _fitting(value, Personal)
    if isinstance(value, dict):
        members = _members.decode(data)
        personal.properties = members.get("properties", ABSENT)
        personal.traits = members.get("traits", ABSENT)
        if personal.context is not None and isinstance(value["context"], dict):
            within = _members.decode(members["context"])
            personal.context.traits = within.get("traits", ABSENT)
            personal.context.external_ids = within.get("externalIds", ABSENT)
            personal.context.consent = within.get("consent", ABSENT)
            personal.context.consent_management = within.get("consentManagement", ABSENT)
            personal.context.global_privacy_control = within.get("globalPrivacyControl", ABSENT)
    return personal


def _fitting(value: Any, kind: type[S]) -> S:
    """A struct from the members of `value` that fit it, each on its own."""
    fitting = kind()
    if not isinstance(value, dict):
        return fitting
    for field in msgspec.structs.fields(kind):
        given = value.get(field.encode_name)
        if given is None:
            continue
        try:
            setattr(fitting, field.name, msgspec.convert(given, field.type))
        except msgspec.ValidationError:
            nested = _struct_of(field.type)
            if nested is not None:
                setattr(fitting, field.name, _fitting(given, nested))
    return fitting


def _struct_of(kind: Any) -> type[msgspec.Struct] | None:
    """The struct in an annotation such as `Device | None`."""
    for part in getattr(kind, "__args__", (kind,)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None

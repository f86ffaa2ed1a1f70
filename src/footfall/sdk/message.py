"""A call of the host app -> the JSON item that goes over the wire, as bytes.

Decides what is refused before it is queued: an item that no collector would take, told at once and
in the place of the mistake. All else is judged by the collector, whose rules change without a new
SDK. The item is encoded within the call, so that the app may change its dictionaries afterwards.
Amounts keep every digit: a Decimal is written as the number it is.
A value that JSON cannot hold costs that value, not its item. Must never put a value into an error.
"""

from __future__ import annotations

import numbers
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from footfall import __version__
from footfall.sdk.drops import DroppedError, Message

ITEM_BYTES_MAX = 32 * 1024
#: A consent is sent as the event that Segment reserves for it.
CONSENT_EVENT = "Segment Consent Preference Updated"
LIBRARY = {"name": "footfall-python", "version": __version__}
#: A naive time this close to now was made by `datetime.now()`: local. Others are taken as UTC.
LOCAL_WITHIN = timedelta(seconds=5)
_DEPTH_MAX = 64

Id = str | int | UUID
Values = Mapping[str, Any]
Time = datetime | str | int


class Call(NamedTuple):
    """What a call gives back: whether it was queued, and the item, as Segment's SDK does."""

    success: bool
    message: Message


class Common(NamedTuple):
    """What every call may say."""

    user_id: Id | None = None
    anonymous_id: Id | None = None
    context: Values | None = None
    timestamp: Time | None = None
    integrations: Values | None = None
    message_id: object = None


class Decision(NamedTuple):
    """What a customer decided of their consent."""

    purposes: Mapping[str, bool | str] | None = None
    channel: str | None = None
    expires_at: Time | None = None
    wording_version: str | int | None = None


class MessageIds:
    """Names for items: 128 random bits of this process, and a number."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(16)
        self._numbers = count()

    def new(self) -> str:
        """One that nobody else gives."""
        return f"{self._prefix}-{next(self._numbers):x}"


def message(kind: str, common: Common, rest: Message, ids: MessageIds, channel: str) -> Message:
    """The item of a call, or `DroppedError` where no collector would take it."""
    user_id, anonymous_id, context, timestamp, integrations, message_id = common
    if timestamp is None:
        stated: object = _now()
    else:
        stated = _time(timestamp)
    found: Message = {
        "type": kind,
        "messageId": ids.new() if message_id is None else str(message_id),
        "timestamp": stated,
        "channel": channel,
        # Copies: the app gets this dictionary and may change it.
        "context": {**_mapping(context, "context"), "library": LIBRARY.copy()} if context else
                   {"library": LIBRARY.copy()},
    }
    if user_id is not None and user_id != "":
        found["userId"] = user_id if type(user_id) is str else text_id(user_id, "user_id")
    if anonymous_id is not None and anonymous_id != "":
        found["anonymousId"] = text_id(anonymous_id, "anonymous_id")
    elif "userId" not in found:
        raise DroppedError("identifier_missing", "user_id and anonymous_id are absent; give one")
    if integrations:
        found["integrations"] = _mapping(integrations, "integrations")
    for name, value in rest.items():
        if name in _FREE:
            found[name] = _mapping(value, name) if value else {}
        elif value is None or value == "":
            if _REQUIRED.get(kind) == name:
                raise DroppedError("field_missing", f"{name} is absent or empty; {kind} needs it")
        elif name in _IDS:
            found[name] = text_id(value, name)
        elif isinstance(value, str):
            found[name] = value
        else:
            raise DroppedError("field_kind", f"{name} is a {type(value).__name__}; give a string")
    return found


def decided(common: Common, rest: Message, decision: Decision) -> tuple[Common, Message]:
    """A decision within an item, or `DroppedError`: as Segment's consent object where it is a plain
    yes or no for every channel, and in the properties what that object cannot say.
    """
    purposes, channel, expires_at, wording_version = decision
    said = _mapping(purposes or {}, "purposes")
    properties: Message = {}
    if channel is not None or not all(isinstance(value, bool) for value in said.values()):
        properties["purposes"] = {**said}
    else:
        context = merged(common.context or {}, {"consent": {"categoryPreferences": {**said}}})
        common = common._replace(context=context)
    if channel is not None:
        properties["channel"] = channel
    if expires_at is not None:
        properties["expires_at"] = _time(expires_at, "expires_at")
    if wording_version is not None:
        properties["wording_version"] = wording_version
    return common, {**rest, "properties": properties}


def encode(item: Message) -> tuple[bytes, int]:
    """Its bytes, and how many values had to be left out of it."""
    left_out = 0
    try:
        data = _encoder.encode(item)
    except Exception:
        try:
            cleaned = _Cleaning()
            data = _encoder.encode(cleaned.value(item, 0))
            left_out = cleaned.left_out
        except Exception as error:
            raise DroppedError("unencodable", f"no JSON can hold it ({type(error).__name__})"
                               ) from None
    if len(data) > ITEM_BYTES_MAX:
        raise DroppedError("item_too_large",
                           f"the item is {len(data)} bytes long; at most {ITEM_BYTES_MAX}")
    return data, left_out


def merged(given: Values, ours: Values) -> Values:
    """Both, ours over the given; what is no dictionary is left for `message` to refuse."""
    return {**given, **ours} if isinstance(given, Mapping) else given


def text_id(value: object, name: str) -> str:
    """An identifier as its text."""
    if isinstance(value, str):
        return value
    if isinstance(value, (numbers.Number, UUID)) and not isinstance(value, bool):
        return str(value)
    raise DroppedError("field_kind", f"{name} is a {type(value).__name__}; give a string, a number "
                       "or a UUID")


def _mapping(value: Values, name: str) -> Values:
    if not isinstance(value, Mapping):
        raise DroppedError("field_kind", f"{name} is a {type(value).__name__}; give a dictionary")
    return value


def _time(value: Time, name: str = "timestamp") -> object:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            near = abs(datetime.now() - value) < LOCAL_WITHIN
            value = value.astimezone() if near else value.replace(tzinfo=UTC)
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DroppedError("field_kind", f"{name} is a {type(value).__name__}; give a datetime, "
                           "RFC 3339 text or milliseconds since 1970")
    return value


def _now() -> str:
    """The time in milliseconds. The text of a second is made once: formatting is the dearest part
    of a call otherwise (1.35 us of 5, 2026-11-25).
    """
    global _second
    second, ms = divmod(time.time_ns() // 1_000_000, 1_000)
    known, text = _second
    if known != second:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second = (second, text)
    return f"{text}.{ms:03}+00:00"


def _plain(value: object) -> object:
    """Kinds that msgspec does not know by themselves: subclasses, numbers of other libraries."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError


class _Cleaning:
    """Leaves out what cannot be encoded, wherever it stands."""

    def __init__(self) -> None:
        self.left_out = 0

    def value(self, value: object, depth: int) -> object:
        if depth > _DEPTH_MAX:
            raise RecursionError
        if isinstance(value, Mapping):
            return {self._key(key): cleaned for key, inner in value.items()
                    if (cleaned := self.value(inner, depth + 1)) is not _NOTHING}
        if isinstance(value, list | tuple | set | frozenset):
            return [cleaned for inner in value
                    if (cleaned := self.value(inner, depth + 1)) is not _NOTHING]
        try:
            _encoder.encode(value)
        except Exception:
            self.left_out += 1
            return _NOTHING
        return value

    def _key(self, key: object) -> str:
        """Keys of JSON are strings."""
        if not isinstance(key, str | int | float | Decimal | UUID | Enum | date):
            self.left_out += 1
            return "?"
        return key if isinstance(key, str) else str(key)


_second = (-1, "")
_REQUIRED = {"track": "event", "group": "groupId", "alias": "previousId"}
_FREE = frozenset({"properties", "traits"})
_IDS = frozenset({"groupId", "previousId"})
_NOTHING = object()
_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_plain)

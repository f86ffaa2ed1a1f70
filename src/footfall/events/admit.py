"""One JSON item of a tracking call -> an interaction of the log with its key, or `Rejected`.

Decides what is accepted; docs/collector.md has every rule and code. Free content is never rebuilt
from decoded values: it is cut out of the bytes that came, so numbers keep every digit and their
spelling. Of duplicate keys the last holds. Must never raise, whatever the bytes are, and never put
a value that may be personal into a reason or a detail (law 6).

Law 2's bound of 4,096 items of one key in a batch needs no check: a batch has at most 2,500.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from math import isinf
from typing import Any, Final

import msgspec

from footfall.errors import Found, Rejected
from footfall.events import commerce, times
from footfall.events.arrival import Admitted, Arrival, Raws
from footfall.events.customer_key import CustomerKeys
from footfall.events.fields import Document, FieldError, label, mapping, text
from footfall.events.interaction import MESSAGE_ID_CHARS_MAX

BATCH_ITEMS_MAX: Final = 2_500
#: Objects and arrays within each other, the item itself counted.
DEPTH_MAX: Final = 64
#: What a batch may give all its items at once: it is repeated in each.
SHARED_BYTES_MAX: Final = 8 * 1024
CHANNEL_CHARS_MAX: Final = 50

STAGE: Final = "collector"
CALLS = frozenset({"identify", "track", "page", "screen", "group", "alias"})
#: Objects of a batch's root that hold for every item which does not say otherwise.
SHARED = ("context", "integrations")


def admit(raw: bytes, n: int, arrival: Arrival, keys: CustomerKeys) -> Admitted | Rejected:
    """Admits item number `n` of a request, or says why not."""
    try:
        return _admit(raw, n, arrival, keys)
    except FieldError as error:
        return Rejected(STAGE, error.reason, error.detail, arrival.source, arrival.received_at, raw,
                        found=error.found)


def field_of(rejected: Rejected) -> str:
    """The path of the field that a rejection of this stage is about."""
    return rejected.detail.partition(" ")[0]


def decode(raw: bytes, path: str = "item") -> Any:
    """The value of a JSON text, every part of it checked; raises `FieldError`."""
    try:
        value = _values.decode(raw)
    except RecursionError:
        raise _too_deep(path) from None
    except UnicodeDecodeError:
        raise FieldError("text_not_unicode", path, "holds bytes that are not UTF-8") from None
    except msgspec.ValidationError:
        raise FieldError("number_out_of_range", path, "holds a number of more than 4,300 digits"
                         ) from None
    except msgspec.DecodeError as error:
        raise FieldError("not_json", path, f"is not JSON ({_reason(error)})") from None
    if raw.count(b"{") + raw.count(b"[") > DEPTH_MAX and _depth(value) > DEPTH_MAX:
        raise _too_deep(path)
    return value


def split(raw: bytes) -> Raws:
    """The members of a JSON object that `decode` has passed, each as it was sent."""
    return _members.decode(raw)


def _admit(raw: bytes, n: int, arrival: Arrival, keys: CustomerKeys) -> Admitted:
    if len(raw) > arrival.item_bytes_max:
        raise FieldError("item_too_large", "item",
                         f"is {len(raw)} bytes long; at most {arrival.item_bytes_max}")
    document = decode(raw)
    if not isinstance(document, dict):
        raise FieldError("not_an_object", "item", "is not a JSON object")
    members = split(raw)
    call = _call(document, arrival.call)
    if arrival.calls and call not in arrival.calls:
        raise FieldError("call_not_allowed", "type", "is a call that this source may not make")
    for name in ("traits", *SHARED):
        mapping(document, name)
    properties = mapping(document, "properties")
    event = _event(document, call)
    if arrival.events and call == "track" and event not in arrival.events:
        raise FieldError("event_not_allowed", "event", "is no event that this source may send")
    found: Sequence[Found] = ()
    if arrival.plan is not None:
        found = _planned(arrival, call, event, document, members)
        if found and call == "track":
            properties = decode(bytes(members.get("properties", _NULL)), "properties")
    key = _key(document, call, members, keys)
    message_id = _message_id(document) or f"{arrival.request_id}-{n}"
    return Admitted(key, {
        "type": call,
        "event": event,
        "message_id": message_id,
        "event_time": (times.historical(document, arrival.received_at) if arrival.is_history
                       else _event_time(document, arrival)),
        "received_at": arrival.received_at,
        "source": arrival.source,
        "channel": text(document, "channel", CHANNEL_CHARS_MAX) or "",
        "commerce": commerce.read(event, properties) if call == "track" else None,
        "system": None,
        "key_id": None,
        "personal": _personal(members, call, arrival),
    }, found)


def _planned(arrival: Arrival, call: str, event: str, document: Document, members: Raws
             ) -> Sequence[Found]:
    """What the plan found; the batch's context is merged before, for it may state the consent."""
    assert arrival.plan is not None
    context = document.get("context")
    shared = arrival.shared.get("context")
    if shared is not None:
        own = members.get("context", _NULL)
        merged = shared if own == _NULL else {**shared, **split(bytes(own))}
        members["context"] = msgspec.Raw(msgspec.json.encode(merged))
        context = decode(bytes(members["context"]), "context")
    body = document.get("traits" if call in ("identify", "group") else "properties")
    return arrival.plan.apply(call, event, members, context, body)


def _call(document: Document, call: str) -> str:
    named = text(document, "type")
    if named is not None and named.startswith("$"):
        raise FieldError("type_reserved", "type", "begins with $, which only Footfall may write")
    if call:
        if named not in (None, call):
            raise FieldError("type_conflict", "type", f"is not that of the route, {call}")
        return call
    if named not in CALLS:
        raise FieldError("type_unknown", "type", f"is none of {', '.join(sorted(CALLS))}")
    return named


def _event(document: Document, call: str) -> str:
    if call == "track":
        return _required(document, "event", call)
    return text(document, "name") or "" if call in ("page", "screen") else ""


def _key(document: Document, call: str, members: Raws, keys: CustomerKeys) -> bytes:
    ids = {}
    for name in ("userId", "anonymousId", "previousId", "groupId"):
        value = label(document, (name,))
        if value is not None:
            ids[name] = value
            if document[name] is not value:  # a number: readers of the log expect its text
                members[name] = msgspec.Raw(msgspec.json.encode(value))
    if call == "alias":
        _required(ids, "previousId", call)
    elif call == "group":
        _required(ids, "groupId", call)
    named = {kind: ids[name] for kind, name in _ROOTS if name in ids}
    if not named:
        raise FieldError("identifier_missing", "userId", "and anonymousId are absent; send one")
    key = keys.root(named)
    if key is None:
        raise FieldError("identifier_blocked", "userId" if "user_id" in named else "anonymousId",
                         "stands for nobody in particular; send an id of one person or device")
    return key


def _event_time(document: Document, arrival: Arrival) -> int:
    stated = "timestamp" if document.get("timestamp") is not None else "originalTimestamp"
    sent_at = document.get("sentAt") if arrival.sent_at is None else arrival.sent_at
    if arrival.is_forwarded:
        sent_at = None
    return times.event_time(document.get(stated), stated, sent_at, arrival.received_at)


def _required(document: Document, name: str, call: str) -> str:
    value = text(document, name)
    if not value:
        raise FieldError("field_missing", name, f"is absent or empty; {call} needs it")
    return value


def _message_id(document: Document) -> str | None:
    value = label(document, ("messageId",))
    if value == "":
        raise FieldError("message_id_length", "messageId", "is empty; leave it out or fill it")
    if value is not None and len(value) > MESSAGE_ID_CHARS_MAX:
        raise FieldError("message_id_length", "messageId",
                         f"is {len(value)} characters long; at most {MESSAGE_ID_CHARS_MAX}")
    return value


def _personal(members: Raws, call: str, arrival: Arrival) -> bytes:
    """The item as sent, less what the envelope holds, with what its batch says of all items."""
    for name in _DROPPED[call]:
        members.pop(name, None)
    for name, shared in arrival.shared.items():  # never empty
        own = members.get(name, _NULL)
        merged = shared if own == _NULL else {**shared, **split(bytes(own))}
        members[name] = msgspec.Raw(msgspec.json.encode(merged))
    if arrival.sent_at is not None and members.get("sentAt", _NULL) == _NULL:
        members["sentAt"] = msgspec.Raw(msgspec.json.encode(arrival.sent_at))
    return msgspec.json.encode(members)


def _number(spelling: str) -> Decimal:
    """A number with a fraction or exponent, exact; what other readers take for infinity is not."""
    try:
        number = Decimal(spelling)
    except InvalidOperation:
        number = None
    if number is None or isinf(float(spelling)):
        raise FieldError("number_out_of_range", "item", "holds a number beyond 1.8e308")
    return number


def _depth(value: Any) -> int:
    """How deep a decoded value is, without recursion."""
    depth, level = 0, [value]
    while level:
        level = [v for v in level if isinstance(v, dict | list)]
        depth += bool(level)
        level = [v for c in level for v in (c.values() if isinstance(c, dict) else c)]
    return depth


def _too_deep(path: str) -> FieldError:
    return FieldError("too_deep", path, f"is nested more than {DEPTH_MAX} deep")


def _reason(error: Exception) -> str:
    """msgspec's words: what is wrong and at which byte, never a part of the text."""
    return str(error).removeprefix("JSON is malformed: ")


_NULL = msgspec.Raw(b"null")
_ROOTS = (("user_id", "userId"), ("anonymous_id", "anonymousId"))
_ENVELOPE = ("type", "messageId", "channel", "writeKey")
_NAMES = {"track": "event", "page": "name", "screen": "name"}
_DROPPED = {c: (*_ENVELOPE, _NAMES[c]) if c in _NAMES else _ENVELOPE for c in CALLS}
_values = msgspec.json.Decoder(float_hook=_number)
_members = msgspec.json.Decoder(Raws)

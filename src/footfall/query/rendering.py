"""A record of a topic as people and programs read it. Pure.

Decides the JSON form of interactions and of rejected records; that of triggers is in
`view/trigger.py`. Times are RFC 3339 in UTC with milliseconds, amounts decimal
text, free properties exactly as they were sent. What is no record is shown as `poison` with its
reason. Must never show the payload of a reserved record, nor raise for anything in a topic.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from footfall.errors import DecodeError
from footfall.events import amount
from footfall.events.codec import TIME_MAX, Codecs, RejectedRecord
from footfall.events.customer_key import is_customer_key
from footfall.events.interaction import DELIVERY, IMPORT, Commerce, Interaction
from footfall.view.trigger import Document, moment, sent, trigger

_free = msgspec.json.Decoder(dict[str, Any])


class Source(NamedTuple):
    """A record as Kafka has it."""

    partition: int
    offset: int
    appended_at: int
    key: bytes | None
    value: bytes | None


def renderer(kind: str, codecs: Codecs) -> Callable[[Source], Document]:
    """How the records of `triggers`, `interactions` or `rejected` are shown."""
    readers: dict[str, Callable[[Source], Document]] = {
        "triggers": lambda source: trigger(codecs.trigger.decode(source.value)),
        "interactions": lambda s: interaction(s, codecs.interaction.decode(s.value)),
        "rejected": lambda source: rejected(codecs.rejected.decode(source.value)),
    }
    read = readers[kind]

    def render(source: Source) -> Document:
        try:
            return read(source)
        except DecodeError as error:
            return _poison(source, error)

    return render


def interaction(source: Source, event: Interaction) -> Document:
    """A record of the log: where it stands, its envelope and, when it is clear, what was sent."""
    shown: Document = {
        "partition": source.partition,
        "offset": source.offset,
        "appended_at": _moment(source.appended_at),
        "customer_key": _key(source.key),
        "type": event["type"],
    }
    if event["type"].startswith("$") and event["type"] != IMPORT:
        shown["event_time"] = moment(event["event_time"])
        if event["type"] == DELIVERY:
            shown |= {"event": event["event"], "source": event["source"],
                      "channel": event["channel"]}
        return shown
    clear = event["key_id"] is None
    return {
        **shown,
        "event": event["event"],
        "message_id": event["message_id"],
        "event_time": moment(event["event_time"]),
        "received_at": _moment(event["received_at"]),
        "source": event["source"],
        "channel": event["channel"],
        "commerce": _commerce(event["commerce"]),
        "key_id": event["key_id"],
        "personal": sent(event["personal"], "personal") if clear else None,
    }


def rejected(record: RejectedRecord) -> Document:
    """All fields; the original bytes as text where they are, in base64 where not or encrypted."""
    shown: Document = {name: value for name, value in record.items() if name != "personal"}
    shown["rejected_at"] = moment(record["rejected_at"])
    original = record["personal"]
    try:
        if record["key_id"] is not None:
            raise UnicodeError
        shown["original"] = original.decode()
    except UnicodeError:
        shown["original_base64"] = base64.b64encode(original).decode()
    return shown


def line(document: Document) -> bytes:
    """One JSON object without a line break."""
    return msgspec.json.encode(document)


def readable(value: object) -> Any:
    """What `sent` kept raw, decoded for people."""
    if not isinstance(value, msgspec.Raw):
        return value
    try:
        return _free.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return bytes(value).decode()


def _commerce(commerce: Commerce | None) -> Document | None:
    if commerce is None:
        return None
    shown: Document = dict(commerce)
    shown["total"], shown["revenue"] = _amount(commerce["total"]), _amount(commerce["revenue"])
    shown["lines"] = [
        {**item, "price": _amount(item["price"]), "quantity": _amount(item["quantity"])}
        for item in commerce["lines"]
    ]
    return shown


def _amount(data: bytes | None) -> str | None:
    return None if data is None else amount.text(amount.from_bytes(data))


def _poison(source: Source, error: DecodeError) -> Document:
    return {
        "poison": error.reason,
        "detail": error.detail,
        "partition": source.partition,
        "offset": source.offset,
        "appended_at": _moment(source.appended_at),
        "customer_key": _key(source.key),
        "value_bytes": len(source.value or b""),
    }


def _moment(milliseconds: int) -> str | None:
    """For times that no law bounds; librdkafka says -1 where there is none."""
    return moment(milliseconds) if 0 <= milliseconds <= TIME_MAX else None


def _key(key: bytes | None) -> str | None:
    """The key where it is one of ours; any other may be anything, personal data too."""
    return key.decode() if key is not None and is_customer_key(key) else None

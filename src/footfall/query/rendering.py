"""A record of a topic as people and programs read it. Pure.

Decides the JSON form of triggers (design.md, 6: `tail --json`, streams and webhooks share it), of
interactions and of rejected records. Times are RFC 3339 in UTC with milliseconds, amounts decimal
text, free properties exactly as they were sent. What is no record is shown as `poison` with its
reason. Must never show the payload of a reserved record, nor raise for anything in a topic.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from footfall.errors import DecodeError
from footfall.events import amount
from footfall.events.codec import TIME_MAX, Codecs, RejectedRecord, TriggerRecord
from footfall.events.customer_key import is_customer_key
from footfall.events.interaction import Commerce, Interaction

Document = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_free = msgspec.json.Decoder(dict[str, Any])


class Source(NamedTuple):
    """A record as Kafka has it."""

    partition: int
    offset: int
    appended_at: int
    key: bytes | None
    value: bytes | None


class _Personal(msgspec.Struct):
    """What a trigger says of the customer."""

    ids: dict[str, str] = {}


_personal = msgspec.json.Decoder(_Personal)


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


def trigger(record: TriggerRecord) -> Document:
    """A trigger as its receivers get it."""
    ids: Mapping[str, str] = {}
    if record["key_id"] is None:
        try:
            ids = _personal.decode(record["personal"]).ids if record["personal"] else {}
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise DecodeError("personal_invalid", "personal is not a JSON object") from None
    return {
        "trigger_id": record["trigger_id"],
        "name": record["name"],
        "customer_key": record["customer_key"],
        "ids": ids,
        "occurred_at": moment(record["occurred_at"]),
        "emitted_at": moment(record["emitted_at"]),
        "config_version": record["config_version"],
        "data": _sent(record["data"], "data"),
        "evidence": _sent(record["evidence"], "evidence"),
    }


def interaction(source: Source, event: Interaction) -> Document:
    """A record of the log: where it stands, its envelope and, when it is clear, what was sent."""
    shown: Document = {
        "partition": source.partition,
        "offset": source.offset,
        "appended_at": _moment(source.appended_at),
        "customer_key": _key(source.key),
        "type": event["type"],
    }
    if event["type"].startswith("$"):
        return {**shown, "event_time": moment(event["event_time"])}
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
        "personal": _sent(event["personal"], "personal") if clear else None,
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


def moment(milliseconds: int) -> str:
    """RFC 3339, UTC, milliseconds; a time that has none is a `DecodeError`."""
    if not 0 <= milliseconds <= TIME_MAX:
        raise DecodeError("time_out_of_range", "a time is not within years 1970 to 9999")
    when = _EPOCH + timedelta(milliseconds=milliseconds)
    return when.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def line(document: Document) -> bytes:
    """One JSON object without a line break."""
    return msgspec.json.encode(document)


def _sent(data: bytes, field: str) -> msgspec.Raw:
    """A JSON object byte for byte, so that no number changes; on one line."""
    try:
        data.decode()
        _object.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise DecodeError(f"{field}_invalid", f"{field} is not a JSON object") from None
    # Within JSON a bare line break stands between tokens only.
    return msgspec.Raw(data.replace(b"\n", b" ").replace(b"\r", b" "))


def readable(value: object) -> Any:
    """What `_sent` kept raw, decoded for people."""
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

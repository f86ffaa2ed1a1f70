"""A trigger as its receivers get it. Pure.

Decides the JSON form of triggers (design.md, 6: `tail --json`, streams, webhooks and `why` share
it). Times are RFC 3339 in UTC with milliseconds; `data` and `evidence` are byte for byte what was
recorded, so that no number changes. What is no trigger is a `DecodeError`, never another exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from footfall.errors import DecodeError
from footfall.events.codec import TIME_MAX, TriggerRecord

Document = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Personal(msgspec.Struct):
    """What a trigger says of the customer."""

    ids: dict[str, str] = {}


_personal = msgspec.json.Decoder(_Personal)


def trigger(record: TriggerRecord) -> Document:
    """The document of one; raises `DecodeError`."""
    return {
        "trigger_id": record["trigger_id"],
        "name": record["name"],
        "customer_key": record["customer_key"],
        "ids": ids_of(record),
        "occurred_at": moment(record["occurred_at"]),
        "emitted_at": moment(record["emitted_at"]),
        "config_version": record["config_version"],
        "held_out": record["held_out"],
        "data": sent(record["data"], "data"),
        "evidence": sent(record["evidence"], "evidence"),
        **_more(record),
    }


def ids_of(record: TriggerRecord) -> Mapping[str, str]:
    """Whom it names, kind -> value, where that is in clear; raises `DecodeError`."""
    if record["key_id"] is not None or not record["personal"]:
        return {}
    try:
        return _personal.decode(record["personal"]).ids
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise DecodeError("personal_invalid", "personal is not a JSON object") from None


def _more(record: TriggerRecord) -> Document:
    """What few triggers have: what stood here before these were is what stands here now."""
    more: Document = {}
    if record["depth"]:
        more["depth"] = record["depth"]
    if record["integrations"]:
        more["integrations"] = sent(record["integrations"], "integrations")
    return more


def moment(milliseconds: int) -> str:
    """RFC 3339, UTC, milliseconds; a time that has none is a `DecodeError`."""
    if not 0 <= milliseconds <= TIME_MAX:
        raise DecodeError("time_out_of_range", "a time is not within years 1970 to 9999")
    when = _EPOCH + timedelta(milliseconds=milliseconds)
    return when.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def sent(data: bytes, field: str) -> msgspec.Raw:
    """A JSON object byte for byte, so that no number changes; on one line."""
    try:
        data.decode()
        _object.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise DecodeError(f"{field}_invalid", f"{field} is not a JSON object") from None
    # Within JSON a bare line break stands between tokens only.
    return msgspec.Raw(data.replace(b"\n", b" ").replace(b"\r", b" "))

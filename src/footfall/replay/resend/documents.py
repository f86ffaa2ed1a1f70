"""A trigger as receivers get it, and as the topic has it: the same thing, to and fro.

footfall.triggers keeps seven days; the first step of each delivery keeps the document, for thirty.
Decides what is read of a document; what is sent of it stays byte for byte. Pure.
"""

from __future__ import annotations

from typing import Final

import msgspec

from footfall.errors import DecodeError
from footfall.events import times
from footfall.events.codec import TriggerRecord
from footfall.view.trigger import trigger as document_of

_EMPTY: Final = msgspec.Raw(b"{}")


class _Document(msgspec.Struct):
    """What is read of a document."""

    trigger_id: str
    name: str
    customer_key: str
    occurred_at: str
    emitted_at: str
    config_version: str = ""
    held_out: bool = False
    depth: int = 0
    ids: msgspec.Raw = _EMPTY
    data: msgspec.Raw = _EMPTY
    evidence: msgspec.Raw = _EMPTY
    integrations: msgspec.Raw = msgspec.Raw(b"")


_document = msgspec.json.Decoder(_Document)


def document(record: TriggerRecord) -> bytes:
    """The document of a record; raises `DecodeError`."""
    return msgspec.json.encode(document_of(record))


def record_of(document: bytes) -> TriggerRecord:
    """The record of a document; raises `DecodeError` for what is none."""
    try:
        said = _document.decode(document)
        return {
            "trigger_id": said.trigger_id, "name": said.name, "customer_key": said.customer_key,
            "occurred_at": times.read(said.occurred_at), "emitted_at": times.read(said.emitted_at),
            "config_version": said.config_version, "data": bytes(said.data),
            "evidence": bytes(said.evidence), "key_id": None,
            "personal": b'{"ids":' + bytes(said.ids) + b"}", "held_out": said.held_out,
            "depth": said.depth, "integrations": bytes(said.integrations)}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        raise DecodeError("trigger_invalid", "what a step has is no trigger") from None

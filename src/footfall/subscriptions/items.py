"""Triggers as subscribers are asked about them; what is made of one is made once for all.

Decides what is not sent: what cannot be read, a repeat, and a trigger that is held out (nobody may
be told of it). A role sees what `view/why_classes.py` leaves; who sees everything gets `data` and
`evidence` byte for byte. Must never write anything of a trigger to a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from footfall.errors import DecodeError
from footfall.events.codec import Codec, TriggerRecord
from footfall.events.schema_rules import Class
from footfall.subscriptions import frames
from footfall.subscriptions.filters import Filter
from footfall.subscriptions.reading import Record
from footfall.subscriptions.repeats import Repeats
from footfall.view.classes import UNCLASSED
from footfall.view.trigger import Document, trigger
from footfall.view.why_classes import ExplanationMask

Skipped = Literal["held_out", "repeat", "unreadable"]
SKIPPED: tuple[Skipped, ...] = ("held_out", "repeat", "unreadable")
_free = msgspec.json.Decoder(dict[str, Any])


class Reader(NamedTuple):
    """Who subscribes: what is asked for, what may be seen, and by which key. No triggers: all."""

    asked: Filter
    clearance: Class
    triggers: frozenset[str] = frozenset()
    key: str = ""


class Sight(NamedTuple):
    """A trigger as a clearance sees it."""

    data: Mapping[str, Any]
    body: bytes


class Item:
    """A trigger at its place in the topic."""

    __slots__ = ("_frames", "_sights", "document", "emitted_at",
                 "offset", "partition", "size")

    def __init__(self, record: Record, document: Document, emitted_at: int) -> None:
        self.partition = record.partition
        self.offset = record.offset
        self.size = len(record.value or b"")
        self.document = document
        self.emitted_at = emitted_at
        self._sights: dict[Class, Sight] = {}
        #: Of each clearance the frame made last, and for which cursor.
        self._frames: dict[Class, tuple[str, bytes]] = {}

    def is_for(self, reader: Reader, mask: ExplanationMask) -> bool:
        """Whether it is asked for and may be seen."""
        shown = self.document
        if reader.triggers and shown["name"] not in reader.triggers:
            return False
        asked = reader.asked
        if not asked.takes(shown["name"], shown["customer_key"], shown["ids"]):
            return False
        return not asked.fields or asked.fits(self.sight(reader.clearance, mask).data)

    def frame(self, reader: Reader, mask: ExplanationMask, cursor: str) -> bytes:
        """Its event; many subscribers are at the same place and see the same."""
        at, made = self._frames.get(reader.clearance, ("", b""))
        if at != cursor:
            made = frames.event(frames.TRIGGER, cursor, self.sight(reader.clearance, mask).body)
            self._frames[reader.clearance] = (cursor, made)
        return made

    def sight(self, clearance: Class, mask: ExplanationMask) -> Sight:
        """It as a clearance sees it; raises `DecodeError`."""
        found = self._sights.get(clearance)
        if found is None:
            found = self._sights[clearance] = sight(self.document, clearance, mask)
        return found


def sight(document: Document, clearance: Class, mask: ExplanationMask) -> Sight:
    """A trigger as a clearance sees it; raises `DecodeError`."""
    try:
        data = _free.decode(document["data"])
        if clearance == UNCLASSED:
            return Sight(data, msgspec.json.encode(document))
        evidence = _free.decode(document["evidence"])
        shown = mask.trigger({**document, "data": data, "evidence": evidence}, clearance)
        return Sight(shown["data"], msgspec.json.encode(shown))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise DecodeError("data_invalid", "data or evidence cannot be read") from None


def item_of(record: Record, codec: Codec[TriggerRecord], repeats: Repeats) -> Item | Skipped:
    """The trigger of a record, or why it is not sent. Raises `SchemaError` where nobody can say: a
    registry that is away makes no record unreadable.
    """
    try:
        decoded = codec.decode(record.value)
        if repeats.is_one(record.partition, decoded["trigger_id"]):
            return "repeat"
        if decoded["held_out"]:
            return "held_out"
        document = trigger(decoded)
        _free.decode(document["data"])
        _free.decode(document["evidence"])
        return Item(record, document, decoded["emitted_at"])
    except (DecodeError, msgspec.MsgspecError, RecursionError):
        return "unreadable"

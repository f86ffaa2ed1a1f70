"""From a record of another log of Footfall to the interaction that it was, as that log's workers
took it.

Decides which records are interactions: the six calls, those that were imported there, and what
became of deliveries, which tables see, too. All others are of that installation's own making
(handoffs, ticks, configuration, unmerges) and are passed over: here they come about anew, or not at
all. Decides that all an event had is kept, its messageId and source and the time by which steps saw
it, which is never later than it was appended; and what makes two records one: the messageId under
the same key, by which the workers there recognised it, or the row of a file from which both came.
Must never take what a worker refused.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import msgspec

from footfall.errors import DecodeError, Rejected, SettingsError
from footfall.events.admit import CALLS
from footfall.events.codec import InteractionCodec
from footfall.events.customer_key import CustomerKeys, is_customer_key
from footfall.events.identifiers import identifiers
from footfall.events.interaction import (
    CONFIG,
    CUTOVER,
    DELIVERY,
    HANDOFF,
    IMPORT,
    TICK,
    UNMERGE,
    VIOLATION,
    Interaction,
)
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ROW_BYTES
from footfall.replay.imports.rows import Logged

STAGE: Final = "import"
#: Records that are no interaction, and nobody's.
PASSED: Final = frozenset({TICK, HANDOFF, CONFIG, UNMERGE, CUTOVER, VIOLATION})
#: So many of those who are named are looked up, to know the secret of their keys.
_NAMED_MAX: Final = 1_000


class Known(NamedTuple):
    """An interaction. `seen`: as tables see it; `kept`: as an import writes it. `is_logged`: `row`
    stands for its messageId.
    """

    key: bytes
    seen: Interaction
    kept: Interaction
    row: bytes
    is_logged: bool


class Passed(NamedTuple):
    """A record that is no interaction, and its type."""

    kind: str


class Past:
    """Reads records of a log whose secrets are those of this installation."""

    def __init__(self, codec: InteractionCodec, keys: CustomerKeys, reserved: Reserved) -> None:
        self._decode = codec.decode
        self._keys = keys
        self._reserved = reserved
        #: Of events that name somebody, how many are under the key of who is named, and how many
        #: under none of theirs.
        self._own = self._strange = 0
        #: Records that could be decoded, and that could not.
        self.readable = self.unreadable = 0

    def of(self, record: Logged) -> Known | Rejected | Passed:
        """What a record is."""
        try:
            event = self._decode(record.value)
        except DecodeError as error:
            self.unreadable += 1
            return _rejected(record, error)
        self.readable += 1
        if event["type"] in PASSED:
            return Passed(event["type"])
        try:
            return self._known(record, event)
        except DecodeError as error:
            return _rejected(record, error)

    def check(self) -> None:
        """Raises `SettingsError` where keys of the records are another secret's."""
        if self._strange and not self._own:
            raise SettingsError("customer_key_secret is not that under which the archive was "
                                "written: every customer would be a stranger. Give "
                                "FOOTFALL_CUSTOMER_KEY_SECRET the value of that installation")
        if self.unreadable and not self.readable:
            raise SettingsError("no record of the archive can be read: the ids of its schemas are "
                                "another registry's. Name that one: --archive-registry URL, or "
                                "`none` where it had none")

    def _known(self, record: Logged, event: Interaction) -> Known:
        key, kind = record.key, event["type"]
        if key is None or not is_customer_key(key):
            raise DecodeError("key_invalid", "the Kafka key is no customer_key")
        if kind == DELIVERY:
            kept = self._reserved.past_delivery(event, key, record.appended_at)
            seen = self._reserved.read_delivery(event, key)
            return Known(key, seen, kept, row_of(key, kept["message_id"]), is_logged=True)
        if kind == IMPORT:
            payload, event = self._reserved.read_import(event, key)
            row, is_logged = payload.row, payload.logged
        elif kind in CALLS:
            row, is_logged = row_of(key, event["message_id"]), True
            if self._own + self._strange < _NAMED_MAX:
                self._look(key, event)
        elif kind.startswith("$"):
            raise DecodeError("reserved_unknown", f"type {kind[:20]!r} is not one of ours")
        else:
            raise DecodeError("type_unknown", "type is none of the calls")
        event["event_time"] = min(event["event_time"], record.appended_at)
        return Known(key, event, event, row, is_logged)

    def _look(self, key: bytes, event: Interaction) -> None:
        named = identifiers(event)
        if named:
            is_own = any(key == self._keys.of(kind, value) for kind, value in named.items())
            self._own, self._strange = self._own + is_own, self._strange + (not is_own)


def row_of(key: bytes, message_id: str) -> bytes:
    """What stands for a messageId of a key."""
    return hashlib.blake2b(msgspec.msgpack.encode((key, message_id)), digest_size=ROW_BYTES,
                           person=b"archived").digest()


def shown(known: Known) -> bytes:
    """An interaction as an item, for people."""
    event = known.seen
    item = {"type": event["type"], "event": event["event"], "timestamp": event["event_time"]}
    try:
        sent = msgspec.json.decode(event["personal"] or b"{}")
    except msgspec.DecodeError:
        sent = {}
    return msgspec.json.encode(item | sent if isinstance(sent, dict) else item)


def _rejected(record: Logged, error: DecodeError) -> Rejected:
    return Rejected(STAGE, error.reason,
                    f"partition {record.partition}, offset {record.offset}: {error.detail}", "",
                    record.appended_at, record.value or b"")

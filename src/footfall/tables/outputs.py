"""What a fold sends: triggers, handoffs and rejected records, encoded for their topics.

Decides a trigger's id: a hash of (name, customer, cause), so that a repeat is the same trigger.
Bytes depend on nothing but the arguments: folding the log again gives them again (law 4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from footfall.events.codec import Codecs
from footfall.events.interaction import HANDOFF
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import Handoff
from footfall.tables.spec import Output, Trigger

TRIGGER = "trigger"
REJECTED = "rejected"
TRIGGER_ID_BYTES: Final = 16
#: Of a rejected record's bytes. With what we add it stays below a broker's default of 1,048,588;
#: a poison record that could not be put away would stop the partition for ever.
REJECTED_BYTES_MAX: Final = 1_000_000


class Outputs:
    """Encodes the outputs of one partition of the log. `stage`: who rejects."""

    def __init__(self, codecs: Codecs, reserved: Reserved, topic: str, partition: int,
                 stage: str = "worker") -> None:
        self._codecs = codecs
        self._reserved = reserved
        self._topic = topic
        self._partition = partition
        self._stage = stage

    def trigger(self, key: bytes, trigger: Trigger, ids: Mapping[str, str], now: int,
                config_version: str) -> Output:
        """A trigger of the customer `key`, fired at `now` (ms of the log's clock)."""
        return Output(TRIGGER, key, self._codecs.trigger.encode({
            "trigger_id": trigger_id(key, trigger),
            "name": trigger.name,
            "customer_key": key.decode(),
            "occurred_at": trigger.occurred_at,
            "emitted_at": now,
            "config_version": config_version,
            "data": _json(trigger.data),
            "evidence": _json(trigger.evidence),
            "key_id": None,
            "personal": _json({"ids": ids}),
            "held_out": trigger.held_out,
            "depth": trigger.depth,
            "integrations": trigger.integrations,
        }), trigger.name)

    def handoff(self, to: bytes, move: Handoff, rows: bytes) -> Output:
        """Rows for another customer."""
        event = self._reserved.handoff(to, move, rows)
        return Output(HANDOFF, to, self._codecs.interaction.encode(event))

    def rejected(self, offset: int, appended_at: int, value: bytes | None, reason: str,
                 detail: str) -> Output:
        """A log record that could not be applied, with its coordinates and bytes."""
        value = value or b""
        if len(value) > REJECTED_BYTES_MAX:
            detail += f"; cut: {len(value)} bytes"
            value = value[:REJECTED_BYTES_MAX]
        return Output(REJECTED, b"%d" % offset, self._codecs.rejected.encode({
            "stage": self._stage, "reason": reason, "detail": detail, "source": "",
            "rejected_at": max(appended_at, 0), "topic": self._topic,
            "partition": self._partition, "offset": offset, "key_id": None,
            "personal": value,
        }))


def trigger_id(key: bytes, trigger: Trigger) -> str:
    """The id of a trigger of the customer `key`."""
    cause = msgspec.msgpack.encode((trigger.name, key, trigger.cause))
    return hashlib.blake2b(cause, digest_size=TRIGGER_ID_BYTES).hexdigest()


def _json(value: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(value, order="sorted")

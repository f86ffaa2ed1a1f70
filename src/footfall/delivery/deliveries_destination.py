"""Records by which an administrator disables and enables a destination. Pure.

Decides their key and fields. Each partition decides for itself, so that each gets one: who appends
them to a part of the partitions has not done it.
"""

from __future__ import annotations

from typing import Final, Literal

from footfall.events.codec import DeliveryRecord

#: Of the key; its name follows.
KEY_PREFIX: Final = b"$destination|"
BY_ADMINISTRATOR: Final = "administrator"


def key_of(destination: str) -> bytes:
    """The Kafka key of all records of a destination."""
    return KEY_PREFIX + destination.encode()


def switched(destination: str, status: Literal["disabled", "enabled"], reason: str, now: int
             ) -> DeliveryRecord:
    """The record that does it."""
    return {
        "status": status, "reason": reason, "trigger_id": "", "trigger": "", "customer_key": "",
        "destination": destination, "channel": "", "medium": "", "purpose": "", "attempt": 0,
        "at": now, "due_at": 0, "emitted_at": 0, "code": 0, "took_ms": 0, "trigger_offset": -1,
        "routes_version": "", "depth": 0, "key_id": None, "personal": b"",
    }

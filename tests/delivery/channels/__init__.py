"""What channel tests share: a trigger as delivery hands it to a channel, and an attempt."""

from __future__ import annotations

from typing import Any

import msgspec

from footfall.delivery.message import Attempt, Person

NOBODY = Person()
TRIGGER_ID = "ab" * 16
CUSTOMER_KEY = "user_id:0123456789abcdef"
TRIGGER: dict[str, Any] = {
    "trigger_id": TRIGGER_ID, "name": "cart_abandoned", "customer_key": CUSTOMER_KEY,
    "ids": {"user_id": "ada-u1", "email": "ada@shop.test"},
    "occurred_at": "2026-11-26T07:00:00.000Z", "emitted_at": "2026-11-26T07:00:01.000Z",
    "config_version": "0:0", "held_out": False,
    "data": msgspec.Raw(b'{"value": 12.50}'), "evidence": msgspec.Raw(b"{}"),
}
DOCUMENT = msgspec.json.encode(TRIGGER)


def attempt(trigger_id: str = TRIGGER_ID, customer_key: str = CUSTOMER_KEY, number: int = 1
            ) -> Attempt:
    """A try of a trigger."""
    return Attempt(trigger_id, trigger_id, TRIGGER["name"], customer_key, number, 1_795_676_400.0)

"""Records for tests: one of each subject, valid and small; change what a test is about."""

from __future__ import annotations

from typing import Any

from footfall.events import amount
from footfall.events.codec import DeliveryRecord, RejectedRecord, TriggerRecord
from footfall.events.interaction import Interaction

AT = 1_790_000_000_123


def an_interaction(**changed: Any) -> Interaction:
    """A Product Added."""
    event: Any = {
        "type": "track", "event": "Product Added", "message_id": "m-1", "event_time": AT,
        "received_at": AT + 50, "source": "web", "channel": "web",
        "commerce": {
            "action": "product_added", "cart_id": "c1", "order_id": "", "checkout_id": "",
            "currency": "EUR", "coupon": "", "total": None,
            "revenue": amount.to_bytes(amount.parse("12.5")),
            "lines": [{"product_id": "p1", "variant": "", "sku": "", "name": "Shoe",
                       "category": "", "price": amount.to_bytes(amount.parse("12.50")),
                       "quantity": amount.to_bytes(amount.ONE)}],
        },
        "system": None, "key_id": None,
        "personal": b'{"userId":"u1","properties":{"n":12345678901234567890123,"x":1.10}}',
    }
    return {**event, **changed}


def a_trigger(**changed: Any) -> TriggerRecord:
    """A cart_abandoned."""
    record: Any = {
        "trigger_id": "0" * 32, "name": "cart_abandoned",
        "customer_key": "user_id:AAAAAAAAAAAAAAAAAAAAAA", "occurred_at": AT, "emitted_at": AT + 1,
        "config_version": "1:abcd", "data": b'{"value":"12.50"}', "evidence": b'{"deadline":1}',
        "key_id": None, "personal": b'{"ids":{"user_id":"u1"}}', "held_out": False,
        "depth": 0, "integrations": b"",
    }
    return {**record, **changed}


def a_rejected(**changed: Any) -> RejectedRecord:
    """What the collector could not take."""
    record: Any = {
        "stage": "collector", "reason": "json_invalid", "detail": "at byte 3", "source": "web",
        "rejected_at": AT, "topic": "", "partition": -1, "offset": -1, "key_id": None,
        "personal": b"{broken",
    }
    return {**record, **changed}


def a_delivery(**changed: Any) -> DeliveryRecord:
    """The first step of a webhook's."""
    record: Any = {
        "status": "queued", "reason": "", "trigger_id": "0" * 32, "trigger": "cart_abandoned",
        "customer_key": "user_id:AAAAAAAAAAAAAAAAAAAAAA", "destination": "crm",
        "channel": "webhook", "medium": "webhook", "purpose": "marketing", "attempt": 0,
        "at": AT + 10, "due_at": AT + 10, "emitted_at": AT + 1, "code": 0, "took_ms": 0,
        "trigger_offset": 7, "routes_version": "0123456789ab", "depth": 0, "key_id": None,
        "personal": b'{"trigger":{"trigger_id":"' + b"0" * 32 + b'","n":1.10}}',
        "run": "",
    }
    if changed.get("status", "queued") != "queued":
        record |= {"trigger_offset": -1, "personal": b""}
    return {**record, **changed}

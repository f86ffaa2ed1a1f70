"""Makes interactions as the log has them, for tests of tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from footfall.events import amount
from footfall.events.interaction import Interaction, Line


def line(product_id: str = "p1", price: str | None = "10", quantity: str = "1", *,
         variant: str = "", name: str = "", sku: str = "") -> Line:
    """One product; amounts as decimal text."""
    return {
        "product_id": product_id, "variant": variant, "sku": sku, "name": name, "category": "",
        "price": None if price is None else amount.to_bytes(amount.parse(price)),
        "quantity": amount.to_bytes(amount.parse(quantity)),
    }


def commerce(action: str, at: int, message_id: str, *lines: Line, cart_id: str = "",
             order_id: str = "", currency: str = "EUR", total: str | None = None,
             revenue: str | None = None) -> Interaction:
    """An e-commerce event."""
    made = plain(at, message_id)
    made["commerce"] = {
        "action": action, "cart_id": cart_id, "order_id": order_id, "checkout_id": "",
        "currency": currency, "coupon": "", "lines": list(lines),
        "total": None if total is None else amount.to_bytes(amount.parse(total)),
        "revenue": None if revenue is None else amount.to_bytes(amount.parse(revenue)),
    }
    return made


def plain(at: int, message_id: str, ids: dict[str, Any] | None = None) -> Interaction:
    """An event of no commerce."""
    return {
        "type": "track", "event": "", "message_id": message_id, "event_time": at,
        "received_at": at, "source": "test", "channel": "", "commerce": None, "system": None,
        "key_id": None, "personal": json.dumps(ids or {}).encode(),
    }


def added(at: int, message_id: str, product_id: str = "p1", price: str | None = "10",
          quantity: str = "1", **rest: Any) -> Interaction:
    """Product Added."""
    return commerce("product_added", at, message_id, line(product_id, price, quantity), **rest)


def removed(at: int, message_id: str, product_id: str = "p1", quantity: str = "1",
            **rest: Any) -> Interaction:
    """Product Removed."""
    return commerce("product_removed", at, message_id, line(product_id, None, quantity), **rest)


def viewed(at: int, message_id: str, lines: Sequence[Line] = (), **rest: Any) -> Interaction:
    """Cart Viewed."""
    return commerce("cart_viewed", at, message_id, *lines, **rest)


def ordered(at: int, message_id: str, **rest: Any) -> Interaction:
    """Order Completed."""
    return commerce("order_completed", at, message_id, **rest)

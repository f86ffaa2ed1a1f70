"""A customer's carts as people read them, at an instant: what is in them, how long left alone.

Decides the JSON of `footfall customer` for the table cart (docs/tables.md); forms as in triggers.
Whether a cart counts as abandoned is what was told (`cart.py`), never a comparison made here: who
reads this and who gets triggers must not be told different things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from footfall.events.amount import from_bytes, text
from footfall.tables.cart_operations import ORDERED
from footfall.tables.cart_reading import VALUE_PLACES, holds_products, is_partial, replay, value
from footfall.tables.cart_row import Cart, CartFacts, Order
from footfall.tables.cart_triggers import instant, shown_line

if TYPE_CHECKING:
    from footfall.tables.cart_row import Abandonment, CartConfig, CartTold


def view(facts: CartFacts, told: CartTold, now: int, config: CartConfig) -> dict[str, Any]:
    """All carts that are known, newest activity first; the newest orders, newest first."""
    idle_ms = round(config.idle_s * 1000)
    told_of = {t.cart_id: t.abandonment for t in told.carts}
    carts = sorted(facts.carts, key=lambda cart: (cart.last, cart.cart_id), reverse=True)
    return {
        "carts": [_cart(facts, cart, state(cart, told, told_of.get(cart.cart_id)), now, idle_ms)
                  for cart in carts],
        "abandonments": [_abandonment(cart_id, abandonment)
                         for cart_id, abandonment in told_of.items() if abandonment is not None],
        "orders": [_order(order) for order in reversed(facts.orders)],
        "idle_s": text(idle_ms, 3),
    }


def state(cart: Cart, told: CartTold, abandonment: Abandonment | None) -> str:
    """open, abandoned, recovered, ordered or empty."""
    if not holds_products(cart):
        return "ordered" if cart.operations[-1].kind == ORDERED else "empty"
    last = cart.last[0]
    if abandonment is not None and last <= abandonment.covers:
        return "recovered" if abandonment.recovered else "abandoned"
    return "abandoned" if last <= told.forgotten else "open"


def _cart(facts: CartFacts, cart: Cart, state: str, now: int, idle_ms: int) -> dict[str, Any]:
    lines, limited = replay(cart)
    last = cart.last[0]
    return {
        "cart_id": cart.cart_id,
        "state": state,
        "value": {c: text(v, VALUE_PLACES) for c, v in value(lines).items()},
        "lines": [shown_line(line) for line in lines],
        "last_activity": instant(last),
        "idle_ms": max(0, now - last),
        "deadline": instant(last + idle_ms) if state == "open" else None,
        "limited": limited or is_partial(facts, cart),
    }


def _abandonment(cart_id: str, abandonment: Abandonment) -> dict[str, Any]:
    return {"cart_id": cart_id, "deadline": instant(abandonment.deadline),
            "recovered": abandonment.recovered}


def _order(order: Order) -> dict[str, Any]:
    return {"order_id": order.order_id, "cart_id": order.cart_id, "ordered_at": instant(order.at),
            "value": {order.currency: text(from_bytes(order.value), VALUE_PLACES)}}

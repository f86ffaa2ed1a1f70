"""What the cart's triggers say: `cart_abandoned` and `cart_recovered`, field by field.

Decides names and forms of their data and evidence (docs/triggers.md lists them): amounts are exact
decimal text, instants RFC 3339 in UTC with milliseconds, spans integers of milliseconds. Must never
decide whether a trigger fires; that is `cart.py`.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from footfall.events.amount import PLACES, from_bytes, text
from footfall.tables.cart_reading import VALUE_PLACES, is_partial, replay, value
from footfall.tables.cart_row import Cart, CartFacts, CartLine, Mark, Order
from footfall.tables.spec import Trigger

ABANDONED = "cart_abandoned"
RECOVERED = "cart_recovered"
#: An abandonment told later than this after its deadline says so; above any usual grace.
LATE_MS: Final = 5_000
#: messageIds in evidence, of the last activity.
MESSAGE_IDS_MAX: Final = 5

_EPOCH = date(1970, 1, 1)
_DAY_MS: Final = 86_400_000
_LATEST_MS: Final = 253_402_300_799_999


def abandoned(facts: CartFacts, cart: Cart, deadline: int, now: int, idle_ms: int) -> Trigger:
    """A cart was left alone; `deadline` is the first one of its quiet stretch."""
    lines, limited = replay(cart)
    last_activity = cart.last[0]
    message_ids = [o.message_id for o in reversed(cart.operations) if o.at == last_activity]
    return Trigger(
        ABANDONED,
        (cart.cart_id, deadline),
        deadline,
        {
            "cart_id": cart.cart_id,
            "lines": [shown_line(line) for line in lines],
            "value": {c: text(v, VALUE_PLACES) for c, v in value(lines).items()},
            "last_activity": instant(last_activity),
            "deadline": instant(deadline),
            "late": now - deadline > LATE_MS,
            "limited": limited or is_partial(facts, cart),
        },
        {
            "idle_s": text(idle_ms, 3),
            "last_activity": instant(last_activity),
            "deadline": instant(deadline),
            "silent_until": instant(now),
            "message_ids": message_ids[:MESSAGE_IDS_MAX],
        },
    )


def recovered(cart_id: str, deadline: int, last: Mark, order: Order) -> Trigger:
    """An order followed an abandonment that was told with this `deadline`."""
    return Trigger(
        RECOVERED,
        (cart_id, deadline),
        order.at,
        {
            "cart_id": cart_id,
            "order_id": order.order_id,
            "value": {order.currency: text(from_bytes(order.value), VALUE_PLACES)},
            "currency": order.currency,
            "ordered_at": instant(order.at),
            "abandoned_at": instant(deadline),
            "after_ms": order.at - deadline,
            "late": order.at <= deadline,
        },
        {
            "deadline": instant(deadline),
            "last_activity": instant(last[0]),
            "message_ids": [last[1], order.message_id],
        },
    )


def instant(at: int) -> str:
    """RFC 3339 in UTC with milliseconds; times past the year 9999 read as its end."""
    # A third of the time that datetime takes, and two thirds of an f-string: a view shows dozens.
    days, rest = divmod(min(at, _LATEST_MS), _DAY_MS)
    seconds, ms = divmod(rest, 1000)
    minutes, seconds = divmod(seconds, 60)
    return "%sT%02d:%02d:%02d.%03dZ" % (  # noqa: UP031
        _date(days), minutes // 60, minutes % 60, seconds, ms)


@lru_cache(4_096)
def _date(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).isoformat()


def shown_line(line: CartLine) -> dict[str, Any]:
    """A line in a trigger and in a view."""
    return {
        "product_id": line.product_id,
        "variant": line.variant,
        "sku": line.sku,
        "name": line.name,
        "price": None if line.price is None else text(line.price, PLACES),
        "currency": line.currency,
        "quantity": text(line.quantity, PLACES),
    }

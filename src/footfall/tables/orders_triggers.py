"""What the triggers of orders say: `order_completed_first` and `order_refunded`, field by field.

Decides names and forms of their data and evidence (docs/triggers.md lists them); forms are those of
the cart's. Must never decide whether a trigger fires; that is `orders.py`.
"""

from __future__ import annotations

from footfall.events.amount import from_bytes
from footfall.tables.cart_triggers import instant
from footfall.tables.orders_messages import KINDS
from footfall.tables.orders_reading import (
    amount,
    currency_of,
    is_offline,
    lines_of,
    lines_sent,
    repaid,
)
from footfall.tables.orders_row import Order, Refund
from footfall.tables.spec import Trigger

COMPLETED_FIRST = "order_completed_first"
REFUNDED = "order_refunded"


def completed_first(order: Order) -> Trigger:
    """The first order of a customer that is known."""
    stated = order.stated
    channel = "" if stated is None else stated.channel
    return Trigger(
        COMPLETED_FIRST,
        (order.order_id, order.message_id),
        order.completed,
        {
            "order_id": order.order_id,
            "value": amount(repaid(order).value),
            "currency": currency_of(order),
            "completed_at": instant(order.completed),
            "channel": channel,
            "offline": is_offline(channel),
            "kind": KINDS[0 if stated is None else stated.kind],
            "lines": lines_of(order),
            "lines_sent": lines_sent(order),
        },
        {
            "completed_at": instant(order.completed),
            "message_ids": [] if stated is None else [stated.message_id],
        },
    )


def refunded(order: Order, refund: Refund) -> Trigger:
    """Money went back; value and what is left are as of now, all known refunds counted."""
    paid = repaid(order)
    stated = order.stated
    channel = "" if stated is None else stated.channel
    message_ids = [refund.message_id]
    if stated is not None:
        message_ids.append(stated.message_id)
    return Trigger(
        REFUNDED,
        (order.order_id, refund.message_id),
        refund.at,
        {
            "order_id": order.order_id,
            "amount": amount(from_bytes(refund.amount)) if refund.amount else None,
            "currency": currency_of(order, refund),
            "full": refund.rest or paid.left == 0,
            "value": amount(paid.value),
            "refunded": amount(paid.refunded),
            "left": amount(paid.left),
            "refunded_at": instant(refund.at),
            "completed_at": instant(order.completed) if order.completed >= 0 else None,
            "channel": channel,
            "offline": is_offline(channel),
        },
        {
            "refunded_at": instant(refund.at),
            "refunds": len(order.refunds) + sum(s.refunds for s in order.older),
            "message_ids": message_ids,
        },
    )

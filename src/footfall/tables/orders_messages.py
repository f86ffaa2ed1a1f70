"""What one e-commerce event says of an order: the order as that message alone knows it.

Decides which events concern orders, what of them is kept and how much at most; longer texts are
cut, products that do not fit are dropped, by content alone. Orders and their joins are in
`orders_facts.py`. Rules:
- Order Completed completes an order, Subscription Renewed too: each renewal is an order of its own.
- Completed and Updated are absolute: the newest states value, currency and products. An update
  that has neither an amount nor a product states nothing.
- Only Order Refunded moves money back. Its amount is its total, else its revenue, else the value of
  its products; without any of these it refunds all that is left, unless it names products.
- Order Returned says that goods came back, Order Cancelled that the order does not count.
Must never look at other events.
"""

from __future__ import annotations

from typing import Final

import msgspec

from footfall.events.amount import from_bytes, to_bytes
from footfall.events.commerce import names_of, paths_of
from footfall.events.interaction import Commerce, Interaction, Line
from footfall.events.personal import properties
from footfall.tables.cart_operations import ID_CHARS_MAX, read_order
from footfall.tables.orders_row import Lines, Order, OrderLine, Properties, Refund, Stated
from footfall.tables.spec import Reads

#: Products of one order, in bytes: about 20 with short names.
LINES_BYTES_MAX: Final = 1_000
#: To so many characters the texts of a product are cut.
TEXT_CHARS_MAX: Final = 50
CHANNEL_CHARS_MAX: Final = 20
_CURRENCY_CHARS: Final = 8

COMPLETED: Final = 0
UPDATED: Final = 1
CANCELLED: Final = 2
REFUNDED: Final = 3
RETURNED: Final = 4

MESSAGES = {
    "order_completed": COMPLETED,
    "subscription_renewed": COMPLETED,
    "order_updated": UPDATED,
    "order_cancelled": CANCELLED,
    "order_refunded": REFUNDED,
    "order_returned": RETURNED,
}

#: What an order is, as `Stated.kind` has it.
KINDS = ("order", "subscription", "renewal")
_RENEWED = "subscription_renewed"

_VALUE = ("order_id", "total", "revenue", "lines.price", "lines.quantity")
_STATED = (*_VALUE, "currency", "lines.product_id", "lines.variant", "lines.name")
#: Of each message, what is read of the commerce record.
_READ = {COMPLETED: _STATED, UPDATED: _STATED, CANCELLED: ("order_id",),
         REFUNDED: (*_VALUE, "currency"), RETURNED: ("order_id",)}
_CHANNELS = frozenset({"properties.channel", "properties.sales_channel"})
_KINDS = frozenset({"properties.renewal", "properties.subscription", "properties.subscription_id"})
_STATING = frozenset().union(*(names_of(action) for action, message in MESSAGES.items()
                               if message in (COMPLETED, UPDATED)))
#: What is read of an item, as it was sent.
READ = (
    *(Reads(paths_of(action, *_READ[message]), names_of(action))
      for action, message in MESSAGES.items()),
    Reads(_CHANNELS, _STATING),
    Reads(_KINDS, _STATING - names_of(_RENEWED)),
)

_encode = msgspec.msgpack.Encoder().encode


def wants(event: Interaction) -> bool:
    """Whether an event says something of an order."""
    commerce = event["commerce"]
    return commerce is not None and commerce["action"] in MESSAGES


def read(event: Interaction, when: int) -> Order | None:
    """The order as this event alone knows it; None where it says nothing of one."""
    commerce = event["commerce"]
    message = None if commerce is None else MESSAGES.get(commerce["action"])
    if commerce is None or message is None:
        return None
    message_id = event["message_id"]
    order_id = commerce["order_id"][:ID_CHARS_MAX]
    own = "" if order_id else message_id
    if message == COMPLETED:
        return Order(order_id, own, when, _stated(event, commerce, when))
    if message == UPDATED:
        stated = _stated(event, commerce, when)
        return Order(order_id, own, stated=stated) if stated.informed else None
    if message == CANCELLED:
        return Order(order_id, own, cancelled=when)
    if message == RETURNED:
        return Order(order_id, own, returned=when)
    value = _value(commerce, when)
    amount = to_bytes(abs(from_bytes(value))) if value else b""  # some shops send it negative
    refund = Refund(when, message_id, commerce["currency"][:_CURRENCY_CHARS], amount,
                    not amount and not commerce["lines"])
    return Order(order_id, own, refunds=(refund,))


def _stated(event: Interaction, commerce: Commerce, when: int) -> Stated:
    said = properties(event, Properties)
    kind = 0
    if said.renewal or commerce["action"] == _RENEWED:
        kind = 2
    elif said.subscription or said.subscription_id:
        kind = 1
    channel = said.channel or said.sales_channel or event["channel"]
    value = _value(commerce, when)
    lines = _lines(commerce["lines"])
    return Stated(bool(value or lines), when, event["message_id"],
                  commerce["currency"][:_CURRENCY_CHARS], value,
                  channel[:CHANNEL_CHARS_MAX].lower(), kind, lines)


def _value(commerce: Commerce, when: int) -> bytes:
    if commerce["total"] is None and commerce["revenue"] is None and not any(
            line["price"] is not None for line in commerce["lines"]):
        return b""
    return read_order(commerce, when, "").value


def _lines(lines: list[Line]) -> bytes:
    """The first products that fit; b"" when there is none."""
    if not lines:
        return b""
    kept = []
    room = LINES_BYTES_MAX - 6
    for line in lines:
        price = line["price"]
        product = OrderLine(
            line["product_id"][:TEXT_CHARS_MAX], line["variant"][:TEXT_CHARS_MAX],
            line["name"][:TEXT_CHARS_MAX],
            None if price is None else to_bytes(from_bytes(price)),
            to_bytes(from_bytes(line["quantity"])))
        room -= len(_encode(product))
        if room < 0:
            break
        kept.append(product)
    return _encode(Lines(len(lines), kept))

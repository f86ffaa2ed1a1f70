"""What one e-commerce event does to a cart: its operation, or its order, as the facts keep them.

Decides which events concern carts, what of them is kept, in bytes that one content always has (law
3), and how much at most: longer texts are cut and products that do not fit are dropped, by content
alone, and the operation says so. Must never look at other events.
"""

from __future__ import annotations

from typing import Final

import msgspec

from footfall.events.amount import ONE, from_bytes, to_bytes
from footfall.events.commerce import names_of, paths_of
from footfall.events.interaction import Commerce, Interaction, Line
from footfall.tables.cart_row import Order
from footfall.tables.spec import Reads

#: One relative operation: bytes of its content.
RELATIVE_BYTES_MAX: Final = 2_000
#: One absolute operation: bytes of its content.
ABSOLUTE_BYTES_MAX: Final = 12_000
#: To so many characters texts are cut where an operation would be too large.
TEXT_CHARS_CUT: Final = 50
ID_CHARS_MAX: Final = 200
_CURRENCY_CHARS: Final = 8

ADDED: Final = 0
REMOVED: Final = 1
#: From here on absolute.
VIEWED: Final = 2
ORDERED: Final = 3

KINDS = {
    "product_added": ADDED,
    "wishlist_product_added_to_cart": ADDED,
    "product_removed": REMOVED,
    "cart_viewed": VIEWED,
    "order_completed": ORDERED,
}

_CONTENT = ("cart_id", "currency", "lines.product_id", "lines.variant", "lines.sku", "lines.name",
            "lines.price", "lines.quantity")
_ORDER = ("cart_id", "order_id", "currency", "total", "revenue", "lines.price", "lines.quantity")
#: What is read of an item, as it was sent.
READ = tuple(Reads(paths_of(action, *(_ORDER if kind == ORDERED else _CONTENT)), names_of(action))
             for action, kind in KINDS.items())

_Packed = tuple[str, str, str, str, bytes | None, bytes]
_encode = msgspec.msgpack.Encoder().encode


def wants(event: Interaction) -> bool:
    """Whether an event says something of a cart."""
    commerce = event["commerce"]
    return commerce is not None and commerce["action"] in KINDS


def cart_of(commerce: Commerce) -> str:
    """The cart an event names; "" is the default one."""
    cart_id = commerce["cart_id"]
    return cart_id if len(cart_id) <= ID_CHARS_MAX else cart_id[:ID_CHARS_MAX]


def read_order(commerce: Commerce, when: int, message_id: str) -> Order:
    """The order that Order Completed tells of."""
    return Order(when, message_id, cart_of(commerce), commerce["order_id"][:ID_CHARS_MAX],
                 commerce["currency"][:_CURRENCY_CHARS], _order_value(commerce))


def read_content(commerce: Commerce, kind: int) -> bytes:
    """Products with a quantity above zero; b"" when there is none."""
    products: list[_Packed] = []
    for line in commerce["lines"]:
        quantity = _shortest(line["quantity"])
        if from_bytes(quantity) > 0:
            price = line["price"]
            products.append((line["product_id"], line["variant"], line["sku"], line["name"],
                             None if price is None else _shortest(price), quantity))
    if not products:
        return b""
    currency = commerce["currency"]
    content = _encode((currency, products, False))
    bytes_max = RELATIVE_BYTES_MAX if kind < VIEWED else ABSOLUTE_BYTES_MAX
    return content if len(content) <= bytes_max else _shortened(currency, products, bytes_max)


def _shortened(currency: str, products: list[_Packed], bytes_max: int) -> bytes:
    currency = currency[:_CURRENCY_CHARS]
    kept = []
    room = bytes_max - len(_encode((currency, [], True))) - 4
    for *texts, price, quantity in products:
        product = (*(text[:TEXT_CHARS_CUT] for text in texts), price, quantity)
        room -= len(_encode(product))
        if room < 0:
            break
        kept.append(product)
    return _encode((currency, kept, True))


def _shortest(data: bytes) -> bytes:
    """The one form of an amount: a positive one that starts without a zero byte has it already."""
    return data if data and 0 < data[0] < 128 else to_bytes(from_bytes(data))


def _order_value(commerce: Commerce) -> bytes:
    stated = commerce["total"] if commerce["total"] is not None else commerce["revenue"]
    if stated is not None:
        return to_bytes(from_bytes(stated) * ONE)
    return to_bytes(sum(_line_value(line) for line in commerce["lines"]))


def _line_value(line: Line) -> int:
    price = line["price"]
    return 0 if price is None else from_bytes(price) * from_bytes(line["quantity"])

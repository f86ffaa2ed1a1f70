"""What is in a cart: its operations replayed in order.

Decides how operations add up: Product Added adds pieces, Product Removed takes them away and never
below none, Cart Viewed puts its products in place of all. A line is one (product_id, variant); its
name, sku, price and currency are the newest that were stated. Nothing read here is ever stored.
"""

from __future__ import annotations

from typing import Final

import msgspec

from footfall.events.amount import from_bytes
from footfall.tables.cart_operations import ADDED, ORDERED, REMOVED, VIEWED
from footfall.tables.cart_row import Cart, CartFacts, CartLine, CartState, Content

_decode = msgspec.msgpack.Decoder(Content).decode
#: Price and quantity are integers of 10^-9, so a value is one of 10^-18.
VALUE_PLACES: Final = 18


def read(facts: CartFacts) -> dict[str, CartState]:
    """All carts that are known, by cart_id; one that was ordered or emptied has no lines."""
    states = {}
    for cart in facts.carts:
        lines, limited = replay(cart)
        states[cart.cart_id] = CartState(lines, value(lines), cart.last[0],
                                         limited or is_partial(facts, cart))
    return states


def is_partial(facts: CartFacts, cart: Cart) -> bool:
    """Whether a cart may be what is left of one that the limit on carts dropped."""
    return cart.operations[0].at <= facts.cut_at


def replay(cart: Cart) -> tuple[list[CartLine], bool]:
    """The lines of a cart, and whether a limit dropped some of what made them."""
    lines: dict[tuple[str, str], CartLine] = {}
    limited = cart.cut is not None
    for operation in cart.operations:
        if operation.kind >= VIEWED:
            lines.clear()
        if not operation.content:
            continue
        content = _decode(operation.content)
        limited = limited or content.cut
        for product in content.products:
            key = product.product_id, product.variant
            pieces = from_bytes(product.quantity)
            line = lines.get(key)
            if operation.kind == REMOVED:
                if line is not None:
                    line.quantity -= pieces
                    if line.quantity <= 0:
                        del lines[key]
                continue
            if line is None:
                line = lines[key] = CartLine(*key)
            line.quantity += pieces
            line.sku = product.sku or line.sku
            line.name = product.name or line.name
            if product.price is not None:
                line.price = from_bytes(product.price)
                line.currency = content.currency
    return list(lines.values()), limited


def value(lines: list[CartLine]) -> dict[str, int]:
    """Exact value per currency, sorted by currency; lines without a price are not in it."""
    sums: dict[str, int] = {}
    for line in lines:
        if line.price is not None:
            sums[line.currency] = sums.get(line.currency, 0) + line.price * line.quantity
    return dict(sorted(sums.items()))


def holds_products(cart: Cart) -> bool:
    """Whether something is in a cart: found without replaying wherever possible."""
    for operation in reversed(cart.operations):
        kind = operation.kind
        if kind == ORDERED:
            return False
        if kind == REMOVED:
            break
        if operation.content:
            return True
        if kind == VIEWED:
            return False
    else:
        return False
    if not any(o.content for o in cart.operations if o.kind in (ADDED, VIEWED)):
        return False
    return bool(replay(cart)[0])

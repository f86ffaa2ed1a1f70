"""What the product's cart row holds, in the oracle's terms, so that the two can be compared."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from footfall.tables.cart_reading import read
from tests import oracle


def carts_held(row: Any) -> dict[str, oracle.CartContent]:
    """Cart -> content, of carts that hold products."""
    if row is None:
        return {}
    nano = oracle.NANO
    return {
        cart_id: oracle.CartContent(
            {(x.product_id, x.variant): (
                Fraction(x.quantity, nano), None if x.price is None else Fraction(x.price, nano),
                x.currency) for x in cart.lines},
            {currency: Fraction(v, nano * nano) for currency, v in cart.value.items()},
            cart.last_activity)
        for cart_id, cart in read(row.facts).items() if cart.lines
    }

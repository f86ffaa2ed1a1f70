"""What conditions may ask of carts: how many there are, how many were left, what is in them.

Decides that a cart counts while it holds products, abandoned or not; whether it is abandoned is
what was told (`cart_view.state`), never a comparison made here. Stays interpreted (setup.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from footfall.errors import MisfitError
from footfall.events.amount import ONE
from footfall.tables.cart_reading import holds_products, replay, value
from footfall.tables.cart_row import CartConfig, CartFacts, CartTold
from footfall.tables.cart_view import state
from footfall.tables.spec import FieldSpec

_CURRENCY: Final = re.compile(r"value\.([A-Z]{3})\Z")


def nano(units: int) -> int:
    """An amount of 10^-18 in 10^-9, rounded half-even."""
    whole, rest = divmod(units, ONE)
    return whole + (rest * 2 > ONE or (rest * 2 == ONE and whole & 1))


def _count(facts: CartFacts, _told: CartTold, _now: int, _config: CartConfig) -> int:
    return ONE * sum(holds_products(cart) for cart in facts.carts)


def _abandoned(facts: CartFacts, told: CartTold, _now: int, _config: CartConfig) -> int:
    told_of = {t.cart_id: t.abandonment for t in told.carts}
    return ONE * sum(state(cart, told, told_of.get(cart.cart_id)) == "abandoned"
                     for cart in facts.carts)


def _last_activity(facts: CartFacts, _told: CartTold, _now: int, _config: CartConfig
                   ) -> int | None:
    return max((cart.last[0] for cart in facts.carts), default=None)


FIELDS: Final[Mapping[str, FieldSpec]] = {
    "count": FieldSpec("number", _count, about="carts that hold products"),
    "abandoned_count": FieldSpec("number", _abandoned,
                                 about="those of them that were told as abandoned"),
    "last_activity": FieldSpec("instant", _last_activity, about="of the newest cart"),
}


def field_of(name: str, _config: CartConfig) -> FieldSpec:
    """`value.EUR`: what is in all carts together, in a currency; 0 where nothing is."""
    found = _CURRENCY.match(name)
    if found is None:
        raise MisfitError(f"{name[:60]!r} is no field of cart; known are {', '.join(FIELDS)} and "
                          "value with a currency, such as value.EUR")
    currency = found[1]

    def read(facts: CartFacts, _told: CartTold, _now: int, _config: CartConfig) -> int:
        return nano(sum(value(replay(cart)[0]).get(currency, 0) for cart in facts.carts))

    return FieldSpec("number", read)

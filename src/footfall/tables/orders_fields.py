"""What conditions may ask of orders: how many, when, and what they came to.

Decides that a total is net: the value of all orders that count less what was refunded, as
`orders_reading.money` has both. Stays interpreted (setup.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from footfall.errors import MisfitError
from footfall.events.amount import ONE
from footfall.tables.cart_fields import nano
from footfall.tables.orders_reading import money, summary
from footfall.tables.orders_row import OrdersFacts, OrdersTold
from footfall.tables.spec import FieldSpec, NoConfig

_CURRENCY: Final = re.compile(r"total\.([A-Z]{3})\Z")

FIELDS: Final[Mapping[str, FieldSpec]] = {
    "count": FieldSpec("number", lambda facts, _told, _now, _config: summary(facts).count * ONE,
                       about="orders completed and not cancelled"),
    "first_at": FieldSpec("instant", lambda facts, _told, _now, _config: summary(facts).first,
                          about="when the first of them was completed"),
    "last_at": FieldSpec("instant", lambda facts, _told, _now, _config: summary(facts).last,
                         about="when the newest of them was completed"),
}


def field_of(name: str, _config: NoConfig) -> FieldSpec:
    """`total.EUR`: all orders together in a currency, less refunds; 0 without orders."""
    found = _CURRENCY.match(name)
    if found is None:
        raise MisfitError(f"{name[:60]!r} is no field of orders; known are {', '.join(FIELDS)} and "
                          "total with a currency, such as total.EUR")
    currency = found[1]

    def read(facts: OrdersFacts, _told: OrdersTold, _now: int, _config: NoConfig) -> int:
        sums = money(facts).get(currency)
        return 0 if sums is None else nano(sums["value"] - sums["refunded"])

    return FieldSpec("number", read)

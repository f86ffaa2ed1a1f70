"""Orders of a customer: tells the first one, and every refund.

What a message says is read in `orders_messages.py`, kept in `orders_facts.py`, added up in
`orders_reading.py`; `orders_triggers.py` has the triggers' fields. This file decides when something
is told, once (law 3):
- `order_completed_first`: the customer's first order that was ever known. Once for good: an order
  that turns out to be earlier, from a late event or another identity, tells nothing again, nor does
  the cancellation of the first one.
- `order_refunded`: every Order Refunded, by its messageId, also of an order that is not known. One
  that is older than what is kept is added up and not told.
Time alone tells nothing here. Must never remember trigger ids.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from footfall.tables import orders_facts, orders_fields, orders_reading, orders_triggers
from footfall.tables.orders_facts import mark_of, refunds_of
from footfall.tables.orders_messages import READ, wants
from footfall.tables.orders_row import OrdersFacts, OrdersTold
from footfall.tables.spec import Announcement, NoConfig, TableSpec

_HASH_BYTES: Final = 8


def announce(told: OrdersTold, facts: OrdersFacts, _now: int, _config: NoConfig,
             _fired: int | None) -> Announcement[OrdersTold]:
    """Tell what there is to tell."""
    triggers = []
    first = told.first
    if not first:
        if facts.closed is not None and facts.closed.orders:
            first = True
        else:
            order = min((o for o in facts.orders if o.counts), key=mark_of, default=None)
            if order is not None:
                triggers.append(orders_triggers.completed_first(order))
                first = True
    refunds = []
    for order, refund in refunds_of(facts):
        digest = blake2b(refund.message_id.encode(), digest_size=_HASH_BYTES).digest()
        if digest not in told.refunds:
            triggers.append(orders_triggers.refunded(order, refund))
        refunds.append(digest)
    return Announcement(OrdersTold(first, tuple(sorted(set(refunds)))), None, tuple(triggers))


def merge_told(mine: OrdersTold, theirs: OrdersTold) -> OrdersTold:
    """What either told counts as told."""
    return OrdersTold(mine.first or theirs.first,
                      tuple(sorted({*mine.refunds, *theirs.refunds})))


TABLE = TableSpec(
    name="orders",
    version=1,
    facts=OrdersFacts,
    told=OrdersTold,
    config=NoConfig,
    wants=wants,
    observe=orders_facts.observe,
    announce=announce,
    merge_facts=orders_facts.merge,
    merge_told=merge_told,
    triggers=(orders_triggers.COMPLETED_FIRST, orders_triggers.REFUNDED),
    view=orders_reading.view,
    fields=orders_fields.FIELDS,
    field_of=orders_fields.field_of,
    classes=dict.fromkeys(
        ("count", "first_at", "last_at", "since_last_ms", "intervals", "by_currency", "kept",
         "limited", "orders"), "internal"),
    reads=READ,
    slot=3,
    limited=orders_facts.is_limited,
)

"""Carts that were left: tells `cart_abandoned`, and `cart_recovered` when an order follows.

What happened is read in `cart_operations.py`, kept in `cart_facts.py`, added up in
`cart_reading.py`; `cart_triggers.py` and `cart_view.py` have the fields that are shown. This file
decides when something is told, once (law 3):
- A cart that holds products and was left alone for `idle_s` is abandoned, at the deadline `last
  activity + idle_s`. Only a timer tells it. While a deadline is past and waits to settle, later
  activity that is itself past does not move the cause: it stays the first deadline.
- What was told covers the cart up to the deadline: activity at or before it starts no new quiet
  stretch; later activity does, with a cause of its own.
- An order that comes after the last activity of an abandonment recovers it, once; also one from
  before the deadline that arrived too late (`late`: a receiver stops its reminder). One order
  recovers one abandonment: that of the cart it names, else the newest of those it empties; the
  others it empties are closed without a word, so that its value is not counted twice.
- Of each cart only the newest abandonment is remembered.
Must never tell by time when it is not a timer that asks, nor remember trigger ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from footfall.tables import cart_facts, cart_fields, cart_triggers, cart_view
from footfall.tables.cart_operations import READ, wants
from footfall.tables.cart_reading import holds_products
from footfall.tables.cart_row import (
    Abandonment,
    CartConfig,
    CartFacts,
    CartTold,
    Order,
    ToldCart,
)
from footfall.tables.spec import Announcement, TableSpec, Trigger

#: How a customer's carts are, as told: one is filled and may yet be left; one was left; what was
#: left was ordered after all; none of these.
LEVELS: Final = ("open", "abandoned", "recovered", "closed")
#: Abandonments of one customer that are remembered.
ABANDONMENTS_MAX: Final = 16


def announce(told: CartTold, facts: CartFacts, now: int, config: CartConfig,
             fired: int | None) -> Announcement[CartTold]:
    """Tell what there is to tell, and when to be asked again."""
    idle_ms = round(config.idle_s * 1000)
    known = {t.cart_id: t for t in told.carts}
    triggers: list[Trigger] = []
    due: int | None = None
    entries: list[ToldCart] = []
    for cart in facts.carts:
        entry = known.pop(cart.cart_id, None)
        abandonment = entry.abandonment if entry is not None else None
        covers = told.forgotten
        if abandonment is not None and abandonment.covers > covers:
            covers = abandonment.covers
        pending = 0
        last = cart.operations[-1].at
        if last > covers and holds_products(cart):
            deadline = last + idle_ms
            pending = deadline
            if deadline <= now and entry is not None and covers < entry.pending <= now:
                pending = entry.pending
            if fired is not None and deadline <= now:
                cause = deadline if deadline == fired else pending
                triggers.append(cart_triggers.abandoned(facts, cart, cause, now, idle_ms))
                abandonment = Abandonment(cause, deadline, cart.last)
                pending = 0
            elif due is None or deadline < due:
                due = deadline
        if pending or abandonment is not None:
            entries.append(ToldCart(cart.cart_id, pending, abandonment))
    if known:
        entries += [ToldCart(t.cart_id, 0, t.abandonment)
                    for t in known.values() if t.abandonment is not None]
        entries.sort(key=lambda t: t.cart_id)
    if facts.orders and any(t.abandonment is not None for t in entries):
        entries = _recover(entries, facts.orders, triggers)
    return Announcement(_bounded(entries, told.forgotten), due, tuple(triggers))


def merge_told(mine: CartTold, theirs: CartTold) -> CartTold:
    """What either told counts as told: the later abandonment of each cart, the wider cover."""
    known = {t.cart_id: t for t in mine.carts}
    for entry in theirs.carts:
        other = known.get(entry.cart_id)
        known[entry.cart_id] = entry if other is None else _joined(entry, other)
    entries = sorted(known.values(), key=lambda t: t.cart_id)
    return _bounded(entries, max(mine.forgotten, theirs.forgotten))


def level(told: CartTold) -> str:
    """One of `LEVELS`, the first that holds of any cart."""
    was_left = is_recovered = False
    for cart in told.carts:
        if cart.pending:
            return "open"
        if cart.abandonment is not None:
            if cart.abandonment.recovered:
                is_recovered = True
            else:
                was_left = True
    return "abandoned" if was_left else "recovered" if is_recovered else "closed"


def _recover(entries: list[ToldCart], orders: Iterable[Order],
             triggers: list[Trigger]) -> list[ToldCart]:
    for order in orders:
        closed = [
            (t.cart_id == order.cart_id, t.abandonment.deadline, t.cart_id, t.abandonment)
            for t in entries
            if t.abandonment is not None and not t.abandonment.recovered
            and order[:2] > t.abandonment.last
            and (not order.cart_id or t.cart_id in ("", order.cart_id))
        ]
        if not closed:
            continue
        _own, deadline, cart_id, abandonment = max(closed, key=lambda c: c[:3])
        triggers.append(cart_triggers.recovered(cart_id, deadline, abandonment.last, order))
        done = {c[2] for c in closed}
        entries = [_as_recovered(t) if t.cart_id in done else t for t in entries]
    return entries


def _as_recovered(entry: ToldCart) -> ToldCart:
    told = entry.abandonment
    return entry if told is None else ToldCart(
        entry.cart_id, entry.pending, Abandonment(told.deadline, told.covers, told.last, True))


def _joined(a: ToldCart, b: ToldCart) -> ToldCart:
    pending = min((p for p in (a.pending, b.pending) if p), default=0)
    x, y = a.abandonment, b.abandonment
    if x is None or y is None:
        return ToldCart(a.cart_id, pending, x or y)
    deadline, recovered = max((x.deadline, x.recovered), (y.deadline, y.recovered))
    both = Abandonment(deadline, max(x.covers, y.covers), max(x.last, y.last), recovered)
    return ToldCart(a.cart_id, pending, both)


def _bounded(entries: list[ToldCart], forgotten: int) -> CartTold:
    if len(entries) > ABANDONMENTS_MAX:
        covers = sorted(
            ((t.abandonment.covers, t.cart_id) for t in entries if t.abandonment is not None),
            reverse=True)
        for covered, cart_id in covers[ABANDONMENTS_MAX:]:
            forgotten = max(forgotten, covered)
            entries = [t for t in entries if t.cart_id != cart_id]
    return CartTold(tuple(entries), forgotten)


TABLE = TableSpec(
    name="cart",
    version=1,
    slot=0,
    facts=CartFacts,
    told=CartTold,
    config=CartConfig,
    wants=wants,
    observe=cart_facts.observe,
    announce=announce,
    merge_facts=cart_facts.merge,
    merge_told=merge_told,
    triggers=(cart_triggers.ABANDONED, cart_triggers.RECOVERED),
    reads=READ,
    limited=cart_facts.is_limited,
    levels=LEVELS,
    level=level,
    view=cart_view.view,
    fields=cart_fields.FIELDS,
    field_of=cart_fields.field_of,
    classes=dict.fromkeys(("carts", "abandonments", "orders", "idle_s"), "internal"),
)

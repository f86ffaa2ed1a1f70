"""The facts of carts: operations and orders, and which of them still stand.

A cart keeps its operations since the last absolute one, sorted by (event time, messageId, kind,
content); they are replayed on reading (`cart_reading.py`), never here. Rules:
- Product Added and Removed are relative; Cart Viewed is absolute, and so is Order Completed.
- An order that names a cart empties that cart and the default one (cart_id ""). An order that names
  none empties every cart: after having bought, nobody left anything behind.
- Of two operations with one messageId the greater counts: one message, sent twice.
- Limits keep the newest. `cut` marks what was dropped, and an absolute operation after it clears
  the mark, so that these facts are equal for any order and split even where operations were cut.
  Only the limits on carts, how many and how large together, are outside that.
Must never compare with anything but these keys, read configuration, or change what it is given.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from typing import Final

from footfall.events.interaction import Interaction
from footfall.tables.cart_operations import (
    KINDS,
    ORDERED,
    VIEWED,
    cart_of,
    read_content,
    read_order,
)
from footfall.tables.cart_row import Cart, CartFacts, Mark, Operation, Order

#: Carts of one customer, newest activity first.
CARTS_MAX: Final = 8
#: All of them together, in the same order: so that a whole record stays below half of Kafka's
#: message.max.bytes (law 7), which eight of the largest alone would take (2026-11-25: 354,000).
CARTS_BYTES_MAX: Final = 84_000
#: Orders of one customer, newest first.
ORDERS_MAX: Final = 4
#: Relative operations of one cart: newest first, together.
CART_BYTES_MAX: Final = 12_000
#: Up to so many operations of a cart cannot reach `CART_BYTES_MAX`.
_UNWEIGHED: Final = 9
#: Up to so many carts cannot reach `CARTS_BYTES_MAX`: each has a view, operations, and its ids.
_UNWEIGHED_CARTS: Final = 3
_OPERATION_BYTES: Final = 16


def observe(facts: CartFacts, event: Interaction, when: int) -> CartFacts:
    """Facts with one more event."""
    commerce = event["commerce"]
    kind = None if commerce is None else KINDS.get(commerce["action"])
    if commerce is None or kind is None:
        return facts
    message_id = event["message_id"]
    if kind == ORDERED:
        return _with_order(facts, read_order(commerce, when, message_id))
    operation = Operation(when, message_id, kind, read_content(commerce, kind))
    return _with_operation(facts, cart_of(commerce), operation)


def merge(mine: CartFacts, theirs: CartFacts) -> CartFacts:
    """Facts of both, as if one customer had done it all."""
    carts = {cart.cart_id: cart for cart in mine.carts}
    for cart in theirs.carts:
        known = carts.get(cart.cart_id)
        carts[cart.cart_id] = cart if known is None else _joined(known, cart)
    orders = mine.orders or theirs.orders
    if mine.orders and theirs.orders:
        orders = _newest_orders((*mine.orders, *theirs.orders))
    emptied = mine.emptied
    if emptied is None or (theirs.emptied is not None and theirs.emptied > emptied):
        emptied = theirs.emptied
    return _settled(carts.values(), orders, emptied, max(mine.cut_at, theirs.cut_at))


def is_limited(facts: CartFacts) -> bool:
    """Whether a limit has touched this customer: then the law of facts is not claimed."""
    return facts.cut_at >= 0 or any(cart.cut is not None for cart in facts.carts)


# -- one more operation or order ---------------------------------------------------------------


def _with_operation(facts: CartFacts, cart_id: str, operation: Operation) -> CartFacts:
    floor = _floor(cart_id, facts.orders, facts.emptied)
    if floor is not None and operation[:2] <= floor:
        return facts
    carts = facts.carts
    for i, cart in enumerate(carts):
        if cart.cart_id == cart_id:
            changed = _inserted(cart, operation)
            if changed is cart:
                return facts
            after = (*carts[:i], changed, *carts[i + 1 :])
            if len(after) > _UNWEIGHED_CARTS:
                return _settled(after, facts.orders, facts.emptied, facts.cut_at)
            return CartFacts(after, facts.orders, facts.emptied, facts.cut_at)
    fresh = Cart(cart_id, (operation,))
    if not carts:
        return CartFacts((fresh,), facts.orders, facts.emptied, facts.cut_at)
    return _settled((*carts, fresh), facts.orders, facts.emptied, facts.cut_at)


def _with_order(facts: CartFacts, order: Order) -> CartFacts:
    orders = _newest_orders((*facts.orders, order))
    if order.cart_id:
        operation = Operation(order.at, order.message_id, ORDERED, b"")
        facts = _with_operation(facts, order.cart_id, operation)
        return _settled(facts.carts, orders, facts.emptied, facts.cut_at)
    mark = (order.at, order.message_id)
    emptied = mark if facts.emptied is None else max(facts.emptied, mark)
    return _settled(facts.carts, orders, emptied, facts.cut_at)


def _inserted(cart: Cart, operation: Operation) -> Cart:
    kept = cart.operations
    floor = kept[0] if kept[0].kind >= VIEWED else None
    if floor is not None and operation <= floor:
        return cart
    mark = operation[:2]
    cut = cart.cut
    if operation.kind >= VIEWED:
        later = tuple(o for o in kept if o > operation)
        return Cart(cart.cart_id, (operation, *later), None if cut and cut <= mark else cut)
    if cut is not None and mark <= cut:
        return cart
    message_id = operation.message_id
    for i, other in enumerate(cart.operations):
        if other.message_id == message_id and other is not floor:
            if other >= operation:
                return cart
            kept = kept[:i] + kept[i + 1 :]
            break
    if not kept or operation > kept[-1]:
        kept = (*kept, operation)
    else:
        ordered = list(kept)
        insort(ordered, operation)
        kept = tuple(ordered)
    return Cart(cart.cart_id, kept, cut) if len(kept) <= _UNWEIGHED else _bounded(
        cart.cart_id, kept, cut)


# -- many at once ------------------------------------------------------------------------------


def _joined(mine: Cart, theirs: Cart) -> Cart:
    everything = sorted((*mine.operations, *theirs.operations))
    floor: Operation | None = None
    newest: dict[str, Operation] = {}
    for operation in everything:
        if operation.kind >= VIEWED:
            floor = operation
            newest = {}
        else:
            newest.pop(operation.message_id, None)  # so that they stay sorted
            newest[operation.message_id] = operation
    kept = tuple(newest.values())
    cut = max((c for c in (mine.cut, theirs.cut) if c is not None), default=None)
    if cut is not None and floor is not None and cut <= floor[:2]:
        cut = None
    if cut is not None:
        kept = tuple(o for o in kept if o[:2] > cut)
    if floor is not None:
        kept = (floor, *kept)
    return Cart(mine.cart_id, kept, cut) if len(kept) <= _UNWEIGHED else _bounded(
        mine.cart_id, kept, cut)


def _bounded(cart_id: str, operations: tuple[Operation, ...], cut: Mark | None) -> Cart:
    """A cart within its bytes: the newest relative operations that fit together, no gap."""
    room = CART_BYTES_MAX
    for i in range(len(operations) - 1, -1, -1):
        operation = operations[i]
        if operation.kind >= VIEWED:
            break
        room -= _weight(operation)
        if room < 0:
            floor = operations[:1] if operations[0].kind >= VIEWED else ()
            return Cart(cart_id, floor + operations[i + 1 :], operation[:2])
    return Cart(cart_id, operations, cut)


def _settled(carts: Iterable[Cart], orders: tuple[Order, ...], emptied: Mark | None,
             cut_at: int) -> CartFacts:
    """Facts of these carts less what orders emptied, within the limits on carts."""
    left = []
    for cart in carts:
        kept = _above(cart, _floor(cart.cart_id, orders, emptied))
        if kept is not None:
            left.append(kept)
    if len(left) > _UNWEIGHED_CARTS:
        left.sort(key=lambda cart: (cart.last, cart.cart_id), reverse=True)
        fit = _fitting(left)
        if fit < len(left):
            cut_at = max(cut_at, left[fit].last[0])
            left = left[:fit]
    left.sort(key=lambda cart: cart.cart_id)
    return CartFacts(tuple(left), orders, emptied, cut_at)


def _fitting(newest: list[Cart]) -> int:
    """How many of these carts, newest first, are within the limits on all of them."""
    room = CARTS_BYTES_MAX
    for n, cart in enumerate(newest[:CARTS_MAX]):
        room -= len(cart.cart_id.encode()) + sum(map(_weight, cart.operations))
        if room < 0:
            return n
    return min(len(newest), CARTS_MAX)


def _weight(operation: Operation) -> int:
    """Bytes of an operation, about."""
    return len(operation.content) + len(operation.message_id.encode()) + _OPERATION_BYTES


def _floor(cart_id: str, orders: tuple[Order, ...], emptied: Mark | None) -> Mark | None:
    """The newest order that emptied a cart without naming it."""
    if cart_id:
        return emptied
    return orders[-1][:2] if orders else None


def _above(cart: Cart, floor: Mark | None) -> Cart | None:
    """A cart less what stands at or below a floor; None when that is all."""
    if floor is None:
        return cart
    if cart.operations[0][:2] > floor and (cart.cut is None or cart.cut > floor):
        return cart
    kept = tuple(o for o in cart.operations if o[:2] > floor)
    cut = None if cart.cut is not None and cart.cut <= floor else cart.cut
    return Cart(cart.cart_id, kept, cut) if kept else None


def _newest_orders(orders: Iterable[Order]) -> tuple[Order, ...]:
    newest: dict[str, Order] = {}
    for order in orders:
        other = newest.get(order.message_id)
        if other is None or order > other:
            newest[order.message_id] = order
    return tuple(sorted(newest.values())[-ORDERS_MAX:])

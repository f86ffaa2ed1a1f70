"""The facts of orders: the newest 100, each joined from its messages; older ones added up.

An observed message is an order as that message alone knows it, joined like two rows: so any order
and any split give the same. Rules:
- Orders with one order_id are one order; one without an id is what one message says.
- Completed, cancelled and returned keep their least times; the newest informed message states an
  order; refunds of distinct messageIds all count.
- Kept are the newest by (time, order_id, messageId) that fit the limits; what is at or below `cut`
  is added up as closed, also when it comes later. A message about a closed order begins a new
  entry, which counts as an order only if it completes one.
- Products of the oldest orders are dropped first, with their size kept, so that the limit falls at
  the same order whatever came when.
Must never compare with anything but these keys, read configuration, or change what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from footfall.events.amount import from_bytes, to_bytes
from footfall.events.interaction import Interaction
from footfall.tables.orders_messages import read
from footfall.tables.orders_row import Closed, Mark, Order, OrdersFacts, Refund, Stated, Sum

ORDERS_MAX: Final = 100
#: All orders together, without their products and with them.
ORDERS_BYTES_MAX: Final = 24_000
LINES_BYTES_ALL_MAX: Final = 24_000
#: Refunds of one order that are kept one by one.
REFUNDS_MAX: Final = 8
#: Currencies that are added up, the first by name.
CURRENCIES_MAX: Final = 16
#: Up to so many orders cannot reach the limits on bytes.
_UNWEIGHED: Final = 4
_ORDER_BYTES: Final = 60
_REFUND_BYTES: Final = 30


def observe(facts: OrdersFacts, event: Interaction, when: int) -> OrdersFacts:
    """Facts with one more event."""
    order = read(event, when)
    return facts if order is None else _settled((*facts.orders, order), facts.closed)


def merge(mine: OrdersFacts, theirs: OrdersFacts) -> OrdersFacts:
    """Facts of both, as if one customer had done it all."""
    closed = mine.closed or theirs.closed
    if mine.closed is not None and theirs.closed is not None:
        closed = _closed_joined(mine.closed, theirs.closed)
    return _settled((*mine.orders, *theirs.orders), closed)


def is_limited(facts: OrdersFacts) -> bool:
    """Whether a limit has touched this customer: then the law of facts is not claimed."""
    return facts.closed is not None or any(
        o.older or (o.stated is not None and o.stated.dropped) for o in facts.orders)


def mark_of(order: Order) -> Mark:
    """Its place in the order of orders."""
    return order.at, order.order_id, order.message_id


def sums_of(order: Order) -> tuple[Sum, ...]:
    """What an order adds to each currency: nothing where it was cancelled."""
    if order.cancelled >= 0:
        return ()
    stated = order.stated
    currency = "" if stated is None else stated.currency
    value = 0 if stated is None or not stated.value else from_bytes(stated.value)
    found = []
    refunded = 0
    rest = False
    for s in order.older:
        refunded += from_bytes(s.refunded) if s.currency in ("", currency) else 0
        found.append(s if s.currency else s._replace(currency=currency))
    for refund in order.refunds:
        amount = from_bytes(refund.amount)
        refunded += amount if refund.currency in ("", currency) else 0
        rest = rest or refund.rest
        found.append(_sum(refund.currency or currency, 0, 0, 1, amount))
    if rest and order.counts and value > refunded:
        found.append(_sum(currency, 0, 0, 0, value - refunded))
    if order.counts and stated is not None and stated.value:
        found.append(_sum(currency, 1, value, 0, 0))
    return added(found)


def added(sums: Iterable[Sum]) -> tuple[Sum, ...]:
    """One sum for each currency, sorted."""
    found: dict[str, Sum] = {}
    for s in sums:
        known = found.get(s.currency)
        found[s.currency] = s if known is None else _sum(
            s.currency, known.orders + s.orders, from_bytes(known.value) + from_bytes(s.value),
            known.refunds + s.refunds, from_bytes(known.refunded) + from_bytes(s.refunded))
    return tuple(sorted(found.values()))


def _sum(currency: str, orders: int, value: int, refunds: int, refunded: int) -> Sum:
    return Sum(currency, orders, to_bytes(value), refunds, to_bytes(refunded))


# -- joins -------------------------------------------------------------------------------------


def _joined(a: Order, b: Order) -> Order:
    refunds = {r.message_id: r for r in a.refunds}
    for refund in b.refunds:
        known = refunds.get(refund.message_id)
        refunds[refund.message_id] = refund if known is None else max(known, refund)
    kept = tuple(sorted(refunds.values()))
    older: tuple[Sum, ...] = (*a.older, *b.older)
    if len(kept) > REFUNDS_MAX:
        older += tuple(_sum(r.currency, 0, 0, 1, from_bytes(r.amount))
                       for r in kept[:-REFUNDS_MAX])
        kept = kept[-REFUNDS_MAX:]
    return Order(a.order_id, a.message_id, _least(a.completed, b.completed),
                 _newest(a.stated, b.stated), _least(a.cancelled, b.cancelled),
                 _least(a.returned, b.returned), kept, added(older)[:CURRENCIES_MAX])


def _newest(a: Stated | None, b: Stated | None) -> Stated | None:
    return max(a, b) if a is not None and b is not None else a or b


def _least(a: int, b: int) -> int:
    """The lesser of two times, of which -1 is none."""
    return min(a, b) if a >= 0 and b >= 0 else max(a, b)


def _closed_joined(a: Closed, b: Closed) -> Closed:
    return Closed(max(a.cut, b.cut), a.orders + b.orders, _least(a.first, b.first),
                  max(a.last, b.last), added((*a.sums, *b.sums))[:CURRENCIES_MAX])


def _closing(order: Order) -> Closed:
    at = order.completed if order.counts else -1
    return Closed(mark_of(order), int(order.counts), at, at, sums_of(order))


# -- limits ------------------------------------------------------------------------------------


def _settled(orders: Iterable[Order], closed: Closed | None) -> OrdersFacts:
    """Facts of these orders, those of one id joined, within the limits."""
    known: dict[tuple[str, str], Order] = {}
    for order in orders:
        key = (order.order_id, order.message_id)
        other = known.get(key)
        known[key] = order if other is None else _joined(other, order)
    kept = sorted(known.values(), key=mark_of)
    if closed is None and len(kept) <= _UNWEIGHED:
        return OrdersFacts(tuple(kept))
    floor = None if closed is None else closed.cut
    room = ORDERS_BYTES_MAX
    first = len(kept)
    for order in reversed(kept[-ORDERS_MAX:]):
        room -= _weight(order)
        if room < 0 or (floor is not None and mark_of(order) <= floor):
            break
        first -= 1
    for order in kept[:first]:
        closing = _closing(order)
        closed = closing if closed is None else _closed_joined(closed, closing)
    return OrdersFacts(_lines_bounded(kept[first:]), closed)


def _lines_bounded(orders: list[Order]) -> tuple[Order, ...]:
    room = LINES_BYTES_ALL_MAX
    bounded = []
    for order in reversed(orders):
        stated = order.stated
        if stated is not None:
            room -= stated.dropped or len(stated.lines)
            if room < 0 and stated.lines:
                less = stated._replace(lines=b"", dropped=len(stated.lines))
                order = msgspec.structs.replace(order, stated=less)  # noqa: PLW2901
        bounded.append(order)
    return tuple(reversed(bounded))


def _weight(order: Order) -> int:
    """Bytes of an order without its products, at least."""
    weight = _ORDER_BYTES + len(order.order_id.encode()) + len(order.message_id.encode())
    if order.stated is not None:
        weight += len(order.stated.message_id.encode()) + len(order.stated.channel.encode())
    for refund in order.refunds:
        weight += _REFUND_BYTES + len(refund.message_id.encode())
    return weight + _REFUND_BYTES * len(order.older)


def refunds_of(facts: OrdersFacts) -> list[tuple[Order, Refund]]:
    """Every refund that is kept, with its order."""
    return [(order, refund) for order in facts.orders for refund in order.refunds]

"""What the orders of a customer come to: money per currency, intervals, refunds.

Decides how kept and closed orders add up, and how they are shown. An order counts when it was
completed and not cancelled. Everything is exact: amounts are integers of 10^-18; a quotient is
rounded half-even, once. Nothing read here is ever stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import msgspec

from footfall.events.amount import PLACES, from_bytes, text
from footfall.tables.cart_reading import VALUE_PLACES
from footfall.tables.cart_triggers import instant
from footfall.tables.orders_facts import added, is_limited, sums_of
from footfall.tables.orders_messages import KINDS
from footfall.tables.orders_row import Lines, Order, OrdersFacts, Refund

#: Channels of orders that were not made on line.
OFFLINE = frozenset({"pos", "store", "in_store", "instore", "offline", "retail", "shop", "phone"})
_SHARE_PLACES = 4

_decode = msgspec.msgpack.Decoder(Lines).decode


@dataclass(frozen=True, slots=True)
class Summary:
    """All orders that count. Times in ms, None where there is none; `interval_sum` is the sum of
    the `count - 1` spans between one order and the next.
    """

    count: int
    first: int | None
    last: int | None
    interval_sum: int
    interval_last: int | None


@dataclass(frozen=True, slots=True)
class Repaid:
    """How an order stands after its refunds, in its own currency (10^-18); None: value not known.
    """

    value: int | None
    refunded: int
    left: int | None


def summary(facts: OrdersFacts) -> Summary:
    """Count, first, last and intervals."""
    times = [o.completed for o in facts.orders if o.counts]
    count = len(times)
    closed = facts.closed
    if closed is not None and closed.orders:
        times = [closed.first, closed.last, *times]
        count += closed.orders
    if not count:
        return Summary(0, None, None, 0, None)
    times.sort()
    first, last = times[0], times[-1]
    return Summary(count, first, last, last - first, last - times[-2] if count > 1 else None)


def money(facts: OrdersFacts) -> dict[str, dict[str, int]]:
    """Currency -> orders with a value, their value, refunds, what they gave back (10^-18)."""
    closed = () if facts.closed is None else facts.closed.sums
    sums = added([*closed, *(s for o in facts.orders for s in sums_of(o))])
    return {s.currency: {"orders": s.orders, "value": from_bytes(s.value), "refunds": s.refunds,
                         "refunded": from_bytes(s.refunded)} for s in sums}


def repaid(order: Order) -> Repaid:
    """What of an order was refunded so far; also of one that was cancelled."""
    stated = order.stated
    live = order if order.cancelled < 0 else msgspec.structs.replace(order, cancelled=-1)
    currency = currency_of(order)
    refunded = sum(from_bytes(s.refunded) for s in sums_of(live) if s.currency == currency)
    if stated is None or not stated.value:
        return Repaid(None, refunded, None)
    value = from_bytes(stated.value)
    return Repaid(value, refunded, max(value - refunded, 0))


def currency_of(order: Order, refund: Refund | None = None) -> str:
    """Of a refund, else of its order; "" where nobody said."""
    if refund is not None and refund.currency:
        return refund.currency
    if order.stated is not None and order.stated.currency:
        return order.stated.currency
    return next((r.currency for r in order.refunds if r.currency), "")


def is_offline(channel: str) -> bool:
    """Whether a channel is a place, or a voice, and not a screen."""
    return channel.replace("-", "_").replace(" ", "_") in OFFLINE


def lines_of(order: Order) -> list[dict[str, Any]]:
    """The products that are kept."""
    stated = order.stated
    if stated is None or not stated.lines:
        return []
    return [{"product_id": p.product_id, "variant": p.variant, "name": p.name,
             "price": None if p.price is None else text(from_bytes(p.price), PLACES),
             "quantity": text(from_bytes(p.quantity), PLACES)}
            for p in _decode(stated.lines).products]


def lines_sent(order: Order) -> int | None:
    """How many products were sent; None where a limit dropped them all."""
    stated = order.stated
    if stated is None or not (stated.lines or stated.dropped):
        return 0
    return _decode(stated.lines).sent if stated.lines else None


def status(order: Order) -> str:
    """One word for where an order stands: the last of these that happened to it."""
    if order.cancelled >= 0:
        return "cancelled"
    if order.refunds or order.older:
        if repaid(order).left == 0 or any(r.rest for r in order.refunds):
            return "refunded"
        return "partly_refunded"
    if order.returned >= 0:
        return "returned"
    return "completed" if order.completed >= 0 else "unknown"


def view(facts: OrdersFacts, _told: Any, now: int, _config: Any) -> Mapping[str, Any]:
    """The row for people: newest order first."""
    found = summary(facts)
    gaps = found.count - 1
    return {
        "count": found.count,
        "first_at": _instant(found.first),
        "last_at": _instant(found.last),
        "since_last_ms": None if found.last is None else max(now - found.last, 0),
        "intervals": {
            "count": max(gaps, 0),
            "mean_ms": round(Fraction(found.interval_sum, gaps)) if gaps > 0 else None,
            "last_ms": found.interval_last,
        },
        "by_currency": {currency: _money(m) for currency, m in money(facts).items()},
        "kept": {
            "orders": len(facts.orders),
            "offline": sum(o.counts and o.stated is not None and is_offline(o.stated.channel)
                           for o in facts.orders),
            "renewals": sum(o.counts and o.stated is not None and KINDS[o.stated.kind] == "renewal"
                            for o in facts.orders),
        },
        "limited": is_limited(facts),
        "orders": [_order(o) for o in reversed(facts.orders)],
    }


def _money(m: Mapping[str, int]) -> dict[str, Any]:
    orders, value = m["orders"], m["value"]
    return {
        "orders": orders,
        "value": text(value, VALUE_PLACES),
        "average": text(round(Fraction(value, orders)), VALUE_PLACES) if orders else None,
        "refunds": m["refunds"],
        "refunded": text(m["refunded"], VALUE_PLACES),
        "refund_share": text(round(Fraction(m["refunded"] * 10**_SHARE_PLACES, value)),
                             _SHARE_PLACES) if value > 0 else None,
    }


def _order(order: Order) -> dict[str, Any]:
    stated = order.stated
    paid = repaid(order)
    channel = "" if stated is None else stated.channel
    return {
        "order_id": order.order_id,
        "status": status(order),
        "completed_at": _instant(order.completed),
        "cancelled_at": _instant(order.cancelled),
        "returned_at": _instant(order.returned),
        "currency": currency_of(order),
        "value": amount(paid.value),
        "refunded": amount(paid.refunded),
        "left": amount(paid.left),
        "channel": channel,
        "offline": is_offline(channel),
        "kind": KINDS[0 if stated is None else stated.kind],
        "lines": lines_of(order),
        "lines_sent": lines_sent(order),
    }


def amount(units: int | None) -> str | None:
    """Decimal text of an amount of 10^-18."""
    return None if units is None else text(units, VALUE_PLACES)


def _instant(at: int | None) -> str | None:
    return None if at is None or at < 0 else instant(at)

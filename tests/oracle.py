"""An independent fold of a log: what carts must be, and which triggers must have come.

Says the laws again in the plainest code there is: all events of a customer are kept and replayed
from the start whenever something is asked. Shares nothing with `footfall.tables`, knows no limits,
and is slow. It reads one partition: handoffs are not known to it, and a record that was held
(appended more than 60 s ahead) must not be in the list.
"""

from __future__ import annotations

import bisect
import heapq
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

NANO = 10**9


class Expected(NamedTuple):
    """`carts`: customer key -> cart_id -> (lines, value, last activity) of carts with products;
    `triggers`: (customer key, name, cart_id, deadline).
    """

    carts: dict[bytes, dict[str, CartContent]]
    triggers: set[tuple[bytes, str, str, int]]


class CartContent(NamedTuple):
    """Lines: (product_id, variant) -> (quantity, price, currency)."""

    lines: dict[tuple[str, str], tuple[Fraction, Fraction | None, str]]
    value: dict[str, Fraction]
    last_activity: int


#: (name, cart_id, deadline)
Told = tuple[str, str, int]


@dataclass
class Settings:
    """The configuration in force, in ms. Two of one number do not occur in its logs."""

    version: int = 0
    idle: int = 1_800_000
    grace: int = 500
    late: int = 5_000
    settle: int = 10_000
    settle_max: int = 60_000

    def read(self, number: int, content: dict[str, Any]) -> None:
        if number <= self.version:
            return
        clock = content.get("clock", {})
        self.version = number
        self.idle = round(content.get("cart", {}).get("idle_s", 1800) * 1000)
        self.grace = round(clock.get("grace_s", 0.5) * 1000)
        self.late = round(clock.get("late_s", 5) * 1000)
        self.settle = round(clock.get("settle_s", 10) * 1000)
        self.settle_max = round(clock.get("settle_s_max", 60) * 1000)


@dataclass
class Timer:
    due: int
    wake: int
    revealed: int | None = None


@dataclass
class Left:
    """What was told of one cart."""

    cause: int
    covers: int
    last: tuple[int, str]
    recovered: bool = False


@dataclass
class Customer:
    seen: set[str] = field(default_factory=set)
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    timer: Timer | None = None
    first: dict[str, int] = field(default_factory=dict)
    left: dict[str, Left] = field(default_factory=dict)


def fold(records: Iterable[tuple[int, bytes | None, Any]], until: int = 0) -> Expected:
    """(append time, Kafka key, interaction) in log order; then the clock goes to `until`."""
    clock = 0
    settings = Settings()
    customers: dict[bytes, Customer] = {}
    wakes: list[tuple[int, bytes]] = []
    triggers: set[tuple[bytes, str, str, int]] = set()
    for appended, key, event in records:
        clock = max(clock, appended)
        _fire_all(customers, wakes, clock, settings, triggers)
        if event["type"] == "$config":
            number, content = msgspec.msgpack.decode(event["system"]["payload"])
            settings.read(number, json.loads(content))
        elif event["type"][0] != "$":
            assert key is not None
            customer = customers.setdefault(key, Customer())
            _apply(customer, event, min(event["event_time"], appended), clock, settings)
            triggers |= {(key, *told) for told in _recover(customer)}
            if customer.timer is not None:
                heapq.heappush(wakes, (customer.timer.wake, key))
        else:
            assert event["type"] == "$tick", "the oracle folds one partition without handoffs"
    _fire_all(customers, wakes, max(clock, until), settings, triggers)
    carts = {key: carts_of(customer.events) for key, customer in customers.items()}
    return Expected({key: found for key, found in carts.items() if found}, triggers)


def carts_of(events: list[tuple[int, str, dict[str, Any]]]) -> dict[str, CartContent]:
    """What these events, in order of time and messageId, leave in each cart."""
    carts: dict[str, dict[tuple[str, str], Any]] = {}
    last: dict[str, int] = {}
    start = max((n for n, e in enumerate(events) if _is_order(e[2], "")), default=-1) + 1
    for at, _message_id, said in events[start:]:
        action, cart_id = said["action"], said["cart_id"]
        if action == "order_completed":
            carts[""], carts[cart_id] = {}, {}
            continue
        cart = carts.setdefault(cart_id, {})
        last[cart_id] = at
        if action == "cart_viewed":
            cart.clear()
        for line in said["lines"]:
            product = line["product_id"], line["variant"]
            quantity, price = _amount(line["quantity"]), _amount(line["price"])
            if quantity is None or quantity <= 0:
                continue
            if action == "product_removed":
                if product in cart:
                    cart[product][0] -= quantity
                    if cart[product][0] <= 0:
                        del cart[product]
            else:
                entry = cart.setdefault(product, [Fraction(0), None, ""])
                entry[0] += quantity
                if price is not None:
                    entry[1:] = [price, said["currency"]]
    return {
        cart_id: CartContent({p: tuple(e) for p, e in cart.items()}, _value(cart), last[cart_id])
        for cart_id, cart in carts.items() if cart
    }


def _is_order(said: dict[str, Any], cart_id: str) -> bool:
    return said["action"] == "order_completed" and said["cart_id"] == cart_id


def _value(cart: dict[tuple[str, str], Any]) -> dict[str, Fraction]:
    value: dict[str, Fraction] = {}
    for quantity, price, currency in cart.values():
        if price is not None:
            value[currency] = value.get(currency, Fraction(0)) + quantity * price
    return value


def _amount(data: bytes | None) -> Fraction | None:
    return None if data is None else Fraction(int.from_bytes(data, "big", signed=True), NANO)


_ACTIONS = {"product_added", "wishlist_product_added_to_cart", "product_removed", "cart_viewed",
            "order_completed"}


def _apply(customer: Customer, event: Any, when: int, clock: int, settings: Settings) -> None:
    if event["message_id"] in customer.seen:
        return
    customer.seen.add(event["message_id"])
    timer = customer.timer
    if timer is not None and timer.revealed is not None and when < clock - settings.late:
        timer.wake = max(timer.wake, min(clock + settings.settle,
                                         timer.revealed + settings.settle_max))
    said = event["commerce"]
    if said is not None and said["action"] in _ACTIONS:
        bisect.insort(customer.events, (when, event["message_id"], said), key=lambda e: e[:2])
        _schedule(customer, clock, clock, settings, keep=True)


def _pending(customer: Customer, settings: Settings) -> dict[str, int]:
    """Cart -> deadline, of carts with products whose silence has not been told."""
    return {
        cart_id: found.last_activity + settings.idle
        for cart_id, found in carts_of(customer.events).items()
        if cart_id not in customer.left or found.last_activity > customer.left[cart_id].covers
    }


def _schedule(customer: Customer, now: int, clock: int, settings: Settings, *, keep: bool) -> None:
    pending = _pending(customer, settings)
    for cart_id, deadline in pending.items():
        known = customer.first.get(cart_id)
        if known is None or known > now or deadline > now:
            customer.first[cart_id] = deadline
    customer.first = {c: d for c, d in customer.first.items() if c in pending}
    if not pending:
        customer.timer = None
        return
    due = min(pending.values())
    timer, wake = customer.timer, due + settings.grace
    if keep and timer is not None and timer.revealed is not None and wake <= clock:
        return
    if clock - wake > settings.late:
        customer.timer = Timer(due, clock + settings.settle, clock)
    else:
        customer.timer = Timer(due, wake)


def _fire_all(customers: dict[bytes, Customer], wakes: list[tuple[int, bytes]], clock: int,
              settings: Settings, triggers: set[tuple[bytes, str, str, int]]) -> None:
    while wakes and wakes[0][0] < clock:
        wake, key = heapq.heappop(wakes)
        customer = customers[key]
        timer = customer.timer
        if timer is None or timer.wake != wake:
            continue
        if timer.revealed is None and clock - wake > settings.late:
            customer.timer = Timer(timer.due, clock + settings.settle, clock)
        else:
            # Each deadline has a grace of its own: known is the silence up to the wake less it.
            silent_until = wake - settings.grace
            triggers |= {(key, *told)
                         for told in _tell(customer, timer.due, silent_until, settings)}
            _schedule(customer, silent_until, clock, settings, keep=False)
        if customer.timer is not None:
            heapq.heappush(wakes, (customer.timer.wake, key))


def _tell(customer: Customer, fired: int, now: int, settings: Settings) -> list[Told]:
    told = []
    for cart_id, deadline in _pending(customer, settings).items():
        if deadline > now:
            continue
        first = customer.first[cart_id]
        # The deadline that woke, or the first one of a silence that had to settle.
        cause = first if deadline != fired and first <= now else deadline
        told.append(("cart_abandoned", cart_id, cause))
        last = max((at, message_id) for at, message_id, said in customer.events
                   if said["cart_id"] == cart_id and said["action"] != "order_completed")
        customer.left[cart_id] = Left(cause, deadline, last)
    return told


def _recover(customer: Customer) -> list[Told]:
    told: list[Told] = []
    if all(left.recovered for left in customer.left.values()):
        return told
    for at, message_id, said in customer.events:
        if said["action"] != "order_completed":
            continue
        named = said["cart_id"]
        closed = {
            cart_id: left for cart_id, left in customer.left.items()
            if not left.recovered and (at, message_id) > left.last
            and (named == "" or cart_id in ("", named))
        }
        if closed:
            best = max(closed, key=lambda c: (c == named, closed[c].cause, c))
            told.append(("cart_recovered", best, closed[best].cause))
            for left in closed.values():
                left.recovered = True
    return told

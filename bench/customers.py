"""Realistic customers of a shop, as the collector admits them and the log has them.

Visits of ten events: pages, products, carts, sometimes an order or an identify, with the context
that browser SDKs send. Made through the product's own `admit` and codec, so that sizes are real.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lab import KEY_SECRET, SYSTEM_SECRET

from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.tables import ALL
from footfall.tables.fold import Fold

EVENTS_A_VISIT = 10
VISITS = 5
#: Customers in the shop at the same time.
TOGETHER = 200
DAY_MS = 86_400_000
EVENTS = (["page"] * 50 + ["Product Viewed"] * 22 + ["Product Added"] * 12 + ["Product Removed"] * 2
          + ["Cart Viewed"] * 4 + ["Order Completed"] * 4 + ["identify"] * 6)
PRODUCTS = [(f"sku-{n:05}", f"Article number {n} of the range", f"{n % 190 + 4}.{n % 10}0")
            for n in range(3000)]
AGENT = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/131.0.0.0 Safari/537.36")

codecs = Codecs()
keys = CustomerKeys(KEY_SECRET.encode())
reserved = Reserved(SYSTEM_SECRET.encode())


class Entry(NamedTuple):
    """A log record."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes


def new_fold(**options: Any) -> Fold:
    """A fold of the shipped tables."""
    return Fold(0, ALL, codecs=codecs, keys=keys, reserved=reserved, topic="bench", **options)


def item(dice: random.Random, customer: int, at: int, name: str = "") -> dict[str, Any]:
    """One tracking call of a customer; any, unless it is named."""
    name = name or dice.choice(EVENTS)
    made: dict[str, Any] = {
        "messageId": f"ajs-next-{at}-{dice.getrandbits(64):016x}", "timestamp": at,
        "userId": f"user-{customer:08}", "anonymousId": f"7f3c{customer:08x}-5a1e-4d0b",
        "context": {"library": {"name": "analytics.js", "version": "next-1.70.0"},
                    "locale": "en-GB", "userAgent": AGENT, "ip": f"10.1.{customer % 250}.7",
                    "page": {"url": f"https://shop.example/p/{dice.randrange(3000)}",
                             "path": "/p", "title": "A shop"}},
    }
    if name in ("page", "identify"):
        made["type"] = name
        if name == "identify":
            made["traits"] = {"email": f"user-{customer}@shop.example", "plan": "gold"}
        return made
    product_id, title, price = dice.choice(PRODUCTS)
    line = {"product_id": product_id, "name": title, "price": price, "quantity": 1}
    made |= {"type": "track", "event": name, "properties": {**line, "currency": "EUR"}}
    if name in ("Order Completed", "Cart Viewed"):
        made["properties"] = {"currency": "EUR", "products": [line, line],
                              "total": price, "order_id": f"order-{at}-{customer}"}
    return made


def encoded(dice: random.Random, customer: int, at: int, name: str = "") -> tuple[bytes, bytes]:
    """Kafka key and value of one call, as the collector writes it."""
    return encoded_item(item(dice, customer, at, name), at)


def encoded_item(call: dict[str, Any], at: int) -> tuple[bytes, bytes]:
    """The same of a call that is given."""
    arrival = Arrival("bench", at, "0" * 32)
    outcome = admit(json.dumps(call).encode(), 0, arrival, keys)
    assert not isinstance(outcome, Rejected), outcome.detail
    return outcome.key, codecs.interaction.encode(outcome.event)


def visits(customers: int, seed: int = 7, ago_ms: int = 0) -> Iterator[Entry]:
    """The log of so many customers: five days, a visit of ten events each day; the last `ago_ms`
    before now.
    """
    dice = random.Random(seed)
    offset = 0
    begin = int(time.time() * 1000) - VISITS * DAY_MS - ago_ms
    everybody = list(range(customers))
    step = DAY_MS / (customers * EVENTS_A_VISIT)
    for day in range(VISITS):
        dice.shuffle(everybody)
        at = float(begin + day * DAY_MS)
        for first in range(0, customers, TOGETHER):
            inside = everybody[first : first + TOGETHER]
            for _ in range(EVENTS_A_VISIT):
                for customer in inside:
                    at += step
                    yield Entry(offset, round(at), *encoded(dice, customer, round(at)))
                    offset += 1


def fold_all(fold: Fold, entries: Iterator[Entry] | Sequence[Entry], records: int = 20_000) -> int:
    """Fold with a snapshot each so many records, as a worker does; how many were folded."""
    n = 0
    for entry in entries:
        fold.apply(entry)
        n += 1
        if not n % records:
            fold.snapshot()
            fold.outputs.clear()
    for _ in range(2):  # the second one lets go of what was hot
        fold.snapshot()
    fold.outputs.clear()
    return n


def samples(count: int, ago_ms: int = 0) -> Fold:
    """A fold with so many customers of 50 events each, and a cart for each, whose timer waits; it
    was filled `ago_ms` before now.
    """
    fold = new_fold()
    fold_all(fold, visits(count, ago_ms=ago_ms))
    dice = random.Random(count)
    at = fold.clock
    fold_all(fold, [Entry(fold.next_offset + n, at, *encoded(dice, n, at, "Product Added"))
                    for n in range(count)])
    return fold

"""A small scripted shop: customers look, fill carts, take things out, order or leave.

Decides what they do, from a seed alone: the same seed is the same shop. Reads no clock; who plays
the script says what time it is. Must never send: `up/demo.py` does.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any, NamedTuple

PRODUCTS = (
    ("p-101", "Coffee beans 1 kg", "18.90"), ("p-102", "Espresso cups, 4", "24.00"),
    ("p-103", "Milk jug", "15.50"), ("p-104", "Grinder", "129.00"),
    ("p-105", "Paper filters", "4.20"), ("p-106", "Kettle", "64.95"),
)
CURRENCY = "EUR"
ARRIVAL_S = 1.5
STEP_S = (0.3, 1.5)
ADDS_MAX = 3
#: Of ten customers with a full cart; one of those who leave comes back and orders.
ORDERING = 0.5
RETURNING = 0.25


class Action(NamedTuple):
    """One item of /v1/batch, and when it is sent, in seconds from the start."""

    at_s: float
    item: dict[str, Any]


class Script(NamedTuple):
    """What happens in the shop; `abandoned` are the carts that are left for good or for a while."""

    actions: list[Action]
    abandoned: set[str]
    recovered: set[str]


def script(seed: int, seconds: float, idle_s: float) -> Script:
    """The shop's customers for so long; the last seconds are quiet, for the last triggers."""
    dice = random.Random(seed)  # noqa: S311 - a script, not a secret
    made = Script([], set(), set())
    number, arrives = 0, 0.5
    last_arrival = seconds - 2 * idle_s - 10 * STEP_S[1]
    while arrives < last_arrival:
        number += 1
        _visit(made, dice, number, arrives, idle_s)
        arrives += dice.expovariate(1 / ARRIVAL_S)
    made.actions.sort(key=lambda action: action.at_s)
    return made


def _visit(made: Script, dice: random.Random, number: int, now: float, idle_s: float) -> None:
    """One customer, from the first look to an order or to silence."""
    customer, cart_id = f"customer-{number:03}", f"cart-{number:03}"

    def act(event: str, properties: dict[str, Any]) -> None:
        nonlocal now
        now += dice.uniform(*STEP_S)
        made.actions.append(Action(now, {
            "type": "track", "event": event, "userId": customer, "properties": properties,
            "messageId": f"{customer}-{len(made.actions)}-{event.replace(' ', '')}",
        }))

    chosen = dice.sample(PRODUCTS, dice.randint(1, ADDS_MAX))
    lines: list[dict[str, Any]] = []
    for product_id, name, price in chosen:
        line: dict[str, Any] = {"product_id": product_id, "name": name, "price": price,
                "quantity": dice.randint(1, 2), "currency": CURRENCY}
        act("Product Viewed", {k: v for k, v in line.items() if k != "quantity"})
        act("Product Added", {**line, "cart_id": cart_id})
        lines.append(line)
    if len(lines) > 1 and dice.random() < RETURNING:
        act("Product Removed", {**lines.pop(), "cart_id": cart_id})
    total = sum(Decimal(line["price"]) * line["quantity"] for line in lines)
    order = {"order_id": f"order-{number:03}", "cart_id": cart_id, "total": str(total),
             "currency": CURRENCY, "products": lines}
    if dice.random() < ORDERING:
        act("Order Completed", order)
        return
    made.abandoned.add(cart_id)
    if dice.random() < RETURNING:
        now += idle_s + 2.5
        made.recovered.add(cart_id)
        act("Order Completed", order)

"""What rules cost: the same traffic folded under several configurations, in turns.

All tables, one partition, no Kafka, checkpoints included. Three configurations beside none at all:
ten rules that match what happens; the same and 990 that cannot match; and the same and a hundred on
every page whose condition fails, also over pages alone, where each event asks all of them. And one
expression in CEL, evaluated by itself.
"""

from __future__ import annotations

import json
import random
import sys
import time
from statistics import median
from typing import Any

from figures import ratio_text, show, verdict
from lab import Lab, run_json

EVENTS_A_BLOCK = 10_000
BLOCKS_A_ROUND = 4
WARM_UP = 3
CUSTOMERS = 2_000
START = 1_750_000_000_000
FAILING = 100
GOAL_LOADED = 1.2
GOAL_FAILING_US = 1.0
GOAL_CEL_US = 8.0

Rules = list[dict[str, Any]]
_ORDER = {"call": "track", "event": "Order Completed"}


def run(lab: Lab, _n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """Four blocks of 10,000 events a round."""
    found = run_json([sys.executable, __file__, str(rounds * BLOCKS_A_ROUND)], lab.environment(),
                     lab.folder / "rules", 1800)
    us: dict[str, list[float]] = found["us"]
    ten = us["10 rules that match"]
    loaded = [b / a for a, b in zip(ten, us["the same and 990 that cannot"], strict=True)]
    mixed = [(b - a) / FAILING / found["pages"] for a, b in
             zip(ten, us["the same and 100 that fail"], strict=True)]
    failing = [(b - a) / FAILING for a, b in
               zip(us["pages alone, 10"], us["pages alone, 110"], strict=True)]
    show(f"rules: CPU us an event, {len(ten)} blocks in turns, median (lowest-highest)",
         ("rules", "us"), [(name, ratio_text(values)) for name, values in us.items()])
    show("rules: goals", ("what", "found", "goal"), [
        ("1,000 loaded against 10", ratio_text(loaded),
         verdict(median(loaded), GOAL_LOADED, at_least=False)),
        ("a condition that fails, us", ratio_text(failing),
         verdict(median(failing), GOAL_FAILING_US, at_least=False)),
        ("the same in mixed traffic, with all that its outcomes cost", ratio_text(mixed), ""),
        ("an expression in CEL, us", ratio_text(found["cel"]),
         verdict(median(found["cel"]), GOAL_CEL_US, at_least=False))])
    return found


def matching() -> Rules:
    """Ten of all kinds."""
    viewed = {"call": "track", "event": "Product Viewed"}
    return [
        _rule("big_order", _ORDER, **{"if": {"field": "event.properties.total", "at_least": 100}}),
        _rule("first_order", _ORDER, once=True),
        _rule("thanks", _ORDER, cooldown="1d"),
        _rule("dear", viewed, **{"if": {"field": "event.properties.price", "greater": 150}},
              cooldown="1h"),
        _rule("thinking", {"call": "track", "event": "Product Added"}, wait="30m", unless=_ORDER),
        _rule("busy", {"when": _count("Product Viewed", at_least=5)}),
        _rule("buying", {"when": _count("Order Completed", at_least=2)}),
        _rule("high_risk", {"trigger": "risk_level_changed"}),
        _rule("left", {"trigger": "cart_abandoned"}, wait="1d", unless=_ORDER),
        _rule("gold", {"call": "identify"}, **{
            "if": {"field": "event.traits.plan", "equals": "gold"}}, once=True)]


def loaded() -> Rules:
    """As many more of the same kinds, about what never happens here."""
    made = []
    for n in range(990):
        on: dict[str, Any] = {"call": "track", "event": f"Something Else {n % 300}"}
        more: dict[str, Any] = {"if": {"field": "event.properties.total", "greater": n}}
        if n % 5 == 1:
            more = {"wait": "1h", "unless": {"call": "track", "event": f"Another Thing {n}"}}
        elif n % 5 == 2:
            on = {"trigger": ("customers_merged", "merge_refused")[n % 2]}
            more = {}
        elif n % 99 == 3:
            on, more = {"when": _count(f"Something Else {n}", at_least=3)}, {}
        made.append(_rule(f"other_{n}", on, **more))
    return made


def failing() -> Rules:
    """On every page, and never true."""
    return [_rule(f"failing_{n}", {"call": "page"}, **{
        "if": {"field": "event.context.page.path", "equals": f"/{n}/"}}) for n in range(FAILING)]


def _rule(name: str, on: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "version": 1, "on": on, **more}


def _count(event: str, **operator: Any) -> dict[str, Any]:
    return {"of": "count", "over": {"call": "track", "event": event}, "window": "1h", **operator}


class Side:
    """One fold under one configuration."""

    def __init__(self, rules: Rules) -> None:
        from customers import Entry, codecs, new_fold, reserved

        from footfall.events.reserved import ConfigPayload

        self._entry = Entry
        self.fold = new_fold()
        content = json.dumps({"rules": {"definitions": rules}}).encode()
        event = reserved.config(ConfigPayload(1, content), START)
        self.fold.apply(Entry(0, START, b"$config", codecs.interaction.encode(event)))
        self._end = 1

    def cost(self, block: list[tuple[bytes, bytes]], at: int) -> float:
        """CPU microseconds an event, a checkpoint included."""
        entries = [self._entry(self._end + n, at + n, key, value)
                   for n, (key, value) in enumerate(block)]
        self._end += len(block)
        began = time.process_time()
        for entry in entries:
            self.fold.apply(entry)
        self.fold.outputs.clear()
        self.fold.snapshot()
        return (time.process_time() - began) / len(block) * 1e6


def child(blocks: int) -> None:
    """Print the cost of each block of each side."""
    from customers import encoded_item, item

    dice = random.Random(11)
    sides = {"none": Side([]), "10 rules that match": Side(matching()),
             "the same and 990 that cannot": Side([*matching(), *loaded()]),
             "the same and 100 that fail": Side([*matching(), *failing()]),
             "pages alone, 10": Side(matching()),
             "pages alone, 110": Side([*matching(), *failing()])}
    found: dict[str, list[float]] = {name: [] for name in sides}
    pages = 0
    for number in range(blocks + WARM_UP):
        at = START + 1 + number * EVENTS_A_BLOCK
        block, page_block = [], []
        for n in range(EVENTS_A_BLOCK):
            made = item(dice, dice.randrange(CUSTOMERS), at + n)
            pages += made["type"] == "page"
            block.append(encoded_item(made, at + n))
            page_block.append(encoded_item(
                item(dice, dice.randrange(CUSTOMERS), at + n, "page"), at + n))
        order = list(sides)
        dice.shuffle(order)
        for name in order:
            us = sides[name].cost(page_block if name.startswith("pages") else block, at)
            if number >= WARM_UP:
                found[name].append(us)
    share = pages / EVENTS_A_BLOCK / (blocks + WARM_UP)
    print(json.dumps({"us": found, "pages": share, "cel": cel(blocks)}))


def cel(rounds: int) -> list[float]:
    """us of one expression over an event's properties and a customer's traits."""
    from footfall.tables.rules_cel import Program

    program = Program('event.properties.price > 100.0 && event.properties.category in '
                      '["shoes", "bags"] && profile.traits.plan.startsWith("go")',
                      ["event", "profile"])
    seen = {"event": {"properties": {"price": 129.9, "category": "shoes"}},
            "profile": {"traits": {"plan": "gold"}}}
    assert program.holds(seen) is True
    found = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(10_000):
            program.holds(seen)
        found.append((time.process_time() - began) * 100)
    return found


if __name__ == "__main__":
    child(int(sys.argv[1]))

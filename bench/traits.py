"""The step of the table `computed` alone, as the fold runs it: CPU us an event and bytes of a row,
for each aggregate and for several definitions at once. Uses no broker.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any

import msgspec
from figures import show
from lab import Lab

from footfall.events.interaction import Interaction
from footfall.tables import computed
from footfall.tables.computed_limits import KINDS
from footfall.tables.computed_row import OF_VALUES, ComputedConfig, Definition
from footfall.tables.row import RowCodec
from footfall.tables.step import Step

START = 1_700_000_000_000
CUSTOMERS = 500
EVENTS_MAX = 50_000
#: From one event to the next, of whichever customer.
STEP_MS = 3_000
WINDOWS = ("ever", "24h", "30d")
MANY = (1, 5, 10, 25)
_VIEWED = {"call": "track", "event": "Product Viewed"}
_PATHS = {"first": "product_id", "last": "product_id", "distinct_count": "product_id",
          "most_frequent": "category", "unique_list": "category"}


def run(_lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """Each configuration as often as there are rounds; the least time counts."""
    events = made(min(n, EVENTS_MAX))
    cases: dict[str, ComputedConfig] = {
        "without definitions": configured(),
        "an event that none names": configured(definition("t", "count", over={"call": "page"})),
        "a condition that does not hold": configured(definition("t", "count", over={
            **_VIEWED, "where": {"path": "properties.price", "greater": 1_000}})),
        **{f"{of}, {window}": configured(definition("t", of, window=window))
           for of in KINDS for window in WINDOWS},
        **{f"{many} sums of 30d, each with a condition": configured(*(
            definition(f"t{i}", "sum", window="30d", over={
                **_VIEWED, "where": {"path": "properties.price", "greater": i}})
            for i in range(many))) for many in MANY},
    }
    results = {name: [stepped(config, events) for _ in range(rounds)]
               for name, config in cases.items()}
    show(f"computed traits: {len(events):,} events of {CUSTOMERS} customers, {rounds} rounds",
         ("definitions", "CPU us an event, least", "bytes of a row"),
         [(name, f"{min(us for us, _bytes in found):.1f}", f"{found[0][1]:.0f}")
          for name, found in results.items()])
    return {"events": len(events), "results": results}


def made(n: int) -> list[Interaction]:
    """Products viewed: 200 of them, in 12 categories."""
    dice = random.Random(5)
    return [{
        "type": "track", "event": "Product Viewed", "message_id": f"{dice.getrandbits(128):032x}",
        "event_time": START + i * STEP_MS, "received_at": START, "source": "bench",
        "channel": "web", "commerce": None, "system": None, "key_id": None,
        "personal": json.dumps({
            "userId": "u1", "anonymousId": "a1",
            "context": {"page": {"url": "https://shop.example/x", "path": "/x"}, "ip": "192.0.2.1",
                        "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"},
            "properties": {
                "product_id": f"p{dice.randrange(200)}", "category": f"c{dice.randrange(12)}",
                "price": round(dice.random() * 100, 2), "currency": "EUR", "quantity": 1,
                "name": "Shirt"}}).encode(),
    } for i in range(n)]


def configured(*definitions: Definition) -> ComputedConfig:
    return ComputedConfig(definitions)


def definition(name: str, of: str, **more: Any) -> Definition:
    if of in OF_VALUES:
        more["value"] = f"properties.{_PATHS.get(of, 'price')}"
    return msgspec.convert({"name": name, "version": 1, "of": of, "over": _VIEWED, **more},
                           Definition)


def stepped(config: ComputedConfig, events: list[Interaction]) -> tuple[float, float]:
    """CPU us an event, mean bytes of a customer's row at the end."""
    step = Step(RowCodec(computed.TABLE, msgspec.msgpack.Encoder(order="deterministic")), config)
    rows: list[Any] = [None] * CUSTOMERS
    wants = step.wants
    assert wants is not None
    began = time.process_time()
    for n, event in enumerate(events):
        if wants(event):
            at = n * 7919 % CUSTOMERS
            facts, told = step.rows.read(rows[at])
            after = step.observe(facts, event, event["event_time"])
            said = step.announce(told, after, event["event_time"], config, None)
            if after is not facts:
                rows[at] = step.rows.make(after, said.told)
    us = (time.process_time() - began) / len(events) * 1e6
    return us, sum(len(row) for row in rows if row is not None) / CUSTOMERS

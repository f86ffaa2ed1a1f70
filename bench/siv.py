"""The worker as shipped on real interactions, in the clear and with AES-SIV on `personal`."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Producer
from customers import encoded
from figures import console, ratio_text, ratios, show, spread
from lab import HERE, LOG_TIME, Lab, run_json
from real_ import encrypt

PARTITIONS = 4
CUSTOMERS = 20_000
TOPICS: dict[str, Callable[[bytes], bytes]] = {"bench.clear": bytes, "bench.siv": encrypt}


def preload(lab: Lab, n: int) -> float:
    """The same events on both topics; the mean size of a value in the clear."""
    lab.create(*TOPICS, partitions=PARTITIONS, config=LOG_TIME)
    console.print(f"preloading {n:,} interactions twice ...")
    producer = Producer({"bootstrap.servers": lab.bootstrap, "partitioner": "murmur2_random",
                         "linger.ms": 20, "queue.buffering.max.messages": 500_000})
    dice = random.Random(11)
    size = 0
    for at in range(n):
        customer = int(CUSTOMERS * dice.random() ** 2)
        key, value = encoded(dice, customer, int(time.time() * 1000))
        size += len(value)
        for topic, change in TOPICS.items():
            while True:
                try:
                    producer.produce(topic, change(value), key)
                    break
                except BufferError:
                    producer.poll(0.1)
        if not at % 1000:
            producer.poll(0)
    producer.flush()
    return size / n


def run(lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """Both in turns."""
    size = preload(lab, n)
    results: dict[str, list[dict[str, Any]]] = {topic: [] for topic in TOPICS}
    for number in range(rounds):
        for topic in list(TOPICS)[:: -1 if number % 2 else 1]:
            found = run_json([sys.executable, str(HERE / "real_.py")],
                             lab.environment(TOPIC=topic, N=n), lab.folder / topic)
            results[topic].append(found)
            console.print(f"round {number + 1}: {topic}: {found['events_s']:,} events/s, "
                          f"{found['events_cpu_s']:,} events/CPU-s")
        lab.forget("bench-footfall-")
    cpu = {t: [r["events_cpu_s"] for r in results[t]] for t in TOPICS}
    clear = cpu["bench.clear"]
    show(f"real interactions of {size:.0f} bytes, shipped tables: {n:,} events, {rounds} rounds",
         ("personal", "events/s", "events/CPU-s", "of the rate in the clear"),
         [(t.removeprefix("bench."), spread([r["events_s"] for r in results[t]]), spread(cpu[t]),
           ratio_text(ratios(cpu[t], clear))) for t in TOPICS])
    return {"events": n, "value_bytes": size, "results": results}

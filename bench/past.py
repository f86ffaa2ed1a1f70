"""Real interactions as the log has them a day later: handoffs and ticks of workers among them.

A shop in which it is quiet now and then: an interaction every quarter of a second of the log's
clock, whatever the machine takes to write it.
"""

from __future__ import annotations

import random
from typing import Any

from confluent_kafka import Producer
from customers import codecs, encoded, keys, reserved
from figures import console
from lab import Lab

from footfall.tables import ALL
from footfall.testing.log import Installation, Log

TOPIC = "bench.past"
PARTITIONS = 4
CUSTOMERS = 20_000
START_MS = 1_790_000_000_000
EVERY_MS = 250
#: So long after a deadline its tick comes, and so often records are encoded and sent.
TICK_MS = 20
SLICE = 10_000


def preload(lab: Lab, n: int) -> int:
    """The log of N interactions on `TOPIC`; how many records that are."""
    lab.create(TOPIC, partitions=PARTITIONS, config={
        "message.timestamp.type": "CreateTime", "retention.ms": "-1"})
    console.print(f"folding and preloading the past of {n:,} interactions ...")
    producer = Producer({"bootstrap.servers": lab.bootstrap, "enable.idempotence": True,
                         "log_level": 2, "linger.ms": 20, "queue.buffering.max.messages": 500_000})
    log = Log(ALL, PARTITIONS, Installation(codecs, keys, reserved), START_MS, hop_ms=2)
    sent = [0] * PARTITIONS
    dice = random.Random(11)
    for at in range(n):
        now = START_MS + at * EVERY_MS
        _wake(log, now - TICK_MS)
        log.append_bytes(*encoded(dice, int(CUSTOMERS * dice.random() ** 2), now), now)
        log.run()
        if not at % SLICE or at == n - 1:
            _produce(producer, log, sent)
            log.sent.clear()
    producer.flush()
    return sum(sent)


def _wake(log: Log, until: int) -> None:
    """A tick for each deadline before an instant, as workers ask for."""
    while True:
        due = [(at, worker.number) for worker in log.workers
               if (at := worker.fold.next_timer(until)) is not None]
        if not due:
            return
        at, number = min(due)
        log.tick(at + TICK_MS, number)
        log.run()


def _produce(producer: Any, log: Log, sent: list[int]) -> None:
    for number, worker in enumerate(log.workers):
        for entry in log.entries[number][sent[number]:]:
            producer.produce(TOPIC, entry.value, entry.key, number, timestamp=entry.timestamp)
        sent[number] = len(log.entries[number])
        worker.fold.snapshot()
    producer.flush()

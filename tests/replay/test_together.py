"""All partitions folded together again come to what the workers had come to, byte for byte."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from footfall import tables
from footfall.admin.history import Entry
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.interaction import IMPORT
from footfall.events.reserved_row import ROW_BYTES, ImportPayload
from footfall.replay.together import Start, Together
from footfall.tables.outputs import TRIGGER
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable
from footfall.tables.stored import PartitionState
from footfall.testing.log import Installation, Log

INSTALLATION = Installation.of(b"a secret of thirty-two bytes for it",
                               b"another of thirty-two bytes for it")
START_MS = 1_770_000_000_000
PARTITIONS = 3


def item(dice: random.Random, n: int) -> dict[str, Any]:
    """A tracking call of one of a few people, known or not yet."""
    who = dice.randrange(12)
    called = dice.choice(["Product Added", "Order Completed", "Product Viewed", "Payment Failed"])
    names: dict[str, Any] = dice.choice([
        {"anonymousId": f"browser-{who}"}, {"userId": f"u{who % 5}"},
        {"userId": f"u{who % 5}", "anonymousId": f"browser-{who}"}])
    if dice.random() < 0.2:
        return {"type": "identify", **names, "traits": {"email": f"p{who % 7}@example.com"}}
    return {"type": "track", "event": called, "messageId": f"m{n % 280}", **names,
            "properties": {"order_id": f"o{n}", "product_id": "p", "price": "5", "total": "7",
                           "currency": "EUR", "quantity": 1}}


def live(seed: int, calls: int = 300, specs: Sequence[AnyTable] = tables.ALL) -> Log:
    """A log that workers have written and folded, handoffs among it."""
    dice = random.Random(seed)
    log = Log(specs, PARTITIONS, INSTALLATION, START_MS, hop_ms=2)
    at = START_MS
    for n in range(calls):
        at += dice.choice([0, 1, 50, 40_000, 2_000_000])
        arrival = Arrival("shop", at, "shop")
        admitted = admit(msgspec.json.encode(item(dice, n)), n, arrival, INSTALLATION.keys)
        assert not isinstance(admitted, Rejected), admitted
        event = admitted.event
        if n % 5 == 4:  # a row of a file, some of them twice, as every fifth call of long ago
            event["event_time"] = at - (n % 7) * 90 * 86_400_000
            row = hashlib.blake2b(b"%d" % (n % 100), digest_size=ROW_BYTES).digest()
            event = INSTALLATION.reserved.imported(admitted.key, event, ImportPayload("run", row),
                                                   at)
        log.append(admitted.key, event, at)
        if dice.random() < 0.7:
            log.run()
    log.run()
    log.tick(at + 5_000_000)
    log.run()
    return log


def starts() -> dict[int, Start]:
    return {n: Start(PartitionState(), Best(), {}) for n in range(PARTITIONS)}


def folded(log: Log, slices: int, seed: int) -> tuple[Together, list[bytes]]:
    """The log folded together, its records given in pieces of random partitions."""
    dice = random.Random(seed)
    told: list[bytes] = []
    together = Together(
        starts(), tables.ALL, codecs=INSTALLATION.codecs, keys=INSTALLATION.keys,
        reserved=INSTALLATION.reserved,
        told=lambda _partition, outputs: told.extend(o.value for o in outputs if o.kind == TRIGGER))
    left = {n: list(map(Entry._make, entries)) for n, entries in enumerate(log.entries)}
    while any(left.values()):
        number = dice.choice([n for n, entries in left.items() if entries])
        together.put(number, left[number][:slices])
        del left[number][:slices]
        together.run()
    assert {} == together.blocked
    return together, told


def test_state_and_triggers_are_those_of_the_workers() -> None:
    """Whatever the pieces, and in whatever order partitions come: with moved customers among them.
    """
    moved = imported = 0
    for seed in range(6):
        log = live(seed)
        together, told = folded(log, 1 + 11 * seed, seed)
        for worker in log.workers:
            fold = together.folds[worker.number]
            worker.fold.snapshot()
            fold.snapshot()
            assert dict(worker.fold.store) == dict(fold.store)
            assert worker.fold.state() == fold.state()
            imported += fold.counts["processed", IMPORT]
        sent = [o.value for _partition, o in log.sent if o.kind == TRIGGER]
        assert sorted(sent) == sorted(told)
        assert [] == [one for of in together.inflight.values() for one in of]
        moved += together.counts["recomputed"]
    assert moved > 50
    assert imported > 200

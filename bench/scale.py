"""Cost of an event with few and with many customers, at an equal ratio of changed records.

Two folds in one process, in turns, block by block: drift of the machine is in both. A block is what
one checkpoint covers: 20,000 events of 5,000 customers, drawn anew each time from all. So the large
one pays for what is new to it: records to decode, misses of the processor's caches, a large heap.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
from statistics import median
from typing import Any

from figures import ratio_text, show, verdict
from lab import Lab, run_json

SMALL = 10_000
BLOCK = 20_000
ACTIVE = 5_000
SAMPLES = 2_000
GOAL = 1.15
WARM_UP = 3


def run(lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """`n` customers against 10,000; ten blocks a round."""
    found = run_json([sys.executable, __file__, str(n), str(max(rounds * 10, 4))],
                     lab.environment(), lab.folder / "scale", 1800)
    ratios = [b / a for a, b in zip(found["small"], found["large"], strict=True)]
    show(f"scale: CPU time an event, {len(ratios)} blocks in turns, median (lowest-highest)",
         ("customers", "us", "ratio", "goal"),
         [(f"{SMALL:,}", ratio_text(found["small"]), "", ""),
          (f"{n:,}", ratio_text(found["large"]), ratio_text(ratios),
           verdict(median(ratios), GOAL, at_least=False))])
    return {"customers": n, **found}


class Population:
    """So many customers in a fold, copied from a few thousand that were really folded."""

    def __init__(self, customers: int, samples: list[bytes], clock: int) -> None:
        from customers import keys, new_fold

        from footfall.tables.records import Best
        from footfall.tables.stored import PartitionState

        self.customers = customers
        self.offset = 1_000_000_000
        self.clock = clock
        self.dice = random.Random(customers)
        store = {keys.of("user_id", f"user-{n:08}"): bytes(memoryview(samples[n % len(samples)]))
                 for n in range(customers)}
        self.fold = new_fold(best=Best(store), state=PartitionState(self.offset, clock))
        self.garbage = None

    def block(self) -> list[Any]:
        """The events of one checkpoint."""
        from customers import Entry, encoded

        active = self.dice.sample(range(self.customers), ACTIVE)
        entries = []
        for _ in range(BLOCK):
            self.offset += 1
            self.clock += 1
            entries.append(Entry(self.offset, self.clock,
                                 *encoded(self.dice, self.dice.choice(active), self.clock)))
        return entries

    def cost(self) -> float:
        """CPU microseconds an event of one block, its snapshot included."""
        block = self.block()
        apply = self.fold.apply
        began = time.process_time()
        for entry in block:
            apply(entry)
        changed = len(list(self.fold.snapshot()))
        took = time.process_time() - began
        self.fold.outputs.clear()
        assert changed > 0.9 * ACTIVE
        return took / BLOCK * 1e6


def child(customers: int, blocks: int) -> None:
    """Print the cost of each block of both."""
    from customers import samples

    from footfall.stream.garbage import Garbage

    made = samples(SAMPLES)
    values = list(made.store.values())
    garbage = Garbage()
    populations = [Population(n, values, made.clock) for n in (SMALL, customers)]
    gc.collect()
    garbage.after_checkpoint()
    costs: list[list[float]] = [[], []]
    for number in range(WARM_UP + blocks):
        for which in (0, 1) if number % 2 else (1, 0):
            cost = populations[which].cost()
            garbage.after_checkpoint()
            if number >= WARM_UP:
                costs[which].append(cost)
    print(json.dumps({"small": costs[0], "large": costs[1]}))


if __name__ == "__main__":
    child(int(sys.argv[1]), int(sys.argv[2]))

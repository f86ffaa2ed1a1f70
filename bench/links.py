"""What identity costs: the same traffic folded with the table links and without it, in turns.

Visits of 20 calls: a browser that nobody knows, used without a user at first; one identify call
names user, e-mail address and browser (5 % of all events name a new identifier), and what follows
names the user. Each side is two partitions in one process. Handoffs are appended where their key
belongs and folded behind what has come meanwhile, until nothing waits; events are those of the
traffic, so all that handoffs cost is in the links' figure, less Kafka's part of it. Too little time
passes for a timer to fire: whoever has merged his carts would fire fewer.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from figures import ratio_text, show, verdict
from lab import Lab, run_json

EVENTS_A_VISIT = 20
#: Visits that go on at the same time, and make up what one checkpoint covers.
TOGETHER = 1_000
USERS = 5_000
PARTITIONS = 2
#: What a worker's batch holds: handoffs of it are folded behind the next.
BATCH = 500
BLOCKS_A_ROUND = 4
WARM_UP = 5
GOAL = 1.15
START = 1_750_000_000_000

Pairs = list[tuple[bytes, bytes]]


def run(lab: Lab, _n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """Four blocks of 20,000 events a round."""
    found = run_json([sys.executable, __file__, str(rounds * BLOCKS_A_ROUND)], lab.environment(),
                     lab.folder / "links", 1800)
    ratios = [b / a for a, b in zip(found["without"], found["with"], strict=True)]
    show(f"links: CPU time an event, {len(ratios)} blocks in turns, median (lowest-highest); "
         f"{found['handoffs']:.3f} handoffs an event",
         ("tables", "us", "ratio", "goal"),
         [("without links", ratio_text(found["without"]), "", ""),
          ("with links", ratio_text(found["with"]), ratio_text(ratios),
           verdict(median(ratios), GOAL, at_least=False))])
    show(f"links: bytes of memory, {found['pointers']:,} identifiers that are owned",
         ("what", "bytes"),
         [(name, f"{found[name]:,.0f}") for name in (
             "an owned identifier's record, its key and its place in the store",
             "of that the row of links", "of that messageIds",
             "its record without links, the same way",
             "the owner's row of links, for each that it owns",
             "all records of a user with links", "all records of a user without")])
    return found


class Visits:
    """Random visits of so many users, each on a browser of its own."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._made = 0
        self._at = START

    def block(self) -> Pairs:
        """(key, value) of all calls of the visits that go on together."""
        from customers import encoded_item, item

        dice = self._dice
        visits = [self._calls(dice.randrange(USERS)) for _ in range(TOGETHER)]
        order = [visit for visit in visits for _ in range(EVENTS_A_VISIT)]
        dice.shuffle(order)
        made = []
        for visit in order:
            self._at += 1
            customer, browser, is_known, name = next(visit)
            call = item(dice, customer, self._at, name)
            call["anonymousId"] = browser
            if not is_known:
                del call["userId"]
            made.append(encoded_item(call, self._at))
        return made

    def _calls(self, customer: int) -> Iterator[tuple[int, str, bool, str]]:
        from customers import EVENTS

        self._made += 1
        browser = f"7f3c{self._made:08x}-5a1e-4d0b"
        names = [name for name in EVENTS if name != "identify"]
        identified = self._dice.randrange(1, EVENTS_A_VISIT)
        for n in range(EVENTS_A_VISIT):
            name = "identify" if n == identified else self._dice.choice(names)
            yield customer, browser, n >= identified, name


class Side:
    """The folds of all partitions with some tables, and their log."""

    def __init__(self, tables: Any) -> None:
        from customers import codecs, keys, reserved

        from footfall.tables.fold import Fold

        self.folds = [Fold(number, tables, codecs=codecs, keys=keys, reserved=reserved,
                           topic="bench") for number in range(PARTITIONS)]
        self._ends = [0] * PARTITIONS
        self.handoffs = 0

    def cost(self, block: Pairs, at: int) -> float:
        """CPU microseconds an event of one block, until nothing waits, its snapshot included."""
        from customers import Entry

        from footfall.events.interaction import HANDOFF
        from footfall.stream.partition import partition_of

        batches: list[list[list[Any]]] = []
        for first in range(0, len(block), BATCH):
            batches.append([[] for _ in range(PARTITIONS)])
            for key, value in block[first : first + BATCH]:
                batches[-1][partition_of(key, PARTITIONS)].append((key, value))
        waiting: list[Pairs] = [[] for _ in range(PARTITIONS)]
        nothing: list[Pairs] = [[] for _ in range(PARTITIONS)]
        began = time.process_time()
        number = 0
        while number < len(batches) or any(waiting):
            batch = batches[number] if number < len(batches) else nothing
            came, waiting = waiting, [[] for _ in range(PARTITIONS)]
            for fold, pairs, handoffs in zip(self.folds, batch, came, strict=True):
                for key, value in (*handoffs, *pairs):
                    fold.apply(Entry(self._ends[fold.partition], at + number, key, value))
                    self._ends[fold.partition] += 1
                for output in fold.outputs:
                    if output.kind == HANDOFF:
                        waiting[partition_of(output.key, PARTITIONS)].append(
                            (output.key, output.value))
                        self.handoffs += 1
                fold.outputs.clear()
            number += 1
        for fold in self.folds:
            fold.snapshot()
        return (time.process_time() - began) / len(block) * 1e6


def child(blocks: int) -> None:
    """Print the cost of each block of both sides, and what their records take."""
    from footfall.stream.garbage import Garbage
    from footfall.tables import ALL

    garbage = Garbage()
    sides = [Side([table for table in ALL if table.name != "links"]), Side(ALL)]
    visits = Visits(7)
    gc.collect()
    costs: list[list[float]] = [[], []]
    for number in range(WARM_UP + blocks):
        block = visits.block()
        at = START + (number + 1) * len(block)
        for which in (0, 1) if number % 2 else (1, 0):
            garbage.after_checkpoint()
            cost = sides[which].cost(block, at)
            if number >= WARM_UP:
                costs[which].append(cost)
    events = (WARM_UP + blocks) * TOGETHER * EVENTS_A_VISIT
    print(json.dumps({"without": costs[0], "with": costs[1],
                      "handoffs": sides[1].handoffs / events, **memory(*sides)}))


def memory(without: Side, links: Side) -> dict[str, float]:
    """Bytes by reckoning: each object as the allocator rounds it, and 42 for its place."""
    whole, owned, rows, ids, held = 0, 0, 0, 0, 0
    counts = {"pointers": 0, "owned": 0}
    records = {key: value for fold in links.folds for key, value in fold.store.items()}
    plain = {key: value for fold in without.folds for key, value in fold.store.items()}
    for fold in links.folds:
        for key, value in fold.store.items():
            row = fold.row(key, "links")
            if row is None:
                continue
            record = fold.records.peek(key)
            assert record is not None
            size = len(bytes(record.rows["links"]))
            if row.told.owner:
                counts["pointers"] += 1
                whole += placed(key, value)
                rows += size
                ids += len(record.message_ids.hashes)
                held += placed(key, plain[key]) if key in plain else 0
            elif row.told.owned:
                counts["owned"] += len(row.told.owned)
                owned += size
    pointers = counts["pointers"]
    return {
        "pointers": pointers,
        "an owned identifier's record, its key and its place in the store": whole / pointers,
        "of that the row of links": rows / pointers,
        "of that messageIds": ids / pointers,
        "its record without links, the same way": held / pointers,
        "the owner's row of links, for each that it owns": owned / counts["owned"],
        "all records of a user with links": sum(map(placed, records, records.values())) / USERS,
        "all records of a user without": sum(map(placed, plain, plain.values())) / USERS,
    }


def placed(key: bytes, value: bytes) -> int:
    """Bytes of a record in the store."""
    return sum(sys.getsizeof(one) + 15 & ~15 for one in (key, value)) + 42


if __name__ == "__main__":
    child(int(sys.argv[1]))

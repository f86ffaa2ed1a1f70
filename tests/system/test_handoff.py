"""Rows that move to another customer arrive exactly once, whatever moment a worker dies at."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from footfall.admin import config
from footfall.events.interaction import HANDOFF
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import Handoff
from footfall.events.topics import INTERACTIONS, REJECTED
from footfall.tables.outputs import REJECTED as REJECTED_OUTPUT
from footfall.tables.outputs import TRIGGER
from tests.system import exactness
from tests.system.relay import MOVE, TABLES
from tests.system.shop import Loader
from tests.system.test_kill import QUICK, QUIET_S_MAX
from tests.system.topics import State, read_all
from tests.system.workers import KILLED, PARTITIONS, SYSTEM_SECRET, Workers
from tests.tables import events
from tests.tables.logs import CODECS, KEYS

pytestmark = pytest.mark.kafka

PROGRAM = ("-m", "tests.system.relay")
CUSTOMERS = [KEYS.of("user_id", f"customer-{n}") for n in range(60)]


class Relay:
    """Products for random customers; one event in eight sends all of a customer to another."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.made = 0
        self.products: set[str] = set()

    def records(self, count: int) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of the next ones."""
        for _ in range(count):
            self.made += 1
            message_id, now = f"m{self.made}", time.time_ns() // 1_000_000
            key, to = self._random.sample(CUSTOMERS, 2)
            if self._random.random() < 0.125:
                event = events.plain(now, message_id)
                event["event"] = MOVE + to.decode()
            else:
                event = events.added(now, message_id, f"p{self._random.randrange(4)}")
                self.products.add(message_id)
            yield key, CODECS.interaction.encode(event)


def test_rows_arrive_exactly_once_through_every_crash(
        footfall_topics: str, workers: Workers) -> None:
    """Killed before, while and after handoffs leave, and between two workers: each product once."""
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), QUICK)
    relay, loader, state = Relay(5), Loader(footfall_topics), State(footfall_topics)
    faults = ["in_handoff:7", "after_outputs:2", "in_handoff:40", "half_changelog:2",
              "after_changelog:2", "in_timer:3"]
    loader.start_load(relay, at_least=4_000, a_second=300)
    for fault in faults:
        assert KILLED == workers.start("w1", crash_at=fault, program=PROGRAM).wait()
    other = workers.start("w2", program=PROGRAM).until_ready()
    last = workers.start("w1", program=PROGRAM).until_ready()
    loader.join()
    last.until(state.quiet, QUIET_S_MAX, "quiet")
    assert [0, 0] == [other.stop(), last.stop()]
    seen = exactness.check(footfall_topics, TABLES, carts=False)
    print(seen)
    log = read_all(footfall_topics, INTERACTIONS)
    folded = exactness.fold(log, TABLES)
    sent = {o.value for f in folded.folds.values() for o in f.outputs
            if o.kind not in (TRIGGER, REJECTED_OUTPUT)}
    came = [e.value for e in log if CODECS.interaction.decode(e.value)["type"] == HANDOFF]
    assert sent == set(came)
    assert len(came) > len(sent) > 100  # some were sent again, and recognised
    held: Counter[str] = Counter()
    for number, records in folded.records.items():
        for key in records:
            row = folded.folds[number].row(key, "basket")
            held.update({} if row is None else row.facts.times)
    assert dict.fromkeys(relay.products, 1) == dict(held)
    assert seen.triggers > 0
    assert len(faults) == workers.exits.count(KILLED)


def test_a_forged_handoff_is_poison(footfall_topics: str, workers: Workers) -> None:
    """A $handoff under another key goes to footfall.rejected and changes no record."""
    loader, state = Loader(footfall_topics), State(footfall_topics)
    move = Handoff(CUSTOMERS[1], 0, 5, 0, 1)
    forged = Reserved(b"a key that nobody has").handoff(CUSTOMERS[0], move, b"\x80")
    loader.put(CUSTOMERS[0], CODECS.interaction.encode(forged))
    loader.flush()
    worker = workers.start(program=PROGRAM)
    worker.until(state.covered, QUIET_S_MAX)
    assert 0 == worker.stop()
    (rejected,) = read_all(footfall_topics, REJECTED)
    assert "reserved_forged" == CODECS.rejected.decode(rejected.value)["reason"]
    assert [{}] * PARTITIONS == list(state.records.values())

"""Workers go over to a state made anew beside them, while customers go on and workers die."""

from __future__ import annotations

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from footfall import tables
from footfall.admin import config
from footfall.admin.cluster import admin_client
from footfall.events.interaction import CUTOVER
from footfall.events.topics import INTERACTIONS
from footfall.replay.source import KafkaSource
from footfall.replay.together import Start, Together
from footfall.stream.generations import topic_of
from footfall.tables.records import Best
from footfall.tables.stored import PARTITION_KEY, SHADOW, PartitionState, inflight
from tests.system import exactness
from tests.system.shop import Loader
from tests.system.storm import UNLIMITED, Storm
from tests.system.test_kill import LONG_S_MAX, QUICK
from tests.system.topics import State, until
from tests.system.workers import KILLED, PARTITIONS, SYSTEM_SECRET, Workers
from tests.tables.logs import CODECS, KEYS, RESERVED

pytestmark = pytest.mark.kafka

PROGRESS_S_MAX = 120.0


def cut(bootstrap: str, generation: int) -> dict[int, int]:
    """A `$cutover` on every partition; the offset behind each."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    ends: dict[int, int] = {}
    value = CODECS.interaction.encode(RESERVED.cutover(generation, 0))
    for number in range(PARTITIONS):
        producer.produce(INTERACTIONS, value, CUTOVER.encode(), number,
                         on_delivery=lambda error, m: ends.update({m.partition(): m.offset() + 1}))
    assert producer.flush(30) == 0
    return ends


def make_anew(bootstrap: str, generation: int, ends: dict[int, int]) -> int:
    """The log up to there, folded into a changelog of its own; how many handoffs are on their way.
    """
    source = KafkaSource(bootstrap)
    together = Together({n: Start(PartitionState(), Best(), {}) for n in ends}, tables.ALL,
                        codecs=CODECS, keys=KEYS, reserved=RESERVED)
    source.seek(dict.fromkeys(ends, 0))
    while (number := together.next(ends)) is not None:
        together.put(number, source.take(number, ends[number]))
        together.run()
    source.close()
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    topic = topic_of(generation)
    for number, fold in together.folds.items():
        for place, content in together.inflight[number].items():
            key, value = inflight(place, content)
            producer.produce(topic, value, key, number)
        fold.snapshot()
        for key, value in fold.store.items():
            producer.produce(topic, value, key, number)
            producer.poll(0)
        state = msgspec.structs.replace(fold.state(), moved_to=SHADOW)
        assert state.next_offset == ends[number]
        producer.produce(topic, state.encode(), PARTITION_KEY, number)
    assert producer.flush(60) == 0
    return sum(map(len, together.inflight.values()))


@pytest.mark.parametrize("crash", ["", "before_move", "after_move"])
def test_a_partition_goes_over_under_load(
        footfall_topics: str, workers: Workers, crash: str) -> None:
    """Every record is what one fold of the whole log gives; a worker that dies finds its way."""
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), {**QUICK, **UNLIMITED})
    admin = admin_client(footfall_topics)
    wanted = NewTopic(topic_of(2), PARTITIONS, 1, config={"cleanup.policy": "compact"})
    admin.create_topics([wanted])[topic_of(2)].result()
    first, second = workers.start("w1", crash_at=crash and f"{crash}:1"), workers.start("w2")
    storm, loader, state = Storm(7, households=60), Loader(footfall_topics), State(footfall_topics)
    loader.start_load(storm, at_least=4_000, a_second=300)
    until(lambda: sum(state.offsets().values()) > 1_500, PROGRESS_S_MAX, "progress")
    ends = cut(footfall_topics, 2)
    make_anew(footfall_topics, 2, ends)
    if crash:
        assert KILLED == first.wait()
        first = workers.start("w1")
    moved = State(footfall_topics, topic_of(2))
    until(lambda: all(moved.offsets().get(n, 0) > end for n, end in ends.items()),
          PROGRESS_S_MAX, "moved")
    loader.join()
    until(moved.quiet, LONG_S_MAX, "quiet")
    before = dict(state.offsets())
    assert before == ends
    assert all(one.moved_to == 2 for one in state.partitions.values())
    seen = exactness.check(footfall_topics, carts=False, generation=2)
    assert seen.triggers > 100
    assert 0 == first.stop() == second.stop()
    # Started anew it goes on from there.
    again = workers.start("w1").until_ready()
    loader.load(storm.records(200))
    until(moved.quiet, LONG_S_MAX, "quiet")
    exactness.check(footfall_topics, carts=False, generation=2)
    assert 0 == again.stop()

"""Sends each partition over to a generation, and watches the workers go.

Decides when a partition has gone: its old `$partition` says so, and the worker has written one of
its own in the new generation, or has had nothing to write. Must never send over to a state that has
not been folded to near the log's end: workers stand still until it has been folded to the record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from confluent_kafka import Message, Producer

from footfall.errors import BrokerError
from footfall.events.codec import Codecs
from footfall.events.interaction import CUTOVER
from footfall.events.reserved import Reserved
from footfall.events.topics import INTERACTIONS
from footfall.replay.rebuild import topics
from footfall.tables.stored import SHADOW

ACKNOWLEDGED_S_MAX: Final = 30.0
#: A worker that has gone over and has nothing to apply writes nothing there.
QUIET_S: Final = 3.0
LOOK_S: Final = 0.2


class Sent(NamedTuple):
    """The `$cutover` of a partition."""

    offset: int
    appended_at: int


def send(bootstrap: str, generation: int, partitions: Iterable[int], *, codecs: Codecs,
         reserved: Reserved) -> dict[int, Sent]:
    """Write a `$cutover` to each partition; raises `BrokerError` where one is not acknowledged."""
    producer = Producer({
        "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "log_level": 0,
        "error_cb": lambda _error: None, "linger.ms": 0,
        "message.timeout.ms": round(ACKNOWLEDGED_S_MAX * 1000),
    })
    value = codecs.interaction.encode(
        reserved.cutover(generation, time.time_ns() // 1_000_000))
    wanted = set(partitions)
    sent: dict[int, Sent] = {}

    def told(error: object, message: Message) -> None:
        if error is None:
            _kind, appended_at = message.timestamp()
            sent[message.partition()] = Sent(message.offset(), appended_at)

    for number in sorted(wanted):
        producer.produce(INTERACTIONS, value, CUTOVER.encode(), number, on_delivery=told)
    producer.flush(ACKNOWLEDGED_S_MAX + 5)
    if wanted - sent.keys():
        raise BrokerError(
            f"the $cutover of partitions {sorted(wanted - sent.keys())} was not acknowledged. "
            "Workers wait at those that were: run `footfall replay cutover` now, it finishes this")
    return sent


class Gone(NamedTuple):
    """`moved`: partitions whose worker has gone over, and after how many seconds it was seen."""

    moved: dict[int, float]
    waiting: list[int]


def watch(bootstrap: str, generation: int, live: dict[int, int], since_ms: dict[int, int],
          seconds_max: float, seen: Callable[[int], None]) -> Gone:
    """Wait until each partition's worker has gone over from its `live` generation, at most so long.
    `since_ms`: when each `$cutover` was appended; `seen` is called with how many more have gone.
    """
    deadline = time.monotonic() + seconds_max
    ends = {n: state.next_offset for n, state in
            topics.states_of(bootstrap, topics.topic_of(generation)).items()}
    moved: dict[int, float] = {}
    left: dict[int, float] = {}
    while len(moved) < len(live):
        old = {g: topics.states_of(bootstrap, topics.topic_of(g)) for g in set(live.values())}
        new = topics.states_of(bootstrap, topics.topic_of(generation))
        now = time.monotonic()
        before = len(moved)
        for number, was in live.items():
            state = old[was].get(number)
            if number in moved or state is None or state.moved_to != generation:
                continue
            here = new.get(number)
            writes = (here is not None and here.moved_to != SHADOW
                      and here.next_offset > ends.get(number, 0))
            if writes or now - left.setdefault(number, now) > QUIET_S:
                still_s = time.time() - since_ms[number] / 1000 - (0 if writes else now - left[number])
                moved[number] = round(max(0.0, still_s), 3)
        seen(len(moved) - before)
        if now > deadline:
            break
        time.sleep(LOOK_S)
    return Gone(moved, sorted(live.keys() - moved.keys()))

"""Sends each partition over to a generation, and watches the workers go.

Decides when a partition has gone: its worker has written a `$partition` in the new generation. Must
never send over to a state that has not been folded to near the log's end: workers stand still until
it has been folded to the record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from confluent_kafka import Message, Producer

from footfall.admin.scan import Scanner, Span
from footfall.errors import BrokerError
from footfall.events.codec import Codecs
from footfall.events.interaction import CUTOVER
from footfall.events.reserved import Reserved
from footfall.events.topics import INTERACTIONS
from footfall.kafka.confluent import confluent
from footfall.kafka.reach import writing
from footfall.stream.generations import topic_of
from footfall.tables.stored import PARTITION_KEY

ACKNOWLEDGED_S_MAX: Final = 30.0
LOOK_S: Final = 0.2


class Sent(NamedTuple):
    """The `$cutover` of a partition."""

    offset: int
    appended_at: int


def send(bootstrap: str, generation: int, partitions: Iterable[int], *, codecs: Codecs,
         reserved: Reserved) -> dict[int, Sent]:
    """Write a `$cutover` to each partition; raises `BrokerError` where one is not acknowledged."""
    producer = Producer({
        **confluent(bootstrap), "acks": "all", "enable.idempotence": True, "log_level": 0,
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
        with writing(INTERACTIONS):
            producer.produce(INTERACTIONS, value, CUTOVER.encode(), number, on_delivery=told)
    with writing(INTERACTIONS):
        producer.flush(ACKNOWLEDGED_S_MAX + 5)
    if wanted - sent.keys():
        raise BrokerError(
            f"the $cutover of partitions {sorted(wanted - sent.keys())} was not acknowledged. "
            "Workers wait at those that were: run `footfall replay cutover` now, it finishes this")
    return sent


def watch(bootstrap: str, generation: int, since: Mapping[int, int], ends: Mapping[int, int], *,
          seconds_max: float, seen: Callable[[int], None]) -> dict[int, float]:
    """Wait until each partition's worker has gone over, at most so long; for how many seconds each
    stood still, up to the first `$partition` of its worker there. `since`: when each
    `$cutover` was appended (ms); `ends`: where the new generation's partitions ended before the
    shadow's last checkpoint; `seen` is called with how many more have gone.
    """
    deadline = time.monotonic() + seconds_max
    topic = topic_of(generation)
    still: dict[int, float] = {}
    with Scanner(bootstrap) as scanner:
        while len(still) < len(since) and time.monotonic() < deadline:
            spans = {n: Span(ends[n], span.end) for n, span in scanner.spans(topic).items()
                     if n in since and n not in still}
            before = len(still)
            ours: set[int] = set()
            for message in scanner.records(topic, PARTITION_KEY, spans):
                number = message.partition()
                if number not in ours:
                    ours.add(number)  # the shadow's last
                elif number not in still:
                    _kind, at = message.timestamp()
                    still[number] = max(0, at - since[number]) / 1000
            seen(len(still) - before)
            time.sleep(LOOK_S)
    return still

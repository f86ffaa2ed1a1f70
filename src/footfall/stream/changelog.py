"""Reads changelog partitions whole: librdkafka's threads fetch, take apart and check what comes.

Decides when a partition has been read: at the end it had when the reading began, by position, never
by the last record seen, for the tail may hold no record at all (compaction, control records).
Belongs to no group and commits nothing. Must never pass over a record: any error of which it is not
known that the client goes on where it was ends the reading.

Decided on 2026-11-25 by measurement (docs/performance.md): aiokafka did all of it on the event
loop. The values are made on the caller's thread on purpose: glibc keeps memory for the thread that
had it, so what a reading thread allocated would not be used again once its records are replaced.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from itertools import groupby

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from footfall.errors import BrokerError
from footfall.kafka.confluent import confluent
from footfall.kafka.reach import unread

#: Handed out before others get the event loop.
SLICE_RECORDS = 5_000
#: What is fetched at once of a partition, and what may wait in the client.
PARTITION_FETCH_BYTES_MAX = 1 << 20
WAITING_KIB_MAX = 32 << 10
#: How soon it is looked again where nothing has come.
IDLE_S = 0.002
SILENCE_S_MAX = 30.0
#: A broker that starts, a leader that moves: the client reads on where it was.
_PASSING = frozenset({
    KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT,
    KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION,
})


async def read(
    bootstrap: str, topic: str, ranges: Mapping[int, tuple[int, int]],
    silence_s_max: float = SILENCE_S_MAX,
) -> AsyncIterator[tuple[int, list[Message]]]:
    """All records with start <= offset < end of each partition, in order, in lists of one
    partition each. Raises `BrokerError` when they cannot be read, or nothing comes for so long.
    """
    ends = {number: end for number, (start, end) in ranges.items() if start < end}
    if not ends:
        return
    consumer = _consumer(bootstrap)
    try:
        consumer.assign([TopicPartition(topic, number, ranges[number][0]) for number in ends])
        heard, why = time.monotonic(), "is a broker down?"
        while ends:
            messages = consumer.consume(SLICE_RECORDS, timeout=0)
            reached: dict[int, int] = {}
            if any(map(Message.error, messages)):
                why = _told(topic, messages, reached) or why
                messages = [m for m in messages if m.error() is None]
            if messages or reached:
                heard = time.monotonic()
            elif time.monotonic() - heard > silence_s_max:
                number, end = next(iter(ends.items()))
                raise BrokerError(
                    f"{topic}: partition {number} has to be read to offset {end}, and nothing came "
                    f"from {bootstrap} for {silence_s_max:g} s: {why}")
            for number, run in groupby(messages, Message.partition):
                records = list(run)
                end = ends.get(number, 0)
                if records[-1].offset() >= end - 1:
                    # What was appended since is not asked for.
                    records = [m for m in records if m.offset() < end]
                    reached[number] = end
                if records:
                    yield number, records
            for number, offset in reached.items():
                if offset >= ends.get(number, offset + 1):
                    del ends[number]
                    consumer.pause([TopicPartition(topic, number)])
            await asyncio.sleep(0 if messages else IDLE_S)
    finally:
        consumer.close()


def _consumer(bootstrap: str) -> Consumer:
    return Consumer({
        **confluent(bootstrap), "log_level": 0, "error_cb": lambda _error: None,
        # The client wants a name; assigned by hand, it joins nothing.
        "group.id": "footfall-recovery", "enable.auto.commit": False,
        "enable.auto.offset.store": False, "auto.offset.reset": "earliest",
        "isolation.level": "read_uncommitted", "enable.partition.eof": True, "check.crcs": True,
        "max.partition.fetch.bytes": PARTITION_FETCH_BYTES_MAX, "fetch.wait.max.ms": 50,
        "queued.min.messages": 1_000_000, "queued.max.messages.kbytes": WAITING_KIB_MAX,
        # By default it waits a second once the queue is full.
        "fetch.queue.backoff.ms": 5,
    })


def _told(topic: str, messages: Iterable[Message], reached: dict[int, int]) -> str:
    """What the client says among the records: where partitions end goes into `reached`; gives a
    failure that passes, raises `BrokerError` for any other.
    """
    passing = ""
    for message in messages:
        error = message.error()
        if error is None:
            continue
        if error.code() == KafkaError._PARTITION_EOF:
            reached[message.partition()] = message.offset()
        elif error.code() in _PASSING:
            passing = error.str()
        else:
            # Of a checksum that fails, too, it would say so and go on behind it.
            raise unread(f"{topic}, partition {message.partition()}", error)
    return passing

"""Reads Footfall's topics whole, with a client that shares no code with the worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec

from footfall.admin.cluster import admin_client
from footfall.events.topics import APP_ID, CHANGELOG, INTERACTIONS
from footfall.tables.record import decode_partition, header
from footfall.tables.stored import INFLIGHT_PREFIX, PARTITION_KEY, PartitionState

POLL_S = 0.05
ANSWER_S_MAX = 10.0
BROKER_S_MAX = 60.0
SOON_MS = 60_000


class Entry(NamedTuple):
    """One Kafka record; enough for the pure fold."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Tail:
    """All of one topic so far, and what comes after it, on each call of `read`."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.topic = topic
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": "footfall-tests", "log_level": 0,
            "enable.auto.commit": False, "enable.auto.offset.store": False,
            "auto.offset.reset": "error", "fetch.queue.backoff.ms": 5, "fetch.wait.max.ms": 50,
            "isolation.level": "read_uncommitted", "error_cb": lambda _error: None,
        })
        found = self._consumer.list_topics(topic, timeout=BROKER_S_MAX).topics[topic]
        self.partitions = sorted(found.partitions)
        self._bootstrap = bootstrap
        self._admin = admin_client(bootstrap)
        starts = self._offsets(OffsetSpec.earliest())
        self.next: dict[int, int] = starts
        self._consumer.assign([TopicPartition(topic, p, o) for p, o in starts.items()])

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def ends(self) -> dict[int, int]:
        """End offset of each partition."""
        return self._offsets(OffsetSpec.latest())

    def read(self) -> Iterator[Entry]:
        """What came since the last call, each partition in order."""
        ends = self.ends()
        deadline = time.monotonic() + BROKER_S_MAX
        while any(self.next[p] < end for p, end in ends.items()):
            for message in self._consumer.consume(10_000, POLL_S):
                if message.error() is not None:  # a broker that just came back: it reads on
                    assert time.monotonic() < deadline, f"{self.topic}: {message.error()}"
                    continue
                entry = _entry(message)
                self.next[entry.partition] = entry.offset + 1
                yield entry
            assert time.monotonic() < deadline, f"{self.topic}: read to {self.next} of {ends}"
            # The tail may hold no record (control records): the position moves past it.
            for tp in self._consumer.position([TopicPartition(self.topic, p) for p in ends]):
                self.next[tp.partition] = max(self.next[tp.partition], tp.offset)

    def _offsets(self, at: OffsetSpec) -> dict[int, int]:
        # Not by the consumer: its long fetches keep such questions waiting.
        deadline = time.monotonic() + BROKER_S_MAX
        while True:
            try:
                asked = self._admin.list_offsets(
                    {TopicPartition(self.topic, p): at for p in self.partitions},
                    request_timeout=ANSWER_S_MAX)
                return {tp.partition: future.result().offset for tp, future in asked.items()}
            except KafkaException as error:  # a new topic's leader, a broker that just came back
                assert time.monotonic() < deadline, error
                time.sleep(POLL_S)
                self._admin = admin_client(self._bootstrap)  # it may keep to what it knew


def read_all(bootstrap: str, topic: str) -> list[Entry]:
    """All that a topic holds now."""
    tail = Tail(bootstrap, topic)
    found = list(tail.read())
    tail.close()
    return found


def committed(bootstrap: str, partitions: int) -> dict[int, tuple[int, str]]:
    """(offset, metadata) that the workers' group has committed, by partition of the log."""
    # Not by confluent_kafka: it reads metadata past its end.
    return asyncio.run(_committed(bootstrap, partitions))


async def _committed(bootstrap: str, partitions: int) -> dict[int, tuple[int, str]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    wanted = [aiokafka.TopicPartition(INTERACTIONS, p) for p in range(partitions)]
    found = await admin.list_consumer_group_offsets(APP_ID, partitions=wanted)
    await admin.close()
    return {tp.partition: (at.offset, at.metadata) for tp, at in found.items() if at.offset >= 0}


class State:
    """What the changelog says, by the rule of law 2: the highest watermark of each key."""

    def __init__(self, bootstrap: str, changelog: str = CHANGELOG) -> None:
        self._changelog = Tail(bootstrap, changelog)
        self._log = Tail(bootstrap, INTERACTIONS)
        self.records: dict[int, dict[bytes, bytes]] = {p: {} for p in self._changelog.partitions}
        self.partitions: dict[int, PartitionState] = {}
        #: Records that came after a better one of their key: a zombie's.
        self.stale = 0
        #: `$partition` records that say less than an earlier one.
        self.went_back = 0
        self.appended = 0

    def close(self) -> None:
        """Disconnect."""
        self._changelog.close()
        self._log.close()

    def update(self) -> None:
        """Read on."""
        for entry in self._changelog.read():
            assert entry.key is not None
            if entry.key.startswith(INFLIGHT_PREFIX):
                continue
            assert entry.value is not None
            self.appended += 1
            if entry.key == PARTITION_KEY:
                state = decode_partition(entry.value)
                known = self.partitions.get(entry.partition)
                if known is None or known.next_offset <= state.next_offset:
                    self.partitions[entry.partition] = state
                else:
                    self.went_back += 1
                continue
            store = self.records[entry.partition]
            best = store.get(entry.key)
            if best is not None and header(best)[0] > header(entry.value)[0]:
                self.stale += 1
            else:
                store[entry.key] = entry.value

    def covered(self) -> bool:
        """Whether the state covers all that the log holds now."""
        self.update()
        return self._log.ends() == {
            p: self.partitions[p].next_offset if p in self.partitions else 0
            for p in self._log.partitions
        }

    def quiet(self) -> bool:
        """Whether it covers the log and no timer is left that would soon append a tick. Some wait
        for days: a customer who stays away, a risk that falls.
        """
        return self.covered() and not any(
            0 < header(value)[1] < self.partitions[p].clock + SOON_MS
            for p, store in self.records.items() for value in store.values())

    def offsets(self) -> dict[int, int]:
        """Up to where each partition of the log has come."""
        self.update()
        return {p: state.next_offset for p, state in self.partitions.items()}


def until(what: Callable[[], object], seconds_max: float, why: str = "",
          step_s: float = 0.05) -> None:
    """Wait until something holds; fails when it does not in time."""
    deadline = time.monotonic() + seconds_max
    while not what():
        assert time.monotonic() < deadline, f"not in {seconds_max:g} s: {why or what}"
        time.sleep(step_s)


def _entry(message: Message) -> Entry:
    return Entry(message.partition(), message.offset(), message.timestamp()[1], message.key(),
                 message.value())

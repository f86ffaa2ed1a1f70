"""A shadow's changelog on Kafka: written with one idempotent producer, read whole by partition.

Decides how much waits for the broker, and that only one may write: another's records, or those of
workers who have gone over, would be compacted away behind ours, which are older. Must never take a
record for durable that the broker has not acknowledged, nor go on behind one that failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from confluent_kafka import KafkaException, Producer

from footfall.admin.scan import Scanner, Span
from footfall.errors import BrokerError, FootfallError
from footfall.kafka.confluent import confluent
from footfall.stream import changelog
from footfall.tables.records import Best

ACKNOWLEDGED_S_MAX: Final = 120.0
WAITING_KIB_MAX: Final = 64 << 10
#: So many are handed over before it is looked whether any failed.
_SLICE = 10_000


class NotAloneError(FootfallError):
    """Two write one state."""


class KafkaChangelog:
    """The topic of one generation. `spans`: as it was when it was read, before this writes."""

    def __init__(self, bootstrap: str, topic: str, spans: Mapping[int, Span]) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        #: Where each partition ends if nobody else writes.
        self._ends = {number: span.end for number, span in spans.items()}
        self._failed: list[str] = []
        self._producer = Producer({
            **confluent(bootstrap), "acks": "all", "enable.idempotence": True,
            "log_level": 0, "error_cb": lambda _error: None, "linger.ms": 5,
            "batch.size": 512 << 10, "queue.buffering.max.kbytes": WAITING_KIB_MAX,
            "queue.buffering.max.messages": 1_000_000,
            "message.timeout.ms": round(ACKNOWLEDGED_S_MAX * 1000),
            # All that is acknowledged needs no call; `flush` says how many are not.
            "delivery.report.only.error": True, "on_delivery": self._told,
            # A topic that was deleted meanwhile must not come back by itself.
            "allow.auto.create.topics": False,
        })

    def put(self, partition: int, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Hand records over, in order; waits where too much is on its way."""
        produce, topic = self._producer.produce, self._topic
        for n, (key, value) in enumerate(records, start=1):
            while True:
                try:
                    produce(topic, value, key, partition)
                    self._ends[partition] += 1
                    break
                except BufferError:
                    self._producer.poll(0.1)
                    self._check()
                except KafkaException as error:
                    raise self._lost(str(error.args[0].str())) from None
            if n % _SLICE == 0:
                self._producer.poll(0)
                self._check()

    def check_alone(self, partitions: Iterable[int]) -> None:
        """Raises `NotAloneError` where a partition holds what somebody else has written."""
        self.barrier()  # what is on its way is not there yet
        with Scanner(self._bootstrap) as scanner:
            found = scanner.spans(self._topic)
        if others := [n for n in partitions if found[n].end != self._ends[n]]:
            raise NotAloneError(
                f"{self._topic}, partitions {others}: somebody else has written since this "
                "command began, or last wrote; another rebuild, most likely. This one ends and "
                "changes nothing more. Let one run alone: what it finds there it goes on from")

    def barrier(self) -> None:
        """Return when the broker has all of it; raises `BrokerError`."""
        left = self._producer.flush(ACKNOWLEDGED_S_MAX + 5)
        if left:
            raise self._lost(f"{left} records were not acknowledged in {ACKNOWLEDGED_S_MAX:g} s")
        self._check()

    def _told(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._failed.append(error.str())

    def _check(self) -> None:
        if self._failed:
            raise self._lost(self._failed[0])

    def _lost(self, why: str) -> BrokerError:
        return BrokerError(f"{self._topic}: {why}. What was durable is kept: run the command again "
                           "when the broker is well, it goes on from there")


def read(bootstrap: str, topic: str, number: int, span: Span) -> Best:
    """One partition of a changelog, as recovery takes it in."""
    async def take() -> Best:
        best = Best()
        async for _number, messages in changelog.read(bootstrap, topic, {number: span}):
            best.take((m.key(), m.value()) for m in messages)
        return best

    return asyncio.run(take())


def read_all(bootstrap: str, topic: str, spans: dict[int, Span]) -> Iterator[tuple[int, Best]]:
    """Partition by partition, so that one more than what the caller keeps is in memory."""
    for number, span in spans.items():
        yield number, read(bootstrap, topic, number, span)

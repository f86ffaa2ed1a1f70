"""Where accepted items go: to Kafka, and back comes whether all of them are there.

Decides what "acknowledged" means (law 1): every record of a request in the log of all in-sync
replicas, written by an idempotent producer. One failed record fails the request; the client sends
all of it again, and repeats are recognised by their messageId. Must never drop a record in silence.

2026-11-23: delivery reports are collected on the event loop, every 2 ms while any is due. A thread
of its own was measured too (batches of 100): no faster, 5 % more CPU an event, and a second thread
to reason about.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypedDict

from confluent_kafka import KafkaError, KafkaException, Producer

from footfall.errors import BrokerError
from footfall.events.topics import INTERACTIONS, REJECTED
from footfall.health import Part
from footfall.kafka.confluent import confluent
from footfall.telemetry import UNSENT

#: A record that the broker has not acknowledged by then has failed.
DELIVERY_S_MAX = 7.0
#: A little more, in case the client itself is late with its report.
ANSWER_S_MAX = 8.0
#: So long a request waits for a broker that was lost; with the delivery never over the answer's.
RETURN_S_MAX = 5.0
QUEUE_RECORDS_MAX = 100_000
QUEUE_KBYTES_MAX = 128 * 1024
LINGER_MS = 5
POLL_S = 0.002
IDLE_POLL_S = 0.2
#: How often it is looked whether a request has waited too long: one look for all of them costs less
#: than a timer for each, which most of them would only take back.
LOOK_S = 0.1
#: While no broker is seen, it is looked for this often, each time for so long.
PROBE_EVERY_S = 1.0
PROBE_S_MAX = 0.5
#: The code of an answer without it.
LOG_UNAVAILABLE = "log_unavailable"


#: Topic, partition and offset.
Place = tuple[str, int, int]
log = logging.getLogger(__name__)


class Record(TypedDict):
    """A record to produce, as confluent-kafka wants it."""

    key: bytes
    value: bytes


class Outgoing(NamedTuple):
    """All records of one request."""

    interactions: list[Record]
    rejected: list[Record]


class UnavailableError(Exception):
    """The broker did not take the records; the client may try again. The text says why."""


class Sink(Protocol):
    """What the collector needs of a log."""

    async def send(self, outgoing: Outgoing) -> None:
        """Return when every record is durable; raise `UnavailableError` when one is not."""

    def is_ready(self) -> bool:
        """Whether the log has been seen and is not known to be away."""

    def parts(self) -> dict[str, Part]:
        """How it is, for `/readyz`."""


class _Pending:
    """The records of one request that are still due."""

    __slots__ = ("done", "due", "error", "places", "until_s")

    def __init__(self, due: int, done: asyncio.Future[str], until_s: float,
                 places: list[Place] | None = None) -> None:
        self.places = places
        self.due = due
        self.done = done
        self.until_s = until_s
        self.error = ""

    def report(self, error: KafkaError | None, message: Any) -> None:
        """One record is in the log, or failed; the last one settles the request."""
        self.due -= 1
        if error is not None:
            self.error = error.name()
        elif self.places is not None:
            self.places.append((message.topic(), message.partition(), message.offset()))
        if not self.due:
            self.settle(self.error and f"the broker did not answer: {self.error}")

    def settle(self, why: str) -> None:
        """The request is in the log, or `why` not. A text and no exception: that would hold the
        frame that waits for it, which holds this."""
        if not self.done.done():
            self.done.set_result(why)


class KafkaSink:
    """The log on Kafka. `fatal` is called once, when the producer can do no more."""

    def __init__(self, bootstrap_servers: str, fatal: Callable[[BrokerError], object]) -> None:
        self._fatal = fatal
        self._loop = asyncio.get_running_loop()
        self._producer = Producer({
            **confluent(bootstrap_servers),
            "client.id": "footfall-collector",
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",  # the default, CRC32, is not that of Java
            "linger.ms": LINGER_MS,
            "message.timeout.ms": int(DELIVERY_S_MAX * 1000),
            "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
            "queue.buffering.max.kbytes": QUEUE_KBYTES_MAX,
            "reconnect.backoff.max.ms": 1000,
            "error_cb": self._on_error,
            "log_level": 2,
            "logger": logging.getLogger("librdkafka"),
        })
        UNSENT.set_function(lambda: len(self._producer))
        self._waiting: set[_Pending] = set()
        self._ready = False
        self._was_ready = False
        self._why = "no broker was looked for yet"
        self._back = asyncio.Event()
        self._due = asyncio.Event()
        self._polling = self._loop.create_task(self._poll())
        self._probing = self._loop.create_task(self._probe())

    def is_ready(self) -> bool:
        """Whether a broker with our topics has been seen and not lost since."""
        return self._ready

    def parts(self) -> dict[str, Part]:
        """The log alone."""
        return {"log": Part(self._ready, "a broker with the topics is seen" if self._ready
                            else self._why, LOG_UNAVAILABLE)}

    async def send(self, outgoing: Outgoing) -> None:
        """Produce, and wait until every record is acknowledged."""
        until_s = self._loop.time() + ANSWER_S_MAX
        if not self._ready:
            await self._return()
        total = len(outgoing.interactions) + len(outgoing.rejected)
        if len(self._producer) + total > QUEUE_RECORDS_MAX:
            raise UnavailableError("too many records wait for the broker")
        places: list[Place] | None = [] if log.isEnabledFor(logging.DEBUG) else None
        pending = _Pending(total, self._loop.create_future(), until_s, places)
        missing = 0
        for topic, records in ((INTERACTIONS, outgoing.interactions),
                               (REJECTED, outgoing.rejected)):
            if records:
                missing += len(records) - self._produce(topic, records, pending)
        for _ in range(missing):
            pending.report(_NOT_TAKEN, None)
        self._due.set()
        self._waiting.add(pending)
        try:
            why = await pending.done
        finally:
            self._waiting.discard(pending)
        for topic, partition, offset in places or ():
            log.debug("written", extra={"topic": topic, "partition": partition, "offset": offset})
        if why:
            raise UnavailableError(why)

    async def close(self, seconds_max: float) -> None:
        """Wait for what is due, at most so long."""
        await asyncio.to_thread(self._producer.flush, seconds_max)
        self._polling.cancel()
        self._probing.cancel()

    async def _return(self) -> None:
        """Wait for a broker that was lost: one that only restarts costs no SDK its few attempts."""
        if not self._was_ready:
            raise UnavailableError("no broker with the topics of Footfall has been seen")
        self._back.clear()
        try:
            async with asyncio.timeout(RETURN_S_MAX):
                await self._back.wait()
        except TimeoutError:
            raise UnavailableError("the broker is away") from None

    def _produce(self, topic: str, records: list[Record], pending: _Pending) -> int:
        """How many were taken; those that were not get no report."""
        try:
            taken: int = self._producer.produce_batch(topic, records, on_delivery=pending.report)
        except (BufferError, KafkaException):
            return 0  # a report that comes all the same finds its request settled
        return taken

    async def _poll(self) -> None:
        looked_s = 0.0
        while True:
            self._producer.poll(0)
            now_s = self._loop.time()
            if now_s - looked_s > LOOK_S:
                looked_s = now_s
                for pending in self._waiting:
                    if pending.until_s <= now_s:
                        pending.settle("the broker did not answer in time")
            if len(self._producer):
                await asyncio.sleep(POLL_S)
                continue
            self._due.clear()
            try:
                async with asyncio.timeout(IDLE_POLL_S):
                    await self._due.wait()
            except TimeoutError:
                pass

    async def _probe(self) -> None:
        """Looks for a broker until one with our topics is seen, and again when all are lost."""
        while True:
            if not self._ready:
                self._ready = await asyncio.to_thread(self._sees_topics)
                if self._ready:
                    self._was_ready = True
                    self._back.set()
            await asyncio.sleep(PROBE_EVERY_S if self._ready else 0.1)

    def _sees_topics(self) -> bool:
        try:
            # All topics: asking for one by name could make the broker create it.
            seen = self._producer.list_topics(timeout=PROBE_S_MAX).topics
        except KafkaException as error:
            self._why = f"no broker answers ({error.args[0].name()})"
            return False
        missing = [name for name in (INTERACTIONS, REJECTED) if name not in seen]
        self._why = (f"the brokers show no topic {', '.join(missing)}: `footfall topics create` "
                     "makes it, `footfall acls list collector` prints who must see it")
        return not missing

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal(BrokerError(f"the producer failed for good ({error.name()}); restart the "
                                    "collector"))
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._why = "all brokers are away; they are looked for"
            self._ready = False


_NOT_TAKEN = KafkaError(KafkaError._QUEUE_FULL)

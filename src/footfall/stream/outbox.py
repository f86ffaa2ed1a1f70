"""Everything a worker writes: one idempotent producer, one lane for each topic partition.

A lane keeps order: what is put in first is in the log first. `barrier` waits until all that was
put in so far has been acknowledged. Any failure ends the process before anything more is sent
(laws 1 and 2): recovery is the tested path. Batches are appended directly, because one future a
record costs more than a step.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from footfall import telemetry
from footfall.kafka.aio import aio

BATCH_BYTES_MAX = 512 * 1024
#: A batch that found no broker for so long ends the process; the restart of a broker must fit in.
REQUEST_TIMEOUT_S = 60
Message = tuple[bytes | None, bytes | None]


class Lane:
    """The messages for one partition of one topic, in order."""

    def __init__(self, outbox: Outbox, topic: str, partition: int) -> None:
        self._outbox = outbox
        self._topic = topic
        self._partition = partition
        self._waiting: list[Message] = []
        self._put = 0
        self._acked = 0
        self._sending_bytes = 0
        #: (messages put in up to there, append time of what they come of): their latency is due.
        self._timed: deque[tuple[int, int]] = deque()
        self._arrived = asyncio.Event()
        self._progress = asyncio.Condition()
        #: Offset after the last acknowledged message; -1 before the first.
        self.end_offset = -1
        self._task = asyncio.create_task(self._run(), name=f"outbox {topic}-{partition}")
        self._task.add_done_callback(outbox.check)

    def put(self, messages: Iterable[Message], since: int | None = None) -> None:
        """Queue messages; they leave as soon as the previous ones of this partition have. `since`:
        the append time (ms) of the log record they come of, for the latency of triggers.
        """
        before = len(self._waiting)
        self._waiting.extend(messages)
        self._put += len(self._waiting) - before
        if since is not None:
            self._timed.append((self._put, since))
        self._arrived.set()

    def unacknowledged_bytes(self) -> int:
        """Keys and values that wait here, and batches on their way."""
        return self._sending_bytes + sum(len(k or b"") + len(v or b"") for k, v in self._waiting)

    def unacknowledged(self) -> int:
        """Messages that wait here or are on their way."""
        return self._put - self._acked

    async def barrier(self) -> None:
        """Wait until all that was put in before has been acknowledged."""
        mark = self._put
        if self._acked < mark:
            async with self._progress:
                await self._progress.wait_for(lambda: self._acked >= mark)

    def stop(self) -> None:
        """End the lane; what waits is not sent."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                messages, self._waiting = self._waiting, []
                await self._send(messages)

    async def _send(self, messages: list[Message]) -> None:
        producer = self._outbox.producer
        futures = []
        at = 0
        while at < len(messages):
            batch = producer.create_batch()
            append = batch.append
            while at < len(messages):
                key, value = messages[at]
                if append(key=key, value=value, timestamp=None) is None:
                    break
                at += 1
            batch.close()
            self._sending_bytes += batch.size()
            self._outbox.before_send()
            futures.append(await producer.send_batch(
                batch, self._topic, partition=self._partition))
        for future in futures:
            metadata = await future
        self._outbox.sent(metadata)
        self.end_offset = metadata.offset + 1
        telemetry.WRITTEN_BYTES.labels(self._topic).inc(self._sending_bytes)
        self._sending_bytes = 0
        self._outbox.acked(self._topic, messages)
        async with self._progress:
            self._acked += len(messages)
            self._progress.notify_all()
        while self._timed and self._timed[0][0] <= self._acked:
            # By the broker's clock, as just seen: both ends are its own times.
            took_ms = self._outbox.broker_now() - self._timed.popleft()[1]
            telemetry.TRIGGER_LATENCY.observe(max(0, took_ms) / 1000)


class Outbox:
    """The worker's producer. `before_send` is called before each batch leaves (a worker that is
    no longer alive to the group must not write); `sent` with what the broker answered; `fail` with
    an error that must end the process. `broker_now` gives the broker's clock, ms. `acked` is called
    with the messages of a topic that the broker has.
    """

    def __init__(self, bootstrap: str, *, before_send: Callable[[], None],
                 sent: Callable[[Any], None], fail: Callable[[BaseException], None],
                 broker_now: Callable[[], int],
                 acked: Callable[[str, list[Message]], None] = lambda _topic, _messages: None
                 ) -> None:
        self.before_send = before_send
        self.sent = sent
        self.broker_now = broker_now
        self.acked = acked
        self._fail = fail
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._is_stopped = False
        self._bootstrap = bootstrap
        self.producer: AIOKafkaProducer

    async def start(self) -> None:
        """Connect."""
        self.producer = AIOKafkaProducer(
            **aio(self._bootstrap), acks="all", enable_idempotence=True,
            max_batch_size=BATCH_BYTES_MAX, linger_ms=0,
            max_request_size=2 * BATCH_BYTES_MAX, request_timeout_ms=REQUEST_TIMEOUT_S * 1000,
        )
        await self.producer.start()

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 0 when it does not exist."""
        try:
            return len(await self.producer.partitions_for(topic))
        except UnknownTopicOrPartitionError:
            return 0

    async def stop(self) -> None:
        """Send nothing more and disconnect."""
        self._is_stopped = True
        for lane in self._lanes.values():
            lane.stop()
        await self.producer.stop()

    def lane(self, topic: str, partition: int) -> Lane:
        """The lane of one partition."""
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = Lane(self, topic, partition)
        return lane

    def unacknowledged_bytes(self) -> int:
        """What all lanes still wait for."""
        return sum(lane.unacknowledged_bytes() for lane in self._lanes.values())

    def waiting(self) -> int:
        """Messages in all lanes that are not acknowledged yet."""
        return sum(lane.unacknowledged() for lane in self._lanes.values())

    async def barrier(self) -> None:
        """Wait until everything put into any lane before has been acknowledged."""
        for lane in list(self._lanes.values()):
            await lane.barrier()

    def check(self, task: asyncio.Task[None]) -> None:
        """A lane ended: by `stop`, or for a reason that ends the process. What a batch still being
        applied sends after `stop` finds the producer closed: nothing of it is acknowledged, so it
        is read again.
        """
        if task.cancelled() or (error := task.exception()) is None or self._is_stopped:
            return
        self._fail(error)

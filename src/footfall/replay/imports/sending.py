"""Appends records to the log, a chunk of rows at a time, and says which chunks are in it.

Decides what "imported" means (law 1): acknowledged by all in-sync replicas, written by an
idempotent producer. At most so many chunks are on their way; a record that failed ends the job, for
what comes after it may be there already, and only resending from before it makes it whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from footfall.errors import BrokerError
from footfall.events.topics import INTERACTIONS
from footfall.kafka.confluent import confluent
from footfall.kafka.reach import absent, unreadable, writing
from footfall.replay.imports.admitting import Ready

CHUNKS_MAX: Final = 6
ACKNOWLEDGED_S_MAX: Final = 60.0
ANSWER_S_MAX: Final = 10.0
LINGER_MS: Final = 20
#: Where an authorizer is the reason: the client may give it as a text alone.
RIGHTS_HINT: Final = " `footfall acls list import` prints the rights that it needs."
BATCH_BYTES_MAX: Final = 1024 * 1024
QUEUE_KBYTES_MAX: Final = 256 * 1024
_POLL_S: Final = 0.2


class Reached(NamedTuple):
    """Up to where a file is imported: its rows, and the length of the reject file by then."""

    rows: int
    rejects_bytes: int


class Sender:
    """Appends to a topic of one cluster; raises `BrokerError` where it cannot."""

    def __init__(self, bootstrap: str, topic: str = INTERACTIONS) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        #: What chunks that are on their way will have reached.
        self._chunks: list[Reached] = []
        self._error = ""
        self._reached: Reached | None = None
        #: Records that are in the log.
        self.appended = 0
        self._producer = Producer({
            **confluent(bootstrap), "client.id": "footfall-import", "acks": "all",
            "enable.idempotence": True, "log_level": 0, "error_cb": lambda _error: None,
            "partitioner": "murmur2_random",  # the default, CRC32, is not that of Java
            "linger.ms": LINGER_MS, "batch.size": BATCH_BYTES_MAX, "compression.type": "lz4",
            "message.timeout.ms": round(ACKNOWLEDGED_S_MAX * 1000),
            # A call for each record that is there would cost a tenth of all.
            "delivery.report.only.error": True, "on_delivery": self._told,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": QUEUE_KBYTES_MAX,
        })
        try:
            found = self._producer.list_topics(topic, timeout=ANSWER_S_MAX).topics[topic]
        except KafkaException as error:
            raise unreadable(bootstrap, error.args[0]) from None
        if found.error is not None:
            raise absent(topic, found.error)

    def send(self, records: Sequence[Ready], reached: Reached) -> Reached | None:
        """Begin to append the records of a chunk, with which its file has `reached` so far; up to
        where all are in the log, None before the first chunk is.
        """
        if len(self._chunks) >= CHUNKS_MAX:
            self._settle_all()
        self._chunks.append(reached)
        if records:
            messages: list[Any] = [{"key": one.key, "value": one.value} for one in records]
            try:
                with writing(self._topic):
                    taken = self._producer.produce_batch(self._topic, messages)
            except BufferError as error:
                raise self._failed(str(error)) from None
            if taken < len(messages):
                with writing(self._topic):
                    self._producer.poll(_POLL_S)  # what is fatal to the client it tells there
                why = next((m["_error"].str() for m in messages if "_error" in m), "no reason")
                raise self._failed(f"{len(messages) - taken} records were not taken ({why})")
            self.appended += taken
        with writing(self._topic):
            self._producer.poll(0)
        return self._settled()

    def flush(self) -> Reached | None:
        """Wait until all are in the log, the end of a file or of the run; what comes next is of
        another file.
        """
        self._settle_all()
        reached, self._reached = self._reached, None
        return reached

    def _settle_all(self) -> None:
        while self._chunks:
            with writing(self._topic):
                self._producer.flush(_POLL_S)
            self._settled()

    def _settled(self) -> Reached | None:
        """Up to where all are in the log: known where nothing is on its way any more."""
        on_their_way = len(self._producer)
        if self._error:
            raise self._failed(self._error)
        if self._chunks and not on_their_way:
            self._reached = self._chunks[-1]
            self._chunks.clear()
        return self._reached

    def _told(self, error: KafkaError | None, _message: Any) -> None:
        """A record has failed."""
        if error is not None:
            self._error = error.str()

    def _failed(self, why: str) -> BrokerError:
        hint = RIGHTS_HINT if "authorization" in why else ""
        return BrokerError(f"{self._bootstrap} does not take the records: {why}.{hint} What was "
                           "told as imported is in the log; run the same command again: it goes on "
                           "there")

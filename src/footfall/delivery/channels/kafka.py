"""Triggers as records of a topic, of Footfall's own cluster or another.

Decides how a record looks (key: the customer_key, so that one customer's are in one partition, in
order; headers that name trigger and trigger_id, by which a repeat is recognised) and when it is
there: when all in-sync replicas have it. Must never write to a topic of Footfall's own, which would
feed it with what it put out, nor put anything of a customer into a header.

2026-11-26: librdkafka and not aiokafka. A record that was not acknowledged within the destination's
time must not go out later, when the customer may have withdrawn their consent. librdkafka gives it
up; aiokafka's idempotent producer keeps it for as long as it lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from footfall.delivery.message import Attempt, Message, Outcome, Person, Resources
from footfall.delivery.rendering import Body
from footfall.delivery.routes_row import KafkaDestination
from footfall.errors import ConfigError, SettingsError
from footfall.kafka.confluent import confluent
from footfall.kafka.security import Cluster, Security

TRIGGER_ID_HEADER = "footfall-trigger-id"
TRIGGER_HEADER = "footfall-trigger"
QUEUE_RECORDS_MAX = 10_000
QUEUE_KBYTES_MAX = 64 * 1024
LINGER_MS = 5
POLL_S = 0.002
IDLE_POLL_S = 0.2
#: For the client's report that it gave a record up.
REPORT_S_MAX = 1.0
#: So long a topic that is not there is waited for: it may only just have been created.
TOPIC_S_MAX = 2.0
#: On leaving, for what is under way.
CLOSE_S_MAX = 1.0
_SENT = Outcome("sent")
_BROKER = Outcome("retry", "broker")
_TOO_LARGE = Outcome("dead", "message_too_large")
_SERVER = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
#: What no broker takes, however often it is asked.
_SIZES = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
log = logging.getLogger(__name__)


async def open_channel(name: str, destination: KafkaDestination, resources: Resources
                       ) -> KafkaChannel:
    """The channel; a cluster that is away is no error, what is sent meanwhile is tried again."""
    bootstrap = destination.bootstrap_servers or resources.kafka_bootstrap_servers
    if not all(_SERVER.fullmatch(server) for server in bootstrap.split(",")):
        # librdkafka would look for what is no address for ever.
        raise ConfigError(f"{name}: {bootstrap!r} is no cluster; give bootstrap_servers as "
                          "HOST:PORT, several with commas between", ("bootstrap_servers",))
    if destination.bootstrap_servers:
        bootstrap = _cluster(name, destination, resources)
    refuse_own_topic(name, destination.topic)
    body = Body(destination.thin, destination.template, resources.folder)
    return KafkaChannel(name, destination, bootstrap, body)


def _cluster(name: str, destination: KafkaDestination, resources: Resources) -> Cluster:
    """Another cluster, with the way to reach it."""
    one = destination.security
    if one is None:
        return Cluster(destination.bootstrap_servers, Security())
    found = {secret: resources.environment.get(variable, "")
             for secret, variable in one.variables().items()}
    for secret, value in found.items():
        if not value:
            raise ConfigError(f"{name}: {secret}_env names {one.variables()[secret]}, which is not "
                              "set; set it", ("security", f"{secret}_env"))
    try:
        made = Cluster(destination.bootstrap_servers, one.of("", resources.folder, found))
        confluent(made)  # its files are there
    except SettingsError as error:
        raise ConfigError(f"{name}: {error}", ("security",)) from None
    return made


def refuse_own_topic(name: str, topic: str) -> None:
    """Raises `ConfigError` for topics that are not to be written to by a destination."""
    if topic.startswith(("footfall.", "footfall-")) or topic.endswith("-changelog"):
        why = "is Footfall's own or a changelog: writing there makes a loop or damages state"
    elif topic.startswith("__") or topic in {".", ".."}:
        why = "is Kafka's own"
    else:
        return
    raise ConfigError(f"{name}: the topic {topic} {why}; name another", ("topic",))


class KafkaChannel:
    """One topic, one producer. `body`: how values are made."""

    def __init__(self, name: str, destination: KafkaDestination, bootstrap: str, body: Body
                 ) -> None:
        self.needs_person = body.needs_person
        self._name = name
        self._topic = destination.topic
        self._timeout_s = destination.timeout_s
        self._body = body
        self._settings = {
            **confluent(bootstrap),
            "client.id": "footfall-delivery",
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",  # the default, CRC32, is not that of Java
            "linger.ms": LINGER_MS,
            "message.timeout.ms": int(self._timeout_s * 1000),
            "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
            "queue.buffering.max.kbytes": QUEUE_KBYTES_MAX,
            "topic.metadata.propagation.max.ms": int(min(TOPIC_S_MAX, self._timeout_s) * 1000),
            # A misspelt topic is to be seen, not made.
            "allow.auto.create.topics": False,
            "reconnect.backoff.max.ms": 1000,
            "error_cb": self._on_error,
            "log_level": 2,
            "logger": logging.getLogger("librdkafka"),
        }
        self._producer: Any
        # Now: the first record would wait a second or two for connections and producer id.
        self._connect()
        self._due = 0
        self._arrived = asyncio.Event()
        self._polling = asyncio.create_task(self._reports(), name=f"kafka reports of {name}")

    def render(self, trigger: Mapping[str, Any], document: bytes, person: Person) -> Message:
        """Value and headers."""
        return Message(
            self._body.text(trigger, document, person),
            {TRIGGER_ID_HEADER: trigger["trigger_id"], TRIGGER_HEADER: trigger["name"]})

    async def send(self, message: Message, attempt: Attempt) -> Outcome:
        """Produce, and wait until the broker has it or the client gave it up."""
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def report(error: KafkaError | None, _record: Any) -> None:
            if not done.done():
                done.set_result(_SENT if error is None else self._failed(error))

        self._due += 1
        try:
            if self._is_broken:
                self._connect()
            self._producer.produce(
                self._topic, key=attempt.customer_key.encode(), value=message.body.encode(),
                headers=[(name, value.encode()) for name, value in message.headers.items()],
                on_delivery=report)
            self._arrived.set()
            async with asyncio.timeout(self._timeout_s + REPORT_S_MAX):
                return await done
        except KafkaException as error:
            return self._failed(error.args[0])
        except (BufferError, TimeoutError):
            return _BROKER
        finally:
            self._due -= 1

    async def close(self) -> None:
        """Give what is under way a moment, then let go."""
        self._polling.cancel()
        # On the event loop, not by flush() in a thread: reports settle futures.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                while len(self._producer):
                    self._producer.poll(0)
                    await asyncio.sleep(POLL_S)
        self._producer.purge()
        self._producer.poll(0)

    def _connect(self) -> None:
        """A new producer; it finds its cluster by itself."""
        self._producer = Producer(self._settings)
        self._is_broken = False

    async def _reports(self) -> None:
        """Collects reports on the event loop while any is due, as the collector does. Between
        times, too, less often: what the client tells of a cluster that is away piles up in it.
        """
        while True:
            if self._due:
                self._producer.poll(0)
                await asyncio.sleep(POLL_S)
                continue
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_POLL_S):
                    await self._arrived.wait()
            self._producer.poll(0)

    def _failed(self, error: KafkaError) -> Outcome:
        if error.code() in _SIZES:
            return _TOO_LARGE
        log.warning("the broker did not take a trigger", extra={
            "destination": self._name, "error": error.name()})
        return _BROKER

    def _on_error(self, error: KafkaError) -> None:
        """After a fatal one this producer can do no more; the next record has a new one."""
        if error.fatal():
            self._is_broken = True

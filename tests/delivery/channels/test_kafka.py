"""The channel `kafka` on a real broker: what a record is, when it is there, what fails how."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import DefaultPartitioner
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import NewTopic

from footfall.admin.cluster import admin_client
from footfall.delivery import message
from footfall.delivery.channels import kafka, open_channel
from footfall.delivery.message import Outcome, Resources
from footfall.delivery.routes_row import KafkaDestination
from footfall.errors import ConfigError
from tests.delivery.channels import CUSTOMER_KEY, DOCUMENT, NOBODY, TRIGGER, TRIGGER_ID, attempt
from tests.services import KafkaNode

PARTITIONS = 4
IDS = [f"{n:032x}" for n in range(200)]


def new_topic(bootstrap: str, config: dict[str, str] | None = None) -> str:
    name = f"shop-{uuid.uuid4().hex}"
    admin = admin_client(bootstrap)  # must live until it has answered
    admin.create_topics([NewTopic(name, PARTITIONS, 1, config=config or {})])[name].result(
        timeout=20)
    return name


def records(bootstrap: str, topic: str) -> list[Message]:
    """All of a topic, in order within each partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex,
                         "enable.auto.commit": False})
    try:
        found: list[Message] = []
        for partition in range(PARTITIONS):
            place = TopicPartition(topic, partition, OFFSET_BEGINNING)
            end = consumer.get_watermark_offsets(place, timeout=30)[1]
            consumer.assign([place])
            while sum(one.partition() == partition for one in found) < end:
                one = consumer.poll(30)
                assert one is not None
                assert one.error() is None
                found.append(one)
        return found
    finally:
        consumer.close()


def destination(topic: str, **more: Any) -> KafkaDestination:
    return KafkaDestination(purpose="necessary", topic=topic, **more)


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., Any]]:
    """Opens a channel as delivery does; closed when the test ends."""
    made = []

    async def make(bootstrap: str, where: KafkaDestination, folder: Path = Path()
                   ) -> Any:
        made.append(await open_channel("events", where, Resources(
            folder, {}, kafka_bootstrap_servers=bootstrap)))
        return made[-1]

    yield make
    for channel in made:
        await channel.close()


async def test_a_record_is_the_document_under_the_customers_key(
    kafka: str, opened: Callable[..., Any]
) -> None:
    """Byte for byte, in the partition that Java's and aiokafka's partitioner choose."""
    topic = new_topic(kafka)
    channel = await opened(kafka, destination(topic))
    sent = channel.render(TRIGGER, DOCUMENT, NOBODY)
    keys = [f"user_id:{n:016x}" for n in range(20)]

    outcomes = [await channel.send(sent, attempt(customer_key=key)) for key in keys]
    there = await asyncio.to_thread(records, kafka, topic)

    assert [Outcome("sent")] * 20 == outcomes
    assert {DOCUMENT} == {one.value() for one in there}
    chosen = DefaultPartitioner()
    everywhere = list(range(PARTITIONS))
    assert {key.encode(): chosen(key.encode(), everywhere, everywhere) for key in keys} == {
        one.key(): one.partition() for one in there}
    assert not channel.needs_person


async def test_headers_name_the_trigger_and_nothing_of_the_customer(
    kafka: str, opened: Callable[..., Any]
) -> None:
    """A consumer recognises a repeat without reading the value."""
    topic = new_topic(kafka)
    channel = await opened(kafka, destination(topic, thin=True))
    await channel.send(channel.render(TRIGGER, DOCUMENT, NOBODY), attempt())
    [one] = await asyncio.to_thread(records, kafka, topic)

    assert [("footfall-trigger-id", TRIGGER_ID.encode()),
            ("footfall-trigger", b"cart_abandoned")] == one.headers()
    assert CUSTOMER_KEY.encode() == one.key()
    assert b"ada" not in one.value()


async def test_triggers_of_a_customer_are_in_order(
    kafka: str, opened: Callable[..., Any]
) -> None:
    """Each is sent when the one before is there; other customers' go in between."""
    topic = new_topic(kafka)
    channel = await opened(kafka, destination(topic))
    sent = channel.render(TRIGGER, DOCUMENT, NOBODY)

    async def customer(key: str) -> None:
        for number in IDS:
            await channel.send(message.Message(sent.body, {kafka_header: number}),
                               attempt(number, key))

    kafka_header = "footfall-trigger-id"
    await asyncio.gather(*(customer(f"user_id:{n:016x}") for n in range(5)))
    there = await asyncio.to_thread(records, kafka, topic)

    for n in range(5):
        mine = [dict(one.headers())[kafka_header].decode() for one in there
                if one.key() == b"user_id:%016x" % n]
        assert IDS == mine


async def test_a_topic_that_is_not_there_is_tried_again_and_not_made(
    own_kafka: Callable[..., KafkaNode], opened: Callable[..., Any]
) -> None:
    """Somebody may have mistyped it, or has yet to create it: also where brokers make what they
    are asked for.
    """
    node = own_kafka({"auto.create.topics.enable": "true"})
    topic = f"absent-{uuid.uuid4().hex}"
    channel = await opened(node.bootstrap, destination(topic, timeout_s=3))

    assert Outcome("retry", "broker") == await channel.send(
        channel.render(TRIGGER, DOCUMENT, NOBODY), attempt())
    assert topic not in admin_client(node.bootstrap).list_topics(timeout=30).topics


async def test_a_record_that_no_broker_takes_is_dead(
    kafka: str, opened: Callable[..., Any]
) -> None:
    """By the topic's own limit; trying again would not make it smaller."""
    topic = new_topic(kafka, {"max.message.bytes": "1000"})
    channel = await opened(kafka, destination(topic))

    assert Outcome("dead", "message_too_large") == await channel.send(
        message.Message("x" * 5_000), attempt())
    assert Outcome("sent") == await channel.send(message.Message("x" * 100), attempt())


async def until_sent(channel: Any, body: str) -> None:
    """On a machine that is busy a new broker may need longer than one attempt."""
    async with asyncio.timeout(90):
        while (await channel.send(message.Message(body), attempt())).result != "sent":
            pass


async def test_what_was_given_up_never_goes_out_later(
    own_kafka: Callable[..., KafkaNode], opened: Callable[..., Any]
) -> None:
    """When the broker is back, the customer may have withdrawn their consent: only what is sent
    anew arrives.
    """
    node = own_kafka()
    topic = new_topic(node.bootstrap)
    channel = await opened(node.bootstrap, destination(topic, timeout_s=3))
    await until_sent(channel, "before")
    node.kill9()

    assert [Outcome("retry", "broker")] * 3 == await asyncio.gather(*(
        channel.send(message.Message("meanwhile"), attempt(number)) for number in IDS[:3]))

    await asyncio.to_thread(node.start)
    await until_sent(channel, "after")
    there = [one.value() for one in await asyncio.to_thread(records, node.bootstrap, topic)]
    # An attempt whose answer was late may be there besides the one that was sent.
    assert [b"before", b"after"] == list(dict.fromkeys(there))


async def test_a_producer_that_can_do_no_more_is_replaced(
    kafka: str, opened: Callable[..., Any]
) -> None:
    """librdkafka ends one for good where the broker contradicts what it knows; delivery goes on."""
    topic = new_topic(kafka)
    channel = await opened(kafka, destination(topic))
    await channel.send(message.Message("one"), attempt())
    before = channel._producer
    channel._on_error(KafkaError(KafkaError._TRANSPORT))
    assert Outcome("sent") == await channel.send(message.Message("two"), attempt())
    assert before is channel._producer

    channel._on_error(KafkaError(KafkaError._FATAL, "out of order", fatal=True))
    assert Outcome("sent") == await channel.send(message.Message("three"), attempt())
    assert before is not channel._producer
    there = [one.value() for one in await asyncio.to_thread(records, kafka, topic)]
    assert [b"one", b"two", b"three"] == there


async def test_a_cluster_that_is_away_costs_a_send_its_time_alone(
    opened: Callable[..., Any]
) -> None:
    """Also at the start, when it was never seen; and closing does not wait for it."""
    channel = await opened("127.0.0.1:1", destination("shop", timeout_s=0.5))
    async with asyncio.timeout(10):
        assert Outcome("retry", "broker") == await channel.send(
            message.Message("x"), attempt())


@pytest.mark.parametrize("topic", ["footfall.triggers", "footfall.interactions",
                                   "footfall-customers-changelog", "shop-changelog",
                                   "footfall-delivery-__assignor-__leader",
                                   "__consumer_offsets", ".."])
def test_topics_of_footfall_and_kafka_are_refused(topic: str) -> None:
    """A trigger that is put into the log makes another one."""
    with pytest.raises(ConfigError, match="name another") as refused:
        kafka.refuse_own_topic("events", topic)
    assert ("topic",) == refused.value.path


@pytest.mark.parametrize("servers", ["", "kafka", "kafka:9092,", "kafka://kafka:9092", "a b:1"])
async def test_without_a_cluster_a_destination_is_refused(tmp_path: Path, servers: str) -> None:
    """It says which key to give, and how."""
    with pytest.raises(ConfigError, match="bootstrap_servers as HOST:PORT"):
        await open_channel("events", destination("shop", bootstrap_servers=servers),
                           Resources(tmp_path, {}))

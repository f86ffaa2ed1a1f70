"""What others than the programs that are running write to Footfall's topics."""

from __future__ import annotations

from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from footfall.admin.cluster import admin_client
from footfall.events import topics
from footfall.events.codec import Codecs
from footfall.events.interaction import CUTOVER
from footfall.events.reserved import Reserved
from footfall.stream.generations import topic_of
from footfall.stream.partition import partition_of
from footfall.tables.record import header
from tests.system.topics import Tail, until
from tests.system.workers import PARTITIONS, SYSTEM_SECRET

#: Of the state that a rebuild would make.
GENERATION = 2
ANSWER_S_MAX = 30


def put_stale_rows(bootstrap: str) -> None:
    """A worker that was replaced long ago writes a customer's row as it had it then; in each
    partition.
    """
    tail = Tail(bootstrap, topics.CHANGELOG)
    first: dict[bytes, tuple[int, bytes]] = {}
    stale: dict[int, tuple[bytes, bytes]] = {}
    for one in tail.read():
        if one.key is None or one.value is None or one.key.startswith(b"$"):
            continue
        watermark = header(one.value)[0]
        before = first.setdefault(one.key, (watermark, one.value))
        if before[0] < watermark:
            stale[one.partition] = one.key, before[1]
    tail.close()
    assert set(range(PARTITIONS)) == stale.keys()
    producer = Producer({"bootstrap.servers": bootstrap})
    for number, (key, value) in stale.items():
        _put(producer, topics.CHANGELOG, key, value, number)


def put_in_a_transaction(bootstrap: str, key: bytes, value: bytes) -> None:
    """An interaction, by a producer with transactions: the mark of its end takes an offset."""
    number = partition_of(key, PARTITIONS)
    tail = Tail(bootstrap, topics.INTERACTIONS)
    before = tail.ends()[number]
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "somebody"})
    producer.init_transactions(ANSWER_S_MAX)
    producer.begin_transaction()
    producer.produce(topics.INTERACTIONS, value, key, number)
    producer.commit_transaction(ANSWER_S_MAX)
    # The mark is written after the commit was answered.
    until(lambda: tail.ends()[number] >= before + 2, ANSWER_S_MAX, "the mark is there")
    tail.close()


def begin_a_swap(bootstrap: str) -> None:
    """A rebuild sends partition 0 to its new state, and ends before that is there."""
    wanted = NewTopic(topic_of(GENERATION), PARTITIONS, 1, config={"cleanup.policy": "compact"})
    admin = admin_client(bootstrap)
    admin.create_topics([wanted])[topic_of(GENERATION)].result(ANSWER_S_MAX)
    value = Codecs().interaction.encode(Reserved(SYSTEM_SECRET.encode()).cutover(GENERATION, 0))
    _put(Producer({"bootstrap.servers": bootstrap}), topics.INTERACTIONS, CUTOVER.encode(), value,
         0)


def _put(producer: Producer, topic: str, key: bytes, value: bytes, partition: int) -> None:
    producer.produce(topic, value, key, partition)
    assert 0 == producer.flush(ANSWER_S_MAX)

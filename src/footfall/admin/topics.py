"""The topics as the laws need them: what is missing is created, what exists is checked.

Decides what is a problem: keyed topics with different partition counts (a customer's state would be
on another partition than its log), and settings that the laws rest on. Never changes or deletes an
existing topic: it says what to change.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from footfall.admin.cluster import admin_client
from footfall.errors import BrokerError
from footfall.events import topics

ANSWER_S_MAX = 10.0
READY_S_MAX = 30.0
_POLL_S = 0.1


class Found(NamedTuple):
    """A topic as it is in the cluster; `partitions` is 0 where it does not exist."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]

    @property
    def exists(self) -> bool:
        """Whether it is there."""
        return self.partitions > 0


def ensure(bootstrap: str, partitions: int, replication: int) -> list[str]:
    """Create what is missing, then check all; the names created."""
    admin = admin_client(bootstrap)
    before = read(admin)
    _raise(problems([t for t in before if t.exists], partitions))
    missing = [t.name for t in before if not t.exists]
    _create(admin, missing, partitions, replication)
    wait(admin, missing)
    _raise(problems(read(admin), partitions))
    return missing


def check(bootstrap: str, partitions: int) -> list[str]:
    """What is not as the laws need it, a sentence each with what to do."""
    return problems(read(admin_client(bootstrap)), partitions)


def read(admin: AdminClient) -> list[Found]:
    """Footfall's topics as they are."""
    try:
        present = admin.list_topics(timeout=ANSWER_S_MAX).topics
        names = [t.name for t in topics.ALL if t.name in present]
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        futures = admin.describe_configs(resources) if resources else {}
        configs = {r.name: f.result(timeout=ANSWER_S_MAX) for r, f in futures.items()}
    except KafkaException as error:
        raise BrokerError(f"the broker does not tell its topics: {_text(error)}") from None
    found = []
    for topic in topics.ALL:
        parts = present[topic.name].partitions if topic.name in present else {}
        config = {k: str(v.value) for k, v in configs.get(topic.name, {}).items()}
        replication = min((len(p.replicas) for p in parts.values()), default=0)
        found.append(Found(topic.name, len(parts), replication, config))
    return found


def problems(found: list[Found], partitions: int) -> list[str]:
    """Sentences, one a problem; empty when all is well."""
    sentences = [f"{t.name}: does not exist; `footfall topics create` makes it"
                 for t in found if not t.exists]
    for topic in found:
        if topic.exists:
            sentences += _topic_problems(topic, partitions)
    return sentences


def _topic_problems(topic: Found, partitions: int) -> list[str]:
    wrong = []
    if topic.partitions != partitions:
        wrong.append(
            f"{topic.name}: has {topic.partitions} partitions, not {partitions}; all topics must "
            f"have the same number: set FOOTFALL_PARTITIONS={topic.partitions} if that is what "
            f"they have. {topics.MORE_PARTITIONS}"
        )
    required = next(t.required for t in topics.ALL if t.name == topic.name)
    for key, value in required.items():
        if topic.config.get(key) != value:
            wrong.append(
                f"{topic.name}: {key} is {topic.config.get(key)}, not {value}; change it with "
                f"kafka-configs --alter --entity-type topics --entity-name {topic.name} "
                f"--add-config {key}={value}"
            )
    return wrong


def _create(admin: AdminClient, names: list[str], partitions: int, replication: int) -> None:
    if not names:
        return
    # With three replicas or more an acknowledgement must mean two of them (law 1).
    safe = {"min.insync.replicas": str(max(1, min(2, replication - 1)))}
    new = [NewTopic(t.name, partitions, replication, config={**t.config, **safe})
           for t in topics.ALL if t.name in names]
    # Every future is awaited: some brokers make a one-partition topic of a request dropped early.
    for name, future in admin.create_topics(new, operation_timeout=READY_S_MAX).items():
        try:
            future.result(timeout=READY_S_MAX)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerError(f"{name}: could not be created with {partitions} partitions and "
                                  f"{replication} replicas: {_text(error)}") from None


def wait(admin: AdminClient, names: list[str]) -> None:
    """Until every new partition answers, so that whoever starts next finds it.

    The metadata names a leader before the leader itself knows: only an answer from it counts.
    """
    deadline = time.monotonic() + READY_S_MAX
    for name in names:
        while not _answer(admin, name):
            if time.monotonic() > deadline:
                raise BrokerError(f"{name}: was created but does not answer after "
                                  f"{READY_S_MAX:g} s; see the broker's log")
            time.sleep(_POLL_S)


def _answer(admin: AdminClient, name: str) -> bool:
    """Whether the leaders of all its partitions tell where they end."""
    try:
        found = admin.list_topics(name, timeout=ANSWER_S_MAX).topics[name]
        wanted = {TopicPartition(name, p): OffsetSpec.latest() for p in found.partitions}
        if found.error is not None or not wanted:
            return False
        for future in admin.list_offsets(wanted, request_timeout=ANSWER_S_MAX).values():
            future.result(timeout=ANSWER_S_MAX)
    except KafkaException:
        return False
    return True


def _raise(sentences: list[str]) -> None:
    if sentences:
        raise BrokerError("\n".join(sentences))


def _text(error: KafkaException) -> str:
    return str(error.args[0].str()) if error.args else str(error)

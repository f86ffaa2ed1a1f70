"""Which generations of the customers' changelog a cluster has, and where each partition is.

Decides which generation is live (`stream/generations.py` has the rule that workers follow) and
which one is being made. Creates the next one as the live one is; deletes only what it is told to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
)

from footfall.admin import topics as admin_topics
from footfall.admin.cluster import admin_client
from footfall.admin.scan import Scanner, newest
from footfall.admin.state import delete_topic
from footfall.errors import BrokerError
from footfall.stream.generations import FIRST, generation_of, topic_of
from footfall.tables.record import decode_partition
from footfall.tables.stored import PARTITION_KEY, SHADOW, PartitionState

ANSWER_S_MAX: Final = 10.0
#: `$partition` ends each checkpoint, so the newest records hold it; else all of them are read.
NEWEST_RECORDS: Final = 50_000

States = Mapping[int, PartitionState]


class Generations(NamedTuple):
    """What there is. `live`: of each partition; `shadow`: the one that is being made, or to which
    partitions have still to go.
    """

    partitions: int
    present: tuple[int, ...]
    states: Mapping[int, States]
    live: Mapping[int, int]
    shadow: int | None

    @property
    def behind(self) -> tuple[int, ...]:
        """Generations that no partition needs any more."""
        lowest = min(self.live.values())
        return tuple(g for g in self.present if g < lowest and self.states[g])


def look(bootstrap: str) -> Generations:
    """All generations as they are now; raises `BrokerError` where there is none."""
    admin = admin_client(bootstrap)
    found = _present(admin)
    if not found:
        raise BrokerError(f"{topic_of(FIRST)} does not exist; `footfall topics create` makes it")
    partitions = max(found.values())
    states = {g: states_of(bootstrap, topic_of(g)) for g in sorted(found)}
    live = {n: live_of(n, states) for n in range(partitions)}
    above = [g for g in states if g > min(live.values())]
    return Generations(partitions, tuple(states), states, live, max(above, default=None))


def live_of(number: int, states: Mapping[int, States]) -> int:
    """The lowest generation that knows the partition, then along `moved_to`, as far as those are
    finished; a generation that is being made knows nothing.
    """
    for first in sorted(states):
        live, state = first, states[first].get(number)
        if state is None or state.moved_to == SHADOW:
            continue
        while state.moved_to > 0:
            there = states.get(state.moved_to, {}).get(number)
            if there is None or there.moved_to == SHADOW:
                break
            live, state = state.moved_to, there
        return live
    return min(states)


def states_of(bootstrap: str, topic: str) -> States:
    """The highest `$partition` of each partition that has one."""
    with Scanner(bootstrap) as scanner:
        spans = scanner.spans(topic)
        found: dict[int, PartitionState] = {}
        for part in (newest(spans, NEWEST_RECORDS * len(spans)), spans):
            wanted = {n: span for n, span in part.items() if n not in found}
            for message in scanner.records(topic, PARTITION_KEY, wanted):
                if message.value() is None:
                    continue
                state = decode_partition(message.value())
                known = found.get(message.partition())
                if known is None or state.next_offset >= known.next_offset:
                    found[message.partition()] = state
    return found


def create(bootstrap: str, generation: int) -> None:
    """The topic of a generation, set as the newest one before it is; raises `BrokerError`."""
    admin = admin_client(bootstrap)
    found = _present(admin)
    like = topic_of(max(found))
    try:
        partitions = admin.list_topics(like, timeout=ANSWER_S_MAX).topics[like].partitions
        resource = ConfigResource(ResourceType.TOPIC, like)
        described = admin.describe_configs([resource])[resource].result(timeout=ANSWER_S_MAX)
        config = {name: entry.value for name, entry in described.items()
                  if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value}
        name = topic_of(generation)
        topic = NewTopic(name, len(partitions), config=config, replication_factor=min(
            len(p.replicas) for p in partitions.values()))
        admin.create_topics([topic])[name].result(timeout=admin_topics.READY_S_MAX)
    except KafkaException as error:
        raise BrokerError(f"{topic_of(generation)} could not be created as {like} is: "
                          f"{error.args[0].str()}") from None
    admin_topics.wait(admin, [name])


def delete(bootstrap: str, generation: int) -> None:
    """Delete a generation; the first is made anew, empty, because programs look for its topic."""
    admin = admin_client(bootstrap)
    name = topic_of(generation)
    if generation != FIRST:
        delete_topic(admin, name)
        return
    found = admin.list_topics(name, timeout=ANSWER_S_MAX).topics[name].partitions
    delete_topic(admin, name)
    admin_topics.ensure(bootstrap, len(found), min(len(p.replicas) for p in found.values()))


def _present(admin: AdminClient) -> dict[int, int]:
    """Generation -> partitions."""
    try:
        found = admin.list_topics(timeout=ANSWER_S_MAX).topics
    except KafkaException as error:
        raise BrokerError(f"the broker does not tell its topics: {error.args[0].str()}") from None
    return {generation: len(topic.partitions) for name, topic in found.items()
            if (generation := generation_of(name)) is not None and topic.partitions}

"""A consumer group as a cluster tells it: its members, who owns what, and where it has got to.

Decides nothing; belongs to no group and commits nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from footfall.kafka.aio import aio

ANSWER_S_MAX = 5.0
RETRY_S = 0.2
STABLE = "STABLE"


class Group(NamedTuple):
    """`members`: name -> partitions of the topic asked for. `committed`: partition -> offset."""

    state: str
    members: Mapping[str, frozenset[int]]
    committed: Mapping[int, int]

    @property
    def owned(self) -> frozenset[int]:
        """The partitions that a member has."""
        return frozenset().union(*self.members.values())


def group(admin: AdminClient, bootstrap: str, group_id: str, topic: str) -> Group:
    """A group over a topic. A new cluster first makes its coordinator."""
    deadline = time.monotonic() + ANSWER_S_MAX
    while True:
        try:
            committed = asyncio.run(
                asyncio.wait_for(_committed(bootstrap, group_id, topic), ANSWER_S_MAX))
            described = admin.describe_consumer_groups([group_id])[group_id]
            found = described.result(timeout=ANSWER_S_MAX)
            members = {
                f"{m.group_instance_id or m.member_id} at {m.host.lstrip('/')}": frozenset(
                    tp.partition for tp in m.assignment.topic_partitions if tp.topic == topic)
                for m in found.members}
            return Group(found.state.name, members, committed)
        except (KafkaError, KafkaException):
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


async def _committed(bootstrap: str, group_id: str, topic: str) -> dict[int, int]:
    # Not by confluent_kafka: it reads the metadata of a commit past its end.
    admin = AIOKafkaAdminClient(**aio(bootstrap))
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group_id)
    finally:
        await admin.close()
    return {tp.partition: at.offset for tp, at in found.items()
            if tp.topic == topic and at.offset >= 0}

"""Throws the customers' state away, so that it is folded again from the log.

Only `up` calls this, only on the demo broker: a broker that lost records has nothing better. On a
real Kafka a state that does not fit its log is a question to a person, never to a program.
"""

from __future__ import annotations

import time

from confluent_kafka import KafkaError, KafkaException

from footfall.admin import topics as admin_topics
from footfall.admin.cluster import admin_client
from footfall.errors import BrokerError
from footfall.events import topics

ANSWER_S_MAX = 10.0


def reset_state(bootstrap: str, partitions: int) -> None:
    """Delete the changelog and the offsets committed, and create the changelog anew."""
    admin = admin_client(bootstrap)
    steps = (
        ("the offsets", admin.delete_consumer_groups([topics.APP_ID])[topics.APP_ID],
         KafkaError.GROUP_ID_NOT_FOUND),
        (topics.CHANGELOG, admin.delete_topics([topics.CHANGELOG])[topics.CHANGELOG],
         KafkaError.UNKNOWN_TOPIC_OR_PART),
    )
    for name, future, absent in steps:
        try:
            future.result(timeout=ANSWER_S_MAX)
        except KafkaException as error:
            if error.args[0].code() != absent:
                raise BrokerError(f"{name} could not be deleted: {error.args[0].str()}") from None
    deadline = time.monotonic() + ANSWER_S_MAX
    while topics.CHANGELOG in admin.list_topics(timeout=ANSWER_S_MAX).topics:
        if time.monotonic() > deadline:
            raise BrokerError(f"{topics.CHANGELOG} was deleted but is still there")
        time.sleep(0.1)
    admin_topics.ensure(bootstrap, partitions, 1)

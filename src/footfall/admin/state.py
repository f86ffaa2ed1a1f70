"""Throws the customers' state away, so that it is folded again from the log.

Only `up` calls this, only on the demo broker: a broker that lost records has nothing better. On a
real Kafka a state that does not fit its log is a question to a person, never to a program.
"""

from __future__ import annotations

import time
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from footfall.admin import topics as admin_topics
from footfall.admin.cluster import admin_client
from footfall.errors import BrokerError
from footfall.events import topics

ANSWER_S_MAX = 10.0
#: The broker counts a dead worker as a member until its session is over.
GROUP_EMPTY_S_MAX = 45.0


def reset_state(bootstrap: str, partitions: int) -> None:
    """Delete the changelog and the offsets committed, and create the changelog anew."""
    admin = admin_client(bootstrap)
    _delete_group(admin, time.monotonic() + GROUP_EMPTY_S_MAX)
    future = admin.delete_topics([topics.CHANGELOG])[topics.CHANGELOG]
    code = _failure(future, topics.CHANGELOG, KafkaError.UNKNOWN_TOPIC_OR_PART)
    deadline = time.monotonic() + ANSWER_S_MAX
    while code is None and topics.CHANGELOG in admin.list_topics(timeout=ANSWER_S_MAX).topics:
        if time.monotonic() > deadline:
            raise BrokerError(f"{topics.CHANGELOG} was deleted but is still there; start again")
        time.sleep(0.1)
    admin_topics.ensure(bootstrap, partitions, 1)


def _delete_group(admin: AdminClient, deadline: float) -> None:
    """Delete the group with its offsets, as soon as it has no members."""
    while True:
        future = admin.delete_consumer_groups([topics.APP_ID])[topics.APP_ID]
        expected = {KafkaError.GROUP_ID_NOT_FOUND}
        if time.monotonic() < deadline:
            expected.add(KafkaError.NON_EMPTY_GROUP)
        if _failure(future, f"the offsets of group {topics.APP_ID}", *expected) \
                != KafkaError.NON_EMPTY_GROUP:
            return
        time.sleep(0.5)


def _failure(future: Future[None], what: str, *expected: int) -> int | None:
    """None when it was done, the error's code when that was expected; else `BrokerError`."""
    try:
        future.result(timeout=ANSWER_S_MAX)
    except KafkaException as error:
        code = int(error.args[0].code())
        if code not in expected:
            raise BrokerError(f"{what} could not be deleted: {error.args[0].str()}") from None
        return code
    return None

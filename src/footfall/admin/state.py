"""Throws the state of the customers, or of delivery, away, so that it is folded again.

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
    """Delete the customers' changelog in all its generations, and the offsets committed, and create
    it anew.
    """
    there = admin_client(bootstrap).list_topics(timeout=ANSWER_S_MAX).topics
    later = [name for name in there if name.startswith(f"{topics.CHANGELOG}-")]
    _reset(bootstrap, partitions, topics.APP_ID, topics.CHANGELOG, *later)


def reset_delivery(bootstrap: str, partitions: int) -> None:
    """The same of delivery, with its log: that names triggers which the broker has forgotten."""
    _reset(bootstrap, partitions, topics.DELIVERY_APP_ID, topics.DELIVERY_CHANGELOG,
           topics.DELIVERIES)


def _reset(bootstrap: str, partitions: int, group: str, *names: str) -> None:
    admin = admin_client(bootstrap)
    _delete_group(admin, group, time.monotonic() + GROUP_EMPTY_S_MAX)
    for name in names:
        delete_topic(admin, name)
    admin_topics.ensure(bootstrap, partitions, 1)


def delete_topic(admin: AdminClient, name: str) -> None:
    """Delete a topic, and wait until it is gone."""
    code = _failure(admin.delete_topics([name])[name], name, KafkaError.UNKNOWN_TOPIC_OR_PART)
    deadline = time.monotonic() + ANSWER_S_MAX
    while code is None and name in admin.list_topics(timeout=ANSWER_S_MAX).topics:
        if time.monotonic() > deadline:
            raise BrokerError(f"{name} was deleted but is still there; start again")
        time.sleep(0.1)


def _delete_group(admin: AdminClient, name: str, deadline: float) -> None:
    """Delete a group with its offsets, as soon as it has no members."""
    while True:
        future = admin.delete_consumer_groups([name])[name]
        expected = {KafkaError.GROUP_ID_NOT_FOUND}
        if time.monotonic() < deadline:
            expected.add(KafkaError.NON_EMPTY_GROUP)
        if _failure(future, f"the offsets of group {name}", *expected) \
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

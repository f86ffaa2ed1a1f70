"""Whether a Kafka cluster answers an administrator, and which one it is.

Must never print: librdkafka's own log is silent here, the caller says what it means.
"""

from __future__ import annotations

import socket

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from footfall.errors import BrokerError
from footfall.kafka.confluent import confluent
from footfall.kafka.reach import refusal

CONNECT_S_MAX = 0.5
ANSWER_S_MAX = 2.0


def admin_client(bootstrap: str) -> AdminClient:
    """An administrator's client that does not write on the screen."""
    return AdminClient({**confluent(bootstrap), "log_level": 0,
                        "error_cb": lambda _error: None})


def listens(bootstrap: str) -> bool:
    """Whether any of the addresses accepts a connection; cheap, for loops."""
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=CONNECT_S_MAX).close()
        except (OSError, ValueError):
            continue
        return True
    return False


def unanswered(bootstrap: str, otherwise: str) -> BrokerError:
    """The error of a cluster that did not answer: that it refuses us, and why, or `otherwise`."""
    return BrokerError(refusal(bootstrap) or otherwise)


def answers(bootstrap: str, cluster_id: str | None = None, seconds_max: float = ANSWER_S_MAX,
            ) -> bool:
    """Whether it has a broker that answers, and is the cluster meant where an id is given."""
    if not listens(bootstrap):
        return False
    try:
        metadata = admin_client(bootstrap).list_topics(timeout=seconds_max)
    except KafkaException:
        return False
    return bool(metadata.brokers) and cluster_id in (None, metadata.cluster_id)

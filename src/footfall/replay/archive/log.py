"""Which log a cluster holds: the topic's id, the cluster's, and how many partitions.

Decides how an archive tells one log from another of the same name. Must never take a cluster that
does not answer for another one.
"""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaException, TopicCollection

from footfall.admin.cluster import admin_client
from footfall.errors import BrokerError
from footfall.events.topics import INTERACTIONS
from footfall.replay.archive.manifest import Identity

ANSWER_S_MAX: Final = 10.0


def identity_of(bootstrap: str, topic: str = INTERACTIONS) -> Identity:
    """The log of a cluster; raises `BrokerError`."""
    admin = admin_client(bootstrap)
    try:
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=ANSWER_S_MAX)
        found = described[topic].result(ANSWER_S_MAX)
        cluster = admin.describe_cluster(request_timeout=ANSWER_S_MAX).result(ANSWER_S_MAX)
    except (KafkaException, TimeoutError) as error:
        said = error.args[0].str() if isinstance(error, KafkaException) else "no answer"
        raise BrokerError(f"topic {topic} cannot be described by {bootstrap}: {said}; is the "
                          "broker running, and kafka_bootstrap_servers right?") from None
    topic_id = str(found.topic_id or "")
    return Identity(topic=topic,
                    # A broker that has none gives zeros, in base 64.
                    topic_id=topic_id if topic_id.strip("A") else "",
                    cluster_id=cluster.cluster_id or "", partitions=len(found.partitions))

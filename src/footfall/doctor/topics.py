"""Of the topics: what is in the cluster, read at once; `topic_rules.py` judges it.

Looks and never changes. What this user may not see is said, and what can be seen is judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from footfall.doctor.brokers import reached
from footfall.doctor.findings import Finding
from footfall.doctor.topic_rules import OFFSETS, Part, Seen, judged, offsets
from footfall.events.topics import ALL, CHANGELOG
from footfall.kafka.security import security_of
from footfall.settings import Settings

ANSWER_S_MAX = 5.0
#: Of later generations of the state, as a rebuild makes them.
_LATER = f"{CHANGELOG}-"
_SHOWN = ("cleanup.policy", "retention.ms", "retention.bytes", "min.insync.replicas",
          "message.timestamp.type", "max.message.bytes", "min.compaction.lag.ms",
          "unclean.leader.election.enable")


def topics(settings: Settings) -> Iterator[Finding]:
    """Every topic of Footfall against what laws, settings and brokers ask for."""
    admin = reached(settings)
    if admin is None:
        return  # said of the brokers
    metadata = admin.list_topics(timeout=ANSWER_S_MAX)
    names = [topic.name for topic in ALL]
    names += sorted(name for name in metadata.topics if name.startswith(_LATER))
    configs = _configs(admin, [name for name in names if name in metadata.topics])
    is_protected = security_of(settings.kafka_bootstrap_servers).security_protocol != "PLAINTEXT"
    seen = [_seen(name, metadata.topics.get(name), configs.get(name, {})) for name in names]
    wrong: list[Finding] = []
    for one in seen:
        found = judged(one, settings, len(metadata.brokers))
        if not one.partitions and is_protected:
            found = [msg for msg in found if msg.subject != one.name] + [Finding(
                "topics", one.name, "error", "does not exist, or this user may not see it",
                "`footfall topics create` makes it, `footfall acls list` prints who must see it")]
        wrong += found
        # Those of later generations no part needs to see but `rebuild`.
        if one.partitions and not one.config and not one.name.startswith(_LATER):
            wrong.append(Finding("topics", one.name, "warning", "its settings cannot be known: "
                                 "this user may not see them", "give it DESCRIBE_CONFIGS: "
                                 "`footfall acls list admin`"))
    if OFFSETS in metadata.topics:
        wrong += offsets(_seen(OFFSETS, metadata.topics[OFFSETS], {}), len(metadata.brokers))
    yield from wrong
    details = {one.name: _told(one) for one in seen if one.partitions}
    if not any(finding.status == "error" for finding in wrong):
        yield Finding("topics", "all", "ok", f"{len(details)}, as they must be"
                      + (", but for the warnings" if wrong else ""), details=details)
    elif details:
        yield Finding("topics", "seen", "ok", f"{len(details)}: {', '.join(details)}",
                      details=details)


def _configs(admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Of each topic whose settings we may see."""
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    found = {}
    for resource, future in (admin.describe_configs(resources) if resources else {}).items():
        try:
            entries = future.result(timeout=ANSWER_S_MAX)
        except KafkaException:
            continue
        found[resource.name] = {key: str(entry.value) for key, entry in entries.items()}
    return found


def _seen(name: str, topic: Any, config: dict[str, str]) -> Seen:
    parts = {} if topic is None else {
        number: Part(p.leader, tuple(p.replicas), tuple(p.isrs))
        for number, p in sorted(topic.partitions.items())}
    return Seen(name, parts, config)


def _told(one: Seen) -> dict[str, Any]:
    return {"partitions": len(one.partitions), "replication": one.replication,
            "config": {key: one.config[key] for key in _SHOWN if key in one.config}}

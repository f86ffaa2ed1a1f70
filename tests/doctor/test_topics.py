"""What a topic must be: judged from values, each rule by itself, and on a real broker."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from footfall.admin.cluster import admin_client
from footfall.admin.topics import ensure
from footfall.doctor import topics as topic_findings
from footfall.doctor.findings import is_well
from footfall.doctor.topic_rules import OFFSETS, Part, Seen, judged, offsets
from footfall.events import topics
from footfall.settings import Settings
from footfall.stream.generations import topic_of
from tests.services import delete_topics
from tests.system.topics import until

DAY_MS = 86_400_000
WAIT_S_MAX = 60.0
GOOD = {"min.insync.replicas": "2", "max.message.bytes": "1048588", "retention.bytes": "-1",
        "unclean.leader.election.enable": "false", "message.timestamp.type": "LogAppendTime"}
THREE = (1, 2, 3)


def topic(name: str = topics.INTERACTIONS, *, parts: dict[int, Part] | None = None,
          replicas: tuple[int, ...] = THREE, **config: Any) -> Seen:
    """As Footfall makes it on three brokers, but for what is given; `_` for `.` in names."""
    made = next(one for one in topics.ALL if one.name == name).config
    given = {key.replace("_", "."): str(value) for key, value in config.items()}
    return Seen(name, parts or {n: Part(1, replicas, replicas) for n in range(2)},
                {**GOOD, **made, **given})


def found(seen: Seen, brokers: int = 3, **settings: Any) -> list[tuple[str, str]]:
    """(status, the first words of what was found) of what is wrong."""
    wrong = judged(seen, Settings(**{"partitions": 2, "replication_factor": 3, **settings}),
                   brokers)
    assert all(one.change and one.area == "topics" for one in wrong)
    return [(one.status, one.found) for one in wrong]


@pytest.mark.parametrize("name", [one.name for one in topics.ALL])
def test_topics_as_footfall_makes_them_are_well(name: str) -> None:
    """On three brokers, and on one."""
    assert [] == found(topic(name))
    assert [] == found(topic(name, replicas=(1,), min_insync_replicas=1), 1, replication_factor=1)


@pytest.mark.parametrize(("seen", "status", "text", "wanted"), [
    (Seen(topics.TRIGGERS, {}, {}), "error", "does not exist", ""),
    (topic(parts={0: Part(1, THREE, THREE)}), "error", "has 1 partitions, not 2", "2"),
    (topic(cleanup_policy="compact"), "error", "cleanup.policy is compact, not delete",
     "cleanup.policy=delete"),
    (topic(message_timestamp_type="CreateTime"), "error", "message.timestamp.type is CreateTime",
     "message.timestamp.type=LogAppendTime"),
    (topic(topics.TRIGGERS, message_timestamp_type="CreateTime"), "warning",
     "message.timestamp.type is CreateTime", "message.timestamp.type=LogAppendTime"),
    (topic(topics.CHANGELOG, cleanup_policy="compact,delete"), "error", "cleanup.policy is compact",
     "cleanup.policy=compact"),
    (topic(topics.CHANGELOG, min_compaction_lag_ms=0), "warning", "min.compaction.lag.ms is 0",
     f"{DAY_MS} or more"),
    (topic(min_insync_replicas=1), "warning", "min.insync.replicas 1 with 3 replicas", "2"),
    (topic(min_insync_replicas=3), "warning", "min.insync.replicas 3 with 3 replicas: one broker",
     "2"),
    (topic(min_insync_replicas=4), "error", "min.insync.replicas 4 with 3 replicas: nothing", "2"),
    (topic(unclean_leader_election_enable="true"), "error", "unclean.leader.election", "false"),
    (topic(replicas=(1,), min_insync_replicas=1), "warning", "one replica, with 3 brokers",
     "3 replicas"),
    (topic(retention_ms=DAY_MS), "warning", "retention.ms is 86400000 (1.0 days)",
     f"{4 * DAY_MS} or more"),
    (topic(topics.TRIGGERS, retention_ms=3_600_000), "warning", "retention.ms is 3600000",
     f"{DAY_MS} or more"),
    (topic(retention_bytes=10**9), "warning", "retention.bytes is 1000000000", "-1: by time alone"),
    (topic(max_message_bytes=500_000), "warning", "max.message.bytes is 500000",
     "1048588 or more"),
    (topic(parts={0: Part(-1, THREE, (2,)), 1: Part(1, THREE, THREE)}), "error",
     "partitions 0 have no leader", "a leader for each"),
    (topic(parts={0: Part(1, THREE, (1,)), 1: Part(1, THREE, THREE)}), "error",
     "partitions 0 have fewer than min.insync.replicas 2", "2 or more in sync"),
    (topic(parts={0: Part(1, THREE, (1, 2)), 1: Part(1, THREE, (1, 2))}), "warning",
     "partitions 0, 1 are under-replicated", "every replica in sync")])
def test_each_rule_is_broken_by_itself(seen: Seen, status: str, text: str, wanted: str) -> None:
    """One finding, with the value that is wanted."""
    [one] = judged(seen, Settings(partitions=2, replication_factor=3), 3)
    assert (status, wanted) == (one.status, one.wanted)
    assert one.found.startswith(text) and one.subject == seen.name


def test_what_to_do_is_a_command_for_this_topic() -> None:
    [one] = judged(topic(min_insync_replicas=1), Settings(partitions=2), 3)
    assert one.change == (
        "kafka-configs.sh --bootstrap-server $FOOTFALL_KAFKA_BOOTSTRAP_SERVERS --alter "
        "--entity-type topics --entity-name footfall.interactions --add-config "
        "min.insync.replicas=2")
    [one] = judged(topic(parts={0: Part(1, THREE, (1, 2)), 1: Part(1, THREE, THREE)}),
                   Settings(partitions=2), 3)
    assert one.change.startswith("start broker 3")


def test_with_an_archive_the_log_may_be_short() -> None:
    """As long as its files are closed well before."""
    short = topic(retention_ms=DAY_MS)
    assert [] == found(short, archive_target="a")
    assert [("warning", "retention.ms is 86400000 (1.0 days): an outage that is longer loses "
                        "records")] == found(short, archive_target="a",
                                             archive_file_age_s_max=86_400)


def test_later_generations_of_the_state_are_judged_as_the_first() -> None:
    changelog = topic(topics.CHANGELOG)
    second = Seen(topic_of(2), changelog.partitions, {**changelog.config,
                                                      "cleanup.policy": "delete"})
    assert [("error", "cleanup.policy is delete, not compact")] == found(second)


def test_settings_that_may_not_be_seen_are_not_judged() -> None:
    """No value is made up for them."""
    assert [] == found(Seen(topics.INTERACTIONS, topic().partitions, {}))


def test_what_groups_have_committed_needs_replicas_too() -> None:
    lonely = Seen(OFFSETS, {0: Part(1, (1,), (1,))}, {})
    assert [] == offsets(lonely, 1)
    assert ["warning"] == [one.status for one in offsets(lonely, 3)]


@pytest.mark.kafka
def test_a_real_topic_is_judged_by_what_was_done_to_it(footfall_topics: str) -> None:
    """Settings changed, and a generation with another number of partitions."""
    admin = admin_client(footfall_topics)
    settings = Settings(kafka_bootstrap_servers=footfall_topics, partitions=4)
    [well] = topic_findings.topics(settings)
    assert ("all", "ok") == (well.subject, well.status)
    told = well.details[topics.INTERACTIONS]
    assert (4, 1, "LogAppendTime", "1") == (
        told["partitions"], told["replication"], told["config"]["message.timestamp.type"],
        told["config"]["min.insync.replicas"])

    resource = ConfigResource(ResourceType.TOPIC, topics.TRIGGERS, incremental_configs=[
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        for key, value in (("min.insync.replicas", "2"), ("retention.ms", "1000"))])
    admin.incremental_alter_configs([resource])[resource].result(10)
    second = topic_of(2)
    admin.create_topics([NewTopic(second, 3, 1, config={
        "cleanup.policy": "compact", "min.compaction.lag.ms": str(DAY_MS)})])[second].result(10)
    expected = {(topics.TRIGGERS, "error", "min.insync.replicas"), (second, "error", "has"),
                (topics.TRIGGERS, "warning", "retention.ms")}
    # What a controller has written down its brokers know a moment later.
    until(lambda: expected == {(one.subject, one.status, one.found.partition(" ")[0])
                               for one in topic_findings.topics(settings) if one.status != "ok"},
          WAIT_S_MAX, "all that was done is seen")


@pytest.mark.kafka
def test_topics_that_are_missing_or_wrong_are_errors(kafka: str) -> None:
    """Each with the command that mends it."""
    settings = Settings(kafka_bootstrap_servers=kafka, partitions=2)
    delete_topics(kafka)
    missing = list(topic_findings.topics(settings))
    assert not is_well(missing)
    assert {"`footfall topics create` makes it"} == {f.change for f in missing if f.change}

    ensure(kafka, 2, 1)
    resource = ConfigResource(ResourceType.TOPIC, topics.INTERACTIONS, incremental_configs=[
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)])
    admin = admin_client(kafka)
    admin.incremental_alter_configs([resource])[resource].result(10)
    until(lambda: [(topics.INTERACTIONS, "error"), ("seen", "ok")] == [
        (f.subject, f.status) for f in topic_findings.topics(settings)], WAIT_S_MAX, "it is seen")
    wrong = list(topic_findings.topics(settings))
    assert wrong[0].change.startswith("kafka-configs.sh ") and wrong[0].change.endswith(
        f"--entity-name {topics.INTERACTIONS} --add-config cleanup.policy=delete")
    assert "cleanup.policy=delete" == wrong[0].wanted
    assert topics.TRIGGERS not in wrong[0].found

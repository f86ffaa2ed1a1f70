"""Topics are created once, as the laws need them, and what is wrong is named with its remedy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from footfall.admin import topics as admin_topics
from footfall.admin.cluster import admin_client
from footfall.admin.topics import Found, problems
from footfall.cli import footfall
from footfall.errors import BrokerError
from footfall.events import topics
from tests import services


def found(partitions: int = 4, **changes: Found) -> list[Found]:
    """All topics, right, but for the changes."""
    return [changes.get(t.name.replace(".", "_").replace("-", "_"),
                        Found(t.name, partitions, 1, dict(t.config))) for t in topics.ALL]


def test_topics_as_created_have_no_problems() -> None:
    """What Footfall creates passes its own check."""
    assert problems(found(), 4) == []


def test_a_missing_topic_is_named() -> None:
    """A topic without partitions does not exist."""
    changed = found(footfall_rejected=Found(topics.REJECTED, 0, 0, {}))

    assert problems(changed, 4) == [
        "footfall.rejected: does not exist; `footfall topics create` makes it"
    ]


def test_different_partition_counts_are_a_problem() -> None:
    """One topic with another count is named, with both numbers."""
    changed = found(footfall_triggers=Found(topics.TRIGGERS, 3, 1, {}))

    (sentence,) = problems(changed, 4)

    assert sentence.startswith("footfall.triggers: has 3 partitions, not 4")


@pytest.mark.parametrize(
    ("topic", "config", "expected"),
    [
        (topics.INTERACTIONS, {"message.timestamp.type": "CreateTime"},
         "footfall.interactions: message.timestamp.type is CreateTime, not LogAppendTime"),
        (topics.CHANGELOG, {"cleanup.policy": "compact,delete"},
         "footfall-customers-changelog: cleanup.policy is compact,delete, not compact"),
        (topics.DELIVERIES, {"cleanup.policy": "compact"},
         "footfall.deliveries: cleanup.policy is compact, not delete"),
        (topics.DELIVERIES, {"message.timestamp.type": "CreateTime"},
         "footfall.deliveries: message.timestamp.type is CreateTime, not LogAppendTime"),
        (topics.DELIVERY_CHANGELOG, {"cleanup.policy": "delete"},
         "footfall-delivery-deliveries-changelog: cleanup.policy is delete, not compact"),
    ],
)
def test_settings_that_the_laws_rest_on(topic: str, config: dict[str, str], expected: str) -> None:
    """Log-append time and pure compaction are required; the message has the command."""
    others = [t for t in found() if t.name != topic]
    right = next(t for t in found() if t.name == topic)
    wrong = problems([*others, right._replace(config={**right.config, **config})], 4)

    assert len(wrong) == 1
    assert wrong[0].startswith(expected)
    assert "--add-config" in wrong[0]


def eventually(condition: Callable[[], bool]) -> None:
    """Until it holds: a broker hears of changes from its controller a little later."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def empty(kafka: str) -> str:
    """The broker without any of Footfall's topics."""
    services.delete_topics(kafka)
    return kafka


@pytest.mark.kafka
def test_missing_topics_are_created_once(empty: str) -> None:
    """The first call makes all of them, the second none."""
    assert [t.name for t in topics.ALL] == admin_topics.ensure(empty, 3, 1)
    assert [] == admin_topics.ensure(empty, 3, 1)
    assert [] == admin_topics.check(empty, 3)


@pytest.mark.kafka
def test_existing_topics_are_checked_before_any_is_created(empty: str) -> None:
    """One topic with another count stops the start, and nothing is created beside it."""
    admin = admin_client(empty)
    admin.create_topics([NewTopic(topics.TRIGGERS, 2, 1)])[topics.TRIGGERS].result()
    eventually(lambda: topics.TRIGGERS in admin.list_topics(timeout=30).topics)

    with pytest.raises(BrokerError, match="FOOTFALL_PARTITIONS=2"):
        admin_topics.ensure(empty, 3, 1)

    assert topics.INTERACTIONS not in admin.list_topics(timeout=30).topics


@pytest.mark.kafka
def test_a_changed_setting_is_found(empty: str) -> None:
    """A log without append times is refused."""
    admin_topics.ensure(empty, 3, 1)
    entry = ConfigEntry("message.timestamp.type", "CreateTime",
                        incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource("topic", topics.INTERACTIONS, incremental_configs=[entry])
    admin = admin_client(empty)
    admin.incremental_alter_configs([resource])[resource].result()

    eventually(lambda: bool(admin_topics.check(empty, 3)))

    with pytest.raises(BrokerError, match=r"message\.timestamp\.type is CreateTime"):
        admin_topics.ensure(empty, 3, 1)


@pytest.mark.kafka
def test_the_command_creates_lists_and_checks(empty: str) -> None:
    """`footfall topics` in the order in which a person would use it."""
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(footfall, ["topics", *arguments], env={
            "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": empty, "FOOTFALL_PARTITIONS": "2"})
        return result.exit_code, result.output

    code, text = run("check", "--json")
    assert (code, json.loads(text)["ok"]) == (1, False)
    code, text = run("create")
    assert (code, text.startswith("Created footfall.interactions")) == (0, True)
    assert run("check") == (0, "All topics are as they must be.\n")
    code, text = run("list", "--json")
    assert {2} == {t["partitions"] for t in json.loads(text)["topics"]}


def test_without_a_broker_the_command_says_what_to_do(tmp_path: object) -> None:
    """No broker configured and no running `up`: the message names both ways out."""
    result = CliRunner().invoke(footfall, ["topics", "list", "--data-dir", str(tmp_path)])

    assert result.exit_code == 1
    assert "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS" in str(result.exception)

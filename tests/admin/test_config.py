"""Configuration through a real log: every partition ends at the same version (law 4)."""

from __future__ import annotations

import threading
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer, TopicPartition

from footfall import tables
from footfall.admin import config, config_command
from footfall.admin.cluster import admin_client
from footfall.admin.config_log import KEY, ConfigLog, version_of
from footfall.admin.scan import Scanner
from footfall.errors import BrokerError, ConfigError
from footfall.events.codec import Codecs
from footfall.events.reserved import Reserved
from footfall.events.topics import CHANGELOG, INTERACTIONS
from footfall.settings import Settings
from footfall.tables.config import Config, canonical
from footfall.tables.rules_row import RULES_MAX
from footfall.tables.stored import PARTITION_KEY, PartitionState

pytestmark = pytest.mark.kafka
SECRET = b"a system secret of the tests"
PARTITIONS = 4


@pytest.fixture
def log(footfall_topics: str) -> ConfigLog:
    return ConfigLog(footfall_topics, Reserved(SECRET), Codecs())


def _content(idle_s: float) -> bytes:
    return canonical(tables.ALL, msgspec.json.encode({"cart": {"idle_s": idle_s}}))


def _send(bootstrap: str, topic: str, key: bytes, value: bytes, partition: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    producer.produce(topic, value, key, partition)
    assert 0 == producer.flush(30)


def test_first_apply_writes_one_record_to_each_partition(log: ConfigLog,
                                                         footfall_topics: str) -> None:
    """Version 1 on every partition, and what a worker reads from it is what was asked for."""
    label = config.apply(footfall_topics, SECRET, {"cart": {"idle_s": 2}})
    written = log.history()
    assert [0, 1, 2, 3] == sorted(w.partition for w in written)
    assert {label} == {w.version.label for w in written}
    made = Config(tables.ALL, 1, written[0].version.content)
    assert (label, 2.0) == (made.label, made.sections["cart"].idle_s)


def test_same_content_again_writes_nothing(log: ConfigLog, footfall_topics: str) -> None:
    """`up` applies at every start; that must not grow the log."""
    first = config.apply(footfall_topics, SECRET, {"cart": {"idle_s": 2}})
    assert first == config.apply(footfall_topics, SECRET, {"cart": {"idle_s": 2.0}})
    assert PARTITIONS == len(log.history())


def test_next_apply_has_the_next_number_and_resets_what_it_does_not_name(
        log: ConfigLog, footfall_topics: str) -> None:
    """A document is whole."""
    config.apply(footfall_topics, SECRET, {"cart": {"idle_s": 2}, "clock": {"grace_s": 1}})
    label = config.apply(footfall_topics, SECRET, {"cart": {"idle_s": 3}})
    highest = log.read().highest
    assert (2, label) == (highest.number, highest.label)
    assert 0.5 == config.values(highest)["clock"]["grace_s"]


def test_change_keeps_what_it_does_not_name(log: ConfigLog, footfall_topics: str) -> None:
    """`--set` alone, and `up` without a value of its own."""
    config.apply(footfall_topics, SECRET, {"cart": {"idle_s": 2}})
    config.change(footfall_topics, SECRET, {"clock": {"grace_s": 1}})
    values = config.values(log.read().highest)
    assert (2.0, 1.0) == (values["cart"]["idle_s"], values["clock"]["grace_s"])
    config.change(footfall_topics, SECRET, {})
    assert 2 == log.read().highest.number


def test_completes_a_torn_version_before_the_next(log: ConfigLog, footfall_topics: str) -> None:
    """An apply that died half way: its version comes to every partition, then the next one."""
    torn = version_of(5, _content(77))
    log.write(torn, [1, 3])
    assert [0, 2] == log.read().missing
    config.apply(footfall_topics, SECRET, {"cart": {"idle_s": 3}})
    by_partition = {p: [w.version.number for w in log.history() if w.partition == p]
                    for p in range(PARTITIONS)}
    assert {p: [5, 6] for p in range(PARTITIONS)} == by_partition


def test_completes_a_torn_version_that_is_what_was_asked_for(
        log: ConfigLog, footfall_topics: str) -> None:
    """No new number then."""
    log.write(version_of(5, _content(77)), [1])
    config.apply(footfall_topics, SECRET, {"cart": {"idle_s": 77}})
    reading = log.read()
    assert (5, []) == (reading.highest.number, reading.missing)
    assert PARTITIONS == len(log.history())


def test_concurrent_applies_end_at_one_version(log: ConfigLog, footfall_topics: str) -> None:
    """Whoever wins, every partition has the same, and a loser is told."""
    said: list[str] = []

    def one(idle_s: int) -> None:
        try:
            said.append(config.apply(footfall_topics, SECRET, {"cart": {"idle_s": idle_s}}))
        except ConfigError as error:
            said.append(str(error))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reading = log.read()
    assert [] == reading.missing
    assert reading.highest.label in said
    assert 4 == len(said)


def test_loser_of_a_race_is_told_and_helps(log: ConfigLog, footfall_topics: str,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    """Another apply between reading and writing, with the higher hash, torn: it is completed."""
    mine = version_of(1, _content(1))
    other = next(v for n in range(2, 99) if (v := version_of(1, _content(n))) > mine)
    write = log.write
    done: list[int] = []

    def raced(version: object, partitions: object) -> None:
        if not done:
            done.append(1)
            write(other, [2])
        write(version, partitions)  # type: ignore[arg-type]

    monkeypatch.setattr(log, "write", raced)
    with pytest.raises(ConfigError, match=other.label):
        config.put(log, {"cart": {"idle_s": 1}})
    reading = log.read()
    assert (other, []) == (reading.highest, reading.missing)


def test_forged_and_broken_records_do_not_count(log: ConfigLog, footfall_topics: str) -> None:
    """Who has not the secret cannot move the number, nor stop an apply."""
    ConfigLog(footfall_topics, Reserved(b"another secret 123456"), Codecs()).write(
        version_of(99, _content(1)), range(PARTITIONS))
    _send(footfall_topics, INTERACTIONS, KEY, b"\x00garbage", 0)
    tick = Codecs().interaction.encode(Reserved(SECRET).tick(1))
    _send(footfall_topics, INTERACTIONS, KEY, tick, 1)
    assert config.apply(footfall_topics, SECRET, {}).startswith("1:")
    assert [1] == sorted({w.version.number for w in log.history()})


def test_starts_from_the_partition_records_of_the_changelog(
        log: ConfigLog, footfall_topics: str) -> None:
    """Where the log is longer than the changelog, or its head expired, `$partition` tells."""
    for partition in range(PARTITIONS):
        for n in range(3):
            _send(footfall_topics, INTERACTIONS, b"user_id:x", b"%d" % n, partition)
        for number, upto in ((4, 2), (3, 1)):
            state = PartitionState(next_offset=upto, config_number=number,
                                   config_content=_content(number))
            _send(footfall_topics, CHANGELOG, PARTITION_KEY, state.encode(), partition)
    assert 4 == log.read().highest.number
    assert config.apply(footfall_topics, SECRET, {"cart": {"idle_s": 9}}).startswith("5:")


def test_version_survives_the_expiry_of_its_record(log: ConfigLog, footfall_topics: str) -> None:
    """Retention took the `$config` records: a new one must still be higher than what workers hold,
    or they would pass it over."""
    state = PartitionState(next_offset=1, config_number=8, config_content=_content(8)).encode()
    for partition in range(PARTITIONS):
        _send(footfall_topics, INTERACTIONS, KEY, b"expired", partition)
        for _ in range(3):
            _send(footfall_topics, CHANGELOG, b"user_id:x", b"row", partition)
        _send(footfall_topics, CHANGELOG, PARTITION_KEY, state, partition)
    admin = admin_client(footfall_topics)
    gone = admin.delete_records(
        [TopicPartition(INTERACTIONS, p, 1) for p in range(PARTITIONS)])
    assert all(future.result(30) for future in gone.values())
    assert config.apply(footfall_topics, SECRET, {}).startswith("9:")


def test_unreachable_broker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the address and what to do."""
    monkeypatch.setattr("footfall.admin.scan.ANSWER_S_MAX", 0.5)
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:9.*is the broker running"):
        config.apply("127.0.0.1:9", SECRET, {})


def test_missing_topic_is_told(kafka: str) -> None:
    """The message says which command makes it."""
    with Scanner(kafka) as scanner, pytest.raises(BrokerError, match="footfall topics create"):
        scanner.spans("footfall.nothing")


def test_command_line(footfall_topics: str, tmp_path: Path) -> None:
    """apply, show and history, as a person uses them."""
    settings = Settings(kafka_bootstrap_servers=footfall_topics, system_secret=SECRET.decode(),
                        customer_key_secret="x" * 16, data_dir=str(tmp_path))

    def run(*arguments: str) -> str:
        place = CliRunner().invoke(_with(settings), ["config", *arguments],
                                   catch_exceptions=False)
        assert 0 == place.exit_code, place.output
        return place.output

    assert "no partition has one yet" in run("show")
    assert "is in force on every partition" in run("apply", "--set", "cart.idle_s=900")
    assert "nothing to do" in run("apply", "--set", "cart.idle_s=900")
    assert "* cart.idle_s = 900.0" in run("show")
    file = tmp_path / "c.toml"
    file.write_text("[clock]\ngrace_s = 1\n")
    assert "in force" in run("apply", str(file))
    shown = msgspec.json.decode(run("show", "--json"))
    assert [] == shown["missing"]
    assert 1800.0 == shown["values"]["cart"]["idle_s"]
    told = msgspec.json.decode(run("history", "--json"))
    assert [{"cart.idle_s": {"from": 1800.0, "to": 900.0}},
            {"cart.idle_s": {"from": 900.0, "to": 1800.0},
             "clock.grace_s": {"from": 0.5, "to": 1.0}}] == [v["changes"] for v in told]
    assert "clock.grace_s: 0.5 -> 1.0" in run("history")


def _with(settings: Settings) -> click.Group:
    """The command line under given settings."""

    @click.group()
    @click.pass_context
    def program(ctx: click.Context) -> None:
        ctx.obj = lambda: settings

    program.add_command(config_command.config)
    return program


def test_a_computed_trait_keeps_its_meaning_under_its_version(log: ConfigLog, footfall_topics: str
                                                              ) -> None:
    """Under the same version it cannot be changed; under another it can, and nothing was written
    for the one refused.
    """
    trait = {"name": "orders", "version": 1, "of": "count", "over": {"call": "track"}}
    first = config.apply(footfall_topics, SECRET, {"computed": {"definitions": [trait]}})
    with pytest.raises(ConfigError, match="'orders' differs from its version 1 in force"):
        config.change(footfall_topics, SECRET, {"computed": {"definitions": [
            {**trait, "over": {"call": "page"}}]}})
    assert first == log.read().highest.label
    second = config.change(footfall_topics, SECRET, {"computed": {"definitions": [
        trait, {**trait, "version": 2, "over": {"call": "page"}}]}})
    assert second == log.read().highest.label != first


def test_as_many_rules_as_there_may_be_can_be_applied(log: ConfigLog, footfall_topics: str) -> None:
    """With a condition, data and a description each."""
    rules = [{
        "name": f"rule_{n}", "version": 1, "description": f"Rule number {n} of a large shop.",
        "on": {"call": "track", "event": f"Event number {n}"},
        "if": {"all": [{"field": "event.properties.total", "at_least": n},
                       {"field": "engagement.level", "in": ["medium", "high"]}]},
        "cooldown": "7d", "data": {"total": "event.properties.total"},
    } for n in range(RULES_MAX)]
    label = config.apply(footfall_topics, SECRET, {"rules": {"definitions": rules}})
    assert label == log.read().highest.label
    with pytest.raises(ConfigError, match="400000"):
        config.apply(footfall_topics, SECRET, {"rules": {"definitions": [
            {**rule, "description": "d" * 500} for rule in rules]}})

"""Segments counted over stored customers: as the engine judges them, before they are in force."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

from footfall.cli import footfall
from footfall.errors import ConfigError
from footfall.events.topics import CHANGELOG
from footfall.query.segments_command import judge_of
from footfall.query.segments_count import Tally, proposed
from footfall.tables.rules_conditions import code_of
from footfall.tables.stored import PARTITION_KEY, PartitionState
from tests.tables.logs import START
from tests.tables.ruled import DAY, HOUR, MINUTE, Shop, counts

VIEWERS = {"name": "viewers", "version": 1, "if": counts("Product Viewed", "24h", at_least=1)}
BUYERS = {"name": "buyers", "version": 1, "if": counts("Order Completed", "ever", at_least=1)}
BOTH = {"name": "both", "version": 1, "if": {"all": [{"segment": "viewers"},
                                                     {"segment": "buyers"}]}}


@pytest.fixture
def shop() -> Shop:
    """30 viewers, 20 buyers of whom 10 viewed, and a visitor who became a viewer that is known."""
    made = Shop([], [VIEWERS, BUYERS], partitions=1)
    for n in range(30):
        made.sent(n, {"userId": f"user {n}"}, "Product Viewed")
    for n in range(20, 40):
        made.sent(n, {"userId": f"user {n}"}, "Order Completed", order_id=f"o{n}")
    visitor = {"anonymousId": "a browser"}
    made.sent(MINUTE, visitor, "Product Viewed")
    made.sent(2 * MINUTE, visitor | {"userId": "user 0"}, "", call="identify")
    made.passed(3 * MINUTE)
    return made


def state_of(shop: Shop) -> PartitionState:
    config = shop.log.workers[0].fold.config
    return PartitionState(config_number=config.number, config_content=config.content)


def counted(shop: Shop, at: int, names: list[str], document: dict[str, Any] | None = None,
            sample_max: int = 0) -> tuple[Tally, dict[str, list[str]]]:
    judge, missing = judge_of(state_of(shop), document, names)
    tally = Tally(sample_max)
    tally.take(judge, shop.log.records(), START + at)
    return tally, missing


def definitions(*segments: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"segments": {"definitions": list(segments)}, **sections}


def test_segments_in_force_are_counted_as_the_engine_tells_them(shop: Shop) -> None:
    """Of a pointer nothing is counted."""
    tally, missing = counted(shop, HOUR, [])
    assert (40, 30, 20, 10) == (tally.customers, tally.members(0), tally.members(1),
                                tally.together[True, True])
    assert {} == missing
    held: Counter[int] = Counter()
    for key in shop.log.records():
        told = shop.row("segments", key)
        held.update(one.segment for one in (told.memberships if told else ()) if one.holds)
    assert {code_of("viewers"): 30, code_of("buyers"): 20} == dict(held)


def test_time_alone_empties_a_window(shop: Shop) -> None:
    tally, _missing = counted(shop, 3 * DAY, ["viewers", "buyers"])
    assert (0, 20) == (tally.members(0), tally.members(1))


def test_a_segment_that_is_not_in_force_is_judged_too(shop: Shop) -> None:
    """Of what is counted already, also where it names another segment."""
    often = {"name": "rare", "version": 1, "if": counts("Product Viewed", "24h", equals=1)}
    tally, missing = counted(shop, HOUR, ["both", "rare"], definitions(BOTH, often))
    assert (10, 29, {}) == (tally.members(0), tally.members(1), missing)
    nested = {"name": "nested", "version": 1, "if": {"none": [{"segment": "both"}]}}
    tally, _missing = counted(shop, HOUR, ["nested"], definitions(nested, BOTH))
    assert 30 == tally.members(0)


def test_what_was_not_counted_before_is_said(shop: Shop) -> None:
    new = {"name": "new", "version": 1, "if": {"any": [
        counts("Product Shared", "7d", at_least=1), {"segment": "buyers"}, {"segment": "also"}]}}
    also = {"name": "also", "version": 1, "if": counts("Product Viewed", "7d", at_least=1)}
    tally, missing = counted(shop, HOUR, ["new"], definitions(new, also))
    assert 20 == tally.members(0)
    assert ["count of Product Shared over 7d", "count of Product Viewed over 7d"] == missing["new"]


def test_a_sample_is_the_same_each_time_and_favours_nobody(shop: Shop) -> None:
    first, _missing = counted(shop, HOUR, ["buyers"], sample_max=5)
    again, _missing = counted(shop, 2 * HOUR, ["buyers"], sample_max=5)
    assert 5 == len(first.sample())
    assert first.sample() == again.sample()
    users = {one.ids["user_id"] for one in first.sample()}
    assert users < {f"user {n}" for n in range(20, 40)}
    whole, _missing = counted(shop, HOUR, ["buyers"], sample_max=100)
    assert (20, first.sample()) == (len(whole.sample()), whole.sample()[:5])


def test_an_unknown_segment_names_those_there_are(shop: Shop) -> None:
    with pytest.raises(ConfigError, match="there is no segment 'x'; there are viewers, buyers"):
        judge_of(state_of(shop), None, ["x"])
    with pytest.raises(ConfigError, match="there are none"):
        judge_of(PartitionState(), None, ["x"])


def test_a_document_goes_over_what_is_in_force(shop: Shop) -> None:
    """Segments of the same name are replaced, rules left out, all else kept."""
    content = msgspec.json.encode({
        "cart": {"idle_s": 7}, "segments": {"definitions": [VIEWERS, BUYERS]},
        "rules": {"definitions": [{"name": "a", "version": 1, "on": {"enters": "buyers"}}]}})
    other = {**BUYERS, "version": 2}
    made = json.loads(proposed(content, definitions(other)))
    assert [other, VIEWERS] == made["segments"]["definitions"]
    assert ({"idle_s": 7}, None) == (made["cart"], made.get("rules"))


# -- the command -----------------------------------------------------------------------------------


def run(bootstrap: str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(footfall, ["segments", *map(str, arguments)], env={
        "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": bootstrap})


@pytest.fixture
def bootstrap(footfall_topics: str, shop: Shop) -> str:
    """A changelog that holds the shop's customers, on the partitions that they belong to."""
    producer = Producer({"bootstrap.servers": footfall_topics, "partitioner": "murmur2_random"})
    for key, value in shop.log.records().items():
        producer.produce(CHANGELOG, value, key)
    for partition in range(4):
        producer.produce(CHANGELOG, state_of(shop).encode(), PARTITION_KEY, partition)
    assert 0 == producer.flush(30)
    return footfall_topics


@pytest.mark.kafka
def test_the_commands_over_a_real_changelog(bootstrap: str, tmp_path: Path) -> None:
    """As of now, so that the shop's windows are empty and its orders are not."""
    file = tmp_path / "new.yaml"
    file.write_text(json.dumps(definitions(
        {"name": "quiet", "version": 1, "if": counts("Product Viewed", "24h", equals=0)},
        {"name": "sharers", "version": 1, "if": counts("Product Shared", "7d", at_least=1)})))
    result = run(bootstrap, "count")
    assert 0 == result.exit_code, result.exception
    assert ["viewers: 0 of 40 customers (0.0 %)", "buyers: 20 of 40 customers (50.0 %)"] == (
        result.stdout.splitlines())

    result = run(bootstrap, "count", "--file", file)
    assert ["quiet: 40 of 40 customers (100.0 %)", "sharers: 0 of 40 customers (0.0 %)"] == (
        result.stdout.splitlines())
    assert ["sharers: not counted yet, taken as empty: count of Product Shared over 7d. Counting "
            "begins when it is applied"] == result.stderr.splitlines()
    shown = json.loads(run(bootstrap, "count", "sharers", "--file", file, "--json").stdout)
    assert 40 == shown["customers"]
    assert [{"segment": "sharers", "members": 0, "percent": "0.0",
             "uncounted": ["count of Product Shared over 7d"]}] == shown["segments"]

    lines = run(bootstrap, "sample", "buyers", "--limit", "3").stdout.splitlines()
    assert "3 of 20 customers of buyers" == lines[-1]
    assert all("user_id:user " in line for line in lines[:-1])
    lines = run(bootstrap, "sample", "buyers", "--limit", "3", "--role", "marketer").stdout
    assert "user_id:(masked)" in lines
    assert "user 2" not in lines
    shown = json.loads(run(bootstrap, "sample", "buyers", "--json").stdout)
    assert (20, 20) == (shown["members"], len(shown["sample"]))

    lines = run(bootstrap, "overlap", "buyers", "quiet", "--file", file).stdout.splitlines()
    assert "both: 20, only buyers: 0, only quiet: 20, of 40 customers" == lines[-1]
    shown = json.loads(run(bootstrap, "overlap", "buyers", "viewers", "--json").stdout)
    assert (0, 20, 0) == (shown["both"], shown["only_a"], shown["only_b"])


@pytest.mark.kafka
def test_a_file_that_cannot_be_applied_names_its_line(bootstrap: str, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text("segments:\n  definitions:\n    - name: new\n      version: 1\n"
                    "      if: {segment: nobody}\n")
    result = run(bootstrap, "count", "--file", file)
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(
        f"{file}:5: [segments] definitions[0].if.segment: there is no segment 'nobody'; known: ")


def test_without_a_broker_the_commands_say_so() -> None:
    result = run("127.0.0.1:1", "count")
    assert "no broker answers at 127.0.0.1:1" in str(result.exception)

"""Groups: who owns what, positions that a program would refuse, and for how long records wait."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition

from footfall.admin.cluster import admin_client
from footfall.admin.groups import Group, group
from footfall.admin.scan import Span
from footfall.doctor.groups import (
    DELIVERY,
    WORKERS,
    ages,
    behind,
    delivery,
    members,
    positions,
    spans,
    workers,
)
from footfall.events.topics import APP_ID, DELIVERIES, INTERACTIONS
from footfall.settings import Settings
from tests.system.topics import until
from tests.system.workers import Workers


def of(*own: set[int], state: str = "STABLE") -> Group:
    return Group(state, {f"m{n}": frozenset(one) for n, one in enumerate(own)}, {})


@pytest.mark.parametrize(("found", "told"), [
    (of({0, 1}, {2, 3}), [("members", "ok")]), (of(), [("members", "warning")]),
    (of({0, 1}, {2}), [("members", "ok"), ("owners", "error")]),
    (of(set(), state="PREPARING_REBALANCING"), [("members", "ok"), ("owners", "warning")])])
def test_partitions_without_an_owner_are_told(found: Group, told: list[tuple[str, str]]) -> None:
    """Not while they are given out anew."""
    looked = list(members(WORKERS, found, 4))
    assert told == [(one.subject, one.status) for one in looked]
    if ("owners", "error") in told:
        assert [3] == looked[1].details["unowned"]
        assert "nobody owns partitions 3" in looked[1].found


@pytest.mark.parametrize(("at", "text"), [
    (9, "the log begins at offset 10, the state ends at 9: 1 records are gone"), (10, ""),
    (20, ""), (21, "the log ends at offset 20, the state at 21: the broker forgot records")])
def test_a_position_that_will_be_refused_is_told_in_the_words_of_the_refusal(at: int, text: str
                                                                             ) -> None:
    """With what accepts the loss of each program."""
    for about, accepts in ((WORKERS, "footfall worker --accept-gap"),
                           (DELIVERY, "FOOTFALL_ACCEPT_GAP=true footfall delivery")):
        found = list(positions(about, {3: at, 99: 5}, {3: Span(10, 20)}))
        assert ([f"partition 3: {text}"] if text else []) == [one.found for one in found]
        assert all(one.status == "error" for one in found)
        if "begins" in text:
            assert accepts in found[0].change


@pytest.mark.parametrize(("records", "seconds", "status"), [
    (0, {}, "ok"), (10_000, {0: 60.0}, "ok"), (10_001, {0: 1.0}, "warning"),
    (3, {0: 61.0}, "warning")])
def test_a_lag_is_much_by_records_or_by_time(
        records: int, seconds: dict[int, float], status: str) -> None:
    one = behind(WORKERS, {0: records, 1: 0}, seconds)
    assert (status, bool(one.change)) == (one.status, status != "ok")
    assert {"0": records, "1": 0} == one.details["partitions"]


@pytest.mark.kafka
def test_it_is_known_since_when_records_wait(footfall_topics: str) -> None:
    """Within a few per cent, by questions of time alone; of what is not there nothing is said."""
    admin = admin_client(footfall_topics)
    producer = Producer({"bootstrap.servers": footfall_topics})

    def send() -> tuple[float, float]:
        """Between which it was appended."""
        before = time.time()
        producer.produce(INTERACTIONS, b"x", partition=0)
        assert 0 == producer.flush(30)
        return before, time.time()

    first_before, first = send()
    time.sleep(3)
    second_before, _second = send()
    asked = time.time()
    found = ages(admin, INTERACTIONS, {0: 0, 1: 0})
    assert {0} == found.keys()
    assert asked - first <= found[0] + 0.05 and found[0] <= 1.1 * (
        time.time() - first_before) + 0.2
    newer = ages(admin, INTERACTIONS, {0: 1})[0]
    assert newer <= 1.1 * (time.time() - second_before) + 0.2 and newer < found[0]


@pytest.mark.kafka
def test_a_real_group_is_told_with_what_its_log_has_lost(
        footfall_topics: str, tmp_path: Path) -> None:
    """A worker stops, records come and go by retention: its next start would be refused."""
    settings = Settings(kafka_bootstrap_servers=footfall_topics, partitions=4)
    admin = admin_client(footfall_topics)
    producer = Producer({"bootstrap.servers": footfall_topics})
    own = Workers(footfall_topics, tmp_path)

    def send(records: int) -> None:
        for _ in range(records):
            producer.produce(INTERACTIONS, b"x", partition=2)
        assert 0 == producer.flush(30)

    try:
        worker = own.start(rejected_ratio_max=1).until_ready()
        send(5)
        until(lambda: group(admin, footfall_topics, APP_ID, INTERACTIONS).committed.get(2) == 5, 90)
        found = {one.subject: one for one in workers(settings)}
        assert {"members", "lag"} == found.keys()
        [mine] = found["members"].details["members"].values()
        assert [0, 1, 2, 3] == mine
        assert 0 == worker.stop()
    finally:
        own.end()
    send(3)
    admin.delete_records([TopicPartition(INTERACTIONS, 2, 7)])[
        TopicPartition(INTERACTIONS, 2, 7)].result(30)
    assert Span(7, 8) == spans(admin, INTERACTIONS)[2]
    found = {one.subject: one for one in workers(settings)}
    assert "warning" == found["members"].status
    assert ("error", {"partition": 2, "committed": 5, "begins": 7}) == (
        found["position"].status, found["position"].details)
    assert "2 records are gone" in found["position"].found


@pytest.mark.kafka
def test_it_is_told_whether_anybody_delivers_and_how_far_behind(
        footfall_topics: str, workers_of_doctor: Workers, tmp_path: Path) -> None:
    """Without routes nobody has to; with them the group's members and its lag are told."""
    producer = Producer({"bootstrap.servers": footfall_topics})
    for _ in range(3):
        producer.produce(DELIVERIES, b"poison", partition=1)
    assert 0 == producer.flush(30)
    routes = tmp_path / "routes.yaml"
    routes.write_text("destinations:\n  own: {channel: kafka, purpose: necessary, topic: own}\n"
                      "routes:\n  - {triggers: cart_abandoned, to: own}\n")

    def looked(path: str) -> list[tuple[str, str, dict[str, int]]]:
        settings = Settings(kafka_bootstrap_servers=footfall_topics, partitions=4, routes=path)
        return [(f.subject, f.status, f.details.get("partitions", {}))
                for f in delivery(settings)]

    assert [("", "ok", {})] == looked("")
    assert [("members", "warning", {}),
            ("lag", "ok", {"0": 0, "1": 3, "2": 0, "3": 0})] == looked(str(routes))

    workers_of_doctor.start(program=("-m", "footfall", "delivery"), routes=routes,
                            rejected_ratio_max=1).until_ready()
    deadline = time.monotonic() + 90
    while any(looked(str(routes))[-1][2].values()):
        assert time.monotonic() < deadline
    assert [("members", "ok"), ("lag", "ok")] == [found[:2] for found in looked(str(routes))]

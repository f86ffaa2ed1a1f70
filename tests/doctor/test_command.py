"""`footfall doctor` finds what is wrong, says what to change, ends in time, shows no secret."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from footfall.admin.cluster import admin_client
from footfall.admin.topics import ensure
from footfall.doctor import (
    brokers,
    groups,
    machine,
    programs,
    registry,
    topics,
    versions,
    view,
)
from footfall.doctor.findings import Finding, examine, is_well
from footfall.doctor.settings import configured
from footfall.errors import SettingsError
from footfall.events.topics import DELIVERIES, INTERACTIONS, TRIGGERS
from footfall.settings import ApiKeySettings, Given, Settings, SourceSettings
from footfall.tables.stored import PartitionState
from footfall.up.ports import HOST, free_port
from footfall.view import entry
from footfall.view.store import Store
from tests.redis_server import RedisServer
from tests.services import delete_topics
from tests.system.workers import CUSTOMER_KEY_SECRET, SYSTEM_SECRET, Workers

SECRETS = {"FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET,
           "FOOTFALL_SYSTEM_SECRET": SYSTEM_SECRET,
           "FOOTFALL_API_KEY": "a key that may read",
           "FOOTFALL_WRITE_KEYS": "web:a-key-that-may-send"}
NOTHING = Given("", frozenset(), frozenset())
#: The time limit of its probes, and what Python takes to start and load.
ENDS_S_MAX = 30.0


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "footfall", "doctor", *arguments], cwd=folder, capture_output=True,
        text=True, timeout=60, check=False, env={**os.environ, **SECRETS, **variables})


class Report:
    """What `doctor --json` said."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        document = json.loads(done.stdout)
        self.ok: bool = document["ok"]
        self.findings: list[dict[str, Any]] = document["findings"]

    def of(self, area: str, subject: str) -> dict[str, Any]:
        (found,) = [f for f in self.findings
                    if f["area"] == area and f["subject"].startswith(subject)]
        return found

    def bad(self) -> set[tuple[str, str, str]]:
        return {(f["area"], f["subject"], f["status"]) for f in self.findings
                if f["status"] != "ok"}


# -- a cluster -------------------------------------------------------------------------------------


@pytest.mark.kafka
def test_with_all_of_it_running_nothing_is_wrong(
        footfall_topics: str, workers_of_doctor: Workers, tmp_path: Path) -> None:
    """And the lag of each partition is told, before a worker and after."""
    producer = Producer({"bootstrap.servers": footfall_topics})
    for n in range(7):
        producer.produce(INTERACTIONS, b"poison", partition=n % 2)
    assert 0 == producer.flush(10)
    port = free_port()
    variables = {"FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": footfall_topics, "FOOTFALL_PARTITIONS": "4",
                 "FOOTFALL_HTTP_PORT": str(free_port()),
                 "FOOTFALL_WORKER_URLS": f"http://{HOST}:{port}"}

    before = Report(run(tmp_path, "--json", **variables))
    assert (1, False) == (before.code, before.ok)
    assert {"0": 4, "1": 3, "2": 0, "3": 0} == before.of("workers", "lag")["details"]["partitions"]
    assert ("workers", "members", "warning") in before.bad()
    assert ("workers", f"http://{HOST}:{port} ({HOST})", "error") in before.bad()

    worker = workers_of_doctor.start(
        metrics_port=port, api_key=SECRETS["FOOTFALL_API_KEY"], rejected_ratio_max=1).until_ready()
    deadline = time.monotonic() + 20
    while True:
        after = Report(run(tmp_path, "--json", **variables))
        if not any(after.of("workers", "lag")["details"]["partitions"].values()):
            break
        assert time.monotonic() < deadline, after.findings
    # No collector runs here.
    assert {("collector", f"http://{HOST}:{variables['FOOTFALL_HTTP_PORT']}", "warning")
            } == after.bad()
    assert (0, True) == (after.code, after.ok)
    assert "1 in group footfall" == after.of("workers", "members")["found"]
    assert "ready, 4 partitions" == after.of("workers", "http")["found"]
    assert after.of("topics", "all")["found"].startswith("6,")

    other = Report(run(tmp_path, "--json", **{**variables, "FOOTFALL_API_KEY": "another"}))
    assert "does not take this API key" in {f["found"] for f in other.findings}
    people = run(tmp_path, **variables)
    assert 0 == people.returncode
    for said in ("ready, 4 partitions", "0 errors, 1 warnings", "-> start `footfall collector`"):
        assert said in people.stdout
    for secret in SECRETS.values():
        assert (secret.partition(":")[2] or secret) not in people.stdout + people.stderr
    assert 0 == worker.stop()


@pytest.fixture
def workers_of_doctor(footfall_topics: str, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(footfall_topics, tmp_path)
    yield made
    made.end()


@pytest.mark.kafka
def test_it_is_told_whether_anybody_delivers_and_how_far_behind(
        footfall_topics: str, workers_of_doctor: Workers, tmp_path: Path) -> None:
    """Without routes nobody has to; with them the group's members and its lag are told."""
    producer = Producer({"bootstrap.servers": footfall_topics})
    for _ in range(3):
        producer.produce(DELIVERIES, b"poison", partition=1)
    assert 0 == producer.flush(10)
    routes = tmp_path / "routes.yaml"
    routes.write_text("destinations:\n  own: {channel: kafka, purpose: necessary, topic: own}\n"
                      "routes:\n  - {triggers: cart_abandoned, to: own}\n")

    def looked(path: str) -> list[tuple[str, str, dict[str, int]]]:
        settings = Settings(kafka_bootstrap_servers=footfall_topics, partitions=4, routes=path)
        return [(f.subject, f.status, f.details.get("partitions", {}))
                for f in groups.delivery(settings)]

    assert [("", "ok", {})] == looked("")
    assert [("members", "warning", {}),
            ("lag", "ok", {"0": 0, "1": 3, "2": 0, "3": 0})] == looked(str(routes))

    workers_of_doctor.start(program=("-m", "footfall", "delivery"), routes=routes,
                            rejected_ratio_max=1).until_ready()
    deadline = time.monotonic() + 20
    while any(looked(str(routes))[-1][2].values()):
        assert time.monotonic() < deadline
    assert [("members", "ok"), ("lag", "ok")] == [found[:2] for found in looked(str(routes))]


@pytest.mark.kafka
def test_topics_that_are_missing_or_wrong_are_errors(kafka: str, tmp_path: Path) -> None:
    """Each with the command that mends it."""
    settings = Settings(kafka_bootstrap_servers=kafka, partitions=2)
    delete_topics(kafka)
    missing = list(topics.topics(settings))
    assert not is_well(missing)
    assert {"`footfall topics create` makes it"} == {f.change for f in missing if f.change}

    ensure(kafka, 2, 1)
    resource = ConfigResource(ResourceType.TOPIC, INTERACTIONS, incremental_configs=[ConfigEntry(
        "cleanup.policy", "compact", incremental_operation=AlterConfigOpType.SET)])
    admin = admin_client(kafka)
    admin.incremental_alter_configs([resource])[resource].result(10)
    wrong = list(topics.topics(settings))
    assert [(INTERACTIONS, "error"), ("seen", "ok")] == [(f.subject, f.status) for f in wrong]
    assert wrong[0].change.startswith("kafka-configs.sh ") and wrong[0].change.endswith(
        f"--entity-name {INTERACTIONS} --add-config cleanup.policy=delete")
    assert "cleanup.policy=delete" == wrong[0].wanted
    assert TRIGGERS not in wrong[0].found


@pytest.mark.kafka
def test_the_release_of_a_broker_is_told(kafka: str) -> None:
    """As far as Kafka's protocol tells it."""
    (found,) = [f for f in brokers.brokers(Settings(kafka_bootstrap_servers=kafka))
                if "fetch_version" in f.details]
    assert found.found.startswith(("Kafka ", "older than"))
    assert found.status == ("ok" if found.found.startswith("Kafka") else "warning")


def test_a_registry_without_our_subjects_is_told(registry_url: str) -> None:
    """And nothing is registered by looking."""
    settings = Settings(schema_registry_url=registry_url.replace("http://", "http://me:secret@"))
    for _ in range(2):
        found, release = list(registry.registry(settings))
        assert ("release", "ok") == (release.subject, release.status)
        assert found.area == "registry" and found.status in ("ok", "warning")
        assert "secret" not in str(found)
        if found.status == "warning":
            assert "footfall schemas register" == found.change


# -- nothing answers -------------------------------------------------------------------------------


def test_with_nothing_running_it_says_what_to_start(tmp_path: Path) -> None:
    """Exit code 1, at once."""
    report = Report(run(tmp_path, "--json", FOOTFALL_HTTP_PORT=str(free_port()),
                        FOOTFALL_KAFKA_BOOTSTRAP_SERVERS=f"{HOST}:{free_port()}"))
    assert (1, False) == (report.code, report.ok)
    assert "no broker answers" in report.of("kafka", "brokers")["found"]
    assert all(f["change"] for f in report.findings if f["status"] != "ok")


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server((HOST, 0), backlog=100) as server:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield server.getsockname()[1]
        for connection in held:
            connection.close()


def test_it_ends_in_time_when_everything_hangs(silent: int, tmp_path: Path) -> None:
    """Broker, registry, collector and worker take the connection and never answer."""
    began = time.monotonic()
    report = Report(run(
        tmp_path, "--json", FOOTFALL_KAFKA_BOOTSTRAP_SERVERS=f"{HOST}:{silent}",
        FOOTFALL_SCHEMA_REGISTRY_URL=f"http://{HOST}:{silent}", FOOTFALL_HTTP_PORT=str(silent),
        FOOTFALL_WORKER_URLS=f"http://{HOST}:{silent}"))

    assert time.monotonic() - began < ENDS_S_MAX
    assert {"kafka", "registry", "workers"} <= {f["area"] for f in report.findings
                                                if f["status"] == "error"}


def test_a_probe_that_hangs_or_fails_is_a_finding_and_holds_up_nobody() -> None:
    """In the order in which they were given."""
    never = threading.Event()

    def hangs() -> list[Finding]:
        never.wait(60)
        return []

    def fails() -> list[Finding]:
        raise OSError("no route")

    began = time.monotonic()
    found = examine([("a", hangs), ("b", fails),
                     ("c", lambda: [Finding("c", "", "ok", "well")])], 0.3)
    never.set()

    assert time.monotonic() - began < 5
    assert [("a", "error"), ("b", "error"), ("c", "ok")] == [(f.area, f.status) for f in found]
    assert "0.3 s" in found[0].found and "no route" in found[1].found


# -- this installation -----------------------------------------------------------------------------


def test_a_bad_setting_is_a_finding(tmp_path: Path) -> None:
    """It names itself; versions are told all the same."""
    report = Report(run(tmp_path, "--json", FOOTFALL_HTTP_PROT="1"))
    assert 1 == report.code
    assert "FOOTFALL_HTTP_PROT" in report.of("settings", "")["found"]
    assert "ok" == report.of("versions", "python")["status"]


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither in text nor in JSON, of whatever setting."""
    url = "http://me:a-password@127.0.0.1:1"
    for arguments in ((), ("--json",)):
        done = run(tmp_path, *arguments, FOOTFALL_SCHEMA_REGISTRY_URL=url)
        for secret in (CUSTOMER_KEY_SECRET, SYSTEM_SECRET, "a key that may read",
                       "a-key-that-may-send", "a-password"):
            assert secret not in done.stdout + done.stderr
        assert "web: set" in done.stdout


@pytest.mark.parametrize(("change", "subject", "status"), [
    ({"customer_key_secret": None}, "customer_key_secret", "error"),
    ({"system_secret": None}, "system_secret", "error"),
    ({"write_keys": {}}, "write_keys", "warning"),
    ({"api_key": ""}, "api_key", "warning"),
    ({"customer_key_secret": "s" * 16}, "system_secret", "error"),
    ({"api_key": "s" * 16}, "system_secret", "error"),
    ({"write_keys": {}, "sources": {"web": SourceSettings(write_keys=["w"])}}, "", ""),
    ({"sources": {"web": SourceSettings(write_keys=["s" * 16])}}, "system_secret", "error"),
    ({"write_keys": {"web": "w " + "s" * 16}}, "system_secret", "error"),
    ({"metrics_host": "0.0.0.0"}, "metrics_host", "warning"),  # noqa: S104
    ({"http_host": "10.0.0.1"}, "http_host", "warning"),
    ({}, "", "")])
def test_settings_that_are_missing_or_dangerous(
        change: dict[str, Any], subject: str, status: str) -> None:
    """One finding each, with the variable to set."""
    given = {"customer_key_secret": "c" * 16, "system_secret": "s" * 16,
             "write_keys": {"web": "w"}, "api_key": "a", **change}
    found = configured(Settings(**given), "", NOTHING)
    bad = [f for f in found if f.status != "ok"]
    assert ([(subject, status)] if subject else []) == [(f.subject, f.status) for f in bad]
    assert all(f.change for f in bad)


def test_keys_of_sources_are_never_shown() -> None:
    sources = {"web": SourceSettings(write_keys=["canary-1", "canary-2"])}
    text = str(list(configured(Settings(sources=sources), "", NOTHING)))
    assert "canary" not in text
    assert "web: 2 keys" in text


def test_api_keys_and_the_password_of_redis_are_never_shown() -> None:
    """Names and roles are; a system secret that is also an API key is an error."""
    settings = Settings(
        api_keys={"desk": ApiKeySettings(role="support", keys=["canary-1", "s" * 16])},
        redis_url="redis://me:canary-2@redis:6379", system_secret="s" * 16)
    found = list(configured(settings, "", NOTHING))
    assert "desk: support, 2 keys" in str(found) and "redis://redis:6379" in str(found)
    assert "canary" not in str(found)
    assert [("system_secret", "error")] == [(f.subject, f.status) for f in found
                                            if f.status == "error" and "also" in f.found]


def test_the_served_view_is_looked_at(own_redis: Callable[..., RedisServer]) -> None:
    """Whether it answers, keeps what it is given, has all partitions, and how old it is."""
    def looked(**settings: Any) -> list[tuple[str, str]]:
        found = list(view.view(Settings(partitions=2, **settings)))
        assert all(f.found.startswith("Redis ") for f in found if f.subject == "release")
        return [(f.subject, f.status) for f in found if f.subject != "release"]

    async def mark(at: int) -> None:
        store = Store(redis.url)
        await store.begin()
        for number in range(2):
            (held,) = await store.marks([number])
            said = entry.mark(0, PartitionState(), at, None)
            await store.mark([(number, held[: entry.HEAD_BYTES], entry.encode_mark(said))])
        await store.close()

    redis = own_redis()
    assert [("redis", "ok")] == looked()
    assert [("partitions", "warning")] == looked(redis_url=redis.url)
    asyncio.run(mark(int(time.time() * 1000) - 120_000))
    assert [("partitions", "warning")] == looked(redis_url=redis.url)
    asyncio.run(mark(int(time.time() * 1000)))
    assert [("partitions", "ok")] == looked(redis_url=redis.url)
    redis.client().config_set("maxmemory-policy", "allkeys-lru")
    assert [("redis", "warning"), ("partitions", "ok")] == looked(redis_url=redis.url)
    redis.kill()
    assert [("redis", "error")] == looked(redis_url=redis.url)


def test_packages_are_held_against_those_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version is a warning, a missing one an error, one of an extra nothing."""
    have = {"footfall": "0.1.0", "msgspec": "0.0.1"}

    def version(name: str) -> str:
        if name not in have:
            raise importlib.metadata.PackageNotFoundError(name)
        return have[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "requires", lambda _name: [
        "msgspec==0.22.0", 'click==8.3.3; extra == "server"', 'noida-db==0.2.3; extra == "demo"',
        'footfall[server]; extra == "demo"', 'mypy==2; extra == "dev"'])

    found = list(versions.versions())

    assert {("msgspec", "warning"), ("click", "error")} == {
        (f.subject, f.status) for f in found if f.status != "ok"}
    assert {"compiled", "interpreted"} > {f.found for f in found if f.subject == "engine"}
    assert {"footfall": "0.1.0", "msgspec": "0.0.1", "click": None, "noida-db": None} == next(
        f.details for f in found if f.subject == "packages")


@pytest.mark.parametrize(("free", "status"), [
    (99 << 20, "error"), (101 << 20, "warning"), (1 << 30, "ok")])
def test_a_full_disk_is_told_before_it_is_full(
        free: int, status: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the folder that will be made, too."""
    class Usage:
        def __init__(self) -> None:
            self.free = free

    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: Usage())
    settings = Settings(data_dir=str(tmp_path / "not" / "yet"))
    disk = next(f for f in machine.machine(settings) if f.subject == "disk")
    assert (status, free) == (disk.status, disk.details["free_bytes"])
    assert not (tmp_path / "not").exists()


def test_a_program_that_is_not_there_says_nothing() -> None:
    """Nor one that fails."""
    assert "" == machine.said("no-such-program-of-ours")
    assert "" == machine.said("false")
    assert machine.said(sys.executable, "--version").startswith("Python 3")


def test_a_bad_worker_url_is_a_finding() -> None:
    """The others are looked at all the same."""
    settings = Settings(worker_urls="worker:9101")
    with pytest.raises(SettingsError):
        list(programs.workers(settings))
    (found,) = examine([("workers", lambda: list(programs.workers(settings)))])
    assert "FOOTFALL_WORKER_URLS" in found.found

"""`footfall doctor` finds what is wrong, says what to change, ends in time, shows no secret."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from footfall.events.topics import INTERACTIONS
from footfall.up.ports import HOST, free_port
from tests.system.workers import CUSTOMER_KEY_SECRET, SYSTEM_SECRET, Workers

SECRETS = {"FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET,
           "FOOTFALL_SYSTEM_SECRET": SYSTEM_SECRET,
           "FOOTFALL_API_KEY": "a key that may read",
           "FOOTFALL_WRITE_KEYS": "web:a-key-that-may-send"}
#: The time limit of its probes, and what Python takes to start and load.
ENDS_S_MAX = 60.0


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "footfall", "doctor", *arguments], cwd=folder, capture_output=True,
        text=True, timeout=120, check=False, env={**os.environ, **SECRETS, **variables})


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
    assert 0 == producer.flush(30)
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
    deadline = time.monotonic() + 90
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

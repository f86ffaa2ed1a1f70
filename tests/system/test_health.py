"""Every program, running for real: alive, ready by parts, and nothing of a customer in either."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import AdminClient

from footfall.admin.topics import ensure
from footfall.cli import footfall
from footfall.events.topics import REJECTED
from footfall.up.ports import HOST, free_port
from tests.system.topics import until
from tests.system.workers import CUSTOMER_KEY_SECRET, SYSTEM_SECRET, Workers

pytestmark = pytest.mark.kafka

SEEN_S_MAX = 120.0
KEY = "a-write-key-for-tests"
API_KEY = "an API key for tests"
PARTS = {
    "collector": {"accepting", "log"},
    "worker": {"partitions", "group", "clock"},
    "delivery": {"partitions", "group", "clock", "log", "destinations", "view"},
    "archive": {"log", "target"},
}
ROUTES = """
destinations: {crm: {channel: kafka, purpose: necessary, topic: canary-topic}}
routes: [{triggers: [cart_abandoned], to: [crm]}]
"""
CANARY = {"type": "track", "userId": "canary-user", "event": "Product Added", "messageId": "c-1",
          "context": {"traits": {"email": "canary@example.com"}, "ip": "203.0.113.77"},
          "properties": {"product_id": "canary-product", "price": "9.90", "currency": "EUR"}}


def asked(port: int, path: str) -> tuple[int, str]:
    """(status, body); status 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def send(port: int, item: dict[str, Any]) -> int:
    request = urllib.request.Request(
        f"http://{HOST}:{port}/v1/batch", json.dumps({"batch": [item]}).encode(),
        {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def is_well(port: int) -> bool:
    status, text = asked(port, "/readyz")
    return status == 200 and all(part["ok"] for part in json.loads(text)["parts"].values())


@pytest.fixture
def ports(workers: Workers, tmp_path: Path) -> dict[str, int]:
    """All four programs on the shared broker, ready, and all their parts well."""
    (tmp_path / "routes.yaml").write_text(ROUTES)
    found = {name: free_port() for name in PARTS}
    for name, port in found.items():
        program = ("archive", "run") if name == "archive" else (name,)
        workers.start(program=("-m", "footfall", *program), **{
            ("http_port" if name == "collector" else "metrics_port"): port,
            "routes": tmp_path / "routes.yaml", "write_keys": f"web:{KEY}", "api_key": API_KEY,
            "archive_target": tmp_path / "archive", "archive_file_age_s_max": 1})
    for name, port in found.items():
        until(partial(is_well, port), SEEN_S_MAX, name)
    return found


def test_all_programs_tell_their_parts_and_nothing_of_a_customer(ports: dict[str, int]) -> None:
    """Before and after a customer went through all of them."""
    assert 200 == send(ports["collector"], CANARY)
    until(lambda: 'footfall_processed_total{type="track"} 1.0' in asked(
        ports["worker"], "/metrics")[1], SEEN_S_MAX, "it is processed")
    until(lambda: "footfall_archived_records_total 0.0" not in asked(
        ports["archive"], "/metrics")[1], SEEN_S_MAX, "it is archived")
    for name, port in ports.items():
        assert (200, '{"status":"alive"}') == asked(port, "/healthz")
        status, text = asked(port, "/readyz")
        said = json.loads(text)
        assert (200, "ready", PARTS[name]) == (status, said["status"], set(said["parts"])), name
        assert {True} == {part["ok"] for part in said["parts"].values()}, said
        assert all(part["reason"] for part in said["parts"].values())
        for place in (text, asked(port, "/metrics")[1]):
            for secret in ("canary", "203.0.113.77", CUSTOMER_KEY_SECRET, KEY, API_KEY):
                assert secret not in place, (name, secret)
    said = json.loads(asked(ports["worker"], "/readyz")[1])
    assert [0, 1, 2, 3] == said["partitions"]
    assert abs(said["broker_clock_ahead_s"]) < 60


def test_doctor_finds_all_of_them_well(
        ports: dict[str, int], footfall_topics: str, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """And says of each where it stands; nothing of a customer, nor a secret, in all of it."""
    monkeypatch.chdir(tmp_path)
    assert 200 == send(ports["collector"], CANARY)
    urls = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
    given = {
        "kafka_bootstrap_servers": footfall_topics, "partitions": 4, "api_key": API_KEY,
        "customer_key_secret": CUSTOMER_KEY_SECRET, "system_secret": SYSTEM_SECRET,
        "write_keys": f"web:{KEY}", "http_port": ports["collector"], "session_timeout_s": 6,
        "worker_urls": urls["worker"], "delivery_urls": urls["delivery"],
        "archive_urls": urls["archive"], "routes": tmp_path / "routes.yaml",
        "archive_target": tmp_path / "archive"}
    for name, value in given.items():
        monkeypatch.setenv(f"FOOTFALL_{name.upper()}", str(value))

    found = CliRunner().invoke(footfall, ["doctor", "--json"])

    document = json.loads(found.stdout)
    assert [] == [one for one in document["findings"] if one["status"] != "ok"]
    assert (0, True) == (found.exit_code, document["ok"])
    ready = {one["area"] for one in document["findings"] if one["found"].startswith("ready")}
    assert PARTS.keys() == {{"workers": "worker"}.get(area, area) for area in ready}
    clocks = [one["subject"].split(" ")[0] for one in document["findings"]
              if one["area"] == "clock"]
    assert {"broker", "brokers", "collector", "delivery", "worker"} == set(clocks)
    for secret in ("canary", "203.0.113.77", CUSTOMER_KEY_SECRET, SYSTEM_SECRET, KEY, API_KEY):
        assert secret not in found.stdout


def test_without_a_topic_a_collector_says_which_and_what_makes_it(
        footfall_topics: str, workers_of: Callable[[str], Workers]) -> None:
    """It is alive, is not ready, and becomes so by itself."""
    admin = AdminClient({"bootstrap.servers": footfall_topics})
    admin.delete_topics([REJECTED])[REJECTED].result(20)
    until(lambda: REJECTED not in admin.list_topics(timeout=10).topics, 20)
    port = free_port()
    workers_of(footfall_topics).start(program=("-m", "footfall", "collector"), http_port=port,
                                      write_keys=f"web:{KEY}")
    until(lambda: "topics create" in asked(port, "/readyz")[1], SEEN_S_MAX,
          "it says what is missing")
    status, text = asked(port, "/readyz")
    said = json.loads(text)
    assert (503, "log_unavailable", False) == (status, said["code"], said["parts"]["log"]["ok"])
    assert REJECTED in said["message"]
    assert 200 == asked(port, "/healthz")[0]

    ensure(footfall_topics, 4, 1)
    until(lambda: asked(port, "/readyz")[0] == 200, SEEN_S_MAX, "it is ready by itself")

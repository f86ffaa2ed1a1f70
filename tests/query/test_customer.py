"""`footfall customer` as a user runs it: workers that live, one that was killed, a wrong key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from footfall.errors import SettingsError
from footfall.events.admit import admit
from footfall.events.arrival import Admitted, Arrival
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.topics import CHANGELOG, INTERACTIONS
from footfall.up.ports import free_port
from footfall.view.workers import addresses
from tests.system.topics import read_all, until
from tests.system.workers import CUSTOMER_KEY_SECRET, Worker, Workers

API_KEY = "a key that may read"
KEYS = CustomerKeys(CUSTOMER_KEY_SECRET.encode())
SEEN_S_MAX = 90.0


class Setting:
    """A broker, workers that serve, and the command."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.workers = Workers(bootstrap, folder)
        self.urls: list[str] = []
        self._folder = folder

    def worker(self, **settings: object) -> Worker:
        port = free_port()
        self.urls.append(f"http://127.0.0.1:{port}")
        return self.workers.start(metrics_port=port, api_key=API_KEY, **settings).until_ready()

    def send(self, user: str, event: str, message_id: str, **properties: Any) -> None:
        item = json.dumps({"userId": user, "event": event, "messageId": message_id,
                           "properties": properties}).encode()
        admitted = admit(item, 0, Arrival("test", time.time_ns() // 1_000_000, "r", "track"), KEYS)
        assert isinstance(admitted, Admitted)
        producer = Producer({"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random"})
        producer.produce(INTERACTIONS, Codecs().interaction.encode(admitted.event), admitted.key)
        assert 0 == producer.flush(30)

    def run(self, *arguments: str, api_key: str = API_KEY) -> subprocess.CompletedProcess[str]:
        # FOOTFALL_PARTITIONS is left at its default: the topics' own number must count.
        return subprocess.run(
            [sys.executable, "-m", "footfall", "customer", *arguments], cwd=self._folder,
            capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
                 "FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET, "FOOTFALL_API_KEY": api_key,
                 "FOOTFALL_WORKER_URLS": ",".join(self.urls)})

    def shown(self, user: str) -> dict[str, Any] | None:
        """The document; None while there is none."""
        done = self.run(f"user_id:{user}", "--json")
        if done.returncode:
            assert 1 == done.returncode and "nothing is held" in done.stderr, done.stderr
            return None
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def until_shown(self, user: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def look() -> bool:
            document = self.shown(user)
            found[:] = [] if document is None else [document]
            return bool(found)

        until(look, SEEN_S_MAX, f"a document of {user}")
        return found[0]


@pytest.fixture
def setting(footfall_topics: str, tmp_path: Path) -> Iterator[Setting]:
    made = Setting(footfall_topics, tmp_path)
    yield made
    made.workers.end()


@pytest.mark.kafka
def test_a_customer_is_shown_live_before_the_next_checkpoint(setting: Setting) -> None:
    """From the one of two workers that owns it; nobody else, and no other key, gets it."""
    workers = [setting.worker(checkpoint_s=60) for _ in range(2)]
    for user in ("ann", "bob", "cid", "dan", "eve", "fay"):
        setting.send(user, "Product Added", f"m-{user}", product_id="p1", price="9.90", quantity=2,
                     currency="EUR")
    seen = {"ann": setting.until_shown("ann")}
    # Asked at once: six runs of the command may take a minute, and the next checkpoint comes.
    keys = {entry.key for entry in read_all(setting.bootstrap, CHANGELOG)}
    assert KEYS.of("user_id", "ann") not in keys, "no checkpoint had it yet"
    seen |= {user: setting.until_shown(user) for user in ("bob", "cid", "dan", "eve", "fay")}

    assert set(setting.urls) == {s["source"]["url"] for s in seen.values()}, "both workers answer"
    for user, shown in seen.items():
        assert "worker" == shown["source"]["kind"]
        assert KEYS.of("user_id", user).decode() == shown["customer_key"]
        (cart,) = shown["tables"]["cart"]["carts"]
        assert ("open", {"EUR": "19.8"}) == (cart["state"], cart["value"])
        assert {"user_id": user} == shown["tables"]["identity"]["ids"]
        assert set(shown["timers"]) >= {"cart"}

    people = setting.run("user_id:ann")
    assert 0 == people.returncode, people.stderr
    for said in ("live, from the worker", "identity", "EUR 19.8", "p1", "open"):
        assert said in people.stdout
    refused = setting.run("user_id:ann", api_key="another key")
    assert (1, "") == (refused.returncode, refused.stdout)
    assert "FOOTFALL_API_KEY" in refused.stderr
    unknown = setting.run("user_id:nobody")
    assert (1, "") == (unknown.returncode, unknown.stdout)
    assert "footfall tail interactions" in unknown.stderr
    for worker in workers:
        for secret in ("ann", KEYS.of("user_id", "ann").decode(), API_KEY):
            assert not worker.says(secret)
        assert 0 == worker.stop()


@pytest.mark.kafka
def test_of_a_killed_worker_the_copy_is_shown_and_says_so(setting: Setting) -> None:
    """As of its last checkpoint, with what is not in it; what is newer is not made up."""
    worker = setting.worker()
    setting.send("ann", "Product Added", "m1", product_id="p1", price="5", quantity=1)
    live = setting.until_shown("ann")
    until(lambda: KEYS.of("user_id", "ann") in {
        e.key for e in read_all(setting.bootstrap, CHANGELOG)}, SEEN_S_MAX, "a checkpoint")
    worker.kill()
    setting.send("ann", "Product Added", "m2", product_id="p2", price="5", quantity=1)
    setting.send("bob", "Product Added", "m3", product_id="p1", price="5", quantity=1)

    copy = setting.shown("ann")
    assert copy is not None
    source = copy["source"]
    assert ("changelog", CHANGELOG, 1) == (
        source["kind"], source["topic"], copy["behind_records"])
    assert [{"url": setting.urls[0], "answer": "not_reached"}] == source["asked"]
    assert (live["watermark"], live["partition"], live["clock"], live["config_version"]) == (
        copy["watermark"], copy["partition"], copy["clock"], copy["config_version"])
    assert live["timers"] == copy["timers"]
    assert ["p1"] == [x["product_id"] for x in copy["tables"]["cart"]["carts"][0]["lines"]]
    people = " ".join(setting.run("user_id:ann").stdout.split())
    assert "1 records of the log are not in it yet" in people and "not_reached" in people
    assert setting.shown("bob") is None

    setting.worker()
    until(lambda: 0 == setting.until_shown("ann")["behind_records"], SEEN_S_MAX)
    again = setting.until_shown("ann")
    assert "worker" == again["source"]["kind"]
    assert ["p1", "p2"] == [
        x["product_id"] for x in again["tables"]["cart"]["carts"][0]["lines"]]


@pytest.mark.kafka
def test_a_copy_made_under_another_secret_is_refused(setting: Setting) -> None:
    """Nobody is called unknown because a secret was mistyped."""
    worker = setting.worker(customer_key_secret="the secret of the installation")
    setting.send("ann", "Product Added", "m1", product_id="p1", price="5", quantity=1)
    until(lambda: read_all(setting.bootstrap, CHANGELOG), SEEN_S_MAX, "a checkpoint")
    worker.kill()

    done = setting.run("user_id:ann")
    assert 1 == done.returncode
    assert "another FOOTFALL_CUSTOMER_KEY_SECRET" in done.stderr


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "footfall", "customer", *arguments],
                          env={**os.environ, **variables}, capture_output=True, text=True,
                          timeout=60, check=False)


@pytest.mark.parametrize("identifier", [
    "Email:a@b", "email:a", "phone:030", "user_id", "user_id:", ":x", "user_id:guest"])
def test_what_names_nobody_is_wrong_usage(identifier: str, tmp_path: Path) -> None:
    """Exit code 2, with the kinds there are."""
    done = run(identifier, "--data-dir", str(tmp_path))
    assert 2 == done.returncode
    assert "user_id" in done.stderr or "nobody in particular" in done.stderr


def test_without_a_secret_it_says_so(tmp_path: Path) -> None:
    """And how to give one."""
    done = run("user_id:u1", "--data-dir", str(tmp_path))
    assert 1 == done.returncode
    assert "FOOTFALL_CUSTOMER_KEY_SECRET" in done.stderr and "Traceback" not in done.stderr


def test_no_broker_and_no_worker_is_told(tmp_path: Path) -> None:
    """In a moment, with where to look."""
    done = run("user_id:u1", FOOTFALL_CUSTOMER_KEY_SECRET="x" * 16, FOOTFALL_API_KEY="k",
               FOOTFALL_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
               FOOTFALL_WORKER_URLS=f"http://127.0.0.1:{free_port()}")
    assert 1 == done.returncode
    assert "footfall doctor" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:9101", "https://worker:9101", "http://", "http://w:x"])
def test_a_bad_worker_url_names_its_setting(url: str) -> None:
    """And itself."""
    with pytest.raises(SettingsError, match="FOOTFALL_WORKER_URLS"):
        list(addresses(url))


def test_every_address_of_a_name_is_asked() -> None:
    """A name may stand for several workers; one that is unknown for none."""
    found = [(url.port, address) for url, address in
             addresses("http://127.0.0.1:9101, http://127.0.0.2:9102,http://no-such-name.invalid:1")]
    assert [(9101, "127.0.0.1"), (9102, "127.0.0.2")] == found

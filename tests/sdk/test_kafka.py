"""The SDK against the real collector and a real broker: what it counts as accepted is logged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from footfall import Client
from footfall.admin.topics import ensure
from footfall.errors import SettingsError
from footfall.events import amount
from footfall.events.codec import Codecs
from footfall.events.topics import INTERACTIONS, REJECTED
from tests.collector.test_kafka import PARTITIONS, read_all, running
from tests.sdk.collector import until
from tests.services import fresh_topics

pytestmark = pytest.mark.kafka

SECRET = "0123456789abcdef"
WHEN = datetime(2026, 11, 20, 12, 0, 0, 123_000, tzinfo=UTC)
CODECS = Codecs()


@contextmanager
def collecting(bootstrap: str, folder: Path) -> Iterator[str]:
    """A collector that is ready; its URL."""
    with running(bootstrap, folder) as (process, url):
        until(lambda: is_ready(url), 60)
        yield url
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def is_ready(url: str) -> bool:
    try:
        return urlopen(url + "/readyz", timeout=2).status == 200
    except (URLError, OSError):
        return False


def log(bootstrap: str) -> dict[str, tuple[int, bytes, Any]]:
    """messageId -> (partition, key, interaction)."""
    found = {}
    for partition, key, value in read_all(bootstrap, INTERACTIONS):
        event = CODECS.interaction.decode(value)
        assert event["message_id"] not in found
        found[event["message_id"]] = (partition, key, event)
    return found


def all_calls(client: Client) -> None:
    """One of each, and a bad one."""
    client.identify("u1", {"plan": "pro"}, timestamp=WHEN, message_id="1")
    client.track("u1", "Signed Up", {"n": 1}, {"ip": "8.8.8.8"}, WHEN, message_id="2")
    client.page("u1", "Docs", "Python", {"url": "x"}, timestamp=WHEN, message_id="3")
    client.screen(anonymous_id="a1", name="Home", timestamp=WHEN, message_id="4")
    client.group("u1", 7, {"name": "Initech"}, timestamp=WHEN, message_id="5")
    client.alias("old", "u1", timestamp=WHEN, message_id="6")
    client.consent("u1", {"email": False}, timestamp=WHEN, message_id="7")
    client.commerce.product_added("u1", product_id="p1", price=Decimal("9.90"), quantity=2,
                                  currency="EUR", cart_id="c1", timestamp=WHEN, message_id="8")
    client.track("u1", "Order Completed", {"total": "much"}, timestamp=WHEN, message_id="9")


def test_every_call_reaches_the_log(footfall_topics: str, tmp_path: Path) -> None:
    """With the right type, ids, traits, properties, time; a rejected one comes back with why."""
    told: list[tuple[str, str]] = []
    with collecting(footfall_topics, tmp_path) as url:
        with Client("wk_web", url, on_error=lambda error, items: told.append(
                (error.reason, items[0]["messageId"]))) as client:
            all_calls(client)
            assert client.flush()
            assert (8, {"amount_unreadable": 1}) == (
                client.counts().accepted, client.counts().dropped)
    assert [("amount_unreadable", "9")] == told
    found = {n: event for n, (_, _, event) in log(footfall_topics).items()}
    assert {str(n) for n in range(1, 9)} == found.keys()
    types = ["identify", "track", "page", "screen", "group", "alias", "track", "track"]
    assert types == [found[str(n)]["type"] for n in range(1, 9)]
    assert {int(WHEN.timestamp() * 1000)} == {e["event_time"] for e in found.values()}
    assert {"server"} == {e["channel"] for e in found.values()}
    personal = {n: json.loads(e["personal"]) for n, e in found.items()}
    assert {"plan": "pro"} == personal["1"]["traits"]
    assert ("u1", {"n": 1}, "8.8.8.8") == (
        personal["2"]["userId"], personal["2"]["properties"], personal["2"]["context"]["ip"])
    assert ("Python", "Docs") == (found["3"]["event"], personal["3"]["category"])
    assert "a1" == personal["4"]["anonymousId"]
    assert ("7", "Initech") == (personal["5"]["groupId"], personal["5"]["traits"]["name"])
    assert "old" == personal["6"]["previousId"]
    assert {"email": False} == personal["7"]["context"]["consent"]["categoryPreferences"]
    (line,) = found["8"]["commerce"]["lines"]
    assert ("c1", "p1", Decimal("9.90") * 10**9) == (
        found["8"]["commerce"]["cart_id"], line["product_id"], amount.from_bytes(line["price"]))
    rejected = [CODECS.rejected.decode(v) for _, _, v in read_all(footfall_topics, REJECTED)]
    assert ["amount_unreadable"] == [r["reason"] for r in rejected]


def kafka_client(bootstrap: str, **options: Any) -> Client:
    return Client(transport="kafka", bootstrap_servers=bootstrap, customer_key_secret=SECRET,
                  source="web", **options)


def test_straight_to_kafka_is_the_same_as_through_the_collector(
    footfall_topics: str, tmp_path: Path
) -> None:
    """Key, partition and envelope; but for the time of receipt and the batch's `sentAt`."""
    with collecting(footfall_topics, tmp_path) as url, Client("wk_web", url) as client:
        all_calls(client)
    through = log(footfall_topics)
    fresh_topics(footfall_topics)
    told: list[str] = []
    with kafka_client(footfall_topics, on_error=lambda e, _: told.append(e.reason)) as client:
        all_calls(client)
        assert client.flush(20)
        assert (8, ["amount_unreadable"]) == (client.counts().accepted, told)
    straight = log(footfall_topics)
    assert through.keys() == straight.keys()
    for name, (partition, key, event) in through.items():
        other_partition, other_key, other = straight[name]
        assert (partition, key) == (other_partition, other_key)
        mine, theirs = json.loads(other.pop("personal")), json.loads(event.pop("personal"))
        assert theirs.pop("sentAt")
        assert theirs == mine
        del event["received_at"], other["received_at"]
        assert event == other


def test_kafka_away_and_back(own_kafka: Callable[..., Any], tmp_path: Path) -> None:
    """Calls go on, nothing is lost, the order of a customer holds; copies have one messageId."""
    node = own_kafka()
    ensure(node.bootstrap, PARTITIONS, 1)
    with kafka_client(node.bootstrap, timeout=1.0, spool=tmp_path / "spool") as client:
        for n in range(50):
            client.track("u1", "before", {"n": n})
        assert client.flush(20)
        node.pause()
        began = time.monotonic()
        for n in range(50, 150):
            assert client.track("u1", "during", {"n": n}).success
        assert time.monotonic() - began < 6, "no call waits for the broker"
        assert not client.flush(3)
        node.resume()
        assert client.flush(90)
        assert (150, {}) == (client.counts().accepted, client.counts().dropped)
    first: dict[str, int] = {}
    for _, _, value in read_all(node.bootstrap, INTERACTIONS):
        event = CODECS.interaction.decode(value)
        first.setdefault(event["message_id"], json.loads(event["personal"])["properties"]["n"])
    assert [*range(150)] == list(first.values())


def test_a_fork_with_kafka(footfall_topics: str) -> None:
    """Parent and child each write with a producer of their own, and end."""
    done = subprocess.run([sys.executable, "-c", f"""
import os, sys
from footfall import Client
client = Client(transport="kafka", bootstrap_servers="{footfall_topics}",
                customer_key_secret="{SECRET}", source="web")
client.track("parent", "e")
assert client.flush(20)
pid = os.fork()
client.track("parent" if pid else "child", "e")
assert client.flush(20)
if pid:
    assert os.waitpid(pid, 0)[1] == 0
"""], check=False, timeout=90, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)
    users = [json.loads(e["personal"])["userId"] for _, _, e in log(footfall_topics).values()]
    assert ["child", "parent", "parent"] == sorted(users)


def test_kafka_needs_the_secret_of_the_installation() -> None:
    with pytest.raises(SettingsError, match="16 bytes"):
        Client(transport="kafka", bootstrap_servers="x:1", customer_key_secret="short", source="s")


TALKER = """
import sys
from footfall import Client
client = Client("wk_web", sys.argv[1], spool=sys.argv[2], upload_interval=0.05)
for n in range(1_000_000):
    assert client.track(f"u{n % 50}", str(n), message_id=f"m{n}").success
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


def test_app_and_collector_killed_under_load(footfall_topics: str, tmp_path: Path) -> None:
    """kill -9 of both; after both are back every call that returned is in the log."""
    spool = tmp_path / "spool"
    with running(footfall_topics, tmp_path) as (collector, url):
        until(lambda: is_ready(url), 60)
        with subprocess.Popen([sys.executable, "-c", TALKER, url, str(spool)],
                              stdout=subprocess.PIPE) as app:
            assert app.stdout is not None
            for line in app.stdout:
                if int(line) == 2_000:
                    os.kill(collector.pid, signal.SIGKILL)
                if int(line) == 4_000:
                    app.kill()
                    break
            calls = 4_001 + app.stdout.read().count(b"\n")
    with collecting(footfall_topics, tmp_path) as url, Client("wk_web", url, spool=spool) as client:
        assert client.flush(90)
        assert {} == client.counts().dropped
    found = {CODECS.interaction.decode(value)["message_id"]
             for _, _, value in read_all(footfall_topics, INTERACTIONS)}
    assert {f"m{n}" for n in range(calls)} <= found
    assert len(found) <= calls + 1

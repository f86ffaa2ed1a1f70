"""Unmodified SDKs of Segment and RudderStack against a live Footfall: every event in the log.

Each runs in a process of its own, set up as its documentation says, with only endpoint and key of
ours. What they really send is in no documentation; here it is what must arrive.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from footfall.events.codec import Codecs
from footfall.events.topics import INTERACTIONS, REJECTED
from tests.collector.test_kafka import read_all
from tests.sdk.test_kafka import collecting

pytestmark = pytest.mark.kafka

#: The same calls of all SDKs; Python's by module-level functions, Node's by objects, as documented.
CALLS = """
analytics.write_key = "wk_web"
when = datetime(2026, 11, 20, 12, 0, 0, 123000, tzinfo=timezone.utc)
analytics.identify("u1", {"email": "a@example.org", "plan": "pro"}, timestamp=when)
analytics.track("u1", "Product Added", {"product_id": "p1", "price": 9.9, "quantity": 2,
                                        "currency": "EUR", "cart_id": "c1"}, timestamp=when)
analytics.page("u1", "Docs", "Python", {"url": "https://example.org"}, timestamp=when)
analytics.screen("u1", "Settings", "Brightness", {"from": "Settings"}, timestamp=when)
analytics.group("u1", "g1", {"name": "Initech"}, timestamp=when)
analytics.alias("anonymous-1", "u1", timestamp=when)
analytics.track(user_id="u2", event="Now", properties={"n": 1}, context={"ip": "8.8.8.8"})
analytics.track(anonymous_id="a1", event="Nobody Known", properties={})
analytics.flush()
assert not failed, failed
"""
NODE_CALLS = """
const timestamp = new Date(Date.UTC(2026, 10, 20, 12, 0, 0, 123));
const failed = [];
const told = error => error && failed.push(error);
client.identify({userId: "u1", traits: {email: "a@example.org", plan: "pro"}, timestamp}, told);
client.track({userId: "u1", event: "Product Added", timestamp, properties: {
  product_id: "p1", price: 9.9, quantity: 2, currency: "EUR", cart_id: "c1"}}, told);
client.page({userId: "u1", category: "Docs", name: "Python", timestamp,
             properties: {url: "https://example.org"}}, told);
client.screen({userId: "u1", category: "Settings", name: "Brightness", timestamp,
               properties: {from: "Settings"}}, told);
client.group({userId: "u1", groupId: "g1", traits: {name: "Initech"}, timestamp}, told);
client.alias({previousId: "anonymous-1", userId: "u1", timestamp}, told);
client.track({userId: "u2", event: "Now", properties: {n: 1}, context: {ip: "8.8.8.8"}}, told);
client.track({anonymousId: "a1", event: "Nobody Known", properties: {}}, told);
process.on("exit", () => { if (failed.length) { console.error(failed); process.exitCode = 1; } });
"""
PYTHON = {
    "segment": """
import sys
from datetime import datetime, timezone
import segment.analytics as analytics
failed = []
analytics.on_error = lambda error, items: failed.append(error)
analytics.host = sys.argv[1]
""" + CALLS,
    "segment, packed": """
import sys
from datetime import datetime, timezone
import segment.analytics as analytics
failed = []
analytics.on_error = lambda error, items: failed.append(error)
analytics.host = sys.argv[1]
analytics.gzip = True
""" + CALLS,
    "rudder": """
import sys
from datetime import datetime, timezone
import rudderstack.analytics as analytics
failed = []
analytics.on_error = lambda error, items: failed.append(error)
analytics.dataPlaneUrl = sys.argv[1]
""" + CALLS,
    "footfall": """
import sys
from datetime import datetime, timezone
from footfall import analytics
failed = []
analytics.on_error = lambda error, items: failed.append(error)
analytics.host = sys.argv[1]
""" + CALLS,
}
NODE = {
    "segment, node": """
const { Analytics } = require("@segment/analytics-node");
const client = new Analytics({writeKey: "wk_web", host: process.argv[1]});
""" + NODE_CALLS + "client.closeAndFlush();",
    "rudder, node": """
const RudderAnalytics = require("@rudderstack/rudder-sdk-node");
const client = new RudderAnalytics("wk_web", {dataPlaneUrl: process.argv[1]});
""" + NODE_CALLS + "client.flush();",
    "segment, old node": """
const Analytics = require("analytics-node");
const client = new Analytics("wk_web", {host: process.argv[1]});
""" + NODE_CALLS + "client.flush();",
}
WHEN_MS = int(datetime(2026, 11, 20, 12, 0, 0, 123_000, tzinfo=UTC).timestamp() * 1000)


def traits(item: dict[str, Any]) -> Any:
    """At the root, or where RudderStack's SDK puts them."""
    return item.get("traits") or item["context"]["traits"]


@pytest.mark.parametrize("sdk", [*PYTHON, *NODE])
def test_every_event_reaches_the_log(
    footfall_topics: str, tmp_path: Path, sdk: str, request: pytest.FixtureRequest
) -> None:
    """With the right type, ids, traits, properties and times, once each; nothing is rejected."""
    command, folder = [sys.executable, "-c", PYTHON.get(sdk, "")], None
    if sdk in NODE:
        command, folder = ["node", "-e", NODE[sdk]], request.getfixturevalue("node_packages")
    with collecting(footfall_topics, tmp_path) as url:
        began = datetime.now(UTC)
        done = subprocess.run([*command, url], cwd=folder, check=False, timeout=60,
                              capture_output=True, text=True)
        assert 0 == done.returncode, done.stderr
    codecs = Codecs()
    events = [codecs.interaction.decode(v) for _, _, v in read_all(footfall_topics, INTERACTIONS)]
    assert 8 == len(events) == len({event["message_id"] for event in events})
    assert [] == read_all(footfall_topics, REJECTED)
    found = {(e["type"], e["event"]): (e, json.loads(e["personal"])) for e in events}
    old = {kind for (kind, name), (e, _) in found.items() if e["event_time"] == WHEN_MS}
    assert {"identify", "track", "page", "screen", "group", "alias"} == old

    _, identified = found["identify", ""]
    assert ("u1", {"email": "a@example.org", "plan": "pro"}) == (
        identified["userId"], traits(identified))
    added, item = found["track", "Product Added"]
    assert {"product_id": "p1", "price": 9.9, "quantity": 2, "currency": "EUR",
            "cart_id": "c1"} == item["properties"]
    assert added["commerce"] is not None
    assert ("c1", ["p1"]) == (added["commerce"]["cart_id"],
                              [line["product_id"] for line in added["commerce"]["lines"]])
    _, page = found["page", "Python"]
    assert ("Docs", "https://example.org") == (
        page.get("category", page["properties"].get("category")), page["properties"]["url"])
    _, screen = found["screen", "Brightness"]
    assert "Settings" == screen["properties"]["from"]
    _, group = found["group", ""]
    assert ("g1", {"name": "Initech"}) == (group["groupId"], traits(group))
    _, alias = found["alias", ""]
    assert ("anonymous-1", "u1") == (alias["previousId"], alias["userId"])
    now, item = found["track", "Now"]
    assert ("u2", "8.8.8.8") == (item["userId"], item["context"]["ip"])
    assert 0 <= now["event_time"] - began.timestamp() * 1000 + 1 < 60_000
    _, nobody = found["track", "Nobody Known"]
    assert "a1" == nobody["anonymousId"]
    assert not nobody.get("userId")
    keys = {json.loads(codecs.interaction.decode(value)["personal"]).get("userId"): key
            for _, key, value in read_all(footfall_topics, INTERACTIONS)}
    assert 3 == len(set(keys.values()))

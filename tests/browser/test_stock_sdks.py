"""Unmodified browser SDKs of Segment and RudderStack in real Chromium, and our own script beside
them: every call in the log of a live Footfall.

Each is set up as its documentation says, with only its addresses and key of ours, on a page of
another origin. The stock ones come from npm and are bundled as a site's build would do it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext

from footfall.collector.script import PATH
from footfall.events.codec import Codecs
from footfall.events.topics import INTERACTIONS, REJECTED
from tests.browser.shop import site
from tests.collector.program import read_all
from tests.node.packages import run
from tests.sdk.test_kafka import collecting

pytestmark = [pytest.mark.kafka, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PACKAGES = Path(__file__).parent
WAIT_S_MAX = 60.0
#: SDK -> how a site starts it; `sdk` is then what its documentation calls `analytics`.
SDKS = {
    "segment": """
import { AnalyticsBrowser } from "@segment/analytics-next"
window.start = url => AnalyticsBrowser.load({ writeKey: "wk_web", cdnURL: url })
""",
    "segment, batched": """
import { AnalyticsBrowser } from "@segment/analytics-next"
window.start = url => AnalyticsBrowser.load({ writeKey: "wk_web", cdnURL: url }, {
  integrations: { "Segment.io": { deliveryStrategy: { strategy: "batching" } } } })
""",
    "rudder": """
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled"
window.start = url => {
  const rudderanalytics = new RudderAnalytics()
  rudderanalytics.load("wk_web", url, { configUrl: url })
  return rudderanalytics
}
""",
    "rudder, beacon": """
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled"
window.start = url => {
  const rudderanalytics = new RudderAnalytics()
  rudderanalytics.load("wk_web", url, { configUrl: url, useBeacon: true,
    beaconQueueOptions: { flushQueueInterval: 1000 } })
  return rudderanalytics
}
""",
    "footfall": """
import "FOOTFALL"
window.start = url => {
  footfall.load({ writeKey: "wk_web", host: url })
  return footfall
}
""",
}
CALLS_COUNT = 5
CALLS = """url => {
  const sdk = start(url)
  sdk.page("Docs", "Socks", { size: 3 })
  sdk.identify("u1", { email: "ann@example.org", plan: "pro" })
  sdk.track("Product Added", { product_id: "p1", price: 9.9, quantity: 2, currency: "EUR",
                               cart_id: "c1" })
  sdk.group("g1", { name: "Initech" })
  sdk.alias("u1", "old")
}"""


def traits(item: dict[str, Any]) -> Any:
    """At the root, or where RudderStack's SDK puts them."""
    return item.get("traits") or item["context"]["traits"]


def bundled(sdk: str, tmp_path: Path, npm: Callable[[Path], Path]) -> str:
    """A site's own script with the SDK in it."""
    entry, made = npm(PACKAGES) / "node_modules/.entry.js", tmp_path / "site.js"
    entry.write_text(SDKS[sdk].replace("FOOTFALL", str(PATH)))
    run(npm(PATH.parent), "esbuild", str(entry), "--bundle",
        f"--outfile={made}", "--log-level=error", "--define:process.env.NODE_ENV='production'")
    return made.read_text()


async def arrived(bootstrap: str, count: int) -> list[Any]:
    """What is in the log once so many are, or when waiting ends."""
    codecs, deadline = Codecs(), time.monotonic() + WAIT_S_MAX
    while True:
        found = [codecs.interaction.decode(v) for _, _, v in read_all(bootstrap, INTERACTIONS)]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("sdk", SDKS)
async def test_every_call_reaches_the_log(
    footfall_topics: str, tmp_path: Path, sdk: str, visitor: BrowserContext,
    npm: Callable[[Path], Path]
) -> None:
    """With the right type, ids, traits and properties, once each; nothing is rejected."""
    script = bundled(sdk, tmp_path, npm)
    with collecting(footfall_topics, tmp_path) as url:
        pages = {"/": "<title>Shop</title><script src=/site.js></script>", "/site.js": script}
        async with site(lambda path: pages.get(path, "")) as server:
            address = str(server.make_url("/"))
            page = await visitor.new_page()
            await page.goto(address)
            await page.evaluate(CALLS, url)
            events = await arrived(footfall_topics, CALLS_COUNT)
    assert [] == read_all(footfall_topics, REJECTED)
    assert CALLS_COUNT == len(events) == len({event["message_id"] for event in events})
    assert {"web"} == {event["source"] for event in events}
    found = {event["type"]: (event, json.loads(event["personal"])) for event in events}
    opened, seen = found["page"]
    assert ("Socks", 3, address) == (
        opened["event"], seen["properties"]["size"], seen["context"]["page"]["url"])
    _, identified = found["identify"]
    assert ("u1", {"email": "ann@example.org", "plan": "pro"}) == (
        identified["userId"], traits(identified))
    added, item = found["track"]
    assert ("Product Added", "u1", "c1") == (
        added["event"], item["userId"], added["commerce"]["cart_id"])
    _, group = found["group"]
    assert ("g1", {"name": "Initech"}) == (group["groupId"], traits(group))
    _, alias = found["alias"]
    assert ("old", "u1") == (alias["previousId"], alias["userId"])
    assert 1 == len({item["anonymousId"] for _, item in found.values()})
    assert {"127.0.0.1"} == {item["context"]["ip"] for _, item in found.values()}

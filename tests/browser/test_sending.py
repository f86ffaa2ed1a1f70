"""How the script sends, in real Chromium: retries, tabs, and the end of a page."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from footfall.collector.answers import RETRY_AFTER_S
from tests.browser.shop import WAIT_S_MAX, Shop, kept
from tests.collector.edge import CODECS, KEY

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TRACK = "n => footfall.track('Clicked', {n})"
#: A page without https has neither of them.
INSECURE = """
  Object.defineProperty(Navigator.prototype, "locks", {get: () => undefined})
  delete Crypto.prototype.randomUUID
"""
NO_STORAGE = """
  Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("", "SecurityError") }
  })
"""
FULL = "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError') }"


def numbers(shop: Shop) -> list[int]:
    """Of the clicks in the log, in its order."""
    return [item["properties"]["n"] for item in shop.items()]


def waiting(found: dict[str, str]) -> list[str]:
    return [name for name in found if name.startswith("footfall:item:")]


async def test_what_waits_outlives_the_page_and_an_absent_collector(shop: Shop) -> None:
    """In order, none lost and none doubled, each with its own messageId."""
    page = await shop.page()
    await page.evaluate(TRACK, 0)
    await shop.until(lambda: [0] == numbers(shop))
    await shop.stop()
    for n in (1, 2, 3):
        await page.evaluate(TRACK, n)
        await page.evaluate("footfall.flush()")
    assert 3 == len(waiting(await kept(page)))
    await page.goto("about:blank")
    await shop.start()
    await page.goto(shop.url())
    await page.evaluate(TRACK, 4)
    await shop.until(lambda: [0, 1, 2, 3, 4] == numbers(shop))
    await page.evaluate("footfall.flush()")
    assert [] == waiting(await kept(page))
    assert 5 == len({item["messageId"] for item in shop.items()})
    assert 1 == len({item["anonymousId"] for item in shop.items()})


async def test_a_collector_that_asks_to_wait_is_not_asked_before(shop: Shop) -> None:
    """Retry-After of a 503 is kept to, by flush as well; the same item comes again."""
    page = await shop.page()
    shop.sink.error = "away"
    began = time.monotonic()
    await page.evaluate(TRACK, 1)
    await shop.until(lambda: ["POST /v1/batch"] == shop.sent)
    shop.sink.error = ""
    assert await page.evaluate("footfall.flush()") is False
    await shop.until(lambda: [1] == numbers(shop))
    assert time.monotonic() - began >= RETRY_AFTER_S
    await shop.until(lambda: 2 == len(shop.sent))


async def test_an_answer_that_is_lost_costs_nothing(shop: Shop) -> None:
    """The log has it, the page does not know, sends it again, and is told that it is a copy."""
    page = await shop.page()
    shop.sink.gate.clear()
    await page.evaluate(TRACK, 1)
    await shop.until(lambda: True)
    await asyncio.sleep(0.8)
    await page.goto("about:blank")
    shop.sink.gate.set()
    await shop.until(lambda: [1] == numbers(shop))
    page = await shop.page()
    await page.wait_for_function("footfall.flush()")
    counts = await page.evaluate("footfall.counts()")
    assert ([1], 0) == (numbers(shop), counts["waiting"])


async def test_a_page_that_is_left_sends_by_beacon(shop: Shop) -> None:
    """At once; the next page makes sure, by the same messageId."""
    page = await shop.page()
    # At once: half a second later it would go by itself.
    await page.evaluate("n => { footfall.track('Clicked', {n}); location = 'about:blank' }", 1)
    await shop.until(lambda: [1] == numbers(shop) and bool(shop.sent))
    assert ["POST /v1/batch"] == shop.sent
    page = await shop.page()
    await page.wait_for_function("footfall.flush()")
    assert 1 == (await page.evaluate("footfall.counts()"))["duplicate"]
    assert ([1], []) == (numbers(shop), waiting(await kept(page)))


async def test_a_closed_tab_sends_too(shop: Shop) -> None:
    page = await shop.page()
    await page.evaluate(TRACK, 1)
    await page.close(run_before_unload=True)
    await shop.until(lambda: [1] == numbers(shop))


async def test_a_page_that_comes_back_sends_again(shop: Shop) -> None:
    """As the back button brings it, as it was left: the beacon may not have arrived. (The driver
    cannot follow a page that Chromium has frozen, so the page itself says the two events.)"""
    page = await shop.page()
    await shop.stop()
    async with page.expect_event("requestfailed"):
        await page.evaluate("""n => {
          footfall.track('Clicked', {n})
          dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))
        }""", 1)
    await shop.start()
    assert await page.evaluate("footfall.flush()") is True
    assert [] == numbers(shop)
    await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    await shop.until(lambda: [1] == numbers(shop))


@pytest.mark.parametrize("script", ["", INSECURE], ids=["locks", "lease"])
async def test_tabs_neither_lose_nor_double_anything(shop: Shop, script: str) -> None:
    """All send at once, again and again; one of them is closed in the middle. A lease is no lock:
    what two tabs send where it failed, on a busy machine, has the same messageId.
    """
    shop.sink.ack_s = 0.15
    await shop.visitor.add_init_script(script)
    tabs = [await shop.page() for _ in range(3)]
    for start in range(0, 60, 20):
        await asyncio.gather(*(tab.evaluate(
            """async ([k, start]) => {
                 for (let n = start; n < start + 20; n++) {
                   footfall.track("Clicked", {n: k * 1000 + n})
                   if (n % 7 === 0) footfall.flush()
                   await new Promise(done => setTimeout(done, 5))
                 }
               }""", [k, start]) for k, tab in enumerate(tabs)))
        if start == 20:
            await shop.until(lambda: 120 == len(set(numbers(shop))))
            await tabs.pop().close()
    expected = {k * 1000 + n for k in range(3) for n in range(60 if k < 2 else 40)}
    await shop.until(lambda: expected <= set(numbers(shop)))
    async with asyncio.timeout(WAIT_S_MAX):
        while waiting(await kept(tabs[0])):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    assert [] == waiting(await kept(tabs[0]))
    assert len(expected) == len({item["messageId"] for item in shop.items()})
    if script != INSECURE:
        assert {} == {n: times for n, times in Counter(numbers(shop)).items() if times > 1}
        assert [0, 0] == [(await tab.evaluate("footfall.counts()"))["duplicate"] for tab in tabs]


async def test_without_locks_a_tab_that_has_not_the_lease_waits(shop: Shop) -> None:
    """Until it is given back, or over."""
    await shop.visitor.add_init_script(INSECURE)
    page = await shop.page()
    await page.evaluate("localStorage['footfall:lease'] = `another ${Date.now() + 25_000}`")
    await page.evaluate(TRACK, 1)
    assert await page.evaluate("footfall.flush()") is False
    await asyncio.sleep(1)
    assert [] == shop.sent
    await page.evaluate("localStorage['footfall:lease'] = `another ${Date.now() - 1}`")
    await shop.until(lambda: [1] == numbers(shop))


@pytest.mark.parametrize("script", [NO_STORAGE, FULL], ids=["refused", "full"])
async def test_without_storage_it_works_from_memory(shop: Shop, script: str) -> None:
    """For the life of the page; at its end the beacon takes what waits."""
    await shop.visitor.add_init_script(script)
    page = await shop.page()
    await page.evaluate(TRACK, 1)
    assert await page.evaluate("footfall.flush()") is True
    await page.evaluate(TRACK, 2)
    await page.goto("about:blank")
    await shop.until(lambda: [1, 2] == numbers(shop))
    assert 1 == len({item["anonymousId"] for item in shop.items()})


async def test_the_queue_has_an_end_and_what_is_past_it_is_told(shop: Shop) -> None:
    """In items and in characters; what waits stays."""
    page = await shop.page()
    await shop.stop()
    told = await page.evaluate("""() => {
      const told = []
      footfall.on("error", (error, items) => told.push(error.reason, items[0].properties.n))
      for (let n = 0; n < 1001; n++) footfall.track("Clicked", {n})
      return told
    }""")
    assert ["queue_full", 1000] == told
    await page.evaluate("localStorage.clear()")
    held = await page.evaluate("""() => {
      const text = "x".repeat(30000)
      for (let n = 0; n < 40; n++) footfall.track("Long", {n, text})
      return footfall.counts()
    }""")
    assert (32, 9) == (held["waiting"], held["dropped"]["queue_full"])
    await shop.start()
    await shop.until(lambda: list(range(32)) == [i["properties"]["n"] for i in shop.items()])
    assert max(len(sent.interactions) for sent in shop.sink.sent) <= 2


async def test_a_whole_request_that_is_refused_is_told(shop: Shop) -> None:
    """And not tried again."""
    page = await shop.page(shop.tag().replace(KEY, "wrong"))
    told = await page.evaluate("""async () => {
      const told = []
      footfall.on("error", (error, items) => told.push(error.reason, error.detail, items.length))
      footfall.track("a"); footfall.track("b")
      return await footfall.flush() && told
    }""")
    assert ("http_401", 2) == (told[0], told[2])
    assert told[1].startswith("write_key_unknown: ")
    assert 1 == len(shop.sent)


async def test_what_is_no_collector_has_taken_nothing(shop: Shop) -> None:
    """A log-in page of a network answers 200 to everything."""
    page = await shop.page()
    await shop.stop()
    app = web.Application()

    async def log_in(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>Welcome</h1>", content_type="text/html",
                            headers={"Access-Control-Allow-Origin": "*"})

    app.router.add_route("*", "/{path:.*}", log_in)
    async with TestServer(app, port=shop.port):
        await page.evaluate(TRACK, 1)
        assert await page.evaluate("footfall.flush()") is False
        assert 1 == len(waiting(await kept(page)))
    await shop.start()
    await shop.until(lambda: [1] == numbers(shop))
    assert 1 == len({CODECS.interaction.decode(r["value"])["message_id"]
                     for sent in shop.sink.sent for r in sent.interactions})

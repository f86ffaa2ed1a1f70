"""The stream in real Chromium: its EventSource, and the console that shows it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page

from footfall.collector.tickets import TICKET_S
from tests.browser.listening import OWNER, SCOPED, Listened
from tests.browser.shop import KEPT
from tests.collector.edge import KEYS
from tests.test_docs import page as page_of
from tests.test_docs import section

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LISTEN = """async ([key, query]) => {
  const answer = await fetch("/v1/triggers/stream/ticket",
                             {method: "POST", headers: {Authorization: `Bearer ${key}`}})
  const {ticket} = await answer.json()
  window.got = []
  window.told = []
  window.source = new EventSource(`/v1/triggers/stream?${query}&ticket=${ticket}`)
  source.addEventListener("opened", event => told.push("opened"))
  source.addEventListener("gap", event => told.push("gap"))
  source.addEventListener("trigger", event => got.push(JSON.parse(event.data).trigger_id))
  await new Promise(done => source.addEventListener("opened", done))
}"""
HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script>"&\'\u2028'


@pytest_asyncio.fixture(loop_scope="session")
async def listened(visitor: BrowserContext) -> AsyncIterator[Listened]:
    """Nothing may be thrown in its pages, and no key may ever stand in a URL."""
    async with Listened(visitor) as made:
        yield made
    assert [] == made.errors
    assert not [url for url in made.asked if "key" in url.partition("?")[2]]


async def shown(page: Page) -> list[str]:
    """The ids of the triggers on the console, the oldest first."""
    found: list[str] = await page.evaluate(
        "[...document.querySelectorAll('#events > li[data-id]')].map(li => li.dataset.id)")
    return found[::-1]


async def show(page: Page, key: str = OWNER, **fields: str) -> None:
    for name, value in fields.items():
        await (page.select_option if name == "start" else page.fill)(f"#{name}", value)
    await page.fill("#key", key)
    await page.click("#show")


async def state(page: Page) -> str:
    return await page.inner_text("#state")


async def test_an_event_source_comes_back_without_gap_or_repeat(listened: Listened) -> None:
    """By itself, with Last-Event-ID, to collectors that know nothing of each other, under load."""
    page = await listened.page("/healthz")
    await page.evaluate(LISTEN, [OWNER, "start=latest"])
    sent: list[str] = []

    async def load() -> None:
        while True:
            sent.append(listened.topic.put(len(sent)))
            await asyncio.sleep(0.005)

    loading = asyncio.create_task(load())
    for _ in range(3):
        seen = len(sent)
        await listened.until(lambda seen=seen: page.evaluate("n => got.length > n", seen))
        await listened.stop()
        await asyncio.sleep(0.3)
        await listened.start()
    seen = len(sent)
    await listened.until(lambda: page.evaluate("n => got.length > n", seen))
    loading.cancel()
    await listened.until(lambda: page.evaluate("n => got.length >= n", len(sent)))
    got: list[str] = await page.evaluate("got")
    assert sorted(sent) == sorted(got)
    for partition in range(3):
        in_order = [one for one in got if int(one, 16) % 3 == partition]
        assert sorted(in_order) == in_order
    assert ["opened"] * 4 == await page.evaluate("told")
    assert 1 == len(set(listened.streams()))


async def test_the_recipe_for_a_page_is_run_as_it_stands(listened: Listened) -> None:
    (recipe,) = re.findall(r"```js\n(.*?)```", section(page_of("subscriptions.md"),
                                                      "In a browser"), re.DOTALL)
    page = await listened.page("/healthz")
    await page.evaluate(f"""async key => {{
      window.shown = []
      const show = (trigger, place) => shown.push([trigger.trigger_id, place.length > 0])
      {recipe}
      await new Promise(done => triggers.addEventListener("opened", done))
    }}""", OWNER)
    listened.topic.put(1, name="another")
    sent = listened.topic.put(2, name="cart_abandoned")
    await listened.until(lambda: page.evaluate("shown.length"))
    assert [[sent, True]] == await page.evaluate("shown")


async def test_a_ticket_that_is_over_ends_an_event_source(listened: Listened) -> None:
    """It is told so, and does not ask for ever."""
    page = await listened.page("/healthz")
    await page.evaluate(LISTEN, [OWNER, ""])
    await listened.stop()
    listened.ahead_s = TICKET_S + 1
    await listened.start()
    await listened.until(lambda: page.evaluate("source.readyState === EventSource.CLOSED"))


async def test_the_console_shows_what_comes(listened: Listened) -> None:
    """Text that customers sent is text; the key is in the memory of the tab alone."""
    page = await listened.page("/console")
    await page.evaluate("""addEventListener("securitypolicyviolation", event =>
                           (window.refused ??= []).push(event.violatedDirective))""")
    await show(page)
    await listened.until(lambda: page.evaluate("state.textContent.startsWith('Listening')"))
    hostile = listened.topic.put(1, name=HOSTILE,
                                 data=json.dumps({"value": HOSTILE}).encode(),
                                 personal=json.dumps({"ids": {"user_id": HOSTILE}}).encode())
    await listened.until(lambda: shown(page))
    assert [hostile] == await shown(page)
    await page.click("#events summary")
    await page.wait_for_selector("#events pre")
    assert HOSTILE in await page.evaluate("document.querySelector('summary b').textContent")
    assert HOSTILE in await page.evaluate(
        "JSON.parse(document.querySelector('#events pre').textContent).data.value")
    assert 0 == await page.evaluate("document.querySelectorAll('#events :is(img, script)').length")
    assert ("", {}) == (await page.input_value("#key"), await page.evaluate(KEPT))
    assert None is await page.evaluate("window.refused ?? null")
    await page.click("#stop")
    assert "Stopped." == await state(page)
    listened.topic.put(2)
    await asyncio.sleep(0.3)
    assert [hostile] == await shown(page)


@pytest.mark.parametrize(("key", "fields", "expected"), [
    (OWNER, {}, [1, 2, 3, 4]), (OWNER, {"name": "risk_level_changed, x"}, [2]),
    (OWNER, {"customer": "user_id:u3"}, [3]), (OWNER, {"fields": "cart.level=a=b\nn=4"}, [4]),
    (SCOPED, {}, [2])])
async def test_the_console_shows_what_is_asked_for_and_may_be_seen(
    listened: Listened, key: str, fields: dict[str, str], expected: list[int]
) -> None:
    topic = listened.topic
    topic.put(1, 0)
    topic.put(2, 0, name="risk_level_changed")
    topic.put(3, 0, customer_key=KEYS.of("user_id", "u3").decode())
    topic.put(4, 0, data=b'{"cart":{"level":"a=b"},"n":4.0}')
    page = await listened.page("/console")
    await show(page, key, start="earliest", **fields)
    await listened.until(lambda: _has(page, len(expected)))
    assert [f"{n:032x}" for n in expected] == await shown(page)


async def test_the_console_goes_on_with_another_ticket(listened: Listened) -> None:
    """The collector was away for longer than a ticket holds: before anything came, and after."""
    page = await listened.page("/console")
    await show(page)
    await listened.until(lambda: page.evaluate("state.textContent.startsWith('Listening')"))
    sent: list[str] = []
    for turn in range(2):
        await listened.stop()
        sent += [listened.topic.put(5 * turn + n) for n in range(5)]
        listened.ahead_s += TICKET_S + 1
        await listened.start()
        count = len(sent)
        await listened.until(lambda count=count: _has(page, count))
    assert sorted(sent) == sorted(await shown(page))
    tickets = {url.partition("ticket=")[2][:32] for url in listened.streams()}
    assert 3 == len(tickets)


async def test_the_console_shows_gaps(listened: Listened) -> None:
    topic = listened.topic
    page = await listened.page("/console")
    await show(page, start="earliest")
    await listened.until(lambda: page.evaluate("state.textContent.startsWith('Listening')"))
    topic.put(0, 0)
    await listened.until(lambda: _has(page, 1))
    await listened.stop()
    for n in range(1, 9):
        topic.put(n, 0)
    topic.expire(5, 0, 0)
    await listened.start()
    await listened.until(lambda: _has(page, 5))
    gap = await page.inner_text("#events > li.gap")
    assert "Gap (retention): partition 0 from 1 to 5" == gap
    assert [f"{n:032x}" for n in (0, 5, 6, 7, 8)] == await shown(page)


@pytest.mark.parametrize(("key", "fields", "said"), [
    ("wrong", {}, "The collector does not know this API key."),
    ("wk_web", {}, "The collector does not know this API key."),
    ("", {}, "Type an API key; a write key may not read."),
    ("k\u00e9y", {}, "Type an API key; a write key may not read."),
    (OWNER, {"fields": "level"}, "A field is PATH=VALUE, one a line."),
    (OWNER, {"customer": "u1"}, "A filter is not as it must be: docs/subscriptions.md.")])
async def test_the_console_says_what_is_wrong(
    listened: Listened, key: str, fields: dict[str, str], said: str
) -> None:
    page = await listened.page("/console")
    await show(page, key, **fields)
    await listened.until(lambda: page.evaluate("said => state.textContent === said", said))
    assert await page.is_enabled("#show")


async def test_what_the_console_keeps_on_the_page_has_an_end(listened: Listened) -> None:
    for n in range(600):
        listened.topic.put(n, 0)
    page = await listened.page("/console")
    await show(page, start="earliest")
    await listened.until(lambda: page.evaluate("state.textContent.includes('600 so far')"))
    assert "Listening: 600 so far, the newest 500 shown." == await state(page)
    assert [f"{n:032x}" for n in range(100, 600)] == await shown(page)


async def _has(page: Page, count: int) -> bool:
    return len(await shown(page)) >= count

"""Pages of a site, which a visitor opens in Chromium, and what the collector has got of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import BrowserContext, Page, WebError

from footfall.up.ports import free_port
from tests.collector.edge import KEY, MemorySink, serving

ROOT = Path(__file__).parents[2]
#: As the documentation has it.
STUB, TAG = re.findall(r"<script.*?</script>", (ROOT / "docs/browser.md").read_text(),
                       re.DOTALL)[:2]
WAIT_S_MAX = 30.0
#: Everything that the script keeps, wherever a page could keep it.
KEPT = """() => ({...localStorage, ...sessionStorage,
                    ...(document.cookie && {cookie: document.cookie})})"""


class Shop:
    """A site on a port of its own. `page` opens one of its pages in a new tab."""

    def __init__(self, visitor: BrowserContext, sink: MemorySink) -> None:
        self.visitor = visitor
        self.sink = sink
        self.collector = ""
        #: Every request that the collector has answered, as `GET /path?query`.
        self.asked: list[str] = []
        #: What the pages have thrown. Nothing may be.
        self.errors: list[str] = []
        visitor.on("weberror", self._thrown)
        self._running: Any = None
        self._html = ""
        self._server = site(lambda _path: f"<!doctype html><title>Shop</title>{self._html}")

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        self.port = free_port()
        self.collector = f"http://127.0.0.1:{self.port}"
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()
        await self._server.close()

    async def start(self) -> None:
        """The collector, at the same address as before; it remembers nothing."""
        self._running = serving(self.sink, port=self.port)
        self.asked = (await self._running.__aenter__()).asked

    async def stop(self) -> None:
        """Nobody answers there any more."""
        if self._running is not None:
            await self._running.__aexit__(None, None, None)
        self._running = None

    def _thrown(self, error: WebError) -> None:
        self.errors.append(str(error.error))

    def url(self, path: str = "/") -> str:
        return str(self._server.make_url(path))

    def tag(self, **attributes: str) -> str:
        """The script's tag, with these attributes beside key and source."""
        more = "".join(f' data-{name.replace("_", "-")}="{value}"'
                       for name, value in attributes.items())
        return f'<script src="{self.collector}/footfall.js" data-write-key="{KEY}"{more}></script>'

    async def page(self, html: str | None = None, path: str = "/") -> Page:
        """A new tab on a page with this in it."""
        self._html = self.tag() if html is None else html
        page = await self.visitor.new_page()
        await page.goto(self.url(path))
        return page

    @property
    def sent(self) -> list[str]:
        """Requests to the collector, but for the script's own."""
        return [request for request in self.asked if request != "GET /footfall.js"]

    def items(self) -> list[dict[str, Any]]:
        """What is in the log, each item as it was sent, with `event` and `type`."""
        return [{**json.loads(event["personal"]), "messageId": event["message_id"],
                 "type": event["type"], "event": event["event"]} for event in self.sink.events()]

    def events(self) -> list[str]:
        """Names of the tracked events in the log, in its order."""
        return [item["event"] for item in self.items() if item["type"] == "track"]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for it; fails with the names of what is in the log."""
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            found = [(i["type"], i["event"], i.get("properties")) for i in self.items()]
            raise AssertionError(f"the log has {len(found)}: {found}") from None


def site(content: Callable[[str], str]) -> TestServer:
    """Pages and scripts by their path, on a port of their own once it is started."""

    async def answer(request: web.Request) -> web.Response:
        kind = "text/javascript" if request.path.endswith(".js") else "text/html"
        return web.Response(text=content(request.path), content_type=kind, charset="utf-8")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    return TestServer(app)


async def kept(page: Page) -> dict[str, str]:
    """What the page's origin has in the browser."""
    found: dict[str, str] = await page.evaluate(KEPT)
    return found

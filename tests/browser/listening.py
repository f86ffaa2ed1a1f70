"""A collector with a topic of triggers, which can be stopped and started, for pages that listen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Self

from playwright.async_api import BrowserContext, Page, WebError

from footfall import tables
from footfall.collector.customers import Customers
from footfall.collector.tickets import Tickets
from footfall.settings import ApiKeySettings
from footfall.subscriptions.hub import Hub
from footfall.up.ports import free_port
from footfall.view.roles import ApiKeys
from footfall.view.why_classes import ExplanationMask
from tests.collector.edge import CODECS, KEYS, MemorySink, serving
from tests.subscriptions.memory import MemoryTopic
from tests.subscriptions.test_hub import QUICK, WAIT_S_MAX

OWNER = "the owner's key"
SCOPED = "key of risk"
SECRET = b"a secret of sixteen bytes or more"


class Listened:
    """The collector is another one after each start: it has the secret alone in common."""

    def __init__(self, visitor: BrowserContext) -> None:
        self.visitor = visitor
        self.topic = MemoryTopic()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        #: Seconds that the clock of tickets is ahead.
        self.ahead_s = 0.0
        #: Every request that was answered, by any of them.
        self.asked: list[str] = []
        self.errors: list[str] = []
        self._running: Any = None
        visitor.on("weberror", self._thrown)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    async def start(self) -> None:
        keys = ApiKeys(OWNER, {"risk": ApiKeySettings(
            role="analyst", keys=[SCOPED], triggers=["risk_level_changed"])})
        hub = Hub(self.topic.reader, CODECS.trigger, ExplanationMask(tables.ALL), QUICK)
        self._running = serving(
            MemorySink(), port=self.port, customers=Customers(KEYS, keys, tables.ALL), hub=hub,
            tickets=Tickets(SECRET, keys, lambda: time.time() + self.ahead_s))
        self._client = await self._running.__aenter__()

    async def stop(self) -> None:
        if self._running is not None:
            self.asked += self._client.asked
            await self._running.__aexit__(None, None, None)
        self._running = None

    async def page(self, path: str) -> Page:
        page = await self.visitor.new_page()
        await page.goto(self.url + path)
        return page

    async def until(self, condition: Callable[[], Any], s_max: float = 4 * WAIT_S_MAX) -> None:
        async with asyncio.timeout(s_max):
            while not await condition():  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    def streams(self) -> list[str]:
        """Requests that opened one."""
        return [one for one in (*self.asked, *self._client.asked)
                if one.startswith("GET /v1/triggers/stream?")]

    def _thrown(self, error: WebError) -> None:
        self.errors.append(str(error.error))

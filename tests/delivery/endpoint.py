"""An HTTP endpoint that notes what it gets and answers what it is told, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web

HANGS_S = 3600


class Got(NamedTuple):
    """One request; `at` in seconds of the monotonic clock."""

    at: float
    path: str
    webhook_id: str
    body: bytes
    status: int


class Endpoint:
    """Serves until it is closed. `answer` gives the status of a path and a webhook-id."""

    def __init__(self, answer: Callable[[str, str], int] = lambda *_: 200) -> None:
        self.answer = answer
        self.got: list[Got] = []
        self.hangs: set[str] = set()
        self.takes_s: dict[str, float] = {}
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._started.wait(30)

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._started.set()
        self._loop.run_forever()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def _take(self, request: web.Request) -> web.Response:
        webhook_id = request.headers.get("webhook-id", "")
        path = request.match_info["path"]
        body = await request.read()
        if path in self.hangs:
            await asyncio.sleep(HANGS_S)
        await asyncio.sleep(self.takes_s.get(path, 0))
        status = self.answer(path, webhook_id)
        self.got.append(Got(time.monotonic(), path, webhook_id, body, status))
        return web.Response(status=status)

"""The HTTP side that every program has which is no collector: metrics for Prometheus, and health.

    GET /metrics  /healthz  /readyz            for anybody who reaches the port

Decides nothing about what is well: the program says that (`health.py`). Runs on the program's own
loop where it has one, so that an answer shows that it turns; `beside` is for one that has none.
Must never write anything of a customer to a log.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from footfall.errors import SettingsError
from footfall.health import ALIVE, OK, Parts, readiness

SHUTDOWN_S = 1.0
START_S_MAX = 10.0
logger = logging.getLogger(__name__)
_NEVER_STORED = {"Cache-Control": "no-store"}


class HealthServing:
    """The HTTP server of one process. `parts`: how it is now; `more`: what it says beside that;
    `publish`: brings metrics up to now.
    """

    def __init__(self, host: str, port: int, parts: Callable[[], Parts],
                 publish: Callable[[], object] = lambda: None,
                 more: Callable[[], dict[str, Any]] = dict) -> None:
        self._host = host
        self._port = port
        self._parts = parts
        self._publish = publish
        self._more = more
        self._runner = web.AppRunner(self.application(), access_log=None,
                                     shutdown_timeout=SHUTDOWN_S)

    async def start(self) -> None:
        """Listen; raises `SettingsError` when the port cannot be had."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            raise SettingsError(
                f"FOOTFALL_METRICS_PORT: port {self._port} of {self._host} cannot be used "
                f"({error.strerror}); choose another") from None

    async def stop(self) -> None:
        """Answer what is in flight and close the port."""
        await self._runner.cleanup()

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        app = web.Application(middlewares=[_faults])
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        return app

    async def _metrics(self, _request: web.Request) -> web.Response:
        self._publish()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _request: web.Request) -> web.Response:
        return answer(OK, ALIVE)

    async def _readyz(self, _request: web.Request) -> web.Response:
        return answer(*readiness(self._parts(), **self._more()))


@contextmanager
def beside(serving: HealthServing) -> Iterator[None]:
    """Serve from a thread, for a program whose own work would hold up a loop. Raises
    `SettingsError` when the port cannot be had.
    """
    loop = asyncio.new_event_loop()
    # A daemon: where the work fails, the process must end.
    thread = threading.Thread(target=loop.run_forever, name="health", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(serving.start(), loop).result(START_S_MAX)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(serving.stop(), loop).result(START_S_MAX)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_S_MAX)
        loop.close()


@web.middleware
async def _faults(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A fault of ours, told by its kind alone: its text may hold what was sent (law 6)."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception as error:
        logger.error("answering failed", extra={"error": type(error).__name__})
        return refused(500, "internal_error", "an error of Footfall; the log has its kind")


def refused(status: int, code: str, message: str) -> web.Response:
    """An error as every program tells it."""
    return answer(status, {"code": code, "message": message})


def answer(status: int, content: dict[str, Any]) -> web.Response:
    """JSON that nobody may keep."""
    return web.Response(status=status, body=msgspec.json.encode(content), headers=_NEVER_STORED,
                        content_type="application/json")

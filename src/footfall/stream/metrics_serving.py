"""The HTTP side that every process over a log has: metrics for Prometheus, and health.

    GET /metrics  /healthz  /readyz            for anybody who reaches the port

Runs on the loop of the engine, so an answer is made between two batches. Must never write anything
of a customer to a log.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from footfall.errors import SettingsError
from footfall.stream.log_engine import LogEngine

SHUTDOWN_S = 1.0
logger = logging.getLogger(__name__)
_NEVER_STORED = {"Cache-Control": "no-store"}


class MetricsServing:
    """The HTTP server of one process."""

    def __init__(self, engine: LogEngine[Any], host: str, port: int) -> None:
        self._log_engine = engine
        self._host = host
        self._port = port
        self._runner = web.AppRunner(self.application(), access_log=None,
                                     shutdown_timeout=SHUTDOWN_S)

    async def start(self) -> None:
        """Listen; raises `SettingsError` when the port cannot be had."""
        self._log_engine.begin_metrics()
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
        self._log_engine.publish_all()
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _request: web.Request) -> web.Response:
        return answer(200, {"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        if not self._log_engine.consumer.is_ready:
            return refused(503, "recovering", "partitions change hands or are being recovered")
        return answer(200, {"status": "ready", "partitions": sorted(self._log_engine.partitions),
                            **self._log_engine.state()})


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

"""The worker's HTTP side: metrics for Prometheus, health, and customers as they are this instant.

    GET /metrics  /healthz  /readyz            for anybody who reaches the port
    GET /customers/<customer_key>[/why-not/<rule>]  with `Authorization: Bearer <api_key>`

Runs on the loop of the engine, so an answer is made between two batches: whole, and newer than the
last checkpoint. Decides who may read: nobody without an API key, each what its role may see and
the triggers it is for, and where no key is configured the route does not exist. A worker answers
for the partitions it owns (else 421), never while they change hands (503), so no answer comes from
a state that somebody else has taken further.
Must never write a key or anything of a customer to a log.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from footfall.errors import SettingsError
from footfall.events.customer_key import is_customer_key
from footfall.stream.engine import Engine
from footfall.stream.partition import partition_of
from footfall.stream.publishing import begin, lag, publish_all
from footfall.view import scope
from footfall.view.classes import Mask
from footfall.view.document import Held, document
from footfall.view.roles import ApiKey, ApiKeys
from footfall.view.why_classes import ExplanationMask
from footfall.view.why_not import why_not

CUSTOMERS = "/customers/"
SHUTDOWN_S = 1.0
logger = logging.getLogger(__name__)
_NEVER_STORED = {"Cache-Control": "no-store"}


class Serving:
    """The HTTP server of one worker. `api_keys`: what readers of customers must show."""

    def __init__(self, engine: Engine, host: str, port: int, api_keys: ApiKeys) -> None:
        self._engine = engine
        self._host = host
        self._port = port
        self._api_keys = api_keys
        self._mask = Mask(engine.tables)
        self._explanation_mask = ExplanationMask(engine.tables)
        self._runner = web.AppRunner(self.application(), access_log=None,
                                     shutdown_timeout=SHUTDOWN_S)

    async def start(self) -> None:
        """Listen; raises `SettingsError` when the port cannot be had."""
        begin(self._engine)
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
        if self._api_keys:
            app.router.add_get(CUSTOMERS + "{customer_key}", self._customer)
            app.router.add_get(CUSTOMERS + "{customer_key}/why-not/{rule}", self._customer)
        return app

    async def _metrics(self, _request: web.Request) -> web.Response:
        publish_all(self._engine)
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _request: web.Request) -> web.Response:
        return _json(200, {"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        if not self._engine.consumer.gate:
            return _error(503, "recovering", "partitions change hands or are being recovered")
        said = {"status": "ready", "partitions": sorted(self._engine.partitions)}
        if self._engine.views is not None:  # ready without it: the log goes on
            said["view"] = self._engine.views.state()
        return _json(200, said)

    async def _customer(self, request: web.Request) -> web.Response:
        reader = self._api_keys.of_header(request.headers.get("Authorization", ""))
        if reader is None:
            return _error(401, "api_key_unknown", "send an API key as a bearer token")
        key = request.match_info["customer_key"].encode()
        if not is_customer_key(key):
            return _error(400, "key_invalid", "not a customer_key")
        return self._answer(key, reader, request.match_info.get("rule"))

    def _answer(self, key: bytes, reader: ApiKey, rule: str | None) -> web.Response:
        engine = self._engine
        if not engine.consumer.gate:
            return _error(503, "recovering", "partitions change hands or are being recovered")
        engine.check_alive()
        number = partition_of(key, engine.settings.partitions)
        partition = engine.partitions.get(number)
        if partition is None:
            return _error(421, "not_owner", f"partition {number} belongs to another worker")
        fold = partition.fold
        record = fold.records.peek(key)
        if record is None:
            return _error(404, "customer_unknown", "no interaction of this customer was applied")
        rows = {t.name: row for t in fold.tables if (row := fold.row(key, t.name)) is not None}
        held = Held(record, rows, number, fold.clock, fold.config, lag(engine, partition))
        now = max(engine.broker_now(), fold.clock)
        if rule is not None:
            explained = scope.why_not(why_not(key, held, rule, now), reader)
            return _json(200, self._explanation_mask.why_not(explained, reader.clearance))
        found = scope.customer(document(key, held, fold.tables, now), reader)
        return _json(200, self._mask.document(found, reader.clearance))


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
        logger.error("answering failed: %s", type(error).__name__)
        return _error(500, "internal_error", "an error of Footfall; the worker's log has its kind")


def _error(status: int, code: str, message: str) -> web.Response:
    return _json(status, {"code": code, "message": message})


def _json(status: int, content: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(content), headers=_NEVER_STORED,
                        content_type="application/json")

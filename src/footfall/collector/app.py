"""The HTTP side: routes to handlers, headers, errors as JSON, health.

Every answer of an ingest route carries CORS headers, errors as well: without them a browser takes
any error for a broken network and tries again. Must never redirect: SDKs take 3xx for delivered.
Must never log a body, a header or an address (law 6).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from footfall import tables
from footfall.collector import answers, openapi, routes, sdk_settings, shortcut
from footfall.collector.answers import Answer, RequestError
from footfall.collector.auth import WriteKeys
from footfall.collector.console import Console
from footfall.collector.customers import OUTCOMES, Customers
from footfall.collector.history import History
from footfall.collector.ingest import Clock, Ingest, wall_clock
from footfall.collector.limits import Limits
from footfall.collector.request_ids import HEADER, RequestIds
from footfall.collector.routes import ROUTES, Route
from footfall.collector.script import Script
from footfall.collector.sink import Sink
from footfall.collector.subscriptions import Subscriptions
from footfall.collector.tickets import Tickets
from footfall.collector.unsubscribing import Unsubscribing
from footfall.collector.violations import Violations
from footfall.collector.why import Why
from footfall.events import reasons, unsubscribe
from footfall.events.admit import STAGE
from footfall.events.arrival import Planned
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.health import ALIVE, OK, Part, readiness
from footfall.log_lines import BOUND
from footfall.subscriptions.hub import Hub
from footfall.telemetry import (
    ACCEPTED,
    PLAN_EVENTS,
    RECEIVED,
    REFUSED,
    REJECTED,
    REPEATED,
    UNACKNOWLEDGED,
    VIEW_READS,
    at_zero,
)
from footfall.view.roles import ApiKeys

__all__ = ["ROUTES", "Collector"]

log = logging.getLogger(__name__)

PREFLIGHT_S = 86_400

#: Reading is not for pages, and a link of a message is a page of its own: no CORS there.
_NOT_FOR_PAGES = (routes.CUSTOMERS_PREFIX, routes.TRIGGERS_PREFIX, routes.UNSUBSCRIBE_PREFIX)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Collector:
    """Takes tracking calls from HTTP to the log."""

    def __init__(self, sink: Sink, keys: CustomerKeys, write_keys: WriteKeys, codecs: Codecs,
                 clock: Clock = wall_clock, *, limits: Limits | None = None, public_url: str = "",
                 proxies: int = 0, plan: Planned | None = None,
                 customers: Customers | None = None, hub: Hub | None = None,
                 tickets: Tickets | None = None) -> None:
        self._sink = sink
        limits = limits or Limits()
        self._violations = Violations(sink, codecs.interaction, clock)
        self._ingest = Ingest(sink, keys, write_keys, codecs, clock=clock, limits=limits,
                              proxies=proxies, plan=plan, violations=self._violations)
        self._unsubscribing = Unsubscribing(keys, self._ingest)
        self._openapi = openapi.document(limits)
        self._script = Script()
        #: Without API keys everybody is refused.
        self._customers = customers or Customers(keys, ApiKeys(""), tables.ALL)
        #: Without a secret that others have, this process alone knows its tickets.
        tickets = tickets or Tickets(secrets.token_bytes(32), self._customers.api_keys)
        self._why = Why(self._customers, codecs.trigger, self._customers.clock)
        self._subscriptions = Subscriptions(self._customers, tickets, hub)
        self._history = History(self._customers, codecs.trigger)
        self._console = Console()
        self._request_ids = RequestIds()
        self._public_url = public_url
        self._proxies = proxies
        self._is_draining = False
        for of_source in (RECEIVED, ACCEPTED, REPEATED, UNACKNOWLEDGED, PLAN_EVENTS):
            at_zero(of_source, (*write_keys.sources, unsubscribe.SOURCE))
        at_zero(REJECTED, reasons.COLLECTOR, STAGE)
        at_zero(REFUSED, answers.CODES)
        at_zero(VIEW_READS, OUTCOMES)

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        app = web.Application(middlewares=[self._named, _errors])
        app.on_response_prepare.append(self._headers)
        app.cleanup_ctx.append(self._violations.while_running)
        app.cleanup_ctx.append(self._customers.while_running)
        app.cleanup_ctx.append(self._subscriptions.while_running)
        app.on_shutdown.append(self._subscriptions.on_shutdown)
        app[shortcut.KEY] = shortcut.Shortcuts(
            {path: self._call(call) for path, call in ROUTES.items()}, lambda: self._is_draining,
            self._request_ids)
        for route in routes.ALL:
            handler = self._handler(route)
            for spelling in (route.path, route.path + "/"):
                if route.method == hdrs.METH_GET and route.kind != "pixel":
                    app.router.add_get(spelling, handler)  # and HEAD, which may not send anything
                else:
                    app.router.add_route(route.method, spelling, handler)
                if route.is_ingest:
                    app.router.add_options(spelling, _preflight)
        return app

    def drain(self) -> None:
        """From now on it is not ready, streams end, and every answer asks the client to come back
        elsewhere.
        """
        self._is_draining = True
        self._subscriptions.end()

    def _handler(self, route: Route) -> Handler:
        async def call(request: web.Request) -> web.StreamResponse:
            return answers.response(await self._ingest.call(request, route.call))

        async def pixel(request: web.Request) -> web.StreamResponse:
            return await self._ingest.image(request, route.call)

        found: dict[routes.Kind, Handler] = {
            "call": call, "pixel": pixel, "ignored": self._ignored,
            "segment_settings": self._segment_settings, "source_config": self._source_config,
            "script": self._script.answer, "customer": self._customers.answer,
            "stream": self._subscriptions.stream, "ticket": self._subscriptions.ticket,
            "history": self._history.answer, "console": self._console.answer,
            "why": self._why.trigger, "why_not": self._why.rule,
            "unsubscribe_page": self._unsubscribing.page, "unsubscribe": self._unsubscribing.take,
            "healthz": _healthz, "readyz": self._readyz, "metrics": _metrics,
            "openapi": self._document,
        }
        return found[route.kind]

    def _call(self, call: str) -> shortcut.Call:
        async def answer(request: web.BaseRequest) -> Answer:
            try:
                return await self._ingest.call(request, call)
            except Exception as error:
                return _refused(error)

        return answer

    async def _ignored(self, request: web.Request) -> web.Response:
        return answers.response(await self._ingest.ignored(request))

    async def _segment_settings(self, request: web.Request) -> web.Response:
        self._ingest.source_of_settings(request)
        url = sdk_settings.url_of(request, self._public_url, self._proxies)
        return _json(sdk_settings.of_segment(request.match_info["writeKey"], url))

    async def _source_config(self, request: web.Request) -> web.Response:
        return _json(sdk_settings.of_rudder(self._ingest.source_of_settings(request)))

    async def _document(self, _request: web.Request) -> web.Response:
        return _json(self._openapi)

    async def _readyz(self, _request: web.Request) -> web.Response:
        accepting = Part(not self._is_draining, "this collector is about to stop"
                         if self._is_draining else "takes requests", "stopping")
        status, said = readiness({"accepting": accepting, **self._sink.parts()})
        if status != OK:
            REFUSED.labels(said["code"]).inc()
        return answers.response(answers.of_health(status, said))

    @web.middleware
    async def _named(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What happens in a request has its id, as its answer has."""
        BOUND.set({"request_id": self._request_ids.of(request.headers.get(HEADER))})
        response = await handler(request)
        if log.isEnabledFor(logging.DEBUG):
            # The route as it is declared: the path may hold a customer's identifier.
            resource = request.match_info.route.resource
            log.debug("answered", extra={"route": resource and resource.canonical,
                                         "status": response.status})
        return response

    async def _headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """CORS: any page may ingest with a write key; cookies are never asked for."""
        headers = response.headers
        headers[hdrs.SERVER] = "footfall"
        headers[HEADER] = str(BOUND.get()["request_id"])
        if self._is_draining:
            headers[hdrs.CONNECTION] = "close"
            response.force_close()
        path = request.path
        if not path.startswith(routes.INGEST_PREFIXES) or f"{path}/".startswith(_NOT_FOR_PAGES):
            return
        headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
        headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = f"Retry-After, {HEADER}"
        if request.method == hdrs.METH_OPTIONS:
            headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = "GET, POST, OPTIONS"
            headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(PREFLIGHT_S)
            wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS)
            if wanted:
                headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = wanted


async def _healthz(_request: web.Request) -> web.Response:
    return _json(ALIVE)


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _preflight(_request: web.Request) -> web.Response:
    return web.Response(status=200)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as JSON."""
    try:
        return await handler(request)
    except Exception as error:
        return answers.response(_refused(error))


def _refused(error: Exception) -> Answer:
    """What is told of an error, which is counted. Whoever caught it may not keep it: with its
    frames it would hold the body until Python next looks for cycles.
    """
    if isinstance(error, RequestError):
        found = error
    elif isinstance(error, web.HTTPException):
        code = (error.reason or "error").lower().replace(" ", "_")
        found = RequestError(error.status, code, "docs/collector.md lists routes and methods")
    else:
        # The text of the exception may hold what was sent, so only its kind and place are told.
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = place and f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}"
        log.error("answering failed", extra={"error": type(error).__name__, "place": where})
        found = RequestError(500, "internal_error", "an error of Footfall; its log names the place")
    REFUSED.labels(found.code).inc()
    return answers.of_error(found)


def _json(content: dict[str, Any]) -> web.Response:
    return answers.response(answers.json_of(content))

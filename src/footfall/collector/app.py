"""The HTTP side: routes, in what order a request is judged, and what is answered.

Decides the order: write key of the header, body, write key of the body, items, log. A 200 is sent
only after every record of the request, quarantined items too, is acknowledged (law 1).
Every answer of a tracking route carries CORS headers, errors as well: without them a browser takes
any error for a broken network and tries again. Must never redirect: SDKs take 3xx for delivered.
Must never log a body, a header or an address (law 6).
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from footfall.collector import answers, body
from footfall.collector.answers import RequestError
from footfall.collector.auth import WriteKeys
from footfall.collector.sink import Outgoing, Record, Sink, UnavailableError
from footfall.errors import Rejected
from footfall.events import reasons
from footfall.events.admit import CALLS, STAGE, Admitted, Arrival, admit
from footfall.events.codec import Codecs, RejectedRecord
from footfall.events.customer_key import CustomerKeys
from footfall.telemetry import ACCEPTED, ACK_SECONDS, REFUSED, REJECTED, at_zero

log = logging.getLogger(__name__)

BATCH = "batch"
#: Path -> call. Beside the documented seven the paths that Segment's Java and browser SDKs use.
ROUTES = {
    **{f"/v1/{call}": call for call in (*sorted(CALLS), BATCH)},
    **{f"/v1/{call[0]}": call for call in (*sorted(CALLS - {"alias"}), "alias", BATCH)},
    "/v1/import": BATCH,
}
TRACKING = "/v1/"
PREFLIGHT_S = 86_400

Clock = Callable[[], int]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def wall_clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Collector:
    """Takes tracking calls from HTTP to the log."""

    def __init__(self, sink: Sink, keys: CustomerKeys, write_keys: WriteKeys, codecs: Codecs,
                 clock: Clock = wall_clock) -> None:
        self._sink = sink
        self._keys = keys
        self._write_keys = write_keys
        self._codecs = codecs
        self._clock = clock
        at_zero(ACCEPTED, write_keys.sources)
        at_zero(REJECTED, reasons.COLLECTOR, STAGE)
        at_zero(REFUSED, answers.CODES)

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        app = web.Application(middlewares=[_errors])
        app.on_response_prepare.append(_headers)
        for path, call in ROUTES.items():
            handler = self._handler(call)
            for spelling in (path, path + "/"):
                app.router.add_post(spelling, handler)
                app.router.add_options(spelling, _preflight)
        app.router.add_get("/healthz", _healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", _metrics)
        return app

    def _handler(self, call: str) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._ingest(request, call)
        return handle

    async def _ingest(self, request: web.Request, call: str) -> web.Response:
        source = self._write_keys.source_of_header(request.headers.get("Authorization"))
        data = await body.read(request)
        received_at = self._clock()
        parsed = body.batch(data) if call == BATCH else body.one(data)
        if source is None:
            source = self._write_keys.source_of_body(parsed.write_key)
        arrival = Arrival(source, received_at, secrets.token_hex(16), "" if call == BATCH else call,
                          parsed.sent_at, parsed.shared)
        outcomes = [admit(item, n, arrival, self._keys) for n, item in enumerate(parsed.items)]
        await self._send(source, outcomes)
        return answers.of_batch(outcomes) if call == BATCH else answers.of_one(outcomes[0])

    async def _send(self, source: str, outcomes: answers.Outcomes) -> None:
        """Return when the log has all of them; only then are they counted."""
        outgoing = Outgoing([], [])
        for outcome in outcomes:
            if isinstance(outcome, Admitted):
                outgoing.interactions.append(
                    {"key": outcome.key, "value": self._codecs.interaction.encode(outcome.event)})
            else:
                outgoing.rejected.append(self._quarantined(outcome))
        with ACK_SECONDS.time():
            try:
                await self._sink.send(outgoing)
            except UnavailableError as error:
                raise RequestError(503, "log_unavailable", f"{error}; try again") from None
        ACCEPTED.labels(source).inc(len(outgoing.interactions))
        for outcome in outcomes:
            if isinstance(outcome, Rejected):
                REJECTED.labels(outcome.stage, outcome.reason).inc()

    def _quarantined(self, rejected: Rejected) -> Record:
        record: RejectedRecord = {
            "stage": rejected.stage, "reason": rejected.reason, "detail": rejected.detail,
            "source": rejected.source, "rejected_at": rejected.rejected_at,
            "topic": rejected.topic, "partition": rejected.partition, "offset": rejected.offset,
            "key_id": None, "personal": rejected.payload,
        }
        return {"key": rejected.source.encode(), "value": self._codecs.rejected.encode(record)}

    async def _readyz(self, _request: web.Request) -> web.Response:
        if not self._sink.is_ready():
            raise RequestError(503, "log_unavailable",
                               "no broker with the topics of Footfall is seen; `footfall topics`")
        return web.json_response({"status": "ready"})


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _preflight(_request: web.Request) -> web.Response:
    return web.Response(status=200)


async def _headers(request: web.Request, response: web.StreamResponse) -> None:
    """CORS: any page may ingest with a write key; cookies are never asked for."""
    response.headers["Server"] = "footfall"
    if not request.path.startswith(TRACKING):
        return
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Expose-Headers"] = "Retry-After"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "POST, OPTIONS"
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
        wanted = request.headers.get("Access-Control-Request-Headers")
        if wanted:
            response.headers["Access-Control-Allow-Headers"] = wanted


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as JSON."""
    try:
        return await handler(request)
    except RequestError as error:
        found = error
    except web.HTTPException as error:
        code = (error.reason or "error").lower().replace(" ", "_")
        found = RequestError(error.status, code, "docs/collector.md lists routes and methods")
    except Exception as error:
        # The text of the exception may hold what was sent, so only its kind and place are told.
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = place and f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}"
        log.error("answering failed: %s in %s", type(error).__name__, where)
        found = RequestError(500, "internal_error", "an error of Footfall; its log names the place")
    REFUSED.labels(found.code).inc()
    return answers.of_error(found)

"""The HTTP server under the application, as far as it is ours: what is no HTTP, and idle ends.

Decides what happens to a request that never reaches the application because it is malformed.
aiohttp on its own repeats the bytes that came in its answer and in the log, with the address
(found by a test, 2026-11-25); here neither is told (law 6), and the answer is JSON as all others.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import hdrs, web

from footfall.collector import answers
from footfall.collector.answers import RequestError
from footfall.collector.packing import AIOHTTP_UNPACKS
from footfall.telemetry import REFUSED

log = logging.getLogger(__name__)

#: A connection on which nothing is asked, or whose headers do not become whole, is closed.
IDLE_S_MAX = 75.0


class Connection(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(self, request: web.BaseRequest, status: int = 500,
                     exc: BaseException | None = None, message: str | None = None
                     ) -> web.StreamResponse:
        """What is answered where the application was not reached; the connection ends."""
        code = "http_malformed" if status < 500 else "internal_error"
        if status >= 500:
            log.error("serving failed: %s", type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of an answer is sent already")
        REFUSED.labels(code).inc()
        answer = answers.of_error(RequestError(status, code, "the request is not well-formed HTTP"
                                               if status < 500 else "an error of Footfall"))
        answer.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
        answer.headers[hdrs.SERVER] = "footfall"
        answer.force_close()
        return answer


class Runner(web.AppRunner):
    """Serves an application over such connections."""

    def __init__(self, app: web.Application, *, idle_s_max: float = IDLE_S_MAX, **options: Any
                 ) -> None:
        self._connection_options: dict[str, Any] = {
            "keepalive_timeout": idle_s_max, "auto_decompress": AIOHTTP_UNPACKS, "access_log": None}
        super().__init__(app, **self._connection_options, **options)

    @property
    def server(self) -> Any:
        """What makes a `Connection` of each that is accepted; aiohttp's sites ask for it here."""
        inner = super().server
        if inner is None:
            return None
        return lambda: Connection(inner, loop=asyncio.get_running_loop(),
                                  **self._connection_options)

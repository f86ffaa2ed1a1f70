"""The HTTP server under the application, as far as it is ours: what is no HTTP, and how it ends.

Decides what happens to a request that never reaches the application because it is malformed.
aiohttp on its own repeats the bytes that came in its answer and in the log, with the address
(found by a test, 2026-11-25); here neither is told (law 6), and the answer is JSON as all others.
Decides how listening ends, so that nobody is reset: who is in the kernel's queue is still taken,
and who is connected but has not said anything yet gets a moment to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Any

from aiohttp import hdrs, web

from footfall.collector import answers, shortcut
from footfall.collector.answers import RequestError
from footfall.collector.packing import AIOHTTP_UNPACKS
from footfall.collector.request_ids import HEADER, RequestIds
from footfall.telemetry import REFUSED

log = logging.getLogger(__name__)

#: A connection on which nothing is asked, or whose headers do not become whole, is closed.
IDLE_S_MAX = 75.0
BACKLOG = 1_024
#: So long, once nobody is taken any more, those that are connected have to say what they want.
LAST_WORD_S_MAX = 1.0
#: Of requests whose own name cannot be read.
_REQUEST_IDS = RequestIds()


class Connection(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(self, request: web.BaseRequest, status: int = 500,
                     exc: BaseException | None = None, message: str | None = None
                     ) -> web.StreamResponse:
        """What is answered where the application was not reached; the connection ends."""
        code = "http_malformed" if status < 500 else "internal_error"
        request_id = _REQUEST_IDS.of(None)
        if status >= 500:
            log.error("serving failed", extra={
                "request_id": request_id, "error": type(exc).__name__})
        if request.writer.output_size > 0:
            raise ConnectionError("a part of an answer is sent already")
        REFUSED.labels(code).inc()
        answer = answers.response(answers.of_error(RequestError(
            status, code, "the request is not well-formed HTTP" if status < 500
            else "an error of Footfall")))
        answer.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
        answer.headers[hdrs.SERVER] = "footfall"
        answer.headers[HEADER] = request_id
        answer.force_close()
        return answer


class Runner(web.AppRunner):
    """Serves an application over such connections."""

    def __init__(self, app: web.Application, *, idle_s_max: float = IDLE_S_MAX, **options: Any
                 ) -> None:
        self._connection_options: dict[str, Any] = {
            "keepalive_timeout": idle_s_max, "auto_decompress": AIOHTTP_UNPACKS, "access_log": None}
        super().__init__(app, **self._connection_options, **options)
        self._listener: socket.socket

    async def setup(self) -> None:
        """The application is ready for connections, which try its shortcuts first."""
        await super().setup()
        inner = super().server
        shortcuts = self.app.get(shortcut.KEY)
        if inner is not None and shortcuts is not None:
            inner.request_handler = shortcut.before(shortcuts, inner.request_handler)

    @property
    def server(self) -> Any:
        """What makes a `Connection` of each that is accepted; aiohttp's sites ask for it here."""
        inner = super().server
        if inner is None:
            return None
        return lambda: Connection(inner, loop=asyncio.get_running_loop(),
                                  **self._connection_options)

    async def listen(self, host: str, port: int) -> int:
        """Takes connections from now on; the port that it is. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        await web.SockSite(self, self._listener.dup()).start()
        return int(self._listener.getsockname()[1])

    async def leave(self) -> None:
        """Takes nobody any more, and returns when all who were taken have been answered once, or
        had their moment: every answer asks them to close."""
        for site in list(self.sites):
            await site.stop()
        taken = []
        self._listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                taken.append(self._listener.accept()[0])
        self._listener.close()
        loop = asyncio.get_running_loop()
        for connection in taken:
            with contextlib.suppress(OSError):  # gone again
                await loop.connect_accepted_socket(self.server, connection)
        deadline = loop.time() + LAST_WORD_S_MAX
        inner = super().server
        # aiohttp tells nobody when a connection ends.
        while inner is not None and inner.connections and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

"""Triggers over HTTP as they come (docs/subscriptions.md).

    GET  /v1/triggers/stream           server-sent events, resumed by Last-Event-ID
    POST /v1/triggers/stream/ticket    a ticket with which a page in a browser may open one

Decides who may read which (an API key: its role masks, its `triggers` are all that there are for
it), and when a slow client is cut: when a write does not get away within `STALL_S_MAX`. Must never
write a ticket, a cursor, a filter or anything of a trigger to a log or an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
from typing import Any, Literal

from aiohttp import hdrs, web

from footfall.collector.answers import RequestError
from footfall.collector.asked import PLACE, place_of, reader_of
from footfall.collector.customers import HEADERS, Customers
from footfall.collector.tickets import TICKET_S, Tickets
from footfall.errors import BrokerError
from footfall.subscriptions import cursor, filters, frames
from footfall.subscriptions.hub import FullError, Hub, KeyFullError
from footfall.subscriptions.subscriber import Subscriber
from footfall.telemetry import SUBSCRIPTION_ENDS, SUBSCRIPTION_EVENTS, at_zero
from footfall.view.roles import ApiKey

log = logging.getLogger(__name__)

#: One write to a client; what it has not read by then it will not read.
STALL_S_MAX = 10.0
#: The same for all that is still to be written once the collector stops.
LAST_S_MAX = 2.0
#: How often it is looked who has gone: nobody is told when a connection ends.
GONE_CHECK_S = 0.5
#: What the kernel holds for a client at most (it doubles this); left alone it takes megabytes.
SEND_BUFFER_BYTES = 64 * 1024
START = "start"
STARTS = ("latest", "earliest")
TICKET = "ticket"
PARAMETERS = (filters.NAME, filters.CUSTOMER, START, PLACE, TICKET)
End = Literal["client", "slow", "stopping", "failed"]
ENDS: tuple[End, ...] = ("client", "slow", "stopping", "failed")
STREAM_HEADERS = {**HEADERS, hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
                  "X-Accel-Buffering": "no"}


class Subscriptions:
    """The routes, for those who may read `customers`. `hub` None: there is no topic to read."""

    def __init__(self, customers: Customers, tickets: Tickets, hub: Hub | None,
                 stall_s_max: float = STALL_S_MAX) -> None:
        self._customers = customers
        self._tickets = tickets
        self._hub = hub
        self._stall_s_max = stall_s_max
        #: When the last byte has to be written; it is known once the collector stops.
        self._ends_at = math.inf
        self._open: dict[asyncio.Task[End], web.Request] = {}
        self._writing: set[asyncio.Timeout] = set()
        at_zero(SUBSCRIPTION_ENDS, ENDS)
        at_zero(SUBSCRIPTION_EVENTS, (frames.TRIGGER, frames.GAP))

    async def while_running(self, _app: web.Application) -> Any:
        """For the application: streams may be open."""
        if self._hub is None:
            yield
            return
        async with self._hub.while_running():
            looking = asyncio.create_task(self._look_who_is_gone(), name="streams that are gone")
            yield
            looking.cancel()

    def end(self) -> None:
        """Streams end once what waits for them is sent; there are no new ones."""
        if self._hub is None or self._hub.is_ending:
            return
        self._ends_at = asyncio.get_running_loop().time() + LAST_S_MAX
        for limit in self._writing:
            limit.reschedule(min(limit.when() or math.inf, self._ends_at))
        self._hub.end()

    async def on_shutdown(self, _app: web.Application) -> None:
        """The same, for the application: it waits for nobody who would never end."""
        self.end()

    # -- the stream --------------------------------------------------------------------------------

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Triggers as they come, until the client goes or this collector stops."""
        key = self._key_of(request)
        who = await reader_of(request, key, self._customers, PARAMETERS)
        place = place_of(request)
        start = request.query.get(START, STARTS[0])
        if start not in STARTS:
            raise RequestError(400, "start_unknown", f"start is {' or '.join(STARTS)}", START)
        if self._hub is None:
            raise _away()
        if self._hub.is_ending:
            raise RequestError(503, "stopping", "this collector is about to stop")
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=STREAM_HEADERS)
        async with contextlib.AsyncExitStack() as stack:
            try:
                subscriber = await stack.enter_async_context(
                    self._hub.subscribed(who, place, is_earliest=start == STARTS[1]))
            except KeyFullError:
                raise RequestError(429, "key_subscribers_full", "there are as many streams as one "
                                   "API key may have; end some, or use another key") from None
            except FullError:
                raise RequestError(503, "subscribers_full", "there are as many streams as this "
                                   "collector serves") from None
            except BrokerError:
                raise _away() from None
            return await self._served(request, subscriber)

    async def ticket(self, request: web.Request) -> web.Response:
        """A ticket for the key that asks; it stands in no URL of its own."""
        made = self._tickets.of(self._customers.reader_of(request))
        return web.json_response({"ticket": made, "expires_s": TICKET_S}, headers=HEADERS)

    def _key_of(self, request: web.Request) -> ApiKey:
        """Who opens a stream; raises 401. What the header says is not saved by a ticket."""
        if hdrs.AUTHORIZATION in request.headers or TICKET not in request.query:
            return self._customers.reader_of(request)
        tickets = request.query.getall(TICKET)
        key = self._tickets.holder(tickets[0]) if len(tickets) == 1 else None
        if key is None:
            raise RequestError(401, "ticket_invalid", f"no ticket, or older than {TICKET_S} s; get "
                               "another")
        return key

    async def _served(self, request: web.Request, subscriber: Subscriber) -> web.StreamResponse:
        """The answer, once it has ended; from here on nothing else can be answered."""
        response = web.StreamResponse(headers=STREAM_HEADERS)
        end: End = "client"
        writing = asyncio.create_task(self._written(request, response, subscriber))
        self._open[writing] = request
        try:
            end = await writing
        except ConnectionError:
            pass
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        except Exception as error:
            end = "failed"
            log.error("a stream failed", extra={"error": type(error).__name__})
        finally:
            del self._open[writing]
            SUBSCRIPTION_ENDS.labels(end).inc()
            if end in ("slow", "failed") and request.transport is not None:
                request.transport.abort()
        return response

    async def _written(self, request: web.Request, response: web.StreamResponse,
                       subscriber: Subscriber) -> End:
        await response.prepare(request)
        _bound(request)
        if TICKET in request.query:
            # A page is told of events with data alone: without this it would not know where the
            # stream began, and could not go on from there with another ticket.
            await self._write(response, frames.event(
                frames.OPENED, cursor.encode(*subscriber.at), b"{}"))
        async with contextlib.aclosing(subscriber.chunks()) as chunks:
            async for chunk in chunks:
                try:
                    await self._write(response, chunk)
                except TimeoutError:
                    return "slow"
        await response.write_eof()
        return "stopping"

    async def _write(self, response: web.StreamResponse, chunk: bytes) -> None:
        """Raises `TimeoutError` where the client does not take it."""
        now = asyncio.get_running_loop().time()
        async with asyncio.timeout_at(min(now + self._stall_s_max, self._ends_at)) as limit:
            self._writing.add(limit)
            try:
                await response.write(chunk)
            finally:
                self._writing.discard(limit)

    async def _look_who_is_gone(self) -> None:
        """Their place is another's at once, not with the next heartbeat."""
        while True:
            await asyncio.sleep(GONE_CHECK_S)
            for writing, request in self._open.items():
                if request.transport is None:
                    writing.cancel()


def _bound(request: web.Request) -> None:
    """Hold little for a client that does not read."""
    made: socket.socket | None = None
    if request.transport is not None:
        made = request.transport.get_extra_info("socket")
    if made is not None:
        with contextlib.suppress(OSError):  # gone already
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)


def _away() -> RequestError:
    return RequestError(503, "log_unavailable", "no broker with the topics of Footfall is seen; "
                        "`footfall topics`")

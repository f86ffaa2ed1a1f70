"""Triggers over HTTP: as they come, and what a customer was told of late (docs/subscriptions.md).

    GET /v1/triggers/stream    server-sent events, resumed by Last-Event-ID
    GET /v1/triggers           a customer's, the newest first, from the index beside the view

Decides who may read which (an API key: its role masks, its `triggers` are all that there are for
it), what is a bad request, and when a slow client is cut: when a write does not get away within
`STALL_S_MAX`. Must never write a cursor, a filter or anything of a trigger to a log or an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from typing import Any, Literal

import msgspec
from aiohttp import hdrs, web

from footfall.collector.answers import RequestError
from footfall.collector.customers import HEADERS, Customers
from footfall.collector.lookup import unavailable
from footfall.errors import BrokerError, SchemaError
from footfall.events import times
from footfall.events.codec import Codec, TriggerRecord
from footfall.events.fields import FieldError
from footfall.subscriptions import cursor, filters
from footfall.subscriptions.cursor import Cursor, CursorError
from footfall.subscriptions.filters import Customer, FilterError
from footfall.subscriptions.hub import FullError, Hub
from footfall.subscriptions.items import Item, Reader, item_of
from footfall.subscriptions.reading import Record
from footfall.subscriptions.repeats import Repeats
from footfall.subscriptions.subscriber import Subscriber
from footfall.telemetry import SUBSCRIPTION_ENDS, SUBSCRIPTION_EVENTS, at_zero
from footfall.view.identifiers import IdentifierError, key_of, parse
from footfall.view.roles import ApiKey
from footfall.view.served import UnavailableError
from footfall.view.why_classes import ExplanationMask

log = logging.getLogger(__name__)

#: One write to a client; what it has not read by then it will not read.
STALL_S_MAX = 10.0
#: The same for all that is still to be written once the collector stops.
LAST_S_MAX = 2.0
#: How often it is looked who has gone: nobody is told when a connection ends.
GONE_CHECK_S = 0.5
LAST_EVENT_ID = "Last-Event-ID"
START = "start"
STARTS = ("latest", "earliest")
LIMIT = "limit"
LIMIT_DEFAULT = LIMIT_MAX = 100
STREAM_PARAMETERS = (filters.NAME, filters.CUSTOMER, START)
HISTORY_PARAMETERS = (filters.NAME, filters.CUSTOMER, "since", "until", LIMIT)
End = Literal["client", "slow", "stopping", "failed"]
ENDS: tuple[End, ...] = ("client", "slow", "stopping", "failed")
STREAM_HEADERS = {**HEADERS, hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
                  "X-Accel-Buffering": "no"}


class Subscriptions:
    """Both routes, for those who may read `customers`. `hub` None: there is no topic to read."""

    def __init__(self, customers: Customers, codec: Codec[TriggerRecord], hub: Hub | None,
                 stall_s_max: float = STALL_S_MAX) -> None:
        self._customers = customers
        self._codec = codec
        self._hub = hub
        self._stall_s_max = stall_s_max
        #: When the last byte has to be written; it is known once the collector stops.
        self._ends_at = math.inf
        self._open: dict[asyncio.Task[End], web.Request] = {}
        self._writing: set[asyncio.Timeout] = set()
        self._mask = ExplanationMask(customers.tables)
        at_zero(SUBSCRIPTION_ENDS, ENDS)
        at_zero(SUBSCRIPTION_EVENTS, ("trigger", "gap"))

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
        key = self._customers.reader_of(request)
        who, place = await self._reader_of(request, key, STREAM_PARAMETERS), _place_of(request)
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
            except FullError:
                raise RequestError(503, "subscribers_full", "there are as many streams as this "
                                   "collector serves") from None
            except BrokerError:
                raise _away() from None
            return await self._served(request, subscriber)

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
            log.error("a stream failed: %s", type(error).__name__)
        finally:
            del self._open[writing]
            SUBSCRIPTION_ENDS.labels(end).inc()
            if end in ("slow", "failed") and request.transport is not None:
                request.transport.abort()
        return response

    async def _written(self, request: web.Request, response: web.StreamResponse,
                       subscriber: Subscriber) -> End:
        await response.prepare(request)
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

    # -- history -----------------------------------------------------------------------------------

    async def history(self, request: web.Request) -> web.Response:
        """A customer's triggers that the index has, the newest first."""
        key = self._customers.reader_of(request)
        who = await self._reader_of(request, key, HISTORY_PARAMETERS)
        since, until = (_time_of(request, name) for name in ("since", "until"))
        limit = _limit_of(request)
        if who.asked.customer is None:
            raise RequestError(400, "customer_missing", "name a customer as KIND:VALUE; all "
                               "triggers come by the stream", filters.CUSTOMER)
        served = self._customers.lookup.served
        if served is None:
            raise unavailable()
        located = await self._customers.lookup.customer(
            self._key_of(request.query[filters.CUSTOMER]), ())
        keys = (*located.way.keys, located.key)
        try:
            records = [data for one in keys for data in await served.triggers_of(one)]
        except UnavailableError:
            raise unavailable() from None
        # Whoever is named by their key needs no second look at identifiers.
        who = who._replace(asked=who.asked._replace(customer=None))
        try:
            items = await asyncio.to_thread(self._items, records, who)
        except SchemaError:
            raise unavailable() from None
        found = [(at, body) for item in items
                 if (since is None or item.emitted_at >= since)
                 and (until is None or item.emitted_at < until)
                 for at, body in ((item.emitted_at, item.sight(who.clearance, self._mask).body),)]
        found.sort(key=lambda one: one[0], reverse=True)
        return web.Response(body=msgspec.json.encode({
            "customer_key": located.key.decode(),
            "passed": [passed.decode() for passed in located.way.keys], "role": key.role,
            "triggers": [msgspec.Raw(body) for _at, body in found[:limit]],
        }), content_type="application/json", headers=HEADERS)

    def _items(self, records: list[bytes], who: Reader) -> list[Item]:
        repeats = Repeats(1)
        made = (item_of(Record(0, 0, data), self._codec, repeats) for data in records)
        return [item for item in made if isinstance(item, Item) and item.is_for(who, self._mask)]

    # -- the request -------------------------------------------------------------------------------

    async def _reader_of(self, request: web.Request, key: ApiKey, known: tuple[str, ...]
                         ) -> Reader:
        """What is asked for, by whom; raises 400."""
        for name in request.query:
            if name not in known and not name.startswith(filters.DATA):
                raise RequestError(400, "parameter_unknown", "a parameter that there is not; there "
                                   f"are {', '.join(known)} and {filters.DATA}PATH")
        try:
            asked = filters.parse(request.query.items())
        except FilterError as error:
            raise RequestError(400, "filter_invalid", str(error)) from None
        named = request.query.getall(filters.CUSTOMER, [])
        if len(named) > 1:
            raise RequestError(400, "filter_invalid", "customer is given more than once",
                               filters.CUSTOMER)
        if named:
            asked = asked._replace(customer=await self._customer_of(named[0]))
        return Reader(asked, key.clearance, key.triggers)

    async def _customer_of(self, named: str) -> Customer:
        """Whose triggers these are: of the key that the identifier has, of the one it points at
        now, and of whoever has it among their identifiers.
        """
        key = self._key_of(named)
        keys = {key.decode()}
        if self._customers.lookup.served is not None:
            with contextlib.suppress(RequestError):  # unknown still, or nobody can say
                located = await self._customers.lookup.customer(key, ())
                keys |= {one.decode() for one in (*located.way.keys, located.key)}
        return Customer(frozenset(keys), *parse(named))

    def _key_of(self, named: str) -> bytes:
        try:
            return key_of(*parse(named), self._customers.keys)
        except IdentifierError as error:
            raise RequestError(400, "identifier_invalid", str(error), filters.CUSTOMER) from None


def _away() -> RequestError:
    return RequestError(503, "log_unavailable", "no broker with the topics of Footfall is seen; "
                        "`footfall topics`")


def _place_of(request: web.Request) -> Cursor | None:
    """Where the client left off; raises 400."""
    given = request.headers.getall(LAST_EVENT_ID, [])
    if not given or given == [""]:
        return None
    try:
        if len(given) > 1:
            raise CursorError("it is given more than once")
        return cursor.decode(given[0])
    except CursorError as error:
        raise RequestError(400, "cursor_invalid", f"{LAST_EVENT_ID}: {error}", LAST_EVENT_ID
                           ) from None


def _time_of(request: web.Request, name: str) -> int | None:
    """An instant in ms; raises 400."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return times.read(int(text) if text.isascii() and text.isdigit() else text)
    except (FieldError, ValueError):
        raise RequestError(400, "time_unreadable", f"{name} is RFC 3339 or whole milliseconds "
                           "since 1970, from the year 2000 on", name) from None


def _limit_of(request: web.Request) -> int:
    text = request.query.get(LIMIT, str(LIMIT_DEFAULT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= LIMIT_MAX):
        raise RequestError(400, "limit_invalid", f"{LIMIT} is 1 to {LIMIT_MAX}", LIMIT)
    return int(text)

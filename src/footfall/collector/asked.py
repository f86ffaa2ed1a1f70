"""What a request for triggers asks for: the stream and the history alike.

Decides what is a bad request (400), of which keys a customer is, and where a client left off. Must
never put a value that was sent into an error.
"""

from __future__ import annotations

import contextlib

from aiohttp import web

from footfall.collector.answers import RequestError
from footfall.collector.customers import Customers
from footfall.events import times
from footfall.events.fields import FieldError
from footfall.subscriptions import cursor, filters
from footfall.subscriptions.cursor import Cursor, CursorError
from footfall.subscriptions.filters import Customer, FilterError
from footfall.subscriptions.items import Reader
from footfall.view.identifiers import IdentifierError, key_of, parse
from footfall.view.roles import ApiKey

LAST_EVENT_ID = "Last-Event-ID"
#: The same in the query: a browser's EventSource can set no header when it begins.
PLACE = "last_event_id"
LIMIT = "limit"
LIMIT_DEFAULT = LIMIT_MAX = 100


async def reader_of(request: web.Request, key: ApiKey, customers: Customers,
                    known: tuple[str, ...]) -> Reader:
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
        asked = asked._replace(customer=await _customer_of(named[0], customers))
    return Reader(asked, key.clearance, key.triggers, key.name)


def customer_key_of(named: str, customers: Customers) -> bytes:
    """The key of an identifier; raises 400."""
    try:
        return key_of(*parse(named), customers.keys)
    except IdentifierError as error:
        raise RequestError(400, "identifier_invalid", str(error), filters.CUSTOMER) from None


def place_of(request: web.Request) -> Cursor | None:
    """Where the client left off; raises 400. The header is newer than the query, which stays as it
    was while a browser comes back by itself.
    """
    given = (request.headers.getall(LAST_EVENT_ID, None)
             or request.query.getall(PLACE, []))
    if not given or given == [""]:
        return None
    try:
        if len(given) > 1:
            raise CursorError("it is given more than once")
        return cursor.decode(given[0])
    except CursorError as error:
        raise RequestError(400, "cursor_invalid", f"{LAST_EVENT_ID}: {error}", LAST_EVENT_ID
                           ) from None


def time_of(request: web.Request, name: str) -> int | None:
    """An instant in ms; raises 400."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return times.read(int(text) if text.isascii() and text.isdigit() else text)
    except (FieldError, ValueError):
        raise RequestError(400, "time_unreadable", f"{name} is RFC 3339 or whole milliseconds "
                           "since 1970, from the year 2000 on", name) from None


def limit_of(request: web.Request) -> int:
    """How many at most; raises 400."""
    text = request.query.get(LIMIT, str(LIMIT_DEFAULT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= LIMIT_MAX):
        raise RequestError(400, "limit_invalid", f"{LIMIT} is 1 to {LIMIT_MAX}", LIMIT)
    return int(text)


async def _customer_of(named: str, customers: Customers) -> Customer:
    """Whose triggers these are: of the key that the identifier has, of the one it points at now,
    and of whoever has it among their identifiers.
    """
    key = customer_key_of(named, customers)
    keys = {key.decode()}
    if customers.lookup.served is not None:
        with contextlib.suppress(RequestError):  # unknown still, or nobody can say
            located = await customers.lookup.customer(key, ())
            keys |= {one.decode() for one in (*located.way.keys, located.key)}
    return Customer(frozenset(keys), *parse(named))

"""`GET /v1/customers/{kind}:{value}`: the single customer view over HTTP (docs/view.md).

Decides who may read (an API key; a write key is none), what `include` picks, whom a pointer leads
to, what is masked for the key's role, and when what the client has still holds. Read from the
served view; where that does not have the customer or cannot say, the worker that owns it is asked,
if workers are known. Must never write a key, an identifier or a value to a log or an error.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from aiohttp import ETag, hdrs, web

from footfall import __version__
from footfall.collector.answers import RequestError
from footfall.errors import SettingsError
from footfall.events.customer_key import CustomerKeys
from footfall.tables.record import CustomerRecord
from footfall.tables.spec import AnyTable
from footfall.telemetry import VIEW_READS
from footfall.view.classes import Mask
from footfall.view.document import IDS, Document, document, included
from footfall.view.identifiers import IdentifierError, key_of, parse
from footfall.view.pointers import LoopError, Passed, owner_of
from footfall.view.roles import ApiKey, ApiKeys
from footfall.view.served import Found, Served, UnavailableError
from footfall.view.workers import ask

#: Values that move with time alone are at most so old where a client is told that nothing changed.
ETAG_MS = 60_000
#: Questions to workers at once, and those that wait for theirs; each may take some seconds.
OWNERS_ASKED_MAX = 8
OWNERS_WAITING_MAX = 100
OUTCOMES = ("view", "worker", "unknown", "not_modified", "unavailable")
_HEADERS = {hdrs.CACHE_CONTROL: "private, no-store", hdrs.VARY: hdrs.AUTHORIZATION,
            "X-Content-Type-Options": "nosniff"}


class Owners(NamedTuple):
    """The workers that may be asked, with the owner's API key."""

    urls: str
    api_key: str


NOBODY = Owners("", "")


class Asked(NamedTuple):
    """One request: who is asked for, by whom, and which parts."""

    key: bytes
    reader: ApiKey
    names: frozenset[str]
    is_all: bool


class Customers:
    """The route. `served` None: there is no view; `owners` without URLs: no workers are known."""

    def __init__(self, keys: CustomerKeys, api_keys: ApiKeys, tables: Sequence[AnyTable],
                 *, served: Served | None = None, owners: Owners = NOBODY,
                 clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
                 owner_of: Callable[[CustomerRecord], bytes | None] = owner_of) -> None:
        self._keys = keys
        self._api_keys = api_keys
        self._tables = tables
        self._served = served
        self._owners = owners
        self._clock = clock
        self._owner_of = owner_of
        self._mask = Mask(tables)
        self._names = frozenset(table.name for table in tables) | {IDS}
        #: Of the table that knows the identifiers: it is read for them.
        self._ids_table = next((t.name for t in tables if t.ids is not None), IDS)
        self._asking = asyncio.Semaphore(OWNERS_ASKED_MAX)
        self._waiting = 0

    async def while_running(self, _app: web.Application) -> Any:
        """For the application: keeps the view's marks."""
        if self._served is None:
            yield
        else:
            async with self._served.while_running():
                yield

    async def answer(self, request: web.Request) -> web.Response:
        """The customer, or 304 where the client has it."""
        asked = self._asked(request)
        try:
            return await self._found(request, asked)
        except LoopError:
            raise RequestError(500, "pointer_loop", "the pointers of this identifier lead back: an "
                               "error of Footfall") from None

    # -- the request -------------------------------------------------------------------------------

    def _asked(self, request: web.Request) -> Asked:
        reader = self._api_keys.of_header(request.headers.get(hdrs.AUTHORIZATION, ""))
        if reader is None:
            raise RequestError(401, "api_key_unknown", "send an API key as a bearer token; write "
                               "keys may not read")
        try:
            key = key_of(*parse(request.match_info["identifier"]), self._keys)
        except IdentifierError as error:
            raise RequestError(400, "identifier_invalid", str(error)) from None
        given = request.query.getall("include", [])
        names = frozenset(name for text in given for name in text.split(",") if name)
        if names - self._names:
            raise RequestError(400, "include_unknown", "include names a part that there is not; "
                               f"there are {', '.join(sorted(self._names))}", "include")
        return Asked(key, reader, names or self._names, not names)

    # -- who it is ---------------------------------------------------------------------------------

    async def _found(self, request: web.Request, asked: Asked) -> web.Response:
        """Asks the view, then the owner, for the customer and for whom it points at."""
        key, way, view = asked.key, Passed(), self._served
        while view is not None:
            try:
                found = await view.get(key, self._read(asked))
            except UnavailableError:
                view = None
                break
            if found is None:
                break
            owner = self._owner_of(found.held.record)
            if owner is None:
                return self._of_view(request, asked, key, found, way)
            way, key = way.by(key, owner), owner
        while True:
            shown = await self._from_owner(key)
            if shown is None:
                if view is not None and await view.is_whole():
                    raise _unknown()
                VIEW_READS.labels("unavailable").inc()
                raise RequestError(503, "view_unavailable", "neither the served view nor a worker "
                                   "can say now; try again")
            pointed = shown.get("owner")  # a worker of an older release does not say
            if pointed is None:
                return self._of_owner(request, asked, shown, way)
            owner = pointed.encode()
            way, key = way.by(key, owner), owner

    def _read(self, asked: Asked) -> frozenset[str]:
        """The tables that are read."""
        return asked.names | {self._ids_table} if IDS in asked.names else asked.names

    async def _from_owner(self, key: bytes) -> Document | None:
        """What the owner says, None where none could be asked; raises 404."""
        if not self._owners.urls or not self._owners.api_key:
            return None
        if self._waiting >= OWNERS_WAITING_MAX:
            raise RequestError(503, "overloaded", "too many customers are asked for")
        self._waiting += 1
        try:
            async with self._asking:
                told = await asyncio.to_thread(ask, *self._owners, key)
        except SettingsError:
            return None
        finally:
            self._waiting -= 1
        if told.is_unknown:
            raise _unknown()
        return told.found

    # -- the answer --------------------------------------------------------------------------------

    def _of_view(self, request: web.Request, asked: Asked, key: bytes, found: Found, way: Passed
                 ) -> web.Response:
        held, now = found.held, self._clock()
        etag = self._etag(asked, key, now, f"{found.generation}:{held.record.watermark}",
                          held.config.label)
        if _has(request, etag):
            return _not_modified(etag)
        VIEW_READS.labels("view").inc()
        return self._answer(asked, {
            "source": {"kind": "view", "generation": found.generation},
            "staleness_ms": max(0, now - found.at),
            **document(key, held, self._tables, max(now, held.clock)),
        }, way, etag)

    def _of_owner(self, request: web.Request, asked: Asked, shown: Document, way: Passed
                  ) -> web.Response:
        etag = self._etag(asked, shown["customer_key"].encode(), self._clock(),
                          f"worker:{shown['watermark']}", shown["config_version"])
        if _has(request, etag):
            return _not_modified(etag)
        VIEW_READS.labels("worker").inc()
        return self._answer(asked, {**shown, "source": {"kind": "worker"}, "staleness_ms": 0}, way,
                            etag)

    def _answer(self, asked: Asked, shown: Document, way: Passed, etag: ETag) -> web.Response:
        shown["role"] = asked.reader.role
        shown["passed"] = [key.decode() for key in way.keys]
        if not asked.is_all:
            shown = included(shown, asked.names)
        shown = self._mask.document(shown, asked.reader.clearance)
        response = web.Response(body=msgspec.json.encode(shown), content_type="application/json",
                                headers=_HEADERS)
        response.etag = etag
        return response

    def _etag(self, asked: Asked, key: bytes, now: int, state: str, config: str) -> ETag:
        """Weak: what is derived moves with time. The minute is part of it, so a client that is told
        that nothing changed has derived values at most a minute old.
        """
        said = "\n".join((key.decode(), state, config, asked.reader.role, __version__,
                          ",".join(sorted(asked.names)), str(now // ETAG_MS)))
        return ETag(hashlib.blake2b(said.encode(), digest_size=12).hexdigest(), is_weak=True)


def _has(request: web.Request, etag: ETag) -> bool:
    return any(tag.value in (etag.value, "*") for tag in request.if_none_match or ())


def _not_modified(etag: ETag) -> web.Response:
    VIEW_READS.labels("not_modified").inc()
    response = web.Response(status=304, headers=_HEADERS)
    response.etag = etag
    return response


def _unknown() -> RequestError:
    VIEW_READS.labels("unknown").inc()
    return RequestError(404, "customer_unknown", "nothing is held of this identifier")

"""`GET /v1/customers/{kind}:{value}`: the single customer view over HTTP (docs/view.md).

Decides who may read (an API key; a write key is none), what `include` picks, what is masked for the
key's role, and when what the client has still holds. Where it is read is `lookup.py`. Must never
write a key, an identifier or a value to a log or an error.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from aiohttp import ETag, hdrs, web

from footfall import __version__
from footfall.collector.answers import RequestError
from footfall.collector.lookup import NOBODY, Lookup, Owners
from footfall.events.customer_key import CustomerKeys
from footfall.tables.record import CustomerRecord
from footfall.tables.spec import AnyTable
from footfall.telemetry import VIEW_READS
from footfall.view import scope
from footfall.view.classes import Mask
from footfall.view.document import IDS, Document, document, included
from footfall.view.identifiers import IdentifierError, key_of, parse
from footfall.view.pointers import Passed, owner_of
from footfall.view.roles import ApiKey, ApiKeys
from footfall.view.served import Found, Served

#: Values that move with time alone are at most so old where a client is told that nothing changed.
ETAG_MS = 60_000
OUTCOMES = ("view", "worker", "unknown", "not_modified", "unavailable")
HEADERS = {hdrs.CACHE_CONTROL: "private, no-store", hdrs.VARY: hdrs.AUTHORIZATION,
            "X-Content-Type-Options": "nosniff"}


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
        self.keys = keys
        self.api_keys = api_keys
        self.tables = tables
        self.lookup = Lookup(served, owners, owner_of)
        self.clock = clock
        self._mask = Mask(tables)
        self._names = frozenset(table.name for table in tables) | {IDS}
        #: Of the table that knows the identifiers: it is read for them.
        self._ids_table = next((t.name for t in tables if t.ids is not None), IDS)

    async def while_running(self, _app: web.Application) -> Any:
        """For the application: keeps the view's marks."""
        async with self.lookup.while_running():
            yield

    async def answer(self, request: web.Request) -> web.Response:
        """The customer, or 304 where the client has it."""
        asked = self._asked(request)
        located = await self.lookup.customer(asked.key, self._read(asked))
        if located.found is not None:
            return self._of_view(request, asked, located.key, located.found, located.way)
        assert located.said is not None
        return self._of_owner(request, asked, located.said, located.way)

    # -- the request -------------------------------------------------------------------------------

    def _asked(self, request: web.Request) -> Asked:
        reader, key = self.reader_of(request), self.key_of(request)
        given = request.query.getall("include", [])
        names = frozenset(name for text in given for name in text.split(",") if name)
        if names - self._names:
            raise RequestError(400, "include_unknown", "include names a part that there is not; "
                               f"there are {', '.join(sorted(self._names))}", "include")
        return Asked(key, reader, names or self._names, not names)

    def reader_of(self, request: web.Request) -> ApiKey:
        """Who asks; raises 401."""
        reader = self.api_keys.of_header(request.headers.get(hdrs.AUTHORIZATION, ""))
        if reader is None:
            raise RequestError(401, "api_key_unknown", "send an API key as a bearer token; write "
                               "keys may not read")
        return reader

    def key_of(self, request: web.Request) -> bytes:
        """Who is asked for; raises 400."""
        try:
            return key_of(*parse(request.match_info["identifier"]), self.keys)
        except IdentifierError as error:
            raise RequestError(400, "identifier_invalid", str(error)) from None

    def _read(self, asked: Asked) -> frozenset[str]:
        """The tables that are read."""
        return asked.names | {self._ids_table} if IDS in asked.names else asked.names

    # -- the answer --------------------------------------------------------------------------------

    def _of_view(self, request: web.Request, asked: Asked, key: bytes, found: Found, way: Passed
                 ) -> web.Response:
        held, now = found.held, self.clock()
        etag = self._etag(asked, key, now, f"{found.generation}:{held.record.watermark}",
                          held.config.label)
        if _has(request, etag):
            return _not_modified(etag)
        VIEW_READS.labels("view").inc()
        return self._answer(asked, {
            "source": {"kind": "view", "generation": found.generation},
            "staleness_ms": max(0, now - found.at),
            **document(key, held, self.tables, max(now, held.clock)),
        }, way, etag)

    def _of_owner(self, request: web.Request, asked: Asked, shown: Document, way: Passed
                  ) -> web.Response:
        etag = self._etag(asked, shown["customer_key"].encode(), self.clock(),
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
        shown = self._mask.document(scope.customer(shown, asked.reader), asked.reader.clearance)
        response = web.Response(body=msgspec.json.encode(shown), content_type="application/json",
                                headers=HEADERS)
        response.etag = etag
        return response

    def _etag(self, asked: Asked, key: bytes, now: int, state: str, config: str) -> ETag:
        """Weak: what is derived moves with time. The minute is part of it, so a client that is told
        that nothing changed has derived values at most a minute old.
        """
        said = "\n".join((key.decode(), state, config, asked.reader.role, __version__,
                          ",".join(sorted(asked.reader.triggers)),
                          ",".join(sorted(asked.names)), str(now // ETAG_MS)))
        return ETag(hashlib.blake2b(said.encode(), digest_size=12).hexdigest(), is_weak=True)


def _has(request: web.Request, etag: ETag) -> bool:
    return any(tag.value in (etag.value, "*") for tag in request.if_none_match or ())


def _not_modified(etag: ETag) -> web.Response:
    VIEW_READS.labels("not_modified").inc()
    response = web.Response(status=304, headers=HEADERS)
    response.etag = etag
    return response

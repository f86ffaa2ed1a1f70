"""Why, over HTTP: why a trigger fired, and why a rule did not for a customer (docs/why.md).

    GET /v1/triggers/{trigger_id}/why
    GET /v1/customers/{kind}:{value}/why-not/{rule}

Decides what is answered where the index does not have a trigger, and which triggers of the rule go
with an answer. Who may ask and what is masked is as of customers. Must never write a key, an
identifier or a value to a log or an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

import msgspec
from aiohttp import web

from footfall.collector.answers import RequestError
from footfall.collector.customers import HEADERS, Customers
from footfall.collector.lookup import unavailable
from footfall.errors import DecodeError
from footfall.events.codec import Codec, TriggerRecord
from footfall.telemetry import VIEW_READS
from footfall.view import scope
from footfall.view.document import Document
from footfall.view.roles import ApiKey
from footfall.view.served import UnavailableError
from footfall.view.why import TRIGGER_ID_CHARS, fired_of, is_trigger_id, why
from footfall.view.why_classes import ExplanationMask
from footfall.view.why_not import READS, RULE_UNKNOWN, why_not


class Why:
    """Both routes, for those who may read `customers`."""

    def __init__(self, customers: Customers, codec: Codec[TriggerRecord],
                 clock: Callable[[], int]) -> None:
        self._customers = customers
        self._lookup = customers.lookup
        self._codec = codec
        self._clock = clock
        self._mask = ExplanationMask(customers.tables)

    async def trigger(self, request: web.Request) -> web.Response:
        """Why a trigger fired; 404 where the index does not have it."""
        reader = self._customers.reader_of(request)
        trigger_id = request.match_info["trigger_id"]
        if not is_trigger_id(trigger_id):
            raise RequestError(400, "trigger_invalid", f"a trigger_id is {TRIGGER_ID_CHARS} "
                               "characters of 0 to 9 and a to f")
        if self._lookup.served is None:
            raise unavailable()
        try:
            record = await self._lookup.served.trigger(trigger_id)
            if record is None:
                raise _unknown()
            # The schema of an older record may have to be asked for.
            shown = why(await asyncio.to_thread(self._codec.decode, record))
            if not reader.may_read(shown["name"]):
                raise _unknown()
        except (UnavailableError, DecodeError):
            raise unavailable() from None
        return _answer(self._mask.why(shown, reader.clearance), reader)

    async def rule(self, request: web.Request) -> web.Response:
        """Why a rule did not fire for a customer; 404 for an unknown one of either."""
        reader, key = self._customers.reader_of(request), self._customers.key_of(request)
        name = request.match_info["rule"]
        if not reader.may_read(name):
            raise RequestError(404, "rule_unknown", scope.UNKNOWN)
        located = await self._lookup.customer(key, READS, f"/why-not/{quote(name, safe='')}")
        now = self._clock()
        if located.found is not None:
            found = located.found
            VIEW_READS.labels("view").inc()
            shown = {"source": {"kind": "view", "generation": found.generation},
                     "staleness_ms": max(0, now - found.at),
                     **why_not(located.key, found.held, name, max(now, found.held.clock))}
        else:
            assert located.said is not None
            VIEW_READS.labels("worker").inc()
            shown = {**located.said, "source": {"kind": "worker"}, "staleness_ms": 0}
        shown = scope.why_not(shown, reader)
        if shown["reason"] == RULE_UNKNOWN:
            raise RequestError(404, "rule_unknown", shown["text"])
        shown["passed"] = [passed.decode() for passed in located.way.keys]
        shown["triggers"] = await self._fired(located.key, name)
        return _answer(self._mask.why_not(shown, reader.clearance), reader)

    async def _fired(self, key: bytes, name: str) -> list[Document] | None:
        """What the rule has told of late; None where the index cannot say."""
        if self._lookup.served is None:
            return None
        try:
            records = await self._lookup.served.triggers_of(key)
        except UnavailableError:
            return None
        return await asyncio.to_thread(fired_of, records, name, self._codec.decode)


def _unknown() -> RequestError:
    return RequestError(404, "trigger_unknown", "the index has no such trigger; it has the newest "
                        "alone, `footfall why` also reads the topic")


def _answer(shown: Document, reader: ApiKey) -> web.Response:
    return web.Response(body=msgspec.json.encode({**shown, "role": reader.role}),
                        content_type="application/json", headers=HEADERS)

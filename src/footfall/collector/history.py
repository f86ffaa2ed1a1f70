"""`GET /v1/triggers`: what a customer was told of late, the newest first (docs/subscriptions.md).

Read from the index beside the view. Who may read which is as of the stream: a key's role masks, its
`triggers` are all that there are for it. Must never write anything of a trigger to a log or an
error.
"""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from footfall.collector.answers import RequestError
from footfall.collector.asked import LIMIT, customer_key_of, limit_of, reader_of, time_of
from footfall.collector.customers import HEADERS, Customers
from footfall.collector.lookup import unavailable
from footfall.errors import SchemaError
from footfall.events.codec import Codec, TriggerRecord
from footfall.subscriptions import filters
from footfall.subscriptions.items import Item, Reader, item_of
from footfall.subscriptions.reading import Record
from footfall.subscriptions.repeats import Repeats
from footfall.view.served import UnavailableError
from footfall.view.why_classes import ExplanationMask

PARAMETERS = (filters.NAME, filters.CUSTOMER, "since", "until", LIMIT)


class History:
    """The route, for those who may read `customers`."""

    def __init__(self, customers: Customers, codec: Codec[TriggerRecord]) -> None:
        self._customers = customers
        self._codec = codec
        self._mask = ExplanationMask(customers.tables)

    async def answer(self, request: web.Request) -> web.Response:
        """A customer's triggers that the index has."""
        key = self._customers.reader_of(request)
        who = await reader_of(request, key, self._customers, PARAMETERS)
        since, until = (time_of(request, name) for name in ("since", "until"))
        limit = limit_of(request)
        if who.asked.customer is None:
            raise RequestError(400, "customer_missing", "name a customer as KIND:VALUE; all "
                               "triggers come by the stream", filters.CUSTOMER)
        served = self._customers.lookup.served
        if served is None:
            raise unavailable()
        located = await self._customers.lookup.customer(
            customer_key_of(request.query[filters.CUSTOMER], self._customers), ())
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
        found = [(item.emitted_at, item.sight(who.clearance, self._mask).body) for item in items
                 if (since is None or item.emitted_at >= since)
                 and (until is None or item.emitted_at < until)]
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

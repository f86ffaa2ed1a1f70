"""The worker's HTTP side: beside metrics and health, customers as they are this instant.

    GET /customers/<customer_key>[/why-not/<rule>]  with `Authorization: Bearer <api_key>`

Runs on the loop of the engine, so an answer is made between two batches: whole, and newer than the
last checkpoint. Decides who may read: nobody without an API key, each what its role may see and
the triggers it is for, and where no key is configured the route does not exist. A worker answers
for the partitions it owns (else 421), never while they change hands (503), so no answer comes from
a state that somebody else has taken further.
Must never write a key or anything of a customer to a log.
"""

from __future__ import annotations

from aiohttp import web

from footfall.events.customer_key import is_customer_key
from footfall.health_serving import answer, refused
from footfall.stream.engine import Engine
from footfall.stream.metrics_serving import MetricsServing
from footfall.stream.partition import partition_of
from footfall.stream.publishing import lag
from footfall.view import scope
from footfall.view.classes import Mask
from footfall.view.document import Held, document
from footfall.view.roles import ApiKey, ApiKeys
from footfall.view.why_classes import ExplanationMask
from footfall.view.why_not import why_not

CUSTOMERS = "/customers/"


class Serving(MetricsServing):
    """The HTTP server of one worker. `api_keys`: what readers of customers must show."""

    def __init__(self, engine: Engine, host: str, port: int, api_keys: ApiKeys) -> None:
        self._engine = engine
        self._api_keys = api_keys
        self._mask = Mask(engine.tables)
        self._explanation_mask = ExplanationMask(engine.tables)
        super().__init__(engine, host, port)

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        app = super().application()
        if self._api_keys:
            app.router.add_get(CUSTOMERS + "{customer_key}", self._customer)
            app.router.add_get(CUSTOMERS + "{customer_key}/why-not/{rule}", self._customer)
        return app

    async def _customer(self, request: web.Request) -> web.Response:
        reader = self._api_keys.of_header(request.headers.get("Authorization", ""))
        if reader is None:
            return refused(401, "api_key_unknown", "send an API key as a bearer token")
        key = request.match_info["customer_key"].encode()
        if not is_customer_key(key):
            return refused(400, "key_invalid", "not a customer_key")
        return self._answer(key, reader, request.match_info.get("rule"))

    def _answer(self, key: bytes, reader: ApiKey, rule: str | None) -> web.Response:
        engine = self._engine
        number = partition_of(key, engine.settings.partitions)
        if not engine.consumer.serves(number):
            return refused(503, "recovering", "partitions change hands or are being recovered")
        engine.check_alive()
        partition = engine.partitions.get(number)
        if partition is None:
            return refused(421, "not_owner", f"partition {number} belongs to another worker")
        fold = partition.fold
        record = fold.records.peek(key)
        if record is None:
            return refused(404, "customer_unknown", "no interaction of this customer was applied")
        rows = {t.name: row for t in fold.tables if (row := fold.row(key, t.name)) is not None}
        held = Held(record, rows, number, fold.clock, fold.config, lag(engine, partition))
        now = max(engine.broker_now(), fold.clock)
        if rule is not None:
            explained = scope.why_not(why_not(key, held, rule, now), reader)
            return answer(200, self._explanation_mask.why_not(explained, reader.clearance))
        found = scope.customer(document(key, held, fold.tables, now), reader)
        return answer(200, self._mask.document(found, reader.clearance))

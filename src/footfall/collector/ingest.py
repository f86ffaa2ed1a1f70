"""One request from HTTP to the log, and what it is told.

Decides the order in which a request is judged: room, rate of the address, key of the header or
query, body, key of the body, origin, rate of the source, items, log. So what is refused costs
little, and a wrong key is told before a wrong body. An item that this process has seen acknowledged
before is not written again. A 200 is sent only after every record of the request, quarantined items
too, is acknowledged (law 1).
Counts every item once: received = accepted + repeated + rejected + unacknowledged.
Must never log a body, a header or an address (law 6).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from math import ceil

import msgspec
from aiohttp import hdrs, web
from prometheus_client import Counter

from footfall.collector import answers, body, pixel
from footfall.collector.acknowledged import Acknowledged, name_of
from footfall.collector.answers import Answer, Duplicate, Outcome, Outcomes, RequestError
from footfall.collector.auth import Source, WriteKeys
from footfall.collector.body import Body
from footfall.collector.limits import Limits
from footfall.collector.rates import Buckets, buckets_of, network_of
from footfall.collector.room import Held, Room
from footfall.collector.routes import BATCH, WEBHOOK
from footfall.collector.sink import Outgoing, Record, Sink, UnavailableError
from footfall.collector.violations import Violations
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Admitted, Arrival, Planned, Raws
from footfall.events.codec import Codecs, RejectedRecord
from footfall.events.customer_key import CustomerKeys
from footfall.telemetry import (
    ACCEPTED,
    ACK_SECONDS,
    PLAN,
    RECEIVED,
    REJECTED,
    REPEATED,
    UNACKNOWLEDGED,
)

Clock = Callable[[], int]


#: A request's items, what has to be written of them, and what to remember once it is.
Judged = tuple[list[Outcome], Outgoing, list[bytes]]


def wall_clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Ingest:
    """What all requests share."""

    def __init__(self, sink: Sink, keys: CustomerKeys, write_keys: WriteKeys, codecs: Codecs, *,
                 clock: Clock, limits: Limits, proxies: int, plan: Planned | None,
                 violations: Violations) -> None:
        self._sink = sink
        self._keys = keys
        self._write_keys = write_keys
        self._codecs = codecs
        self._clock = clock
        self._limits = limits
        self._proxies = proxies
        self._plan = plan
        self._violations = violations
        self._room = Room(self._limits)
        self._by_source = buckets_of(self._limits.source_items_per_s)
        self._by_address = buckets_of(self._limits.address_items_per_s)
        self._acknowledged = Acknowledged()
        self._counters: dict[str, tuple[Counter, Counter]] = {}
        #: With a number it names each request of this process; asking for a random name for each
        #: would be a call of the kernel.
        self._run = secrets.token_hex(16)
        self._n = 0

    async def call(self, request: web.BaseRequest, call: str) -> Answer:
        """A tracking call whose items stand in the body."""
        with self._room.body() as held:
            address = self._let_in(request)
            source = self._source_outside(request)
            data = body.at_hand(request, self._limits.body_bytes_max, held)
            if data is None:
                data = await body.read(request, self._limits.body_bytes_max, held)
            parsed = self._parsed(data, call)
            if source is None:
                source = self._write_keys.source_of(parsed.write_key)
            judged = self._judged(request, held, source, parsed, call, address)
            await self._send(source.name, judged)
        outcomes = judged[0]
        return answers.of_batch(outcomes) if parsed.is_many else answers.of_one(outcomes[0])

    async def image(self, request: web.Request, call: str) -> web.Response:
        """A tracking call whose item stands in the query; the answer is an image, or an error."""
        with self._room.body() as held:
            address = self._let_in(request)
            source = self._source_outside(request)
            parsed = body.one(pixel.item_of(request.query.items()))
            if source is None:
                source = self._write_keys.source_of(parsed.write_key)
            held.take(len(parsed.items[0]))
            judged = self._judged(request, held, source, parsed, call, address)
            await self._send(source.name, judged)
        (outcome,) = judged[0]
        if isinstance(outcome, Rejected):
            return answers.response(answers.of_one(outcome))
        return web.Response(body=pixel.GIF, content_type="image/gif",
                            headers={"Cache-Control": "no-store"})

    async def record(self, request: web.BaseRequest, bytes_max: int,
                     made: Callable[[int], Admitted]) -> None:
        """One interaction that the request is for, whatever its body says; by the same room, rate
        and log as any other.
        """
        with self._room.body() as held:
            self._let_in(request)
            await body.read(request, bytes_max, held)
            held.is_read(1)
            admitted = made(self._clock())
            name = name_of(admitted)
            if name in self._acknowledged:
                judged: Judged = [Duplicate(admitted.event["message_id"])], Outgoing([], []), []
            else:
                judged = [admitted], Outgoing([self._written(admitted)], []), [name]
            await self._send(admitted.event["source"], judged)

    async def ignored(self, request: web.BaseRequest) -> Answer:
        """What SDKs tell of themselves: taken, so that they do not try again, and dropped."""
        with self._room.body() as held:
            self._let_in(request)
            await body.read(request, self._limits.body_bytes_max, held)
        return answers.json_of({"success": True})

    def source_of_settings(self, request: web.Request) -> Source:
        """Whose settings are asked for: by the path, the header or the query; raises 401."""
        address = self._let_in(request)
        self._pay_address(address, 1)
        named = request.match_info.get("writeKey")
        source = self._write_keys.source_of(named) if named else self._source_outside(request)
        if source is None:
            source = self._write_keys.source_of(None)
        source.check_origin(request.headers.get("Origin"))
        return source

    def _parsed(self, data: bytes, call: str) -> Body:
        if call == BATCH:
            return body.batch(data, self._limits.batch_items_max)
        if call == WEBHOOK:
            return body.webhook(data, self._limits.batch_items_max)
        return body.one(data)

    def _judged(self, request: web.BaseRequest, held: Held, source: Source,  # noqa: PLR0917
                parsed: Body, call: str, address: str) -> Judged:
        """What is there of a request, before the log has any of it."""
        origin = request.headers.get(hdrs.ORIGIN)
        source.check_origin(origin)
        count = len(parsed.items)
        held.is_read(count)
        self._pay_source(source, count)
        self._pay_address(address, count - 1)
        filled = self._filled(request, origin)
        shared = parsed.shared
        if filled:
            shared = {**shared, "context": {**filled, **shared.get("context", {})}}
        self._n += 1
        arrival = Arrival(source.name, self._clock(), f"{self._run}-{self._n}",
                          "" if call in (BATCH, WEBHOOK) else call, parsed.sent_at, shared,
                          self._limits.item_bytes_max, source.calls, source.events,
                          self._plan, is_forwarded=call == WEBHOOK)
        return self._judge(parsed.items, arrival)

    def _judge(self, items: list[bytes], arrival: Arrival) -> Judged:
        """Every item, and what has to be written of it."""
        outcomes: list[Outcome] = []
        interactions: list[Record] = []
        rejected: list[Record] = []
        names: list[bytes] = []
        for n, item in enumerate(items):
            outcome = admit(item, n, arrival, self._keys)
            outcomes.append(outcome)
            if isinstance(outcome, Rejected):
                rejected.append(self._quarantined(outcome))
                continue
            name = name_of(outcome)
            if name in self._acknowledged:
                outcomes[-1] = Duplicate(outcome.event["message_id"])
                continue
            names.append(name)
            interactions.append(self._written(outcome))
        return outcomes, Outgoing(interactions, rejected), names

    async def _send(self, source: str, judged: Judged) -> None:
        """Return when the log has all of them; only then are they told and remembered."""
        outcomes, outgoing, names = judged
        sent = len(outgoing.interactions) + len(outgoing.rejected)
        counters = self._counters.get(source)
        if counters is None:  # looking a label up costs more than counting
            counters = self._counters[source] = (RECEIVED.labels(source), ACCEPTED.labels(source))
        received, accepted = counters
        received.inc(len(outcomes))
        if sent < len(outcomes):
            REPEATED.labels(source).inc(len(outcomes) - sent)
        if not sent:
            return
        started = time.perf_counter()
        try:
            await self._sink.send(outgoing)
        except BaseException as error:
            UNACKNOWLEDGED.labels(source).inc(sent)
            if not isinstance(error, UnavailableError):
                raise
            raise RequestError(503, "log_unavailable", f"{error}; try again") from None
        finally:
            ACK_SECONDS.observe(time.perf_counter() - started)
        accepted.inc(len(outgoing.interactions))
        self._acknowledged.update(names)
        if self._plan is not None:
            self._tell_found(source, outcomes)
        if outgoing.rejected:
            for outcome in outcomes:
                if isinstance(outcome, Rejected):
                    REJECTED.labels(outcome.stage, outcome.reason).inc()

    def _written(self, admitted: Admitted) -> Record:
        return {"key": admitted.key, "value": self._codecs.interaction.encode(admitted.event)}

    def _tell_found(self, source: str, outcomes: Outcomes) -> None:
        """What the plan found in items that are in the log, or in `rejected`."""
        for outcome in outcomes:
            if isinstance(outcome, Duplicate) or not outcome.found:
                continue
            for found in outcome.found:
                PLAN.labels(found.finding, found.call, found.event).inc()
            message_id = "" if isinstance(outcome, Rejected) else outcome.event["message_id"]
            self._violations.add(source, outcome.found, message_id)

    def _quarantined(self, rejected: Rejected) -> Record:
        record: RejectedRecord = {
            "stage": rejected.stage, "reason": rejected.reason, "detail": rejected.detail,
            "source": rejected.source, "rejected_at": rejected.rejected_at,
            "topic": rejected.topic, "partition": rejected.partition, "offset": rejected.offset,
            "key_id": None, "personal": rejected.payload,
        }
        return {"key": rejected.source.encode(), "value": self._codecs.rejected.encode(record)}

    def _filled(self, request: web.BaseRequest, origin: str | None) -> Raws:
        """What the request itself says for the `context` of items that do not say it."""
        filled: Raws = {}
        if origin is not None or request.method == hdrs.METH_GET:
            # Sent by a browser itself: its address is the customer's. A server's would be its own.
            filled["ip"] = msgspec.Raw(msgspec.json.encode(self._address(request)))
        if request.headers.get("Sec-GPC") == "1":  # nothing else has a meaning (W3C, GPC)
            filled["globalPrivacyControl"] = msgspec.Raw(b"true")
        return filled

    # -- who it is -------------------------------------------------------------------------------

    def _source_outside(self, request: web.BaseRequest) -> Source | None:
        """Source of the header or the query; None where neither names one; raises 401."""
        found = self._write_keys.source_of_header(request.headers.get("Authorization"))
        if found is None and request.query_string and "writeKey" in request.query:
            found = self._write_keys.source_of(request.query["writeKey"])
        return found

    def _address(self, request: web.BaseRequest) -> str:
        """The client's address: the peer's, or what that many proxies before us say."""
        if self._proxies:
            said = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
            return said[-self._proxies if len(said) >= self._proxies else 0].strip()
        return request.remote or ""

    def _let_in(self, request: web.BaseRequest) -> str:
        """Raises 429 while its address is over its rate; else one token is paid, for anything."""
        if self._by_address is None:
            return ""
        address = network_of(self._address(request))
        _check(self._by_address, address, "address")
        self._by_address.pay(address, 1, time.monotonic())
        return address

    def _pay_address(self, address: str, items: int) -> None:
        if items and self._by_address is not None:
            self._by_address.pay(address, items, time.monotonic())

    def _pay_source(self, source: Source, items: int) -> None:
        """Raises 429 while a source is over its rate, else takes the tokens of its items."""
        if self._by_source is not None:
            _check(self._by_source, source.name, "source")
            self._by_source.pay(source.name, items, time.monotonic())


def _check(buckets: Buckets, name: str, whose: str) -> None:
    wait_s = buckets.wait_s(name, time.monotonic())
    if wait_s > 0:
        raise RequestError(429, f"{whose}_rate_limited",
                           f"this {whose} sends more items a second than it may; wait as "
                           "Retry-After says", retry_after_s=ceil(wait_s))

"""`GET /v1/triggers/stream` and `GET /v1/triggers` over real HTTP, raw sockets where it matters."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from prometheus_client import REGISTRY

from footfall import tables
from footfall.collector.customers import Customers
from footfall.collector.routes import ALL
from footfall.collector.tickets import TICKET_S
from footfall.settings import ApiKeySettings
from footfall.subscriptions import cursor
from footfall.subscriptions.hub import Hub
from footfall.view.roles import ApiKeys
from footfall.view.why_classes import ExplanationMask
from tests.collector.edge import CODECS, KEY, KEYS, MemorySink, basic, serving
from tests.collector.test_customers import OWNER, ROLES, ask, bearer
from tests.collector.test_why import (
    ABANDONED,
    OF_RISK,
    OF_RULE,
    U1,
    fill,
    reader,
    why_not_path,
    why_path,
)
from tests.redis_server import RedisServer
from tests.subscriptions.memory import MemoryTopic
from tests.subscriptions.test_core import parsed
from tests.subscriptions.test_hub import QUICK, WAIT_S_MAX

STREAM = "/v1/triggers/stream"
HISTORY = "/v1/triggers"
SCOPED = {**ROLES, "risk": ApiKeySettings(role="owner", keys=["key of risk"],
                                          triggers=["risk_level_changed"])}


@pytest.fixture
def topic() -> MemoryTopic:
    return MemoryTopic()


def hub(topic: MemoryTopic, **options: Any) -> Hub:
    return Hub(topic.reader, CODECS.trigger, ExplanationMask(tables.ALL),
               QUICK._replace(**options))


@contextlib.asynccontextmanager
async def streaming(topic: MemoryTopic, **options: Any) -> AsyncIterator[Any]:
    customers = Customers(KEYS, ApiKeys(OWNER, SCOPED), tables.ALL)
    async with serving(MemorySink(), customers=customers, hub=hub(topic, **options)) as made:
        yield made


@pytest.fixture
async def client(topic: MemoryTopic) -> AsyncIterator[Any]:
    async with streaming(topic) as made:
        yield made


class Listening:
    """An open stream: what came of it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.content = b""

    async def until(self, count: int) -> list[Any]:
        """The data of so many events."""
        async with asyncio.timeout(WAIT_S_MAX):
            while len(self.events()) < count:
                self.content += await self.answer.content.readany()
        return [json.loads(data) for _name, data in self.events()]

    async def opened(self) -> str:
        async with asyncio.timeout(WAIT_S_MAX):
            while b"\n\n" not in self.content:
                self.content += await self.answer.content.readany()
        return self.last

    def events(self) -> list[tuple[str, str]]:
        return parsed(self.content)[0]

    @property
    def last(self) -> str:
        return parsed(self.content)[1]


@contextlib.asynccontextmanager
async def listening(client: Any, key: str = OWNER, place: str | None = None, **query: str
                    ) -> AsyncIterator[Listening]:
    headers = {**bearer(key), **({"Last-Event-ID": place} if place else {})}
    async with client.get(STREAM, params=query, headers=headers) as answer:
        assert (200, "text/event-stream") == (answer.status, answer.content_type), (
            await answer.text())
        yield Listening(answer)


async def got(client: Any, path: str, key: str = OWNER, place: str = "", **query: str
              ) -> tuple[int, Any, Mapping[str, str]]:
    """(status, JSON, headers) of what is no stream."""
    headers = {**bearer(key), **({"Last-Event-ID": place} if place else {})}
    async with client.get(path, params=query, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


def ended(reason: str) -> float:
    return REGISTRY.get_sample_value("footfall_subscription_ends_total", {"reason": reason}) or 0


async def test_a_trigger_comes_whole_and_a_cursor_goes_on(client: Any, topic: MemoryTopic) -> None:
    """Byte for byte for the owner; never kept by a proxy, no page may read it."""
    async with listening(client) as stream:
        await stream.opened()
        topic.put(1, data=b'{"value":12.50,\n"note":"a\\nb"}')
        (shown,) = await stream.until(1)
        assert b'"data":{"value":12.50, "note":"a\\nb"}' in stream.content
        assert (f"{1:032x}", {"user_id": "u1"}) == (shown["trigger_id"], shown["ids"])
        headers = stream.answer.headers
        assert ("private, no-store", "no") == (headers["Cache-Control"],
                                               headers["X-Accel-Buffering"])
        assert not [name for name in headers if name.startswith("Access-Control")]
    topic.put(2)
    async with listening(client, place=stream.last) as again:
        assert [f"{2:032x}"] == [one["trigger_id"] for one in await again.until(1)]


async def test_by_name_customer_and_field(client: Any, topic: MemoryTopic) -> None:
    async with (
        listening(client, name="risk_level_changed,x") as by_name,
        listening(client, customer="user_id:u2") as by_customer,
        listening(client, customer="email:a@example.org") as by_identifier,
        listening(client, **{"data.level": "high"}) as by_field,
    ):
        streams = (by_name, by_customer, by_identifier, by_field)
        for stream in streams:
            await stream.opened()
        topic.put(1, name="risk_level_changed")
        topic.put(2, customer_key=KEYS.of("user_id", "u2").decode())
        topic.put(3, personal=b'{"ids":{"email":"a@example.org"}}')
        topic.put(4, data=b'{"level":"high"}')
        for n, stream in enumerate(streams, 1):
            assert [f"{n:032x}"] == [one["trigger_id"] for one in await stream.until(1)]


async def test_a_key_sees_what_it_is_for(client: Any, topic: MemoryTopic) -> None:
    """Its triggers alone, and of them what its role may see."""
    async with (listening(client, "key of risk") as scoped,
                listening(client, "key of analyst") as masked):
        for stream in (scoped, masked):
            await stream.opened()
        topic.put(1)
        topic.put(2, name="risk_level_changed", data=b'{"level":"high"}', evidence=b'{"x":1}')
        assert [f"{2:032x}"] == [one["trigger_id"] for one in await scoped.until(1)]
        shown = {one["name"]: one for one in await masked.until(2)}
        assert {"user_id": {"masked": "personal"}} == shown["cart_abandoned"]["ids"]
        assert {"value": "12.50"} == shown["cart_abandoned"]["data"]
        risky = shown["risk_level_changed"]
        assert {"masked": "personal"} == risky["data"]["level"]
        assert '"high"' not in masked.content.decode()


@pytest.mark.parametrize("header", [{}, basic(KEY), bearer("wrong"), bearer(KEY)])
async def test_nobody_listens_without_an_api_key(client: Any, header: dict[str, str]) -> None:
    """A write key is none."""
    for path in (STREAM, f"{HISTORY}?customer=user_id:u1"):
        async with client.get(path, headers=header) as answer:
            assert (401, "api_key_unknown") == (answer.status, (await answer.json())["code"])


@pytest.mark.parametrize(("query", "code"), [
    ({"nmae": "x"}, "parameter_unknown"), ({"start": "yesterday"}, "start_unknown"),
    ({"name": "x" * 201}, "filter_invalid"), ({"data.": "x"}, "filter_invalid"),
    ({"customer": "u1"}, "identifier_invalid"), ({"customer": ""}, "identifier_invalid"),
])
async def test_what_is_asked_wrongly_is_refused(client: Any, query: dict[str, str], code: str
                                                ) -> None:
    status, shown, _headers = await got(client, STREAM, **query)
    assert (400, code) == (status, shown["code"])
    assert "x" * 201 not in shown["message"]


@pytest.mark.parametrize("place", ["garbage", "0", "-1", "A" * 8_001, "é", "null",
                                   cursor.encode(bytes(16), [1])[:-1]])
async def test_a_cursor_that_is_none_is_refused(client: Any, place: str) -> None:
    status, shown, _headers = await got(client, STREAM, place=place)
    assert 400 == status
    assert "cursor_invalid" == shown["code"]


@pytest.mark.parametrize("value", [b"a\x00b", b"\x00", b"A" * 1_000_000, b"a\r\n b", b"\xff\xfe"])
async def test_bytes_that_no_header_may_have_are_refused(client: Any, value: bytes) -> None:
    """On a raw socket; the collector goes on."""
    def send() -> bytes:
        with socket.create_connection((client.host, client.port), WAIT_S_MAX) as made:
            with contextlib.suppress(ConnectionError):
                made.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n"
                             b"Last-Event-ID: %b\r\n\r\n" % (
                                 STREAM.encode(), OWNER.encode(), value))
            try:
                return made.recv(100)
            except ConnectionError:
                return b"HTTP/1.1 400 reset before it was read"

    assert b" 400 " in (await asyncio.to_thread(send))[:13]
    async with listening(client) as stream:
        await stream.opened()


async def test_a_gap_is_told(client: Any, topic: MemoryTopic) -> None:
    """Of another topic, and of the future."""
    topic.put(1)
    for place, reason in ((cursor.encode(bytes(16), [5]), "topic"),
                          (cursor.encode(topic.id, [9, 9, 9]), "ahead")):
        async with listening(client, place=place) as stream:
            gap = (await stream.until(1))[0]
            assert ("gap", reason) == (stream.events()[0][0], gap["reason"])


async def test_so_many_may_listen(topic: MemoryTopic) -> None:
    async with streaming(topic, subscribers_max=1, heartbeat_s=60.0) as client:
        async with listening(client) as stream:
            await stream.opened()
            status, shown, headers = await ask(client, STREAM)
            assert (503, "subscribers_full", "2") == (status, shown["code"],
                                                      headers["Retry-After"])
        async with asyncio.timeout(WAIT_S_MAX):
            while REGISTRY.get_sample_value("footfall_subscribers"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        async with listening(client) as stream:
            await stream.opened()


async def test_so_many_may_listen_with_one_key(topic: MemoryTopic) -> None:
    """Counted; another key has its own, and whoever leaves makes room."""
    def refused() -> float:
        return REGISTRY.get_sample_value("footfall_refused_requests_total",
                                         {"code": "key_subscribers_full"}) or 0

    async with streaming(topic, of_key_max=2, heartbeat_s=60.0) as client:
        async with listening(client) as one, listening(client) as two:
            for stream in (one, two):
                await stream.opened()
            before = refused()
            status, shown, headers = await ask(client, STREAM)
            assert (429, "key_subscribers_full", "2") == (status, shown["code"],
                                                          headers["Retry-After"])
            assert 1 == refused() - before
            async with listening(client, "key of analyst") as other:
                await other.opened()
        async with asyncio.timeout(WAIT_S_MAX):
            while REGISTRY.get_sample_value("footfall_subscribers"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        async with listening(client) as stream:
            await stream.opened()


# -- tickets ---------------------------------------------------------------------------------------


async def ticket_of(client: Any, key: str) -> str:
    async with client.post(STREAM + "/ticket", headers=bearer(key)) as answer:
        assert (200, "private, no-store") == (answer.status, answer.headers["Cache-Control"])
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        shown = await answer.json()
    assert {"ticket": shown["ticket"], "expires_s": TICKET_S} == shown
    return str(shown["ticket"])


async def test_a_ticket_opens_what_its_key_may_see(client: Any, topic: MemoryTopic,
                                                   caplog: pytest.LogCaptureFixture) -> None:
    """The first event says where it begins; nothing of the ticket is in a log."""
    caplog.set_level(logging.DEBUG)
    ticket = await ticket_of(client, "key of risk")
    async with client.get(STREAM, params={"ticket": ticket}) as answer:
        stream = Listening(answer)
        assert [{}] == await stream.until(1)
        place = stream.last
        topic.put(1)
        topic.put(2, name="risk_level_changed")
        assert f"{2:032x}" == (await stream.until(2))[1]["trigger_id"]
        assert ["opened", "trigger"] == [name for name, _data in stream.events()]
    async with client.get(STREAM, params={"ticket": ticket, "last_event_id": place}) as answer:
        stream = Listening(answer)
        assert f"{2:032x}" == (await stream.until(2))[1]["trigger_id"]
    assert ticket not in caplog.text


async def test_the_header_is_newer_than_the_query(client: Any, topic: MemoryTopic) -> None:
    """As a browser sends both when it comes back by itself."""
    sent = [topic.put(n, 0) for n in range(3)]
    places = [cursor.encode(topic.id, [n, 0, 0]) for n in range(3)]
    async with client.get(STREAM, params={"last_event_id": places[0]},
                          headers={**bearer(OWNER), "Last-Event-ID": places[2]}) as answer:
        assert sent[2:] == [one["trigger_id"] for one in await Listening(answer).until(1)]
    status, shown, _headers = await got(client, STREAM, last_event_id="x")
    assert (400, "cursor_invalid") == (status, shown["code"])


async def test_what_is_no_ticket_opens_nothing(client: Any) -> None:
    """Neither a key in its place, nor a good one beside a wrong key, nor on another route."""
    ticket = await ticket_of(client, OWNER)
    for query in ([("ticket", OWNER)], [("ticket", "")], [("ticket", ticket)] * 2):
        async with client.get(STREAM, params=query) as answer:
            assert (401, "ticket_invalid") == (answer.status, (await answer.json())["code"])
    for path, headers in ((STREAM, bearer("wrong")), (HISTORY, {}),
                          ("/v1/customers/user_id:u1", {}), (why_path(ABANDONED[0]), {})):
        async with client.get(path, params={"ticket": ticket}, headers=headers) as answer:
            assert (401, "api_key_unknown") == (answer.status, (await answer.json())["code"])
    for headers in ({}, basic(KEY), bearer("wrong"), bearer(KEY), bearer(ticket)):
        async with client.post(STREAM + "/ticket", headers=headers) as answer:
            assert (401, "api_key_unknown") == (answer.status, (await answer.json())["code"])


async def test_the_console_may_run_its_own_script_alone(client: Any) -> None:
    """By its hash; nothing in it comes from elsewhere."""
    async with client.get("/console") as answer:
        text, headers = await answer.text(), answer.headers
        assert (200, "text/html") == (answer.status, answer.content_type)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    said = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{said}'" == policy["script-src"]
    assert "'none' 'none' 'self' 'script'" == " ".join(policy[name] for name in (
        "default-src", "frame-ancestors", "connect-src", "require-trusted-types-for"))
    assert not re.search(r"https?:|//[a-z]|\bsrc=|\bon[a-z]+=|style=|<link|<img", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|localStorage|"
                         r"sessionStorage|cookie|eval", text)
    assert ("no-store", "no-referrer", "nosniff", "DENY") == tuple(headers[name] for name in (
        "Cache-Control", "Referrer-Policy", "X-Content-Type-Options", "X-Frame-Options"))


async def test_a_client_that_does_not_read_is_cut_and_harms_nobody(topic: MemoryTopic) -> None:
    before, made = ended("slow"), socket.socket()
    customers = Customers(KEYS, ApiKeys(OWNER), tables.ALL)
    async with serving(MemorySink(), customers=customers, hub=hub(topic)) as client:
        client.collector._subscriptions._stall_s_max = 1.5
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await asyncio.to_thread(made.connect, (client.host, client.port))
        made.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % (
            STREAM.encode(), OWNER.encode()))
        async with listening(client) as quick, asyncio.timeout(4 * WAIT_S_MAX):
            await quick.opened()
            sent = 0
            while ended("slow") == before:
                topic.put(sent, data=b'{"x":"%b"}' % (b"x" * 100_000))
                sent += 1
                await quick.until(sent)
                await asyncio.sleep(0.06)
    made.close()


async def test_a_collector_that_stops_ends_its_streams(topic: MemoryTopic) -> None:
    """Whole, with the place that was reached; there are no new ones."""
    async with streaming(topic) as client, listening(client) as stream:
        await stream.opened()
        topic.put(1)
        await stream.until(1)
        client.collector.drain()
        async with asyncio.timeout(WAIT_S_MAX):
            stream.content += await stream.answer.content.read()
        assert (0, 1, 0) == cursor.decode(stream.last).offsets
        status, shown, _headers = await ask(client, STREAM)
        assert (503, "stopping") == (status, shown["code"])


async def test_a_client_that_does_not_read_does_not_hold_up_the_end(topic: MemoryTopic) -> None:
    """Two seconds at most, of ten that it would have else."""
    before, made = ended("slow"), socket.socket()
    async with streaming(topic, heartbeat_s=60.0) as client:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await asyncio.to_thread(made.connect, (client.host, client.port))
        made.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % (
            STREAM.encode(), OWNER.encode()))
        writing = client.collector._subscriptions._writing
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WAIT_S_MAX):
            sent, since = 0, 0.0
            while not since or loop.time() < since + 0.3:
                topic.put(sent, data=b'{"x":"%b"}' % (b"x" * 100_000))
                sent += 1
                await asyncio.sleep(0.02)
                since = (since or loop.time()) if writing else 0.0
        began = loop.time()
        client.collector.drain()
        async with asyncio.timeout(2 * WAIT_S_MAX):
            while ended("slow") == before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert loop.time() - began < 8
    made.close()


async def test_a_head_of_it_opens_nothing(client: Any, topic: MemoryTopic) -> None:
    async with client.head(STREAM, headers=bearer(OWNER)) as answer:
        assert (200, "text/event-stream") == (answer.status, answer.content_type)
    assert 0 == topic.reads


async def test_without_a_broker_it_says_so() -> None:
    async with serving(MemorySink(), customers=Customers(
            KEYS, ApiKeys(OWNER), tables.ALL)) as client:
        status, shown, _headers = await ask(client, STREAM)
        assert (503, "log_unavailable") == (status, shown["code"])


# -- history ---------------------------------------------------------------------------------------


@pytest.fixture
async def indexed(own_redis: Callable[..., RedisServer]) -> AsyncIterator[Any]:
    redis = own_redis()
    await fill(redis)
    async with serving(MemorySink(), customers=reader(redis)) as made:
        yield made


async def test_history_is_the_newest_first_without_what_is_held_out(indexed: Any) -> None:
    status, shown, headers = await got(indexed, HISTORY, customer="user_id:u1")
    assert (200, "private, no-store") == (status, headers["Cache-Control"])
    ids = [one["trigger_id"] for one in shown["triggers"]]
    assert ids == sorted(ids, reverse=True)
    assert {ABANDONED[0], OF_RISK[0]} <= set(ids)
    assert OF_RULE[0] not in ids  # held out
    assert (U1.decode(), [], "owner") == (shown["customer_key"], shown["passed"], shown["role"])


async def test_history_stands_at_both_spellings(indexed: Any) -> None:
    """The slash at the end is that of every route, and no trigger of which the id is empty."""
    spelt = [await got(indexed, path, customer="user_id:u1") for path in (HISTORY, HISTORY + "/")]
    assert [200, 200] == [status for status, _shown, _headers in spelt]
    assert spelt[0][1] == spelt[1][1]


async def test_history_by_name_field_time_and_count(indexed: Any) -> None:
    async def ids(**query: str) -> list[str]:
        _status, shown, _headers = await got(indexed, HISTORY, customer="user_id:u1", **query)
        return [one["trigger_id"] for one in shown["triggers"]]

    every = await ids()
    assert [OF_RISK[0]] == await ids(name="risk_level_changed")
    assert [OF_RISK[0]] == await ids(**{"data.level": "high"})
    assert every[:1] == await ids(limit="1")
    _status, shown, _headers = await got(indexed, HISTORY, customer="user_id:u1")
    newest = shown["triggers"][0]["emitted_at"]
    assert every[:1] == await ids(since=newest)
    assert every[1:] == await ids(until=newest)


@pytest.mark.parametrize(("query", "status", "code"), [
    ({}, 400, "customer_missing"), ({"customer": "user_id:nobody"}, 404, "customer_unknown"),
    ({"customer": "user_id:u1", "limit": "0"}, 400, "limit_invalid"),
    ({"customer": "user_id:u1", "limit": "101"}, 400, "limit_invalid"),
    ({"customer": "user_id:u1", "since": "yesterday"}, 400, "time_unreadable"),
    ({"customer": "user_id:u1", "until": "²"}, 400, "time_unreadable"),
    ({"customer": "user_id:u1", "start": "latest"}, 400, "parameter_unknown"),
])
async def test_a_history_that_cannot_be(indexed: Any, query: dict[str, str], status: int, code: str
                                        ) -> None:
    found, shown, _headers = await got(indexed, HISTORY, **query)
    assert (status, code) == (found, shown["code"])


async def test_a_scoped_key_knows_of_no_other_trigger(own_redis: Callable[..., RedisServer]
                                                      ) -> None:
    """In history, in why and in why-not."""
    redis = own_redis()
    await fill(redis)
    customers = reader(redis)
    customers.api_keys = ApiKeys(OWNER, SCOPED)
    async with serving(MemorySink(), customers=customers) as client:
        _status, shown, _headers = await got(client, HISTORY, "key of risk", customer="user_id:u1")
        assert [OF_RISK[0]] == [one["trigger_id"] for one in shown["triggers"]]
        for found, status in ((ABANDONED, 404), (OF_RISK, 200)):
            assert status == (await ask(client, why_path(found[0]), "key of risk"))[0]
        for key, status in (("key of risk", 404), (OWNER, 200)):
            assert status == (await ask(client, why_not_path(), key))[0]
            _status, shown, _headers = await ask(client, "/v1/customers/user_id:u1", key)
            assert (status == 200) == ("win_back" in json.dumps(shown))
            _status, shown, _headers = await ask(client, why_not_path("risk_level_changed"), key)
            assert (status == 200) == ("alike" in shown["message"] or "in force" in
                                       shown["message"])


def test_the_routes_are_no_ingest_routes() -> None:
    assert [False, False] == [route.is_ingest for route in ALL if route.path in (STREAM, HISTORY)]

"""`GET /v1/customers/{kind}:{value}` over real HTTP and a real Redis: who sees what, and when."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, get_args
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from footfall import tables
from footfall.collector import customers
from footfall.collector.customers import Customers
from footfall.collector.lookup import Owners
from footfall.collector.routes import CUSTOMERS_PREFIX
from footfall.settings import ApiKeySettings, Role
from footfall.tables.stored import PartitionState
from footfall.up.ports import HOST, free_port
from footfall.view import entry
from footfall.view.document import Document
from footfall.view.roles import CLEARANCES, ApiKeys
from footfall.view.served import Served
from footfall.view.store import Store
from tests.collector.edge import KEY, KEYS, WAIT_S_MAX, MemorySink, basic, serving
from tests.redis_server import RedisServer
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import START

OWNER = "the owner's key"
NOW = START + 1_000
#: Values that an app may well send.
VALUES = ("u1", "a:b", "a/b", "a b", "50%", "ü€", "?x=1&y", "#", "a+b", "..", "%2F", "a@b.c")
ROLES = {role: ApiKeySettings(role=role, keys=[f"key of {role}"]) for role in get_args(Role)}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


class View:
    """A served view of what a log has made, and the collector that reads it."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis
        self.log = Log(tables.ALL)
        for n, value in enumerate(VALUES):
            key = KEYS.of("user_id", value)
            self.log.append(key, events.added(START, f"a{n}", "secret-product"), START)
            self.log.append(key, events.plain(START, f"m{n}", {"userId": value}), START)
        self.log.run()
        self.now = NOW

    async def write(self, generation: int = 0, at: int = NOW) -> None:
        """As a worker does."""
        fold = self.log.workers[0].fold
        fold.snapshot()
        store = Store(self.redis.url, WAIT_S_MAX)
        await store.begin()
        await store.put([(key, entry.encode(generation, 0, record))
                         for key, record in fold.store.items()])
        (held,) = await store.marks([0])
        mark = entry.mark(generation, fold.state(), at, 3)
        await store.mark([(0, held[: entry.HEAD_BYTES], entry.encode_mark(mark))])
        await store.close()

    def customers(self, **options: Any) -> Customers:
        served = Served(Store(self.redis.url, WAIT_S_MAX), tables.ALL, 1)
        return Customers(KEYS, ApiKeys(OWNER, ROLES), tables.ALL, served=served,
                         clock=lambda: self.now, **options)


@pytest.fixture
async def view(own_redis: Callable[..., RedisServer]) -> View:
    made = View(own_redis())
    await made.write()
    return made


@pytest.fixture
async def client(view: View) -> AsyncIterator[Any]:
    async with serving(MemorySink(), customers=view.customers()) as made:
        yield made


def path_of(value: str, kind: str = "user_id") -> str:
    return f"{CUSTOMERS_PREFIX}{kind}:{quote(value, safe='')}"


async def ask(client: Any, path: str, key: str = OWNER, **headers: str
              ) -> tuple[int, Any, Mapping[str, str]]:
    """(status, JSON, headers)."""
    url = URL(f"http://{HOST}:{client.port}{path}", encoded=True)
    async with client.session.get(url, headers={**bearer(key), **headers}) as answer:
        body = await answer.read()
        return answer.status, json.loads(body) if body else None, answer.headers


@pytest.mark.parametrize("value", VALUES)
async def test_a_customer_is_found_whatever_its_identifier(client: Any, value: str) -> None:
    """Percent-encoded as any value of a URL."""
    status, shown, headers = await ask(client, path_of(value))

    assert 200 == status
    assert KEYS.of("user_id", value).decode() == shown["customer_key"]
    assert {"user_id": value} == shown["ids"]
    assert ("private, no-store", "Authorization") == (headers["Cache-Control"], headers["Vary"])
    assert not [name for name in headers if name.startswith("Access-Control")]


async def test_it_says_what_it_has_and_how_old_it_is(view: View, client: Any) -> None:
    """Every table, the identifiers, where it comes from."""
    view.now += 250
    _status, shown, _headers = await ask(client, path_of("u1"))
    fold = view.log.workers[0].fold
    record = fold.records.peek(KEYS.of("user_id", "u1"))
    assert record is not None

    assert record.rows.keys() == shown["tables"].keys()
    assert (record.watermark, 0, 3, 250, "owner", None, []) == tuple(shown[name] for name in (
        "watermark", "partition", "behind_records", "staleness_ms", "role", "owner", "passed"))
    assert {"kind": "view", "generation": 0} == shown["source"]
    assert (fold.config.label, {"cart"}) == (shown["config_version"], shown["timers"].keys() & {
        "cart"})


@pytest.mark.parametrize(("include", "ids", "names"), [
    ("cart", False, {"cart"}), ("ids", True, set()), ("ids,cart", True, {"cart"}),
    ("cart&include=risk", False, {"cart", "risk"}), ("", True, {t.name for t in tables.ALL}),
    ("identity", False, {"identity"})])
async def test_include_picks_parts(client: Any, include: str, ids: bool, names: set[str]) -> None:
    """By name; none: all."""
    status, shown, _ = await ask(client, f"{path_of('u1')}?include={include}")

    assert 200 == status
    assert ids == ("ids" in shown)
    (held,) = [names & {t.name for t in tables.ALL}]
    assert shown["tables"].keys() <= held and ("cart" not in held or "cart" in shown["tables"])
    assert shown["timers"].keys() <= held


@pytest.mark.parametrize(("path", "status", "code"), [
    (path_of("nobody"), 404, "customer_unknown"), (path_of("u1", "anonymous_id"), 404,
                                                   "customer_unknown"),
    (path_of("u1", "Nation"), 400, "identifier_invalid"), (path_of(""), 400, "identifier_invalid"),
    (path_of("null"), 400, "identifier_invalid"), (CUSTOMERS_PREFIX + "u1", 400,
                                                   "identifier_invalid"),
    (path_of("u1") + "?include=cart,salary", 400, "include_unknown"),
    (CUSTOMERS_PREFIX, 404, "not_found"), (path_of("u1") + "/x", 404, "not_found")])
async def test_what_cannot_be_shown_says_why(client: Any, path: str, status: int, code: str
                                             ) -> None:
    """And nothing of what was asked; of include all that there is."""
    found, shown, headers = await ask(client, path)

    assert (status, code) == (found, shown["code"])
    if "?" not in path:
        assert "u1" not in shown["message"].removesuffix("user_id:u1") and "nobody" not in (
            shown["message"].partition("stands for")[0])
    if code == "include_unknown":
        assert "salary" not in shown["message"]
        assert all(t.name in shown["message"] for t in tables.ALL) and "ids" in shown["message"]
    assert not [name for name in headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": ""}, {"Authorization": "Bearer"}, bearer("wrong"), bearer(KEY),
    basic(KEY), basic(OWNER), bearer(OWNER + "x"), bearer(OWNER[:-1])])
@pytest.mark.parametrize("path", [path_of("u1"), path_of("nobody"), CUSTOMERS_PREFIX + "x",
                                  path_of("u1") + "?include=salary",
                                  path_of("u1") + f"?writeKey={KEY}"])
async def test_without_an_api_key_nothing_is_told(client: Any, headers: dict[str, str], path: str
                                                  ) -> None:
    """401 and the same words for whoever there is: a write key is not one, wherever it stands."""
    async with client.get(path, headers=headers) as answer:
        assert 401 == answer.status
        shown = await answer.json()
    assert "api_key_unknown" == shown["code"]
    assert KEY not in json.dumps(shown) and OWNER not in json.dumps(shown)


async def test_no_page_may_read(client: Any) -> None:
    """There is no preflight, and no answer for another origin."""
    async with client.options(path_of("u1"), headers={
            "Origin": "https://shop.example", "Access-Control-Request-Headers": "authorization",
            }) as answer:
        assert 405 == answer.status
        assert "Access-Control-Allow-Origin" not in answer.headers
    _, _, headers = await ask(client, path_of("u1"), Origin="https://shop.example")
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("role", get_args(Role))
async def test_each_role_sees_what_it_may(client: Any, role: Role) -> None:
    """tests/view/test_classes.py has every table; here it is the same on the way out."""
    _, shown, _ = await ask(client, path_of("a@b.c"), f"key of {role}")

    assert role == shown["role"]
    sees_personal = CLEARANCES[role] in ("personal", "sensitive")
    assert sees_personal == ("a@b.c" in json.dumps(shown))
    assert sees_personal or {"user_id": {"masked": "personal"}} == shown["ids"]
    assert "secret-product" in json.dumps(shown["tables"]["cart"])


async def test_who_has_it_is_told_so(view: View, client: Any) -> None:
    """Until the customer changes, or the minute, or somebody else asks, or for other parts."""
    path = path_of("u1")
    _, _, headers = await ask(client, path)
    etag = headers["ETag"]
    assert etag.startswith('W/"')
    status, shown, again = await ask(client, path, **{"If-None-Match": f'"x", {etag}'})
    assert (304, None, etag, "private, no-store") == (
        status, shown, again["ETag"], again["Cache-Control"])

    others = [await ask(client, path, "key of support"), await ask(client, path + "?include=cart"),
              await ask(client, path_of("a:b"))]
    view.now += customers.ETAG_MS
    others.append(await ask(client, path))
    view.log.append(KEYS.of("user_id", "u1"), events.added(START, "more"), START)
    view.log.run()
    await view.write()
    others.append(await ask(client, path))
    await view.write(generation=1)
    async with asyncio.timeout(WAIT_S_MAX):
        while (answer := await ask(client, path))[0] != 200:
            pass
    others.append(answer)
    assert 7 == len({etag, *(headers["ETag"] for _, _, headers in others)})
    for _, _, headers in others[:-1]:
        assert 200 == (await ask(client, path, **{"If-None-Match": headers["ETag"]}))[0]


# -- without a view, and with one that cannot say --------------------------------------------------


async def test_a_view_that_is_away_or_empty_is_no_answer(view: View) -> None:
    """Nobody is called unknown because Redis is being filled: 503, to be tried again."""
    async with serving(MemorySink(), customers=view.customers()) as client:
        view.redis.client().flushall()
        for value in ("u1", "nobody"):
            status, shown, headers = await ask(client, path_of(value))
            assert (503, "view_unavailable") == (status, shown["code"])
            assert headers["Retry-After"]
        await view.write()
        view.redis.kill()
        for _ in range(3):
            status, shown, _ = await ask(client, path_of("u1"))
            assert (503, "view_unavailable") == (status, shown["code"])
        view.redis.start()
        await view.write()
        async with asyncio.timeout(WAIT_S_MAX):  # it comes back by itself
            while (await ask(client, path_of("u1")))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_view_of_other_code_is_no_answer(view: View, client: Any) -> None:
    """A newer format of record, or what is none."""
    key = entry.key_of(KEYS.of("user_id", "u1"))
    redis = view.redis.client()
    data = redis.get(key)
    assert isinstance(data, bytes)
    for bad in (data[:38] + b"\xff" + data[39:], data[:20], b"", data[:38], data[:-5]):
        redis.set(key, bad)
        status, shown, _ = await ask(client, path_of("u1"))
        assert (503, "view_unavailable") == (status, shown["code"]), bad


@asynccontextmanager
async def worker(answers: Mapping[bytes, Document]) -> AsyncIterator[tuple[Owners, list[bytes]]]:
    """A worker that knows these; where it is, and the keys that it was asked for."""
    asked: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        assert bearer(OWNER)["Authorization"] == request.headers["Authorization"]
        asked.append(request.match_info["key"].encode())
        found = answers.get(asked[-1])
        return web.json_response(found or {"code": "customer_unknown"},
                                 status=200 if found else 404)

    app = web.Application()
    app.router.add_get("/customers/{key}", answer)
    async with TestServer(app) as server:
        yield Owners(f"http://{HOST}:{server.port}", OWNER), asked


def told(key: bytes, **rest: Any) -> Document:
    """As a worker tells of a customer."""
    return {"customer_key": key.decode(), "owner": None, "ids": {"user_id": "canary"},
            "watermark": 5, "config_version": "0:x", "timers": {}, "tables": {"cart": {}}, **rest}


async def test_where_the_view_does_not_have_it_the_owner_is_asked(view: View) -> None:
    """Its word is final, and is masked like the view's."""
    key = KEYS.of("user_id", "new")
    async with worker({key: told(key)}) as (owners, asked), \
            serving(MemorySink(), customers=view.customers(owners=owners)) as client:
        status, shown, headers = await ask(client, path_of("new"), "key of analyst")
        assert (200, "worker", {"user_id": {"masked": "personal"}}) == (
            status, shown["source"]["kind"], shown["ids"])
        assert 304 == (await ask(client, path_of("new"), "key of analyst",
                                 **{"If-None-Match": headers["ETag"]}))[0]
        assert 404 == (await ask(client, path_of("nobody")))[0]
        assert 200 == (await ask(client, path_of("u1")))[0]
    assert [key, key, KEYS.of("user_id", "nobody")] == asked


async def test_without_a_redis_the_owners_are_asked() -> None:
    """Where no workers are known either, it says so."""
    key = KEYS.of("user_id", "u1")
    async with worker({key: told(key)}) as (known, _asked):
        for owners, status in ((known, 200), (Owners("", OWNER), 503),
                               (Owners(known.urls, ""), 503)):
            made = Customers(KEYS, ApiKeys(OWNER), tables.ALL, owners=owners)
            async with serving(MemorySink(), customers=made) as client:
                assert status == (await ask(client, path_of("u1")))[0]


async def test_workers_that_do_not_answer_are_no_answer() -> None:
    """On a real port where nobody listens."""
    owners = Owners(f"http://{HOST}:{free_port()}", OWNER)
    made = Customers(KEYS, ApiKeys(OWNER), tables.ALL, owners=owners)
    async with serving(MemorySink(), customers=made) as client:
        status, shown, _ = await ask(client, path_of("u1"))
    assert (503, "view_unavailable") == (status, shown["code"])


# -- pointers --------------------------------------------------------------------------------------


async def test_a_pointer_leads_to_the_customer(view: View) -> None:
    """Through the view, and on through the owner where the view ends; a loop is refused."""
    keys = [KEYS.of("user_id", value) for value in VALUES]
    fold = view.log.workers[0].fold
    key_at = {fold.records.peek(key).watermark: key for key in keys}  # type: ignore[union-attr]
    away, end = KEYS.of("user_id", "only the owner has it"), KEYS.of("user_id", "the end")
    points = {keys[0]: keys[1], keys[1]: keys[2]}
    known = {away: told(away, owner=end.decode()), end: told(end)}
    async with worker(known) as (owners, asked), serving(MemorySink(), customers=view.customers(
            owners=owners, owner_of=lambda record: points.get(key_at[record.watermark]))) as client:
        status, shown, _ = await ask(client, path_of(VALUES[0]))
        assert (200, VALUES[2], [keys[0].decode(), keys[1].decode()], []) == (
            status, shown["ids"]["user_id"], shown["passed"], asked)

        points[keys[2]] = away
        status, shown, _ = await ask(client, path_of(VALUES[0]))
        assert (200, end.decode(), 4) == (status, shown["customer_key"], len(shown["passed"]))
        assert [away, end] == asked

        points[keys[2]] = keys[0]
        status, shown, _ = await ask(client, path_of(VALUES[0]))
        assert (500, "pointer_loop") == (status, shown["code"])
        points |= dict(itertools.pairwise(keys))
        assert 500 == (await ask(client, path_of(VALUES[0])))[0], "further than any can be"
        assert 200 == (await ask(client, path_of(VALUES[-5])))[0]


def test_a_state_of_nothing_is_a_mark() -> None:
    """A partition nobody has written to is in the view, too."""
    mark = entry.mark(0, PartitionState(), NOW, None)
    assert mark == entry.decode_mark(entry.encode_mark(mark))

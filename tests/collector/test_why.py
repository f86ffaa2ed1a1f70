"""Why, over real HTTP and a real Redis: what was recorded, to whom it may be shown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from footfall.collector.customers import Customers
from footfall.collector.lookup import Owners
from footfall.collector.routes import CUSTOMERS_PREFIX, TRIGGERS_PREFIX
from footfall.tables import rules_outcomes
from footfall.tables.config import Config
from footfall.tables.record import CustomerRecord, RecordCodec
from footfall.tables.rules_told import Outcome, RulesFacts, RulesTold, Standing
from footfall.tables.stored import PartitionState, Row
from footfall.up.ports import HOST
from footfall.view import entry
from footfall.view.roles import ApiKeys
from footfall.view.served import Served
from footfall.view.store import Indexed, Store
from footfall.view.why_not import code_of
from tests.collector.edge import CODECS, KEY, KEYS, WAIT_S_MAX, MemorySink, serving
from tests.collector.test_customers import OWNER, ROLES, ask, bearer, path_of
from tests.events.records import a_trigger
from tests.redis_server import RedisServer
from tests.tables.logs import START
from tests.view.test_why_not import TABLES

NOW = START + 1_000
U1 = KEYS.of("user_id", "u1")
RULE = {"name": "win_back", "version": 3, "on": {"call": "page"},
        "if": {"field": "event.properties.plan", "equals": "pro"}, "cooldown": "7d"}
CONTENT = msgspec.json.encode({"rules": {"definitions": [RULE]}})
TOLD = RulesTold(
    standings=(Standing(code_of("win_back"), START - 5_000, 1),),
    outcomes=(Outcome(code_of("win_back"), START, rules_outcomes.CONDITION, 1, "basic-plan"),))
EVIDENCE = {"rule": "win_back", "version": 3, "cooldown": "7d",
            "on": {"call": "page", "event": "", "message_id": "m1"},
            "conditions": [{"condition": RULE["if"], "value": "basic-plan", "holds": True},
                           {"condition": {"field": "orders.count", "at_least": 3}, "value": "4",
                            "holds": True}]}


def trigger(n: int, **changed: Any) -> tuple[str, bytes]:
    record = a_trigger(trigger_id=f"{n:032x}", customer_key=U1.decode(), **{
        "emitted_at": NOW + n, **changed})
    return record["trigger_id"], CODECS.trigger.encode(record)


ABANDONED = trigger(1)
OF_RULE = trigger(2, name="win_back", evidence=msgspec.json.encode(EVIDENCE),
                  data=b'{"plan":"basic-plan"}', held_out=True)
OF_RISK = trigger(3, name="risk_level_changed", evidence=b'{"because":"event"}',
                  data=b'{"level":"high"}')
OF_NOBODY = trigger(4, name="of_another_footfall", data=b'{"x":"basic-plan"}')


async def fill(redis: RedisServer) -> None:
    """As a worker does."""
    store = Store(redis.url, WAIT_S_MAX)
    await store.begin()
    record = CustomerRecord()
    record.watermark = 4
    codec = RecordCodec(TABLES)
    (rules,) = [t for t in TABLES if t.name == "rules"]
    record.rows = {"rules": Row(rules.version, RulesFacts(), TOLD)}
    await store.put([(U1, entry.encode(0, 0, codec.encode(record)))])
    state = PartitionState(next_offset=5, clock=NOW, config_number=1, config_content=CONTENT)
    await store.mark([(0, b"", entry.encode_mark(entry.mark(0, state, NOW, 0)))])
    await store.index([Indexed(trigger_id, U1, NOW + n, data) for n, (trigger_id, data) in
                       enumerate((ABANDONED, OF_RULE, OF_RISK, OF_NOBODY))], NOW)
    await store.close()


def reader(redis: RedisServer, **options: Any) -> Customers:
    served = Served(Store(redis.url, WAIT_S_MAX), TABLES, 1)
    return Customers(KEYS, ApiKeys(OWNER, ROLES), TABLES, served=served, clock=lambda: NOW,
                     **options)


@pytest.fixture
async def redis(own_redis: Callable[..., RedisServer]) -> RedisServer:
    server = own_redis()
    await fill(server)
    return server


@pytest.fixture
async def client(redis: RedisServer) -> AsyncIterator[Any]:
    async with serving(MemorySink(), customers=reader(redis)) as made:
        yield made


def why_path(trigger_id: str) -> str:
    return f"{TRIGGERS_PREFIX}{trigger_id}/why"


def why_not_path(rule: str = "win_back", value: str = "u1") -> str:
    return f"{path_of(value)}/why-not/{rule}"


async def test_a_trigger_of_a_table_shows_its_evidence(client: Any) -> None:
    """As it was recorded, with no store and no origin allowed."""
    status, shown, headers = await ask(client, why_path(ABANDONED[0]))
    assert 200 == status
    assert (None, {"deadline": 1}, {"value": "12.50"}, {"user_id": "u1"}, False) == tuple(
        shown[name] for name in ("rule", "evidence", "data", "ids", "held_out"))
    assert "private, no-store" == headers["Cache-Control"]
    assert not [name for name in headers if name.startswith("Access-Control")]


async def test_a_trigger_of_a_rule_shows_each_condition(client: Any) -> None:
    """Threshold against value, the rule's version, what it acted on; that nobody was told."""
    _status, shown, _headers = await ask(client, why_path(OF_RULE[0]))
    assert ({"name": "win_back", "version": 3}, True, {"cooldown": "7d"}) == (
        shown["rule"], shown["held_out"], shown["evidence"])
    assert [("event.properties.plan equals pro", "pro", "basic-plan", True),
            ("orders.count at_least 3", 3, "4", True)] == [
        tuple(one[name] for name in ("text", "threshold", "value", "holds"))
        for one in shown["conditions"]]
    assert {"message_ids": ["m1"], "trigger_id": None} == shown["caused_by"]


@pytest.mark.parametrize(("role", "clearance"), [
    ("owner", 2), ("support", 1), ("service", 1), ("marketer", 0), ("analyst", 0)])
async def test_each_role_sees_what_it_may(client: Any, role: str, clearance: int) -> None:
    """What a customer brought is personal, and all of risk; what nobody classed is hidden."""
    key = f"key of {role}"
    _status, shown, _headers = await ask(client, why_path(OF_RULE[0]), key)
    assert role == shown["role"]
    assert (clearance > 0) == ("basic-plan" in json.dumps(shown))
    assert (clearance > 0) == ("u1" in json.dumps(shown["ids"]))
    assert "4" == shown["conditions"][1]["value"]
    _status, shown, _headers = await ask(client, why_path(OF_RISK[0]), key)
    assert (clearance > 0) == ("high" == shown["data"]["level"])
    _status, shown, _headers = await ask(client, why_path(OF_NOBODY[0]), key)
    assert (clearance > 1) == ("basic-plan" in json.dumps(shown))
    _status, shown, _headers = await ask(client, why_path(ABANDONED[0]), key)
    assert {"value": "12.50"} == shown["data"]
    _status, shown, _headers = await ask(client, why_not_path(), key)
    assert (clearance > 0) == ("basic-plan" in json.dumps(shown))


async def test_why_not_says_what_was_recorded(client: Any) -> None:
    """And which triggers of the rule there were."""
    status, shown, headers = await ask(client, why_not_path())
    assert (200, "condition", "of `if`: event.properties.plan equals pro did not hold") == (
        status, shown["reason"], shown["text"])
    assert ("basic-plan", "pro") == (shown["last"]["value"],
                                     shown["last"]["condition"]["threshold"])
    assert [OF_RULE[0]] == [one["trigger_id"] for one in shown["triggers"]]
    assert (U1.decode(), Config(TABLES, 1, CONTENT).label, []) == tuple(
        shown[name] for name in ("customer_key", "config_version", "passed"))
    assert "private, no-store" == headers["Cache-Control"]


@pytest.mark.parametrize(("path", "status", "code"), [
    (why_path("f" * 32), 404, "trigger_unknown"), (why_path("0" * 31), 400, "trigger_invalid"),
    (why_path("%2F" * 10), 400, "trigger_invalid"), (why_path("G" * 32), 400, "trigger_invalid"),
    (TRIGGERS_PREFIX + "f" * 32, 404, "not_found"),
    (why_not_path("winback"), 404, "rule_unknown"), (why_not_path("%00%2F"), 404, "rule_unknown"),
    (f"{CUSTOMERS_PREFIX}u1/why-not/win_back", 400, "identifier_invalid")])
async def test_what_cannot_be_explained_says_why(client: Any, path: str, status: int, code: str
                                                 ) -> None:
    found, shown, _headers = await ask(client, path)
    assert (status, code) == (found, shown["code"])
    if path == why_not_path("winback"):
        assert "alike: win_back" in shown["message"]


@pytest.mark.parametrize("headers", [{}, bearer("wrong"), bearer(KEY)])
@pytest.mark.parametrize("path", [why_path(ABANDONED[0]), why_path("x"), why_not_path(),
                                  why_not_path("nothing", "nobody")])
async def test_without_an_api_key_nothing_is_told(client: Any, headers: dict[str, str], path: str
                                                  ) -> None:
    """A write key is none."""
    async with client.get(path, headers=headers) as answer:
        assert (401, "api_key_unknown") == (answer.status, (await answer.json())["code"])


async def test_while_redis_is_away_nobody_is_called_unknown(redis: RedisServer) -> None:
    async with serving(MemorySink(), customers=reader(redis)) as client:
        redis.kill()
        for path in (why_path(ABANDONED[0]), why_path("f" * 32), why_not_path()):
            status, shown, headers = await ask(client, path)
            assert (503, "view_unavailable") == (status, shown["code"])
            assert headers["Retry-After"]


async def test_where_the_view_does_not_have_a_customer_the_owner_explains(redis: RedisServer
                                                                          ) -> None:
    """It is asked for this rule alone, and what it says is masked."""
    asked: list[str] = []
    said = {"rule": "a b", "reason": "unseen", "text": "t", "owner": None, "as_of": "",
            "customer_key": KEYS.of("user_id", "new").decode(), "clock": "", "fired": None,
            "last": {"value": "basic-plan", "condition": None}, "waiting": []}

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.match_info["rule"])
        return web.json_response(said)

    app = web.Application()
    app.router.add_get("/customers/{key}/why-not/{rule}", answer)
    async with TestServer(app) as server:
        customers = reader(redis, owners=Owners(f"http://{HOST}:{server.port}", OWNER))
        async with serving(MemorySink(), customers=customers) as client:
            status, shown, _ = await ask(client, why_not_path("a%20b", "new"), "key of analyst")
            assert (200, "worker", {"masked": "personal"}) == (
                status, shown["source"]["kind"], shown["last"]["value"])
            said["reason"] = "rule_unknown"
            said["text"] = "no rule has this name"
            status, shown, _ = await ask(client, why_not_path("a%20b", "new"))
            assert (404, "rule_unknown") == (status, shown["code"])
    assert ["a b", "a b"] == asked


async def test_without_a_view_triggers_cannot_be_found() -> None:
    made = Customers(KEYS, ApiKeys(OWNER), TABLES)
    async with serving(MemorySink(), customers=made) as client:
        status, shown, _headers = await ask(client, why_path(ABANDONED[0]))
    assert (503, "view_unavailable") == (status, shown["code"])

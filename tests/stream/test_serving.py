"""A worker shows customers to whoever has the key, as they are this instant, and to nobody else."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from footfall.errors import SettingsError
from footfall.settings import ApiKeySettings
from footfall.stream.engine import Engine
from footfall.stream.partition import partition_of
from footfall.stream.serving import Serving
from footfall.tables.record import CustomerRecord, RecordCodec
from footfall.tables.records import Best
from footfall.tables.rules_outcomes import CONDITION
from footfall.tables.rules_told import Outcome, RulesFacts, RulesTold
from footfall.tables.spec import TableSpec
from footfall.tables.stored import PartitionState, Row
from footfall.up.ports import HOST, free_port
from footfall.view.roles import ApiKeys
from footfall.view.why_not import code_of
from tests.stream.live import engine_of, feed
from tests.tables import events
from tests.tables.logs import ANNA, KEYS, START, Appended
from tests.tables.made import TALLY
from tests.view.test_why_not import TABLES as RULES_TABLES

API_KEY = "a key that may read"
BEARER = {"Authorization": f"Bearer {API_KEY}"}
OF_ANNA = f"/customers/{ANNA.decode()}"
ALL = range(4)
CART = Appended(START, ANNA, events.added(START, "m1", "secret product", "9.90"))


def get(engine: Engine, path: str, headers: Mapping[str, str] = BEARER,
        api_key: str = API_KEY, api_keys: Mapping[str, ApiKeySettings] | None = None,
        ) -> tuple[int, Any]:
    """(status, JSON)."""
    async def ask() -> tuple[int, Any]:
        port = free_port()
        serving = Serving(engine, HOST, port, ApiKeys(api_key, api_keys))
        await serving.start()
        try:
            async with ClientSession() as session, \
                    session.get(f"http://{HOST}:{port}{path}", headers=headers) as answer:
                text = await answer.text()
                return answer.status, json.loads(text) if text.startswith("{") else text
        finally:
            await serving.stop()
    return asyncio.run(ask())


def test_the_record_is_what_the_fold_holds_now() -> None:
    """Also before any checkpoint has written it."""
    engine = engine_of(owned=ALL)
    feed(engine, [CART])
    fold = engine.partitions[partition_of(ANNA, engine.settings.partitions)].fold
    assert {} == fold.store

    status, shown = get(engine, OF_ANNA)

    assert 200 == status
    number = partition_of(ANNA, engine.settings.partitions)
    assert (ANNA.decode(), fold.next_offset - 1, number) == (
        shown["customer_key"], shown["watermark"], shown["partition"])
    assert set(fold.records.peek(ANNA).rows) == set(shown["tables"])  # type: ignore[union-attr]
    assert set(fold.records.peek(ANNA).timers) == set(shown["timers"])  # type: ignore[union-attr]
    assert "cart" in shown["timers"]


def test_a_record_that_is_only_bytes_is_shown_the_same() -> None:
    """After the checkpoint, from the store of another fold."""
    engine = engine_of(owned=ALL)
    feed(engine, [CART])
    number = partition_of(ANNA, engine.settings.partitions)
    before = get(engine, OF_ANNA)[1]
    fold = engine.partitions[number].fold
    list(fold.snapshot())
    again = engine_of(owned=())
    again.own(number, fold.state(), Best(fold.store))

    after = get(again, OF_ANNA)[1]

    assert before.pop("as_of") <= after.pop("as_of")
    assert _without_ages(before) == _without_ages(after)


def _without_ages(value: Any) -> Any:
    """Less what is reckoned up to the instant of asking."""
    if isinstance(value, dict):
        return {k: _without_ages(v) for k, v in value.items() if k != "idle_ms"}
    return [_without_ages(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": f"Basic {API_KEY}"},
    {"Authorization": f"Bearer {API_KEY}x"}, {"Authorization": f"Bearer {API_KEY[:-1]}"},
    {"Authorization": API_KEY}, {"Authorization": "Bearer schlüssel"}])
def test_without_the_key_nothing_is_told(headers: dict[str, str]) -> None:
    """401, for a customer that is known, for one that is not, and for nonsense alike."""
    engine = engine_of(owned=ALL)
    feed(engine, [CART])
    answers = {json.dumps(get(engine, path, headers))
               for path in (OF_ANNA, f"/customers/{KEYS.of('user_id', 'x').decode()}",
                            "/customers/x")}

    assert 1 == len(answers)
    assert "[401, {\"code\": \"api_key_unknown\"" in answers.pop()


def test_a_named_key_sees_what_its_role_may() -> None:
    """By its hash, too; beside the owner's key, which sees all."""
    engine = engine_of(owned=ALL)
    feed(engine, [CART, Appended(START, ANNA, events.plain(START, "m2", {"userId": "anna"}))])
    digest = hashlib.sha256(b"an analyst's key").hexdigest()
    keys = {"numbers": ApiKeySettings(role="analyst", keys=[f"sha256:{digest}"])}
    asked = {"Authorization": "Bearer an analyst's key"}

    status, shown = get(engine, OF_ANNA, asked, api_keys=keys)

    assert 200 == status
    assert {"user_id": {"masked": "personal"}} == shown["ids"]
    assert "secret product" in json.dumps(shown["tables"]["cart"])
    assert {"user_id": "anna"} == get(engine, OF_ANNA, api_keys=keys)[1]["ids"]


def test_where_no_key_is_configured_nothing_is_served() -> None:
    """Not even to an empty bearer token."""
    engine = engine_of(owned=ALL)
    feed(engine, [CART])

    assert 404 == get(engine, OF_ANNA, {"Authorization": "Bearer "}, "")[0]
    assert 404 == get(engine, OF_ANNA, {}, "")[0]


@pytest.mark.parametrize(("path", "status", "code"), [
    (f"/customers/{KEYS.of('user_id', 'nobody').decode()}", 404, "customer_unknown"),
    ("/customers/user_id:anna", 400, "key_invalid"), ("/customers/$partition", 400, "key_invalid")])
def test_what_is_not_there(path: str, status: int, code: str) -> None:
    """Says which it is."""
    engine = engine_of(owned=ALL)
    feed(engine, [CART])
    found, shown = get(engine, path)

    assert (status, code) == (found, shown["code"])


def test_another_worker_owns_it() -> None:
    """421, so that whoever asks goes on to the next."""
    others = [n for n in ALL if n != partition_of(ANNA, engine_of().settings.partitions)]
    status, shown = get(engine_of(owned=others), OF_ANNA)

    assert (421, "not_owner") == (status, shown["code"])


def test_while_partitions_change_hands_nobody_is_shown() -> None:
    """503: somebody else may have taken the state further. Neither is the worker ready."""
    engine = engine_of(owned=ALL)
    feed(engine, [CART])
    status, said = get(engine, "/readyz", {})
    assert (200, "ready", [0, 1, 2, 3]) == (status, said["status"], said["partitions"])
    engine.consumer.is_ready = False  # type: ignore[misc]
    engine.consumer.serves = lambda _number: False  # type: ignore[method-assign]

    assert 503 == get(engine, OF_ANNA)[0]
    assert 503 == get(engine, "/readyz", {})[0]
    assert 200 == get(engine, "/healthz", {})[0]


def test_a_worker_that_stood_still_does_not_answer() -> None:
    """Its partitions may be another's: it ends instead, as before any write."""
    engine = engine_of(owned=ALL)
    feed(engine, [CART])
    engine.alive_at -= 60

    assert 500 == get(engine, OF_ANNA)[0]


def test_a_table_without_a_view_shows_its_row() -> None:
    """Facts and told by the names of their fields."""
    engine = engine_of([TALLY], owned=ALL)
    feed(engine, [CART])
    shown = get(engine, OF_ANNA)[1]["tables"]["tally"]

    assert {"m1": [1, START]} == shown["facts"]["seen"]
    assert "told" in shown


def test_one_tables_fault_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """And its text, which may hold what was sent, is told nowhere."""
    def fails(facts: Any, _told: Any, _now: int, _config: Any) -> dict[str, Any]:
        raise ValueError(str(facts))

    broken = TableSpec(**{**{f: getattr(TALLY, f) for f in TALLY.__slots__}, "name": "broken",
                          "view": fails})
    engine = engine_of([broken, TALLY], owned=ALL)
    feed(engine, [CART])
    with caplog.at_level(logging.DEBUG):
        shown = get(engine, OF_ANNA)[1]["tables"]

    assert {"view_failed": "ValueError"} == shown["broken"]
    assert "facts" in shown["tally"]
    assert "m1" not in caplog.text


def test_nothing_of_a_customer_is_logged_or_measured(caplog: pytest.LogCaptureFixture) -> None:
    """Neither key nor what was sent, whatever is asked; nor the API key."""
    engine = engine_of(owned=ALL)
    feed(engine, [CART])
    with caplog.at_level(logging.DEBUG):
        for headers in (BEARER, {"Authorization": "Bearer wrong"}):
            get(engine, OF_ANNA, headers)
        engine.outbox.unacknowledged_bytes()
        metrics = get(engine, "/metrics", {})[1]

    assert "footfall_customers{" in metrics
    for secret in (ANNA.decode(), ANNA.decode().partition(":")[2], "secret product", "anna",
                   API_KEY, "wrong"):
        assert secret not in caplog.text + metrics, secret


def test_a_taken_port_is_told() -> None:
    """With the setting that names it."""
    async def twice() -> None:
        port = free_port()
        first, second = (Serving(engine_of(), HOST, port, ApiKeys(API_KEY)) for _ in range(2))
        await first.start()
        try:
            await second.start()
        finally:
            await first.stop()
            await second.stop()

    with pytest.raises(SettingsError, match="FOOTFALL_METRICS_PORT"):
        asyncio.run(twice())


def test_why_a_rule_did_not_fire_is_answered_by_the_owner() -> None:
    """From the row as it is now, with the configuration in force there; masked as a customer is."""
    content = msgspec.json.encode({"rules": {"definitions": [
        {"name": "a_rule", "version": 1, "on": {"call": "page"},
         "if": {"field": "event.properties.plan", "equals": "pro"}}]}})
    told = RulesTold(outcomes=(Outcome(code_of("a_rule"), START, CONDITION, 1, "basic"),))
    number = partition_of(ANNA, 4)
    record = CustomerRecord()
    record.watermark = 0
    record.rows = {"rules": Row(1, RulesFacts(), told)}
    engine = engine_of(RULES_TABLES, owned=())
    engine.own(number, PartitionState(1, START, 1, content, key_fingerprint=KEYS.fingerprint),
               Best({ANNA: RecordCodec(RULES_TABLES).encode(record)}))
    roles = {"desk": ApiKeySettings(role="analyst", keys=["k"]),
             "some": ApiKeySettings(role="owner", keys=["s"], triggers=["another", "a_role"]),
             "this": ApiKeySettings(role="owner", keys=["t"], triggers=["a_rule"])}

    status, shown = get(engine, f"{OF_ANNA}/why-not/a_rule")
    assert (200, "condition", "basic") == (status, shown["reason"], shown["last"]["value"])
    _status, shown = get(engine, f"{OF_ANNA}/why-not/a_rule", {"Authorization": "Bearer k"},
                         api_keys=roles)
    assert {"masked": "personal"} == shown["last"]["value"]
    for key, is_there in (("s", False), ("t", True), ("k", True)):
        asked = {"Authorization": f"Bearer {key}"}
        for name in ("a_rule", "a_role"):
            _status, shown = get(engine, f"{OF_ANNA}/why-not/{name}", asked, api_keys=roles)
            found = is_there and name == "a_rule"
            assert ("condition" if found else "rule_unknown") == shown["reason"]
            assert not ({"alike", "rules"} & shown.keys()) or key == "k"
        _status, shown = get(engine, OF_ANNA, asked, api_keys=roles)
        assert is_there == ("a_rule" in json.dumps(shown))
    assert "rule_unknown" == get(engine, f"{OF_ANNA}/why-not/another%2Frule")[1]["reason"]
    assert 401 == get(engine, f"{OF_ANNA}/why-not/a_rule", {})[0]
    assert 404 == get(engine, f"/customers/{KEYS.of('user_id', 'new').decode()}/why-not/x")[0] or (
        partition_of(KEYS.of("user_id", "new"), 4) != number)

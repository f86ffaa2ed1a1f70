"""schemathesis against every operation of the OpenAPI document: no 5xx, answers as described.

Generated requests, good and bad, over real HTTP; a few dozen an operation, the same in every run.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    response_headers_conformance,
    response_schema_conformance,
)

from footfall.collector import openapi
from footfall.collector.app import Collector
from footfall.collector.auth import WriteKeys
from footfall.collector.limits import Limits
from footfall.collector.serving import Runner
from tests.collector.edge import AUTH, CODECS, KEY, KEYS, MemorySink
from tests.collector.test_customers import OWNER, bearer
from tests.collector.test_why import ABANDONED, OF_RISK, OF_RULE, fill, reader
from tests.redis_server import RedisServer

CHECKS = [not_a_server_error, response_schema_conformance, response_headers_conformance]
EXAMPLES_MAX = 12


class Forgetful(MemorySink):
    """Acknowledges and keeps nothing."""

    async def send(self, outgoing: object) -> None:
        await asyncio.sleep(0)


@contextlib.contextmanager
def _running(make: Callable[[], Coroutine[Any, Any, Collector]]) -> Iterator[str]:
    """A collector in a thread of its own: the generated calls are not asynchronous."""
    loop = asyncio.new_event_loop()
    runners: list[Runner] = []

    async def start() -> str:
        runner = Runner((await make()).application())
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    asyncio.run_coroutine_threadsafe(runners[0].cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    async def made() -> Collector:
        return Collector(Forgetful(), KEYS, WriteKeys({"web": KEY}), CODECS)

    with _running(made) as found:
        yield found


def document() -> dict[str, object]:
    """Without the spellings with a slash at the end: they have the same handlers."""
    found = openapi.document(Limits())
    found["paths"] = {p: o for p, o in found["paths"].items() if not p.endswith("/")}
    return found


schema = schemathesis.openapi.from_dict(document())


@schema.parametrize()
@settings(max_examples=EXAMPLES_MAX, deadline=None, derandomize=True,
          phases=[Phase.explicit, Phase.generate],
          suppress_health_check=list(HealthCheck))
def test_no_request_is_answered_with_an_error_of_ours(
    case: schemathesis.Case, url: str
) -> None:
    """With a valid key, so that what lies behind it is reached; some cases bring another."""
    case.headers = {**AUTH, **(case.headers or {})}
    case.call_and_validate(base_url=url, checks=CHECKS, timeout=10)


@pytest.fixture(scope="module")
def reading_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A collector that has customers and triggers to show."""
    redis = RedisServer(tmp_path_factory.mktemp("redis")).start()
    with _running(lambda: _filled(redis)) as found:
        yield found
    redis.kill()


async def _filled(redis: RedisServer) -> Collector:
    await fill(redis)
    return Collector(Forgetful(), KEYS, WriteKeys({"web": KEY}), CODECS, customers=reader(redis))


def reading() -> dict[str, object]:
    """What an API key may ask: values that lead somewhere, and some that must not."""
    found = document()
    paths = {path: one for path, one in found["paths"].items()  # type: ignore[attr-defined]
             if path.startswith(("/v1/customers/", "/v1/triggers"))
             and not path.endswith(("/stream", "/ticket"))}
    assert len(paths) == 4
    for operations in paths.values():
        for parameter in operations["get"]["parameters"]:
            parameter["schema"] = {"enum": [*KNOWN[parameter["name"]], *HOSTILE]}
    return {**found, "paths": paths}


KNOWN = {"identifier": ["user_id:u1", "user_id:nobody", "u1"], "rule": ["win_back", "winback"],
         "trigger_id": [ABANDONED[0], OF_RULE[0], OF_RISK[0], "f" * 32],
         "include": ["ids", "rules,cart"], "customer": ["user_id:u1", "user_id:nobody", "u1"],
         "name": ["risk_level_changed", "a,b"], "since": ["0", "2026-01-01T00:00:00Z"],
         "until": ["4102444800000"], "limit": ["1", "100", "101"]}
HOSTILE = ["\0", "../..", "a/b?c#d", "ü" * 2_000]
reading_schema = schemathesis.openapi.from_dict(reading())


@reading_schema.parametrize()
@settings(max_examples=4 * EXAMPLES_MAX, deadline=None, derandomize=True,
          phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
def test_whoever_may_read_is_answered_as_described(case: schemathesis.Case, reading_url: str
                                                   ) -> None:
    """Each role in turn: masked answers are described, too."""
    for key in (OWNER, "key of analyst"):
        case.headers = {**(case.headers or {}), **bearer(key)}
        case.call_and_validate(base_url=reading_url, checks=CHECKS, timeout=10)

"""schemathesis against every operation of the OpenAPI document: no 5xx, answers as described.

Generated requests, good and bad, over real HTTP; a few dozen an operation, the same in every run.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from footfall.collector import openapi
from footfall.collector.app import Collector
from footfall.collector.auth import WriteKeys
from footfall.collector.limits import Limits
from footfall.collector.serving import Runner
from tests.collector.edge import AUTH, CODECS, KEY, KEYS, MemorySink

EXAMPLES_MAX = 12


class Forgetful(MemorySink):
    """Acknowledges and keeps nothing."""

    async def send(self, outgoing: object) -> None:
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A collector in a thread of its own: the generated calls are not asynchronous."""
    loop = asyncio.new_event_loop()

    async def start() -> str:
        collector = Collector(Forgetful(), KEYS, WriteKeys({"web": KEY}), CODECS)
        runner = Runner(collector.application())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


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
    case.call_and_validate(base_url=url, checks=[not_a_server_error, response_schema_conformance],
                           timeout=10)

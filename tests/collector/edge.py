"""The HTTP side in one process, against a sink that is not Kafka."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from footfall.collector import shortcut
from footfall.collector.answers import Answer
from footfall.collector.app import Collector
from footfall.collector.auth import WriteKeys
from footfall.collector.serving import Runner
from footfall.collector.sink import Outgoing, UnavailableError
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.health import Part

NOW = 1_795_428_000_000
KEY = "wk_web"
KEYS = CustomerKeys(b"a secret of sixteen bytes or more")
CODECS = Codecs()
#: Only for what never comes: on a busy machine a moment may take seconds.
WAIT_S_MAX = 30.0


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


AUTH = basic(KEY)


class MemorySink:
    """Keeps what was sent; acknowledges after `ack_s` when `gate` is set; fails with `error`, at
    once where that is there already.
    """

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        #: Requests that are here now.
        self.waiting = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.ack_s = 0.0
        self.error = ""
        self.ready = True

    def is_ready(self) -> bool:
        return self.ready

    def parts(self) -> dict[str, Part]:
        return {"log": Part(self.ready, "in memory", "log_unavailable")}

    async def send(self, outgoing: Outgoing) -> None:
        self._check()
        self.waiting += 1
        try:
            await self.gate.wait()
            await asyncio.sleep(self.ack_s)
        finally:
            self.waiting -= 1
        self._check()
        self.sent.append(outgoing)

    def _check(self) -> None:
        if self.error:
            raise UnavailableError(self.error)

    def events(self) -> list[Any]:
        return [CODECS.interaction.decode(r["value"]) for o in self.sent for r in o.interactions]

    def rejected(self) -> list[Any]:
        return [CODECS.rejected.decode(r["value"]) for o in self.sent for r in o.rejected]


async def until(condition: Callable[[], object], seconds_max: float = WAIT_S_MAX) -> None:
    """Wait until something holds that tasks of this loop bring about."""
    async with asyncio.timeout(seconds_max):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Server(TestServer):
    """On a port of its own, with the connections of the program."""

    async def _make_runner(self, **options: Any) -> Runner:
        return Runner(self.app, **options)


@asynccontextmanager
async def serving(sink: MemorySink, write_keys: WriteKeys | None = None, port: int | None = None,
                  **options: Any) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of a collector with `options`; the sources `web` and `app` where none are given.

    `asked` has every request that it answered, as `GET /path?query`.
    """
    known = write_keys or WriteKeys({"web": KEY, "app": "wk_app"})
    collector = Collector(sink, KEYS, known, CODECS, lambda: NOW, **options)
    app, asked = collector.application(), []

    async def note(request: web.BaseRequest, _response: object = None) -> None:
        asked.append(f"{request.method} {request.path_qs}")

    def noting(call: shortcut.Call) -> shortcut.Call:
        async def noted(request: web.BaseRequest) -> Answer:
            answer = await call(request)
            await note(request)
            return answer

        return noted

    app.on_response_prepare.append(note)
    shortcuts = app[shortcut.KEY]
    app[shortcut.KEY] = shortcuts._replace(
        calls={path: noting(call) for path, call in shortcuts.calls.items()})
    async with TestClient(Server(app, port=port)) as made:
        made.collector = collector  # type: ignore[attr-defined]
        made.asked = asked  # type: ignore[attr-defined]
        yield made


async def post(client: TestClient[Any, Any], path: str, content: Any, **headers: str
               ) -> tuple[int, Any, ClientResponse]:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    async with client.post(path, data=data, headers={**AUTH, **headers},
                           allow_redirects=False) as answer:
        return answer.status, await answer.json(), answer

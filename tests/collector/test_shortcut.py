"""A tracking call is answered the same through the shortcut and through aiohttp's router."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from footfall.collector import shortcut
from footfall.collector.answers import RequestError
from footfall.collector.limits import Limits
from footfall.collector.routes import ROUTES
from tests.collector.edge import AUTH, MemorySink, serving

ITEM = {"event": "A", "userId": "u1", "messageId": "m", "previousId": "p", "groupId": "g"}
REQUEST_ID = "0123456789abcdef0123456789abcdef"
BATCH = {"batch": [{**ITEM, "type": "track"}, 1]}
#: Options of the collector, path, content and headers of a request, and the status of its answer.
CASES = [
    ({}, "/v1/track", ITEM, AUTH, 200),
    ({}, "/v1/alias", ITEM, AUTH, 200),
    ({}, "/v1/b", BATCH, AUTH, 200),
    ({}, "/v1/b", {"batch": []}, AUTH, 400),
    ({}, "/v1/track", b"{", AUTH, 400),
    ({}, "/v1/track", {**ITEM, "userId": ["no"]}, AUTH, 400),
    ({}, "/v1/track", ITEM, {"Authorization": "Basic no"}, 401),
    ({}, "/v1/track", ITEM, {**AUTH, "Origin": "null"}, 403),
    ({}, "/v1/track", {**ITEM, "name": "n" * 40_000}, AUTH, 413),
    ({"limits": Limits(body_bytes_max=100)}, "/v1/batch", {"batch": ["x" * 200]}, AUTH, 413),
    ({"limits": Limits(source_items_per_s=1e-9)}, "/v1/track", ITEM, AUTH, 429),
]


async def said(port: int, path: str, content: Any, headers: dict[str, str], version: str = "1.1"
               ) -> tuple[list[bytes], bytes, bool]:
    """Status line and headers, sorted and less the date; the body; and whether it stays."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"POST {path} HTTP/{version}", "Host: h", f"Content-Length: {len(data)}",
             f"X-Request-Id: {REQUEST_ID}",
             *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
    head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    length = next(int(h.split()[1]) for h in head if h.lower().startswith(b"content-length"))
    body = await reader.readexactly(length)
    # Told by another request: a connection that is about to be closed may still be open.
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        stays = await reader.read(1) != b""
    except ConnectionError:
        stays = False
    writer.close()
    assert f"X-Request-Id: {REQUEST_ID}".encode() in head
    assert any(h.startswith(b"Date: ") and h.endswith(b" GMT") for h in head)
    return sorted(h for h in head if not h.startswith(b"Date: ")), body, stays


@pytest.mark.parametrize(("options", "path", "content", "headers", "status"), CASES)
async def test_both_ways_give_one_answer(options: dict[str, Any], path: str, content: Any,
                                         headers: dict[str, str], status: int) -> None:
    answers = []
    for spelling in (path, path + "/"):
        async with serving(MemorySink(), **options) as client:
            await said(client.port, path, content, headers)  # a repeat, and of a source in debt
            answers.append(await said(client.port, spelling, content, headers))
    short, routed = answers
    assert routed == short
    assert [b"HTTP/1.1 %d" % status] == [h[:12] for h in short[0] if h.startswith(b"HTTP")]


@pytest.mark.parametrize(("headers", "version", "stays"), [
    ({}, "1.1", True), ({"Connection": "close"}, "1.1", False), ({}, "1.0", False),
    ({"Connection": "keep-alive"}, "1.0", True)])
async def test_the_connection_stays_as_the_client_asks(
        client: Any, headers: dict[str, str], version: str, stays: bool) -> None:
    for path in ("/v1/track", "/v1/track/"):
        head, _body, stayed = await said(client.port, path, ITEM, {**AUTH, **headers}, version)
        assert stays == stayed
        assert stays == (b"Connection: close" not in head) or version == "1.0"


async def test_while_it_drains_every_answer_asks_to_close(client: Any) -> None:
    client.collector.drain()
    for path in ("/v1/track", "/v1/track/"):
        head, _body, stays = await said(client.port, path, ITEM, AUTH)
        assert (True, False) == (b"Connection: close" in head, stays)


async def test_only_calls_as_they_are_written_take_it() -> None:
    async with serving(MemorySink()) as client:
        found = client.server.app[shortcut.KEY]
        assert set(ROUTES) == set(found.calls)
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"POST /v1/track HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                     b"Content-Length: 2\r\n\r\n")
        assert b"HTTP/1.1 100" in await reader.readline()
        writer.close()


async def test_an_error_of_ours_is_a_500_that_repeats_nothing(
        client: Any, sink: MemorySink, caplog: pytest.LogCaptureFixture) -> None:
    async def fails(_outgoing: Any) -> None:
        raise LookupError("u1")

    sink.send = fails  # type: ignore[method-assign]
    head, body, _stays = await said(client.port, "/v1/track", ITEM, AUTH)
    assert b"HTTP/1.1 500 Internal Server Error" in head
    assert "internal_error" == json.loads(body)["code"]
    assert "u1" not in caplog.text + body.decode()


def test_every_status_of_an_answer_has_its_line() -> None:
    for status in (200, 400, 401, 403, 408, 413, 429, 500, 503):
        error = RequestError(status, "code", "message")
        assert f"HTTP/1.1 {error.status} ".encode() in shortcut._head(status)

"""Bad input as the table B1 to B13, B27 and B28 of what servers are attacked with has it.

What the other files of this folder and `tests/events/test_admit.py` show is not repeated here.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import resource
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from footfall.collector.body import READ_S_MAX
from footfall.collector.serving import IDLE_S_MAX, Runner
from footfall.events.admit import DEPTH_MAX, decode
from footfall.events.fields import FieldError
from tests.collector.edge import AUTH, WAIT_S_MAX, MemorySink, post

KEY_LINE = b"Authorization: " + AUTH["Authorization"].encode() + b"\r\n"
PAGE = b'{"userId":"u"}'
SUITE = json.loads((Path(__file__).parents[1] / "golden/json_test_suite.json").read_text())
CASES = {name: base64.b64decode(raw) for name, raw in SUITE["cases"].items()} | {
    "n_structure_100000_opening_arrays": b"[" * 100_000,
    "n_structure_open_array_object": b'[{"":' * 50_000 + b"\n"}


async def raw(client: Any, request: bytes, more_s: float = 0.3) -> tuple[bytes, bool]:
    """All that comes back until nothing more does, and whether the server has closed. `more_s`: how
    long more is waited for; who says that it closes has time for it.
    """
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(request)
    answer = b""
    try:
        while part := await asyncio.wait_for(reader.read(65_536), more_s if answer else WAIT_S_MAX):
            answer += part
    except TimeoutError:
        return answer, False
    finally:
        writer.close()
    return answer, True


def call(*lines: bytes, body: bytes = PAGE, path: bytes = b"/v1/page") -> bytes:
    return b"".join([b"POST ", path, b" HTTP/1.1\r\nHost: x\r\n", KEY_LINE,
                     *(line + b"\r\n" for line in lines), b"\r\n", body])


async def test_b1_ten_gigabytes_of_zeros_cost_next_to_nothing(client: Any) -> None:
    """13 MB that unpack to 10 GB: refused at the limit; neither memory nor CPU goes to the rest."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"\0" * 65_536) + packer.flush(zlib.Z_FULL_FLUSH)
    block = zlib.compressobj(9, zlib.DEFLATED, -15)
    again = block.compress(b"\0" * 65_536) + block.flush(zlib.Z_FULL_FLUSH)
    assert 65_536 * 3 == len(zlib.decompressobj(31).decompress(head + again * 2))
    bomb = head + again * (10 * 2**30 // 65_536)
    memory, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    status, answer, _ = await post(client, "/v1/batch", bomb, **{"Content-Encoding": "gzip"})
    assert (413, "body_too_large") == (status, answer["code"])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 50 * 1024
    assert time.process_time() - cpu < 0.5  # of which our own client's sending is the most
    assert len(bomb) > 10_000_000


@pytest.mark.parametrize("lines", [
    [b"Content-Length: -14"], [b"Content-Length: +14"], [b"Content-Length: 0x0e"],
    [b"Content-Length: 14, 15"], [b"Content-Length: 14", b"Content-Length: 15"],
    [b"Content-Length: 14", b"Transfer-Encoding: chunked"],
    [b"Transfer-Encoding: chunked, identity"], [b"Transfer-Encoding: chunked"],
    [b"Content-Length : 14"], [b"Content-Length:\x0014"],
])
async def test_b2_lengths_that_two_servers_could_read_differently(
    client: Any, sink: MemorySink, lines: list[bytes]
) -> None:
    """400, closed, and what follows is not taken for a request (smuggling)."""
    answer, is_closed = await raw(client, call(*lines, body=PAGE + call(b"Content-Length: 14")),
                                  WAIT_S_MAX)
    assert answer.startswith(b"HTTP/1.0 400")
    assert (1, True) == (answer.count(b"HTTP/1."), is_closed)
    assert b'"code":"http_malformed"' in answer
    assert re.search(rb"\r\nX-Request-Id: [0-9a-f-]{25}\r\n", answer)
    assert [] == sink.sent


async def test_b2_a_length_that_is_too_small_or_too_large(client: Any, sink: MemorySink) -> None:
    """The first leaves bytes that are no request; of the second nothing is taken."""
    answer, is_closed = await raw(client, call(b"Content-Length: 2", body=b"{}" + PAGE + b"\r\n"),
                                  WAIT_S_MAX)
    assert {b"400"} == {part[:3] for part in re.split(rb"HTTP/1\.. ", answer)[1:]}
    assert is_closed
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(call(b"Content-Length: 99"))
    writer.close()
    await asyncio.sleep(0.1)
    assert [] == sink.events()


async def test_b3_half_a_header_is_given_up(client: Any) -> None:
    """A connection that never says all of it is closed when it has been idle too long."""
    assert (75, 20) == (IDLE_S_MAX, READ_S_MAX)
    runner = Runner(client.app, idle_s_max=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    sent = 0
    async with asyncio.timeout(WAIT_S_MAX):
        while not reader.at_eof():
            writer.write(b"POST /v1/page HTTP/1.1\r\n"[sent:sent + 1] or b"a")
            sent += 1
            await asyncio.sleep(0.05)
    assert loop.time() - began >= 0.5
    await runner.cleanup()


@pytest.mark.parametrize("body", [
    '{"userId":"u"}'.encode("utf-16"), '{"userId":"u"}'.encode("utf-16-le"),
    '{"userId":"u"}'.encode("utf-32"), b"\xef\xbb\xbf" + PAGE, b"\x00" + PAGE, b"userId=u",
    b"%7B%22userId%22%3A%22u%22%7D", b"<a/>", b"--x\r\n\r\n{}\r\n--x--"])
async def test_b6_what_is_not_json_in_utf_8(client: Any, sink: MemorySink, body: bytes) -> None:
    """Whatever the Content-Type says."""
    for kind in ("application/json; charset=utf-16", "text/plain", "multipart/form-data"):
        status, answer, _ = await post(client, "/v1/page", body, **{"Content-Type": kind})
        assert 400 == status, answer
    assert [] == sink.events()


async def test_b8_depth(client: Any, sink: MemorySink) -> None:
    """64 is taken, 65 is not; 100,000 costs no time."""
    def nested(depth: int) -> bytes:
        return b'{"userId":"u","a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
    assert 200 == (await post(client, "/v1/page", nested(DEPTH_MAX)))[0]
    assert 400 == (await post(client, "/v1/page", nested(DEPTH_MAX + 1)))[0]
    deep = b'{"batch":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    started = time.process_time()
    status, answer, _ = await post(client, "/v1/batch", deep)
    assert (400, "too_deep") == (status, answer["code"])
    assert time.process_time() - started < 1
    assert 1 == len(sink.events())


@pytest.mark.parametrize("properties", [
    {f"p{n}": n for n in range(2_000)}, {"k" * 10_000: 1},
    {"": 1, "a.b": 2, "__proto__": 3, "$set": 4, "constructor": {"prototype": 5}, "a b\n": 6},
    {"a": "\r\nSet-Cookie: x=1", "b": "=cmd()", "c": "<script>", "d": "{{7*7}}",
     "e": "${jndi:ldap://x}", "f": "'; DROP TABLE x", "g": "../../etc", "h": "{0.__class__}",
     "i": "%n%s", "j": "\u202eevil", "k": "e\u0301 \u00e9", "l": "\0", "m": "\U0001f600"}])
async def test_b11_b17_odd_names_and_texts_are_literal(
    client: Any, sink: MemorySink, properties: dict[str, Any]
) -> None:
    """Kept as they are, in the order in which they came."""
    status, _, _ = await post(client, "/v1/page", {"userId": "u", "properties": properties})
    assert 200 == status
    kept = json.loads(sink.events()[0]["personal"])["properties"]
    assert list(properties.items()) == list(kept.items())


@pytest.mark.parametrize("user_id", [" ", "null", "NULL", "undefined", "0", "0000", "-1", "none",
                                     "anonymous", "guest", ""])
async def test_b13_ids_that_stand_for_nobody(client: Any, sink: MemorySink, user_id: str) -> None:
    """Refused alone; passed over beside an anonymousId, so they gather no strangers."""
    status, answer, _ = await post(client, "/v1/page", {"userId": user_id})
    assert (400, "identifier_blocked") == (status, answer["code"])
    assert 200 == (await post(client, "/v1/page", {"userId": user_id, "anonymousId": "a1"}))[0]
    assert sink.sent[-1].interactions[0]["key"].startswith(b"anonymous_id:")


@pytest.mark.parametrize(("request_", "statuses"), [
    (b"TRACE /v1/page HTTP/1.1\r\nHost: x\r\nX-Secret: canary\r\n\r\n", b"405"),
    (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", b"404 405 400"),
    (b"POST //v1/page HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"404"),
    (b"POST /v1/../v1/page HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"404 401"),
    (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
    (b"GET /" + b"canary" * 1_500 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400 414"),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"canary" * 1_500 + b"\r\n\r\n", b"400 431"),
    (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: canary\r\n" * 200 + b"\r\n", b"400 431"),
    (b"GET /healthz HTTP/3.9\r\nHost: x\r\n\r\n", b"400 505 200"),
    (b"canary\r\n\r\n", b"400"),
    (b"POST /v1/page HTTP/1.1\r\nHost: x\r\nOrigin: null\r\n" + KEY_LINE
     + b"Content-Length: 14\r\n\r\n" + PAGE, b"403"),
])
async def test_b27_odd_requests_are_errors_that_repeat_nothing(
    client: Any, sink: MemorySink, caplog: Any, request_: bytes, statuses: bytes
) -> None:
    """Neither in the answer nor in the log, which holds no address either."""
    with caplog.at_level("INFO"):
        answer, _ = await raw(client, request_)
    assert "canary" not in caplog.text
    assert "127.0.0.1" not in caplog.text
    assert b"aiohttp" not in answer
    assert answer.split(b" ")[1] in statuses.split(), answer[:200]
    assert b"canary" not in answer
    assert b"Traceback" not in answer
    assert [] == sink.sent


async def test_b27_http_1_0_is_served_and_closed(client: Any, sink: MemorySink) -> None:
    answer, is_closed = await raw(
        client, call(b"Content-Length: 14").replace(b"HTTP/1.1", b"HTTP/1.0"), WAIT_S_MAX)
    assert (True, True) == (answer.startswith(b"HTTP/1.0 200"), is_closed)
    assert 1 == len(sink.events())


@pytest.mark.parametrize("name", [n for n in CASES if n[0] in "yn"])
def test_b28_every_json_parser_agrees_on_these(name: str) -> None:
    """What is JSON is read, what is none is refused: alone and inside an item."""
    if name.startswith("y_"):
        decode(CASES[name])
    else:
        with pytest.raises(FieldError):
            decode(CASES[name])


async def test_b28_none_of_them_is_an_error_of_ours(client: Any) -> None:
    """Those on which parsers differ neither: taken or refused, as a body and inside one."""
    assert (95, 188) == tuple(sum(n[0] == kind for n in CASES) for kind in "yn")
    for name, text in CASES.items():
        status, answer, _ = await post(client, "/v1/page", text)
        assert 400 == status, (name, answer)
        if len(text) < 1000:
            status, answer, _ = await post(client, "/v1/batch", b'{"batch":[%s]}' % text)
            assert status in (200, 400), (name, answer)
            assert not answer.get("accepted"), name

"""SIGTERM: readiness fails first, what is in flight is answered, nothing is reset."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectorError, ClientSession, ClientTimeout

from footfall.admin.topics import ensure
from footfall.collector.app import Collector
from footfall.collector.auth import WriteKeys
from footfall.collector.command import DRAIN_S_MAX, FLUSH_S_MAX
from footfall.collector.serving import Runner
from footfall.settings import Settings
from footfall.up.ports import HOST, free_port
from tests.collector.edge import CODECS, KEY, KEYS, MemorySink, serving
from tests.collector.program import (
    AUTH,
    START_S_MAX,
    post,
    running,
    status_of,
    until,
    until_status,
)

ITEM = {"type": "page", "userId": "u"}


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession(headers=AUTH, timeout=ClientTimeout(30)) as session:
        yield session


def test_the_end_comes_within_ten_seconds() -> None:
    """The bounds of its three parts, as shipped."""
    assert Settings().shutdown_delay_s + DRAIN_S_MAX + FLUSH_S_MAX < 10


@pytest.mark.parametrize("spool", ["", "spool"])
def test_a_port_that_is_taken_is_all_that_is_told(tmp_path: Path, spool: str) -> None:
    """What had begun already ends without a word."""
    spooled = {"spool_path": tmp_path / spool} if spool else {}
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with running(f"{HOST}:{free_port()}", tmp_path, port, **spooled) as (process, _url):
            assert 1 == process.wait(START_S_MAX)
    [line] = (tmp_path / "collector.log").read_text().splitlines()
    assert f"cannot listen on {HOST}:{port} (Address already in use" in line


@pytest.mark.kafka
async def test_readiness_fails_first_and_nobody_is_reset(
    footfall_topics: str, tmp_path: Path, http: ClientSession
) -> None:
    """Senders meet answers until they meet a port that nobody listens on; nothing between."""
    met: list[str] = []
    answered = [0]

    async def sender(url: str) -> None:
        while True:
            try:
                status, _ = await post(http, url + "/v1/batch", {"batch": [ITEM]})
            except ClientConnectorError:
                return
            except Exception as error:
                met.append(repr(error))
                return
            assert 200 == status
            answered[0] += 1

    with running(footfall_topics, tmp_path, shutdown_delay_s=5) as (process, url):
        await until_status(http, url + "/readyz", 200)
        assert 200 == (await post(http, url + "/v1/page", ITEM))[0]  # a connection kept open
        senders = [asyncio.create_task(sender(url)) for _ in range(4)]
        await until(lambda: answered[0] > 10)
        process.send_signal(signal.SIGTERM)
        await until_status(http, url + "/readyz", 503)
        async with http.get(url + "/readyz") as answer:
            assert (503, "stopping") == (answer.status, (await answer.json())["code"])
        assert 200 == await status_of(http, url + "/healthz")
        before = answered[0] + len(senders)  # who was under way when readiness failed
        await until(lambda: answered[0] > before)
        async with http.post(url + "/v1/page", json=ITEM) as answer:
            assert (200, "close") == (answer.status, answer.headers["Connection"])
        assert 0 == await asyncio.to_thread(process.wait, 30)
        await asyncio.gather(*senders)
    assert [] == met


async def in_flight(http: ClientSession, url: str, requests: int) -> bool:
    async with http.get(url + "/metrics") as answer:
        return f"\nfootfall_in_flight_requests {requests}.0\n" in await answer.text()


@pytest.mark.kafka
async def test_what_is_in_flight_when_the_end_begins_is_answered(
    own_kafka: Callable[..., Any], tmp_path: Path, http: ClientSession
) -> None:
    """Whatever the broker needs, up to the bound of an answer."""
    node = own_kafka()
    ensure(node.bootstrap, 4, 1)
    with running(node.bootstrap, tmp_path) as (process, url):
        await until_status(http, url + "/readyz", 200)
        assert 200 == (await post(http, url + "/v1/page", ITEM))[0]
        node.pause()
        waiting = [asyncio.create_task(post(http, url + "/v1/page", ITEM)) for _ in range(5)]
        async with asyncio.timeout(5):  # who has not come by then is not in flight
            while not await in_flight(http, url, 5):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(2)
        assert not any(task.done() for task in waiting)
        node.resume()
        assert [200] * 5 == [(await task)[0] for task in waiting]
        assert 0 == await asyncio.to_thread(process.wait, 30)
        assert time.monotonic() - started < 15


async def test_who_waits_in_the_kernels_queue_is_still_answered() -> None:
    """And who is connected but has not spoken; the port is closed meanwhile."""
    collector = Collector(MemorySink(), KEYS, WriteKeys({"web": KEY}), CODECS)
    runner = Runner(collector.application())
    await runner.setup()
    port = await runner.listen("127.0.0.1", 0)
    early_reader, early = await asyncio.open_connection("127.0.0.1", port)
    await until(lambda: runner._server is not None and runner._server.connections)
    # Nothing is awaited from here on, so the loop cannot accept them before it leaves.
    queued = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
    for one in queued:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    collector.drain()
    leaving = asyncio.create_task(runner.leave())
    await until(lambda: runner._listener.fileno() < 0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    early.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await early_reader.read()).startswith(b"HTTP/1.1 200")
    for one in queued:
        one.settimeout(START_S_MAX)
        assert (await asyncio.to_thread(one.recv, 20)).startswith(b"HTTP/1.1 200")
        one.close()
    await asyncio.wait_for(leaving, START_S_MAX)
    await runner.cleanup()


async def test_every_answer_of_one_that_ends_asks_to_close() -> None:
    """Errors too, so that clients come back elsewhere."""
    async with serving(MemorySink()) as client:
        async with client.post("/v1/page", json=ITEM, headers=AUTH) as answer:
            assert "close" not in answer.headers.get("Connection", "")
        client.collector.drain()
        for headers, status in ((AUTH, 200), ({}, 401)):
            async with client.post("/v1/page", json=ITEM, headers=headers) as answer:
                assert (status, "close") == (answer.status, answer.headers["Connection"])
        async with client.get("/readyz") as answer:
            assert (503, "stopping") == (answer.status, (await answer.json())["code"])
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await reader.read()).startswith(b"HTTP/1.1 200")  # to its end: it is closed
        writer.close()


@pytest.mark.kafka
async def test_a_request_waits_for_a_broker_that_restarts(
    own_kafka: Callable[..., Any], tmp_path: Path, http: ClientSession
) -> None:
    """Within its bound, for some SDKs give up after two seconds of 503."""
    node = own_kafka()
    ensure(node.bootstrap, 4, 1)
    with running(node.bootstrap, tmp_path) as (_process, url):
        await until_status(http, url + "/readyz", 200)
        assert 200 == (await post(http, url + "/v1/page", ITEM))[0]
        await asyncio.to_thread(node.kill9)
        await until_status(http, url + "/readyz", 503)
        started = time.monotonic()
        status, answer = await post(http, url + "/v1/page", ITEM)
        assert (503, "log_unavailable") == (status, answer["code"])
        assert 4 < time.monotonic() - started < 20
        starting = asyncio.create_task(asyncio.to_thread(node.start))
        async with asyncio.timeout(90):
            while (await post(http, url + "/v1/page", ITEM))[0] != 200:
                pass
        await starting

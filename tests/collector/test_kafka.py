"""The collector as a program, on a real broker: 200 means in the log, and nothing else does."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout
from aiokafka.partitioner import DefaultPartitioner, murmur2

from footfall.admin.topics import ensure
from footfall.collector.sink import ANSWER_S_MAX
from footfall.events.codec import Codecs
from footfall.events.topics import INTERACTIONS, REJECTED
from footfall.up.ports import free_port
from tests.collector.program import (
    AUTH,
    START_S_MAX,
    post,
    read_all,
    running,
    status_of,
    until,
    until_status,
)

pytestmark = pytest.mark.kafka

PARTITIONS = 4


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession(headers=AUTH, timeout=ClientTimeout(30)) as session:
        yield session


def item(n: int) -> dict[str, Any]:
    return {"type": "track", "event": "x", "userId": f"user-{n}", "messageId": f"m-{n}"}


async def test_200_means_in_the_log_on_javas_partitions(
    footfall_topics: str, tmp_path: Path, http: ClientSession
) -> None:
    """Every accepted item once, on the partition that Java's producer would choose."""
    codecs = Codecs()
    with running(footfall_topics, tmp_path) as (process, url):
        await until_status(http, url + "/readyz", 200)
        answers = await asyncio.gather(*(
            post(http, url + "/v1/batch",
                 {"batch": [*(item(b * 50 + n) for n in range(50)), {"type": "page"}]})
            for b in range(20)))
        assert {200} == {status for status, _ in answers}
        log = read_all(footfall_topics, INTERACTIONS)
        assert sorted(f"m-{n}" for n in range(1000)) == sorted(
            codecs.interaction.decode(value)["message_id"] for _, _, value in log)
        assert len({partition for partition, _, _ in log}) == PARTITIONS
        for partition, key, _ in log:
            assert partition == (murmur2(key) & 0x7FFFFFFF) % PARTITIONS
            assert partition == DefaultPartitioner()(key, [*range(PARTITIONS)], [])
        rejected = [codecs.rejected.decode(v) for _, _, v in read_all(footfall_topics, REJECTED)]
        assert [("web", b'{"type": "page"}')] * 20 == [
            (r["source"], r["personal"]) for r in rejected]
        process.send_signal(signal.SIGTERM)
        assert 0 == await asyncio.to_thread(process.wait, 30)
    assert "user-" not in (tmp_path / "collector.log").read_text()


async def test_sigterm_answers_what_is_in_flight(
    footfall_topics: str, tmp_path: Path, http: ClientSession
) -> None:
    """All that is in the log was answered 200, and the other way round; the program ends with 0."""
    told: list[str] = []

    async def sender(first: int, url: str) -> None:
        for n in range(first, first + 5000):
            try:
                status, _ = await post(http, url + "/v1/batch", {"batch": [item(n)]})
            except (OSError, ClientError):
                return
            assert 200 == status
            told.append(f"m-{n}")

    with running(footfall_topics, tmp_path) as (process, url):
        await until_status(http, url + "/readyz", 200)
        senders = [asyncio.create_task(sender(n * 10_000, url)) for n in range(4)]
        await until(lambda: len(told) > 10)
        process.send_signal(signal.SIGTERM)
        assert 0 == await asyncio.to_thread(process.wait, 30)
        await asyncio.gather(*senders)
    log = [Codecs().interaction.decode(v)["message_id"]
           for _, _, v in read_all(footfall_topics, INTERACTIONS)]
    assert sorted(told) == sorted(log)


async def test_503_while_no_broker_is_there(tmp_path: Path, http: ClientSession) -> None:
    """At once, when none was ever seen."""
    with running(f"127.0.0.1:{free_port()}", tmp_path) as (process, url):
        await until_status(http, url + "/healthz", 200)
        assert 503 == await status_of(http, url + "/readyz")
        async with http.post(url + "/v1/batch", json={"batch": [item(1)]}) as answer:
            assert (503, "log_unavailable") == (answer.status, (await answer.json())["code"])
            assert "Retry-After" in answer.headers
        process.send_signal(signal.SIGTERM)
        assert 0 == await asyncio.to_thread(process.wait, 30)


async def test_503_while_the_broker_hangs_and_200_when_it_is_back(
    own_kafka: Callable[..., Any], tmp_path: Path, http: ClientSession
) -> None:
    """A broker that is stopped and continued: no 200 without it; afterwards all is well."""
    node = own_kafka()
    ensure(node.bootstrap, PARTITIONS, 1)
    with running(node.bootstrap, tmp_path) as (_process, url):
        await until_status(http, url + "/readyz", 200)
        assert 200 == (await post(http, url + "/v1/batch", {"batch": [item(1)]}))[0]
        node.pause()
        async with asyncio.timeout(ANSWER_S_MAX + 10):
            status, answer = await post(http, url + "/v1/batch", {"batch": [item(2), {}]})
        assert (503, "log_unavailable") == (status, answer["code"])
        node.resume()
        async with asyncio.timeout(START_S_MAX):
            while (await post(http, url + "/v1/batch", {"batch": [item(2)]}))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    log = {Codecs().interaction.decode(v)["message_id"]
           for _, _, v in read_all(node.bootstrap, INTERACTIONS)}
    assert {"m-1", "m-2"} == log

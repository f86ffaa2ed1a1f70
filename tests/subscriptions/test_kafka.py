"""The stream of a real collector on a real broker: reconnects, a topic made again, the end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout
from confluent_kafka import Producer

from footfall.admin.topics import ensure
from footfall.errors import BrokerError
from footfall.events.topics import TRIGGERS
from footfall.subscriptions.reading import KafkaReader, Read
from tests import services
from tests.collector.program import running, until_status
from tests.collector.test_subscriptions import STREAM, Listening
from tests.events.records import a_trigger
from tests.subscriptions.memory import CODECS

pytestmark = pytest.mark.kafka
KEY = "an api key of sixteen bytes"
WAIT_S_MAX = 30.0


def send(bootstrap: str, *numbers: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1})
    for n in numbers:
        producer.produce(TRIGGERS, CODECS.trigger.encode(a_trigger(trigger_id=f"{n:032x}")),
                         b"k", n % 4)
    assert 0 == producer.flush(WAIT_S_MAX)


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession(headers={"Authorization": f"Bearer {KEY}"},
                             timeout=ClientTimeout(3 * WAIT_S_MAX)) as session:
        yield session


async def listen(http: ClientSession, url: str, place: str, count: int
                 ) -> tuple[list[tuple[str, str]], str]:
    """(events, cursor) of a stream that is left after so many."""
    headers = {"Last-Event-ID": place} if place else {}
    async with http.get(url + STREAM, headers=headers) as answer:
        assert 200 == answer.status, await answer.text()
        stream = Listening(answer)
        await stream.opened()
        await stream.until(count)
        return stream.events(), stream.last


def numbers(events: list[tuple[str, str]]) -> list[int]:
    return [int(data.partition('"trigger_id":"')[2][:32], 16) for name, data in events
            if name == "trigger"]


async def test_twenty_reconnects_under_load_and_a_stop(
    footfall_topics: str, tmp_path: Path, http: ClientSession
) -> None:
    """No gap, no repeat, over two collectors, one of which is stopped on the way and ends whole."""
    count, got = 2_000, []

    async def load() -> None:
        for n in range(0, count, 20):
            await asyncio.to_thread(send, footfall_topics, *range(n, n + 20))

    with (running(footfall_topics, tmp_path, api_key=KEY) as (first, one),
          running(footfall_topics, tmp_path, api_key=KEY) as (_second, other)):
        for url in (one, other):
            await until_status(http, url + "/readyz", 200)
        _events, place = await listen(http, one, "", 0)
        loading = asyncio.create_task(load())
        for turn in range(20):
            events, place = await listen(http, (one, other)[turn % 2], place, 1 + 7 * (turn % 3))
            got += numbers(events)
        await loading
        async with http.get(one + STREAM, headers={"Last-Event-ID": place}) as answer:
            stream = Listening(answer)
            await stream.opened()
            first.send_signal(signal.SIGTERM)
            async with asyncio.timeout(WAIT_S_MAX):
                stream.content += await answer.content.read()
            got, place = got + numbers(stream.events()), stream.last
        assert 0 == await asyncio.to_thread(first.wait, 30)
        if len(got) < count:
            events, place = await listen(http, other, place, count - len(got))
            got += numbers(events)
    assert list(range(count)) == sorted(got)


async def test_a_topic_that_was_made_again(
    footfall_topics: str, tmp_path: Path, http: ClientSession
) -> None:
    """A cursor of the former one is told so; all of the new one follows."""
    if not services.is_apache_kafka(footfall_topics):
        pytest.skip("this broker gives topics no id")
    with running(footfall_topics, tmp_path, api_key=KEY) as (_process, url):
        await until_status(http, url + "/readyz", 200)
        _events, before = await listen(http, url, "", 0)
        await asyncio.to_thread(send, footfall_topics, *range(8))
        events, place = await listen(http, url, before, 8)
        assert list(range(8)) == sorted(numbers(events))
        await asyncio.to_thread(services.fresh_topics, footfall_topics)
        await asyncio.to_thread(send, footfall_topics, *range(100, 108))
        events, place = await listen(http, url, place, 9)
        assert ("gap", True) == (events[0][0], '"reason":"topic"' in events[0][1])
        assert list(range(100, 108)) == sorted(numbers(events))


async def test_a_broker_that_is_killed_and_comes_back(
    own_kafka: Callable[..., Any], tmp_path: Path, http: ClientSession
) -> None:
    """Streams stay open; one at the end and one that came back behind miss nothing."""
    node = own_kafka()
    ensure(node.bootstrap, 4, 1)
    with running(node.bootstrap, tmp_path, api_key=KEY) as (_process, url):
        await until_status(http, url + "/readyz", 200)
        _events, place = await listen(http, url, "", 0)
        async with http.get(url + STREAM) as answer:
            stream = Listening(answer)
            await stream.opened()
            await asyncio.to_thread(send, node.bootstrap, *range(8))
            await stream.until(8)
            await asyncio.to_thread(node.kill9)
            await asyncio.sleep(1.0)
            async with http.get(url + STREAM, headers={"Last-Event-ID": place}) as second:
                behind = Listening(second)
                await behind.opened()
                await asyncio.to_thread(node.start)
                await asyncio.to_thread(send, node.bootstrap, *range(8, 16))
                for one in (stream, behind):
                    async with asyncio.timeout(WAIT_S_MAX):
                        while len(one.events()) < 16:
                            one.content += await one.answer.content.readany()
                    assert list(range(16)) == sorted(numbers(one.events()))


def test_a_reader_tells_ends_and_what_is_lost(footfall_topics: str) -> None:
    """As the reader in memory does."""
    reader = KafkaReader(footfall_topics, TRIGGERS)
    try:
        send(footfall_topics, *range(8))
        assert ((0,) * 4, (2,) * 4) == reader.bounds(4)
        reader.assign([0, 2, 9, 1])
        found = Read([], {}, [])
        while len(found.ends) < 3 or not found.lost:
            more = reader.read(100, WAIT_S_MAX)
            assert any(more), found
            found = Read(found.records + more.records, found.ends | more.ends,
                         found.lost + more.lost)
        assert [(0, 0), (0, 1), (3, 1)] == sorted((r.partition, r.offset) for r in found.records)
        assert ({0: 2, 1: 2, 3: 2}, [2]) == (found.ends, found.lost)
    finally:
        reader.close()


def test_no_broker_is_an_error_that_names_the_topic(free_address: str) -> None:
    reader: Any = KafkaReader(free_address, TRIGGERS)
    with pytest.raises(BrokerError, match=TRIGGERS):
        reader.topic()
    reader.close()


@pytest.fixture
def free_address() -> str:
    from footfall.up.ports import HOST, free_port

    return f"{HOST}:{free_port()}"

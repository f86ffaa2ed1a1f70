"""The hub on a topic in memory: who gets what, from where, and what it costs the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from footfall import tables
from footfall.errors import BrokerError, SchemaError
from footfall.subscriptions import cursor, hub, recent, subscriber
from footfall.subscriptions.cursor import Cursor
from footfall.subscriptions.filters import Filter, parse
from footfall.subscriptions.hub import FullError, Hub, Options
from footfall.subscriptions.items import Reader
from footfall.subscriptions.repeats import depth
from footfall.view.why_classes import ExplanationMask
from tests.subscriptions.memory import CODECS, MemoryTopic
from tests.subscriptions.test_core import parsed

OWNER = Reader(Filter(), "sensitive")
QUICK = Options(heartbeat_s=0.2, topic_check_s=0.1, retry_s=0.05)
WAIT_S_MAX = 30.0


@contextlib.asynccontextmanager
async def running(topic: MemoryTopic, options: Options = QUICK) -> AsyncIterator[Hub]:
    made = Hub(topic.reader, CODECS.trigger, ExplanationMask(tables.ALL), options)
    async with made.while_running():
        yield made


class Stream:
    """What one subscriber has got, read as a client reads it."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._bytes = b""

    async def until(self, count: int) -> list[tuple[str, Any]]:
        """The first events, so many at least."""
        async with asyncio.timeout(WAIT_S_MAX):
            while len(self.events()) < count:
                await self.more()
        return self.events()

    async def opened(self) -> str:
        await self.more()
        return self.last

    async def more(self) -> None:
        self._bytes += await anext(self._chunks)

    def events(self) -> list[tuple[str, Any]]:
        return [(name, json.loads(data)) for name, data in parsed(self._bytes)[0]]

    def ids(self) -> list[str]:
        return [data["trigger_id"] for name, data in self.events() if name == "trigger"]

    @property
    def last(self) -> str:
        return parsed(self._bytes)[1]

    async def rest(self) -> None:
        async for chunk in self._chunks:
            self._bytes += chunk


@contextlib.asynccontextmanager
async def streaming(of: Hub, who: Reader = OWNER, place: str | None = None, **options: Any
                    ) -> AsyncIterator[Stream]:
    at = cursor.decode(place) if place is not None else None
    async with of.subscribed(who, at, **options) as made:
        chunks = made.chunks()
        async with contextlib.aclosing(chunks):
            yield Stream(chunks)


async def test_what_comes_after_the_opening_is_sent_and_nothing_before() -> None:
    topic = MemoryTopic()
    topic.put(1)
    async with running(topic) as made, streaming(made) as stream:
        await stream.opened()
        sent = [topic.put(n) for n in range(2, 9)]
        await stream.until(7)
        assert sorted(sent) == sorted(stream.ids())


async def test_a_cursor_goes_on_where_it_was_through_many_reconnects() -> None:
    """Twenty of them, under load, at the hub that knows the newest and at one that does not: every
    trigger once, in the order of its partition.
    """
    topic, got = MemoryTopic(), []
    chance = random.Random(8)
    place: str | None = None
    count, is_over = 0, False

    async def load() -> None:
        nonlocal count
        while not is_over:
            topic.put(count)
            count += 1
            if count % 20 == 0:
                await asyncio.sleep(0.002)

    async with running(topic) as one, running(topic) as other:
        async with streaming(one) as stream:
            place = await stream.opened()
        loading = asyncio.create_task(load())
        for turn in range(20):
            async with streaming(chance.choice((one, other)), place=place) as stream:
                await stream.until(1)
                for _ in range(chance.randrange(3)):
                    await stream.until(len(stream.events()) + 1)
                got += stream.ids()
                place = stream.last
            if turn % 7 == 0:
                await asyncio.sleep(0.05)
        is_over = True
        await loading
        async with streaming(one, place=place) as stream:
            await stream.until(count - len(got))
            got += stream.ids()
    numbers = [int(one, 16) for one in got]
    assert list(range(count)) == sorted(numbers)
    for partition in range(3):
        mine = [n for n in numbers if n % 3 == partition]
        assert sorted(mine) == mine


@pytest.mark.parametrize("from_ring", [True, False])
async def test_a_repeat_is_not_sent_again(from_ring: bool) -> None:
    """Whether its first copy came before the cursor or after it, at the end or behind."""
    topic = MemoryTopic()
    async with running(topic) as first:
        async with streaming(first) as stream:
            await stream.opened()
            for n in (0, 3, 6):
                topic.put(n)
            await stream.until(3)
            place = stream.last
        for n in (3, 6, 9, 9, 12):
            topic.put(n)
        async with contextlib.AsyncExitStack() as stack:
            made = first if from_ring else await stack.enter_async_context(running(topic))
            async with streaming(made, place=place) as stream:
                await stream.until(2)
                topic.put(15)
                await stream.until(3)
                assert [9, 12, 15] == [int(one, 16) for one in stream.ids()]


async def test_a_repeat_of_what_was_there_before_anybody_listened_is_not_sent() -> None:
    """A worker that crashed and came back while the first subscriber came."""
    topic = MemoryTopic()
    topic.put(3)
    async with running(topic) as made, streaming(made) as stream:
        await stream.opened()
        topic.put(3)
        topic.put(6)
        await stream.until(1)
        assert [6] == [int(one, 16) for one in stream.ids()]


async def test_what_retention_has_passed_is_told() -> None:
    topic = MemoryTopic()
    async with running(topic) as made:
        async with streaming(made) as stream:
            place = await stream.opened()
        for n in range(30):
            topic.put(n)
        topic.expire(0, 4, 10)
    async with running(topic) as made, streaming(made, place=place) as stream:
        await stream.until(17)
        name, gap = stream.events()[0]
        assert ("gap", "retention") == (name, gap["reason"])
        assert [{"partition": 1, "reason": "retention", "from": 0, "to": 4},
                {"partition": 2, "reason": "retention", "from": 0, "to": 10}] == gap["partitions"]
        assert 16 == len(set(stream.ids()))


async def test_a_topic_that_was_made_again_is_told_and_read_whole() -> None:
    """Also to those at the end."""
    topic = MemoryTopic()
    async with running(topic) as made, streaming(made) as stream:
        await stream.opened()
        topic.put(1)
        await stream.until(1)
        topic.make(2)
        topic.put(2)
        await stream.until(3)
        assert ["trigger", "gap", "trigger"] == [name for name, _data in stream.events()]
        assert "topic" == stream.events()[1][1]["reason"]


async def test_a_place_in_the_future_is_told() -> None:
    """A broker that forgot, or a cursor of somebody's own making."""
    topic = MemoryTopic()
    topic.put(0)
    async with running(topic) as made:
        async with streaming(made) as stream:
            await stream.opened()
        ahead = cursor.encode(topic.id, (9, 0, 2**63 - 1))
        async with streaming(made, place=ahead) as stream:
            ((name, gap),) = await stream.until(1)
            assert ("gap", "ahead") == (name, gap["reason"])
            assert [(0, 9, 1), (2, 2**63 - 1, 0)] == [
                (one["partition"], one["from"], one["to"]) for one in gap["partitions"]]
            topic.put(3)
            await stream.until(2)
            assert [f"{3:032x}"] == stream.ids()


async def test_held_out_and_unreadable_records_are_not_sent() -> None:
    topic = MemoryTopic()
    async with running(topic) as made, streaming(made) as stream:
        await stream.opened()
        topic.put(1, held_out=True)
        for broken in (b"", b"\x00", None):
            topic.logs[1].append(broken)
        topic.put(4, data=b"no JSON")
        topic.put(7)
        await stream.until(1)
        assert [f"{7:032x}"] == stream.ids()


async def test_a_reader_sees_what_it_may_and_asked_for() -> None:
    """Names of the key, names asked for, and no value through a filter that is masked."""
    topic = MemoryTopic()
    named = Reader(Filter(names=frozenset({"cart_abandoned"})), "internal")
    scoped = Reader(Filter(), "internal", frozenset({"risk_level_changed"}))
    nothing = Reader(Filter(names=frozenset({"cart_abandoned"})), "internal",
                     frozenset({"risk_level_changed"}))
    masked = Reader(parse([("data.secret", "x")]), "internal")
    cleared = Reader(parse([("data.secret", "x")]), "sensitive")
    async with running(topic) as made, contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(streaming(made, who))
                   for who in (named, scoped, nothing, masked, cleared)]
        for stream in streams:
            await stream.opened()
        silent = [asyncio.create_task(stream.rest()) for stream in streams[2:4]]
        await asyncio.sleep(0.05)
        topic.put(1)
        topic.put(2, name="risk_level_changed", data=b'{"level":"high"}')
        topic.put(3, name="of_another_footfall", data=b'{"secret":"x"}')
        for n, stream in enumerate((streams[0], streams[1], streams[4]), 1):
            await stream.until(1)
            assert [f"{n:032x}"] == stream.ids()
        (_, shown), = streams[0].events()
        assert {"user_id": {"masked": "personal"}} == shown["ids"]
        made.end()
        await asyncio.gather(*silent)
        for stream in streams[2:4]:
            assert [] == stream.events()
            assert 3 == sum(cursor.decode(stream.last).offsets)  # it was there


async def test_a_full_queue_loses_nothing_and_harms_nobody(monkeypatch: Any) -> None:
    """One does not read while another does; then it gets all of it, in order."""
    monkeypatch.setattr(subscriber, "QUEUE_EVENTS_MAX", 10)
    monkeypatch.setattr(recent, "ITEMS_MAX", 20)
    topic = MemoryTopic()
    async with running(topic) as made, streaming(made) as slow, streaming(made) as quick:
        await slow.opened()
        await quick.opened()
        for n in range(0, 600, 3):
            topic.put(n)
            if n % 30 == 0:
                await quick.until(n // 3)
        await quick.until(200)
        await slow.until(200)
        wanted = [f"{n:032x}" for n in range(0, 600, 3)]
        assert wanted == slow.ids()
        assert wanted == quick.ids()


async def test_five_hundred_of_which_some_do_not_read() -> None:
    """All others have everything; what waits for each is bounded; then the slow ones have it, too.
    """
    topic, count = MemoryTopic(12), 200
    reading = asyncio.Event()

    async def listen(one: subscriber.Subscriber, is_slow: bool) -> set[bytes]:
        found: set[bytes] = set()
        async for chunk in one.chunks():
            found.update(re.findall(rb'"trigger_id":"(\w+)"', chunk))
            if len(found) == count:
                break
            if is_slow and found:
                await reading.wait()
        return found

    async with running(topic, QUICK._replace(subscribers_max=500, of_key_max=500)) as made:
        async with contextlib.AsyncExitStack() as stack, asyncio.timeout(4 * WAIT_S_MAX):
            ones = [await stack.enter_async_context(made.subscribed(OWNER, None))
                    for _ in range(500)]
            tasks = [asyncio.create_task(listen(one, n % 10 == 0)) for n, one in enumerate(ones)]
            await asyncio.sleep(0.1)
            for n in range(count):
                topic.put(n, data=b'{"x":"%b"}' % (b"x" * 2_000))
            quick = [task for n, task in enumerate(tasks) if n % 10]
            assert {count} == {len(found) for found in await asyncio.gather(*quick)}
            waiting = [one._queued_bytes for one in ones]
            assert subscriber.QUEUE_BYTES_MAX / 2 < max(waiting)
            assert max(waiting) <= subscriber.QUEUE_BYTES_MAX + 3_000
            reading.set()
            assert {count} == {len(found) for found in await asyncio.gather(*tasks)}


async def test_there_are_so_many_subscribers_and_no_more() -> None:
    topic = MemoryTopic()
    async with running(topic, QUICK._replace(subscribers_max=2)) as made:
        async with streaming(made), streaming(made):
            with pytest.raises(FullError):
                async with streaming(made):
                    pass
        async with streaming(made) as stream:
            await stream.opened()


async def test_a_broker_that_goes_away_and_comes_back() -> None:
    """Streams stay, with heartbeats; what came meanwhile follows. A new one has to wait."""
    topic = MemoryTopic()
    async with running(topic) as made, streaming(made) as stream:
        await stream.opened()
        topic.put(1)
        await stream.until(1)
        topic.away = True
        topic.put(2)
        await asyncio.sleep(0.3)
        topic.away = False
        await stream.until(2)
        assert [1, 2] == [int(one, 16) for one in stream.ids()]
    topic.away = True
    hub_first, hub.FIRST_S_MAX = hub.FIRST_S_MAX, 0.1
    try:
        async with running(topic) as made:
            with pytest.raises(BrokerError):
                async with streaming(made):
                    pass
    finally:
        hub.FIRST_S_MAX = hub_first


@pytest.mark.parametrize("error", [SchemaError("the registry is away"), KeyError("of ours")])
async def test_a_trigger_that_nobody_can_read_now_is_not_passed_over(error: Exception) -> None:
    """A schema registry that is away is waited for; an error of ours ends no reading for good."""
    topic, failing = MemoryTopic(), [False]

    class Codec:
        def decode(self, data: bytes | None) -> Any:
            if failing[0]:
                raise error
            return CODECS.trigger.decode(data)

    made = Hub(topic.reader, Codec(), ExplanationMask(tables.ALL), QUICK)  # type: ignore[arg-type]
    async with made.while_running(), streaming(made) as stream:
        await stream.opened()
        topic.put(0)
        await stream.until(1)
        failing[0] = True
        topic.put(3)
        if isinstance(error, SchemaError):
            async with asyncio.timeout(WAIT_S_MAX):
                before = len(stream._bytes)
                while len(stream._bytes) < before + 300:  # heartbeats
                    await stream.opened()
        else:
            await asyncio.sleep(0.3)
        failing[0] = False
        topic.put(6)
        await stream.until(3)
        assert [0, 3, 6] == [int(one, 16) for one in stream.ids()]


async def test_heartbeats_move_the_cursor_past_what_is_not_asked_for() -> None:
    topic = MemoryTopic()
    asked = Reader(Filter(names=frozenset({"other"})), "sensitive")
    async with running(topic) as made, streaming(made, asked) as stream:
        before = await stream.opened()
        topic.put(1)
        async with asyncio.timeout(WAIT_S_MAX):
            while stream.last == before:
                await stream.opened()
        assert Cursor(topic.id, (0, 1, 0)) == cursor.decode(stream.last)


async def test_the_beginning_is_what_is_kept() -> None:
    """Without a gap: nobody had been there before."""
    topic = MemoryTopic()
    for n in range(2_000):
        topic.put(n)
    topic.expire(100, 0, 0)
    async with running(topic) as made, streaming(made, is_earliest=True) as stream:
        await stream.until(1_900)
        topic.put(2_000)
        await stream.until(1_901)
        assert sorted(stream.ids()) == sorted(
            f"{n:032x}" for n in range(2_001) if n % 3 or n >= 300)
    assert depth(3) < 1_900


@pytest.mark.parametrize("is_ending", [False, True])
async def test_a_stream_ends_while_a_turn_is_taken_for_it(monkeypatch: Any, is_ending: bool
                                                          ) -> None:
    """Its task is cancelled, or the hub ends."""
    topic = MemoryTopic()
    async with running(topic) as made, made.subscribed(OWNER, Cursor(bytes(16), ())) as one:
        hangs = asyncio.Event()

        async def turn(_way: object) -> None:
            hangs.set()
            await asyncio.sleep(WAIT_S_MAX)

        monkeypatch.setattr(made, "turn", turn)

        async def listen() -> None:
            async for _chunk in one.chunks():
                pass

        task = asyncio.create_task(listen())
        await hangs.wait()
        if is_ending:
            made.end()
            async with asyncio.timeout(WAIT_S_MAX / 2):
                await task
            return
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(WAIT_S_MAX / 2):
                await task
        assert task.cancelled()


async def test_without_subscribers_nothing_is_read() -> None:
    topic = MemoryTopic()
    async with running(topic):
        await asyncio.sleep(0.1)
    assert 0 == topic.reads

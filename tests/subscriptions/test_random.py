"""Any order of events: each trigger that is asked for comes once, in its partition's order.

Small limits, so that subscribers fall behind, join and come back all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import pytest

from footfall.subscriptions import behind, cursor, recent, subscriber
from footfall.subscriptions.filters import Filter
from footfall.subscriptions.items import Reader
from tests.subscriptions.memory import MemoryTopic
from tests.subscriptions.test_hub import WAIT_S_MAX, Stream, running

WHO = Reader(Filter(names=frozenset({"asked"})), "sensitive")
PARTITIONS = 3
STEPS = 150


class Writer:
    """Puts triggers; what may not come twice, and what may not come at all, among them."""

    def __init__(self, topic: MemoryTopic, chance: random.Random) -> None:
        self.topic = topic
        self.chance = chance
        self.count = 0
        self.wanted: list[int] = []

    def write(self) -> None:
        for _ in range(self.chance.randrange(8)):
            n, kind = self.count, self.chance.randrange(10)
            self.count += 1
            if kind == 0:
                self.topic.put(n, name="another")
            elif kind == 1:
                self.topic.put(n, name="asked", held_out=True)
            elif kind == 2 and self.wanted:
                again = self.chance.choice(self.wanted[-20:])
                self.topic.put(again, name="asked")
            else:
                self.topic.put(n, name="asked")
                self.wanted.append(n)


class Client:
    """One that leaves and comes back with the id of what it got last."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.place: str | None = None
        self.stream: Stream | None = None
        self._stack = contextlib.AsyncExitStack()
        self._coming: asyncio.Task[None] | None = None

    async def come(self, to: Any) -> None:
        at = cursor.decode(self.place) if self.place is not None else None
        made = await self._stack.enter_async_context(to.subscribed(WHO, at))
        chunks = made.chunks()
        await self._stack.enter_async_context(contextlib.aclosing(chunks))
        self.stream = Stream(chunks)
        await self.stream.opened()
        self.place = self.stream.last

    async def read(self) -> None:
        """What comes next, if it comes soon. What is waited for is not given up: that would end the
        stream.
        """
        assert self.stream is not None
        if self._coming is None:
            self._coming = asyncio.ensure_future(self.stream.more())
        if (await asyncio.wait({self._coming}, timeout=0.3))[0]:
            coming, self._coming = self._coming, None
            await coming

    async def leave(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.wait({self._coming})
            self._coming = None
        if self.stream is not None:
            self.got += [int(one, 16) for one in self.stream.ids()]
            assert {"trigger"} >= {name for name, _data in self.stream.events()}
            self.place = self.stream.last
            self.stream = None
        await self._stack.aclose()


@pytest.mark.parametrize("seed", range(3))
async def test_every_trigger_comes_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "ITEMS_MAX", 7)
    monkeypatch.setattr(subscriber, "QUEUE_EVENTS_MAX", 4)
    monkeypatch.setattr(behind, "TURN_RECORDS_MAX", 5)
    chance, topic = random.Random(seed), MemoryTopic(PARTITIONS)
    writer, clients = Writer(topic, chance), [Client() for _ in range(4)]
    async with running(topic) as one, running(topic) as other:
        for client in clients:
            await client.come(one)
        for _ in range(STEPS):
            writer.write()
            client = chance.choice(clients)
            done = chance.randrange(4)
            if done == 0:
                await client.leave()
                await client.come(chance.choice((one, other)))
            elif done == 1 and chance.random() < 0.2:
                topic.away = True
                await asyncio.sleep(0.02)
                topic.away = False
            elif done < 3:
                await asyncio.sleep(0.001 * chance.randrange(5))
            elif len(writer.wanted) > len(client.got) + len(client.stream.ids()) + 5:
                await client.read()
        for client in clients:
            assert client.stream is not None
            async with asyncio.timeout(WAIT_S_MAX):
                while len(client.got) + len(client.stream.ids()) < len(writer.wanted):
                    await client.read()
            await client.read()  # nothing more
            await client.leave()
    for client in clients:
        assert writer.wanted == sorted(client.got)
        for n in range(PARTITIONS):
            mine = [one for one in client.got if one % PARTITIONS == n]
            assert sorted(mine) == mine

"""The served view of a worker on a real Redis: it equals the store, whatever happens to Redis."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from footfall.events.customer_key import is_customer_key
from footfall.stream.engine import Engine
from footfall.stream.partition import partition_of
from footfall.stream.views import Views
from footfall.tables.records import Best
from footfall.view import entry
from footfall.view.store import Store
from tests.redis_server import RedisServer
from tests.stream.live import engine_of, feed
from tests.tables import events
from tests.tables.logs import KEYS, START, Appended

CAUGHT_UP_S_MAX = 40.0
PARTITIONS = range(4)


class Worker:
    """An engine without Kafka; what a checkpoint acknowledges is decided here."""

    def __init__(self, redis: RedisServer, generation: int = 0, answer_s_max: float = 0.5) -> None:
        self.redis = redis
        self.generation = generation
        self.engine: Engine = engine_of(owned=())
        self.engine.views = self.views = Views(
            self.engine, Store(redis.url, answer_s_max=answer_s_max), generation)
        for number in PARTITIONS:
            self.engine.own(number, None, Best())
        self._sent = 0
        #: What the changelog has.
        self.durable: dict[bytes, bytes] = {}

    def interact(self, customers: int = 40) -> None:
        """One event of each; applied, and no more."""
        self._sent += 1
        feed(self.engine, [
            Appended(START + self._sent, KEYS.of("user_id", f"c{n}"),
                     events.added(START + self._sent, f"m{n}-{self._sent}", "secret-product"))
            for n in range(customers)])

    def checkpoint(self, *, is_acked: bool = True) -> None:
        """Take a snapshot, and have it acknowledged."""
        for partition in self.engine.partitions.values():
            changed = partition.fold.snapshot()
            self.views.begin(partition, changed)
            if is_acked:
                self.durable.update(changed)
                self.views.durable(partition, changed, partition.fold.state(),
                                   time.time_ns() // 1_000_000)

    def served(self) -> dict[bytes, bytes]:
        """customer_key -> record, as Redis has it now."""
        client = self.redis.client()
        keys = [k for k in client.keys(entry.PREFIX + b"*") if not k.startswith(entry.OURS)]
        found = {}
        for key in keys:
            data = client.get(key)
            assert isinstance(data, bytes)
            held = entry.decode(data)
            assert self.generation == held.generation
            customer = key.removeprefix(entry.PREFIX)
            assert held.partition == partition_of(customer, len(PARTITIONS))
            found[customer] = held.record
        return found

    async def caught_up(self) -> None:
        """Wait until the view is what is durable, and every mark says so."""
        deadline = time.monotonic() + CAUGHT_UP_S_MAX
        while True:
            with contextlib.suppress(Exception):
                if self.durable == self.served() and self.is_marked():
                    return
            assert time.monotonic() < deadline, "the view did not catch up"
            await asyncio.sleep(0.05)

    async def until_it_is(self, state: str) -> None:
        """Wait until `/readyz` would say so."""
        async with asyncio.timeout(CAUGHT_UP_S_MAX):
            while self.views.state() != state:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def is_marked(self) -> bool:
        client = self.redis.client()
        for number, partition in self.engine.partitions.items():
            data = client.get(entry.mark_key(number))
            said = entry.decode_mark(data) if isinstance(data, bytes) else None
            if said is None or (self.generation, partition.fold.next_offset) != (
                    said.generation, said.next_offset):
                return False
        return "current" == self.views.state()


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Worker]:
    task = asyncio.create_task(worker.views.run())
    try:
        yield worker
        assert not task.done()
    finally:
        task.cancel()
        await worker.views.stop()


async def test_what_is_durable_is_shown_and_nothing_else(own_redis: Callable[..., RedisServer]
                                                         ) -> None:
    """A snapshot that the changelog has not acknowledged is not; under keys that say nothing."""
    async with running(Worker(own_redis())) as worker:
        worker.interact()
        worker.checkpoint()
        await worker.caught_up()
        worker.interact()
        worker.checkpoint(is_acked=False)
        await asyncio.sleep(1.2)

        before = worker.served()
        assert worker.durable == before
        assert before.keys() == {KEYS.of("user_id", f"c{n}") for n in range(40)}
        for key in worker.redis.client().keys("*"):
            assert key.startswith(entry.OURS) or is_customer_key(key.removeprefix(entry.PREFIX))


@pytest.mark.parametrize("again", range(2))
async def test_a_redis_that_was_emptied_is_filled_again(
        own_redis: Callable[..., RedisServer], again: int) -> None:
    """Also while it is being filled; without any event."""
    async with running(Worker(own_redis())) as worker:
        worker.interact(2_000 if again else 40)
        worker.checkpoint()
        if not again:
            await worker.caught_up()
        for _ in range(3):
            worker.redis.client().flushall()
            await asyncio.sleep(0.02)
        await worker.caught_up()


async def test_a_redis_that_is_killed_is_caught_up_with(own_redis: Callable[..., RedisServer],
                                                        caplog: pytest.LogCaptureFixture) -> None:
    """It comes back empty, or as some snapshot had it; the worker goes on all the while."""
    async with running(Worker(own_redis())) as worker:
        worker.interact()
        worker.checkpoint()
        await worker.caught_up()
        worker.redis.client().save()
        worker.interact()
        worker.checkpoint()
        await worker.caught_up()
        worker.redis.kill()
        with caplog.at_level(logging.INFO):
            worker.interact()
            worker.checkpoint()
            await worker.until_it_is("away")
            worker.interact(60)
            worker.checkpoint()
            assert 0 == worker.views.waiting(), "the store has it"
            worker.redis.start()
            await worker.caught_up()
    assert "the worker goes on" in caplog.text and "is written again" in caplog.text
    assert "secret-product" not in caplog.text and "user_id" not in caplog.text


async def test_a_redis_that_stands_still_holds_nobody_up(own_redis: Callable[..., RedisServer]
                                                         ) -> None:
    """Checkpoints and the loop go on; afterwards it is caught up with."""
    async with running(Worker(own_redis(), answer_s_max=5.0)) as worker:
        worker.interact()
        worker.checkpoint()
        await worker.caught_up()
        worker.redis.pause()
        longest = 0.0
        for _ in range(30):
            began = time.monotonic()
            worker.interact(5)
            worker.checkpoint()
            await asyncio.sleep(0.05)
            longest = max(longest, time.monotonic() - began)
        assert longest < 4.0, "as long as Redis is waited for"
        await worker.until_it_is("away")
        worker.redis.resume()
        await worker.caught_up()


async def test_a_redis_that_is_full_is_caught_up_with_when_it_has_room(
        own_redis: Callable[..., RedisServer]) -> None:
    """Until then it keeps what it has, and the worker goes on."""
    async with running(Worker(own_redis("--maxmemory", "0"))) as worker:
        worker.interact()
        worker.checkpoint()
        await worker.caught_up()
        client = worker.redis.client()
        client.config_set("maxmemory", "1mb")
        worker.interact(500)
        worker.checkpoint()
        await worker.until_it_is("away")
        assert 40 <= len(worker.served()) < 500
        client.config_set("maxmemory", "0")
        await worker.caught_up()


async def test_the_next_owner_sends_what_the_last_one_did_not(
        own_redis: Callable[..., RedisServer]) -> None:
    """From the mark on; and the old one's late words change nothing."""
    server = own_redis()
    async with running(Worker(server)) as first:
        first.interact()
        first.checkpoint()
        await first.caught_up()
    late = first.served()
    first.interact()
    first.checkpoint()  # and dies
    second = Worker(server)
    for number, partition in first.engine.partitions.items():
        second.engine.own(number, partition.fold.state(), Best(dict(partition.fold.store)))
    second.durable = dict(first.durable)
    async with running(second):
        await second.caught_up()
        zombie = Store(server.url)
        await zombie.begin()
        assert 0 == await zombie.put([
            (key, entry.encode(0, partition_of(key, 4), record)) for key, record in late.items()])
        await zombie.close()
        await second.caught_up()


async def test_a_higher_generation_replaces_all_and_a_lower_one_nothing(
        own_redis: Callable[..., RedisServer], caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the offsets; who is behind says which setting to raise."""
    server = own_redis()
    async with running(Worker(server)) as first:
        for _ in range(3):
            first.interact()
        first.checkpoint()
        await first.caught_up()
    anew = Worker(server, generation=1)
    anew.interact()
    anew.checkpoint()
    async with running(anew):
        await anew.caught_up()
    served = anew.served()
    async with running(Worker(server, answer_s_max=5.0)) as stale:
        stale.interact()
        stale.checkpoint()
        async with asyncio.timeout(CAUGHT_UP_S_MAX):
            while "FOOTFALL_VIEW_GENERATION" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
        assert "catching_up" == stale.views.state()
        assert served == anew.served()

"""The index of triggers on a real Redis: what the broker has, bounded by age and by customer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

import pytest

from footfall.events.topics import REJECTED, TRIGGERS
from footfall.telemetry import VIEW_TRIGGERS
from footfall.view import entry
from footfall.view.store import (
    TRIGGER_AGE_MS_MAX,
    TRIGGERS_OF_CUSTOMER_MAX,
    Indexed,
    Store,
)
from tests.events.records import a_trigger
from tests.redis_server import RedisServer
from tests.stream.test_views import Worker, running
from tests.tables.logs import ANNA, CODECS, KEYS

DAY_MS = 86_400_000


def now() -> int:
    return time.time_ns() // 1_000_000


def record(n: int, key: bytes = ANNA, at: int | None = None) -> bytes:
    return CODECS.trigger.encode(a_trigger(
        trigger_id=f"{n:032x}", customer_key=key.decode(), emitted_at=now() if at is None else at))


def indexed(n: int, at: int, key: bytes = ANNA) -> Indexed:
    return Indexed(f"{n:032x}", key, at, record(n, key, at))


@pytest.fixture
async def store(own_redis: Callable[..., RedisServer]) -> AsyncIterator[tuple[Store, RedisServer]]:
    server = own_redis()
    made = Store(server.url)
    await made.begin()
    yield made, server
    await made.close()


async def test_a_trigger_is_found_by_its_id_and_by_its_customer(
        store: tuple[Store, RedisServer]) -> None:
    """The same one again changes nothing."""
    index, _server = store
    at = now()
    some = [indexed(n, at + n) for n in (2, 1, 3)]
    for _ in range(2):
        assert 3 == await index.index(some, at)
    assert some[0].record == await index.trigger(f"{2:032x}")
    assert None is await index.trigger("f" * 32)
    assert [record(n, at=at + n) for n in (3, 2, 1)] == await index.triggers_of(ANNA)
    assert [] == await index.triggers_of(KEYS.of("user_id", "nobody"))


async def test_a_customer_has_the_newest_alone(store: tuple[Store, RedisServer]) -> None:
    """In whichever order they come; nothing else of the older ones is left, others' stay."""
    index, server = store
    at = now()
    other = KEYS.of("user_id", "other")
    await index.index([indexed(7_000, at, other)], at)
    count = TRIGGERS_OF_CUSTOMER_MAX + 20
    some = [indexed(n, at + n) for n in range(count)]
    for n in range(0, count, 30):
        await index.index([*reversed(some[n : n + 30])], at)
    await index.index(some[:5], at)
    newest = [f"{n:032x}" for n in reversed(range(20, count))]
    assert newest == [CODECS.trigger.decode(r)["trigger_id"]
                      for r in await index.triggers_of(ANNA)]
    keys = server.client().keys(entry.TRIGGER + b"*")
    assert {entry.TRIGGER + one.encode() for one in newest} == {
        key for key in keys if not key.endswith(b"%032x" % 7_000)}
    assert 1 == len(await index.triggers_of(other))


async def test_a_trigger_goes_with_its_age(store: tuple[Store, RedisServer]) -> None:
    """Counted from when it fired, also where it is put in late; one that is too old is not."""
    index, server = store
    at = now()
    young, old, gone = (indexed(n, at - n * DAY_MS) for n in (1, 6, 7))
    assert 2 == await index.index([young, old, gone], at)
    client = server.client()
    left = [client.pttl(entry.TRIGGER + one.trigger_id.encode()) for one in (young, old)]
    assert [6, 1] == [round(ms / DAY_MS, 1) for ms in left]  # type: ignore[operator]
    assert None is await index.trigger(gone.trigger_id)
    ahead = indexed(9, at + 30 * DAY_MS)
    await index.index([ahead], at)
    assert client.pttl(entry.TRIGGER + ahead.trigger_id.encode()) <= TRIGGER_AGE_MS_MAX
    assert 0 < client.pttl(entry.TRIGGERS_OF + ANNA) <= TRIGGER_AGE_MS_MAX  # type: ignore[operator]


async def test_a_worker_indexes_what_the_broker_has(own_redis: Callable[..., RedisServer]) -> None:
    """Also what came while Redis was away; other topics are none of it. Keys are pseudonyms."""
    async with running(Worker(own_redis())) as worker:
        acked = worker.engine.outbox.acked
        acked(TRIGGERS, [(ANNA, record(1))])
        acked(REJECTED, [(None, b"no trigger")])
        worker.interact()
        worker.checkpoint()
        await worker.caught_up()
        store = Store(worker.redis.url)
        assert [record(1)[:39]] == [r[:39] for r in await store.triggers_of(ANNA)]
        worker.redis.kill()
        acked(TRIGGERS, [(ANNA, record(n)) for n in range(2, 400)])
        worker.checkpoint()
        await worker.until_it_is("away")
        worker.redis.start()
        await worker.caught_up()
        assert None is not await store.trigger(f"{399:032x}")
        ids = [CODECS.trigger.decode(r)["trigger_id"] for r in await store.triggers_of(ANNA)]
        assert TRIGGERS_OF_CUSTOMER_MAX == len(ids)
        keys = worker.redis.client().keys(entry.OURS + b"trigger*")
        assert {entry.TRIGGERS_OF + ANNA, *(entry.TRIGGER + one.encode() for one in ids)} == {*keys}
        await store.close()


async def test_what_does_not_fit_while_redis_is_away_is_counted(
        own_redis: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker goes on; the newest are kept."""
    async with running(Worker(own_redis())) as worker:
        worker.interact()
        worker.checkpoint()
        await worker.caught_up()
        monkeypatch.setattr(worker.views._triggers, "_bytes_max", 3_000)
        before = VIEW_TRIGGERS.labels("dropped")._value.get()
        worker.redis.pause()
        worker.engine.outbox.acked(TRIGGERS, [(ANNA, record(n)) for n in range(100)])
        worker.checkpoint()
        await worker.until_it_is("away")
        assert 50 < VIEW_TRIGGERS.labels("dropped")._value.get() - before < 100
        worker.redis.resume()
        await worker.caught_up()
        store = Store(worker.redis.url)
        ids = [CODECS.trigger.decode(r)["trigger_id"] for r in await store.triggers_of(ANNA)]
        assert f"{99:032x}" in ids and f"{0:032x}" not in ids
        await store.close()

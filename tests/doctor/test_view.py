"""The served view: whether Redis answers, and what is in it. Why TLS fails: test_handshakes.py."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from footfall.doctor.view import judged_release, view
from footfall.settings import Settings
from footfall.tables.stored import PartitionState
from footfall.view import entry
from footfall.view.store import Store
from tests.redis_server import RedisServer


def test_the_served_view_is_looked_at(own_redis: Callable[..., RedisServer]) -> None:
    """Whether it answers, keeps what it is given, has all partitions, and how old it is."""
    def looked(**settings: Any) -> list[tuple[str, str]]:
        found = list(view(Settings(partitions=2, **settings)))
        assert all(f.found.startswith("Redis ") for f in found if f.subject == "release")
        return [(f.subject, f.status) for f in found if f.subject != "release"]

    async def mark(at: int) -> None:
        store = Store(redis.url)
        await store.begin()
        for number in range(2):
            (held,) = await store.marks([number])
            said = entry.mark(0, PartitionState(), at, None)
            await store.mark([(number, held[: entry.HEAD_BYTES], entry.encode_mark(said))])
        await store.close()

    redis = own_redis()
    assert [("redis", "ok")] == looked()
    assert [("partitions", "warning")] == looked(redis_url=redis.url)
    asyncio.run(mark(int(time.time() * 1000) - 120_000))
    assert [("partitions", "warning")] == looked(redis_url=redis.url)
    asyncio.run(mark(int(time.time() * 1000)))
    assert [("partitions", "ok")] == looked(redis_url=redis.url)
    redis.client().config_set("maxmemory-policy", "allkeys-lru")
    assert [("redis", "warning"), ("partitions", "ok")] == looked(redis_url=redis.url)
    redis.kill()
    assert [("redis", "error")] == looked(redis_url=redis.url)


@pytest.mark.parametrize(("release", "status"), [
    ("5.0.14", "warning"), ("6.0", "ok"), ("8.2.2", "ok"), ("unknown", "ok")])
def test_the_release_of_redis_is_judged(release: str, status: str) -> None:
    assert status == judged_release(release).status

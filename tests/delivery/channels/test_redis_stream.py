"""The channel `redis` on a real Redis: entries, their number, what fails and how long it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from footfall.delivery.channels import open_channel
from footfall.delivery.message import Message, Outcome, Resources
from footfall.delivery.routes_row import RedisDestination
from footfall.errors import ConfigError
from tests.delivery.channels import CUSTOMER_KEY, DOCUMENT, NOBODY, TRIGGER, TRIGGER_ID, attempt
from tests.redis_server import RedisServer

RETRY = Outcome("retry", "redis")
SENT = Outcome("sent")


def destination(**more: Any) -> RedisDestination:
    return RedisDestination(**{"purpose": "necessary", "stream": "shop:triggers", **more})


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., Any]]:
    """Opens a channel as delivery does; closed when the test ends."""
    made = []

    async def make(url: str, **more: Any) -> Any:
        made.append(await open_channel("events", destination(**more), Resources(
            Path(), {}, redis_url=url)))
        return made[-1]

    yield make
    for channel in made:
        await channel.close()


async def test_an_entry_has_four_fields(
    own_redis: Callable[..., RedisServer], opened: Callable[..., Any]
) -> None:
    """The trigger byte for byte, and what a reader needs without parsing it."""
    server = own_redis()
    channel = await opened(server.url)

    assert SENT == await channel.send(channel.render(TRIGGER, DOCUMENT, NOBODY), attempt())

    [(_, fields)] = server.client().xrange("shop:triggers")
    assert {b"trigger_id": TRIGGER_ID.encode(), b"name": b"cart_abandoned",
            b"customer_key": CUSTOMER_KEY.encode(), b"trigger": DOCUMENT} == fields
    assert not channel.needs_person


async def test_a_stream_keeps_about_as_many_entries_as_it_may(
    own_redis: Callable[..., RedisServer], opened: Callable[..., Any]
) -> None:
    """Whole nodes of a hundred go, the oldest first."""
    server = own_redis()
    channel = await opened(server.url, entries_max=100)
    for number in range(500):
        await channel.send(Message("{}"), attempt(f"{number:032x}"))

    entries = server.client().xrange("shop:triggers")
    assert 100 <= len(entries) <= 200
    assert b"%032x" % 499 == entries[-1][1][b"trigger_id"]


async def test_a_full_redis_is_tried_again(
    own_redis: Callable[..., RedisServer], opened: Callable[..., Any]
) -> None:
    """Nothing is lost by it, and when there is room it goes."""
    server = own_redis("--maxmemory", "2mb", "--maxmemory-policy", "noeviction")
    channel = await opened(server.url)
    big = Message("x" * 200_000)
    async with asyncio.timeout(10):
        while (outcome := await channel.send(big, attempt())) == SENT:
            pass
    assert RETRY == outcome

    server.client().config_set("maxmemory", "100mb")
    assert SENT == await channel.send(big, attempt())


async def test_a_redis_that_hangs_costs_a_send_its_time_alone(
    own_redis: Callable[..., RedisServer], opened: Callable[..., Any]
) -> None:
    """Also those that wait for a connection; afterwards answers belong to their own questions."""
    server = own_redis()
    channel = await opened(server.url, timeout_s=4, concurrency_max=1)
    await channel.send(Message("{}"), attempt())
    server.pause()

    began = time.monotonic()
    outcomes = await asyncio.gather(*(
        channel.send(Message("{}"), attempt(f"{number:032x}")) for number in range(10)))
    assert [RETRY] * 10 == outcomes
    assert time.monotonic() - began < 25  # one after the other: 40

    server.resume()
    assert SENT == await channel.send(Message("last"), attempt())
    assert b"last" == server.client().xrevrange("shop:triggers", count=1)[0][1][b"trigger"]


async def test_a_redis_that_is_away_or_refuses_is_tried_again(
    own_redis: Callable[..., RedisServer], opened: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever it answers: dead, another kind of key, no right to; logs name no address."""
    server = own_redis()
    server.client().set("shop:triggers", "a text")
    channel = await opened(f"redis://:s3cret@127.0.0.1:{server.port}")
    away = await opened(server.url)
    assert RETRY == await channel.send(Message("{}"), attempt())
    assert RETRY == await away.send(Message("{}"), attempt())
    server.kill()
    assert RETRY == await away.send(Message("{}"), attempt())

    server.start()
    assert SENT == await away.send(Message("{}"), attempt())
    assert 3 == len(caplog.messages)
    assert not any(word in line for line in caplog.messages
                   for word in ("127.0.0.1", "s3cret", str(server.port)))


@pytest.mark.parametrize(("more", "environment", "said"), [
    ({}, {}, "no Redis is known"),
    ({"url_env": "SHOP_REDIS"}, {}, "SHOP_REDIS is not set"),
    ({"url_env": "SHOP_REDIS"}, {"SHOP_REDIS": "http://:s3cret@h"}, "no address of a Redis"),
    ({"url_env": "SHOP_REDIS"}, {"SHOP_REDIS": "redis://:s3cret@h:port/x"}, "no address of a R"),
    ({"stream": "footfall:view:triggers"}, {}, "the served view"),
], ids=["none", "not set", "no scheme", "no port", "view"])
async def test_what_is_not_there_is_told_at_once(
    more: dict[str, Any], environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    """And the refusal holds no password."""
    with pytest.raises(ConfigError, match=said) as refused:
        await open_channel("events", destination(**more), Resources(tmp_path, environment))
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None

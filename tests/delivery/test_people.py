"""Who a customer is, read from a real Redis: what is known of them, and when that is too old."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from footfall import tables
from footfall.delivery.message import Person
from footfall.delivery.people import JOINED_MS_MAX, MARK_MS_MAX, People, Reason, Stale
from footfall.delivery.permission import refusal
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.view import entry
from footfall.view.served import RENEWED_S_MIN, Served
from footfall.view.store import Store
from tests.redis_server import RedisServer
from tests.tables.log import Log
from tests.tables.logs import CODECS, KEYS, START

PARTITIONS = 2
#: A Redis that is merely slow is not away.
ANSWERED_S_MAX = 15.0


def named(kind: str, partition: int, since: int = 0) -> str:
    """A value whose customer is on a partition."""
    log = Log((), PARTITIONS)
    return next(f"{kind}{n}" for n in range(since, 99)
                if log.partition_of(KEYS.of(kind, f"{kind}{n}")) == partition)


USER, BROWSER = named("user_id", 0), named("anonymous_id", 1)
USER_KEY, BROWSER_KEY = KEYS.of("user_id", USER).decode(), KEYS.of("anonymous_id", BROWSER).decode()
OF_BROWSER = {"anonymousId": BROWSER}
OF_USER = {"userId": USER}


class World:
    """A log of two partitions, the view of it that workers write, and who reads that."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis
        self.log = Log(tables.ALL, PARTITIONS)
        self.now = START
        self.sent = 0
        self.served = Served(Store(redis.url, ANSWERED_S_MAX), tables.ALL, PARTITIONS)
        self.people = People(self.served, lambda: self.now)

    def call(self, kind: str, ids: dict[str, str], **members: Any) -> None:
        """As the collector admits it; it waits in the log."""
        self.now += 1_000
        self.sent += 1
        item = {"type": kind, "messageId": f"m{self.sent}", "timestamp": self.now, **ids, **members}
        admitted = admit(json.dumps(item).encode(), 0, Arrival("web", self.now, "0" * 32), KEYS)
        assert not isinstance(admitted, Rejected), admitted.detail
        self.log.append_bytes(admitted.key, CODECS.interaction.encode(admitted.event), self.now)

    def consents(self, ids: dict[str, str], **members: Any) -> None:
        """An act about ads."""
        self.call("track", ids, event="Segment Consent Preference Updated",
                  properties={"purposes": {"ads": True}, **members})

    async def write(self, *partitions: int, generation: int = 0, is_read: bool = True) -> None:
        """What these partitions hold, and their marks, as a worker does; who reads them has."""
        store = Store(self.redis.url, ANSWERED_S_MAX)
        await store.begin()
        for number in partitions or range(PARTITIONS):
            fold = self.log.workers[number].fold
            list(fold.snapshot())
            await store.put([(key, entry.encode(generation, number, record))
                             for key, record in fold.store.items()])
            (held,) = await store.marks([number])
            mark = entry.mark(generation, fold.state(), self.now, 0)
            await store.mark([(number, held[: entry.HEAD_BYTES], entry.encode_mark(mark))])
        await store.close()
        if is_read:
            await self.served.is_whole()

    async def whole(self) -> None:
        """All that was sent is in the view."""
        self.log.run()
        self.now = max(self.now, self.log.now)
        await self.write()

    async def got(self, key: str = USER_KEY, emitted_at: int = START) -> Person | None:
        return await self.people.get(key, emitted_at)

    async def stale(self, key: str = USER_KEY, emitted_at: int = START) -> Reason:
        with pytest.raises(Stale) as raised:
            await self.people.get(key, emitted_at)
        assert key not in str(raised.value)
        return raised.value.reason


@pytest.fixture
async def world(own_redis: Callable[..., RedisServer]) -> AsyncIterator[World]:
    made = World(own_redis())
    async with AsyncExitStack() as running:
        await running.enter_async_context(made.served.while_running())
        yield made


async def test_what_is_known_of_a_customer(world: World) -> None:
    """Identifiers, traits as people see them, consent, the zone; not what was taken away."""
    world.call("identify", {**OF_USER, **OF_BROWSER}, traits={
        "email": " Anna@Example.org", "plan": "gold", "age": 41, "score": 1.5, "old": 1,
        "timezone": "Asia/Kathmandu", "address": {"city": "Lund"}, "tags": ["a", "b"],
        "note": "x" * 3_000})
    world.call("identify", OF_USER, traits={"old": None})
    world.consents(OF_USER)
    await world.whole()
    found = await world.got()

    assert found is not None and found.consent is not None
    assert {"user_id": USER, "anonymous_id": BROWSER, "email": "anna@example.org"} == found.ids
    assert {"email": "anna@example.org", "plan": "gold", "age": 41, "score": 1.5,
            "timezone": "Asia/Kathmandu", "address": {"city": "Lund"}, "tags": ["a", "b"],
            } == found.traits
    assert ("Asia/Kathmandu", ("*",)) == (found.zone, found.gpc_denies)
    assert json.loads(json.dumps(found.traits)) == found.traits
    assert "" == refusal(found, "ads", "email", world.now, found.gpc_denies)
    assert "consent_unknown" == refusal(found, "news", "email", world.now, found.gpc_denies)


@pytest.mark.parametrize("timezone", [None, "Europe/Nowhere", 5, "../UTC", ["UTC"]])
async def test_somebody_of_whom_little_is_known(world: World, timezone: Any) -> None:
    """No zone that there is, no consent."""
    world.call("identify", OF_USER, traits={"timezone": timezone})
    await world.whole()
    found = await world.got()

    assert found is not None and found.consent is not None
    assert ({"user_id": USER}, "", ()) == (found.ids, found.zone, found.consent.subjects)
    assert "consent_unknown" == refusal(found, "ads", "email", world.now, found.gpc_denies)


async def test_what_the_configuration_says_of_global_privacy_control(world: World) -> None:
    """As it is in force on their partition."""
    world.log.config(START, 1, consent={"gpc_denies": ["selling"]})
    world.consents(OF_USER, context={})
    world.call("page", OF_USER, context={"globalPrivacyControl": True})
    await world.whole()
    found = await world.got()

    assert found is not None and ("selling",) == found.gpc_denies
    assert "" == refusal(found, "ads", "email", world.now, found.gpc_denies)


async def test_nobody(world: World) -> None:
    """Only where the whole view is there, as of after the trigger."""
    world.call("page", OF_BROWSER)
    world.log.run()
    assert "unavailable" == await world.stale()
    await world.write(0)
    assert "unavailable" == await world.stale()
    assert "unavailable" == await world.stale(BROWSER_KEY)
    await world.write(1)
    assert "behind" == await world.stale(emitted_at=START + 1)

    world.log.tick(world.now)
    await world.whole()
    assert None is await world.got(emitted_at=START + 1)
    # At an instant at which the clock was there, and the customer perhaps not yet.
    assert "behind" == await world.stale(emitted_at=world.now)
    world.now += MARK_MS_MAX
    await world.write()
    assert None is await world.got(emitted_at=world.now - MARK_MS_MAX)


async def test_what_is_older_than_the_trigger(world: World) -> None:
    """The clock of the customer's partition has to come to it."""
    world.consents(OF_USER)
    world.log.run()
    emitted_at = world.now
    world.now += 1
    world.consents(OF_USER, purposes={"ads": "withdrawn"})
    await world.write()
    assert await world.got(emitted_at=emitted_at) is not None
    assert "behind" == await world.stale(emitted_at=emitted_at + 1)

    await world.whole()
    found = await world.got(emitted_at=world.now)
    assert found is not None
    assert "consent_withdrawn" == refusal(found, "ads", "email", world.now, found.gpc_denies)


async def test_what_nobody_has_confirmed_for_long(world: World) -> None:
    """A worker that hangs: the view stands still, and what it says may have been withdrawn."""
    world.consents(OF_USER)
    world.log.tick(world.now)
    await world.whole()
    world.now += MARK_MS_MAX
    assert await world.got() is not None

    world.now += 1
    assert "unconfirmed" == await world.stale()
    assert "unconfirmed" == await world.stale("nobody")
    await world.write()
    assert await world.got() is not None


async def test_marks_are_read_when_they_are_needed(world: World) -> None:
    """Not only with the next round: what a trigger waits for would be late by that."""
    world.consents(OF_USER)
    await world.whole()
    for _ in range(3):
        world.consents(OF_USER)
        world.now += MARK_MS_MAX
        world.log.run()
        await asyncio.sleep(RENEWED_S_MIN)
        asked = [asyncio.create_task(world.got(emitted_at=world.log.now)) for _ in range(5)]
        assert "behind" == await world.stale(emitted_at=world.log.now)
        assert ["behind"] * 5 == [one.reason for one in await asyncio.gather(
            *asked, return_exceptions=True) if isinstance(one, Stale)]

        await world.write(is_read=False)
        await asyncio.sleep(RENEWED_S_MIN)
        assert None not in await asyncio.gather(*[
            world.got(emitted_at=world.log.now) for _ in range(5)])


class Late(Store):
    """Its answers are on their way for as long as something else takes."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def get(self, customer_keys: Sequence[bytes]) -> list[bytes | None]:
        found = await super().get(customer_keys)
        if self.meanwhile is not None:
            await self.meanwhile()
        return found


async def test_a_mark_that_is_newer_than_the_entry_says_nothing_of_it(world: World) -> None:
    """It was read while the entry of before was on its way: that is asked for once more."""
    store = Late(world.redis.url, ANSWERED_S_MAX)
    world.served = Served(store, tables.ALL, PARTITIONS)
    world.people = People(world.served, lambda: world.now)
    world.consents(OF_USER)
    await world.whole()
    world.consents(OF_USER, purposes={"ads": "withdrawn"})
    emitted_at = world.now

    store.meanwhile = world.whole
    async with world.served.while_running():
        found = await world.got(emitted_at=emitted_at)
    assert found is not None
    assert "consent_withdrawn" == refusal(found, "ads", "email", world.now, found.gpc_denies)


async def test_while_redis_is_away_or_was_emptied(world: World) -> None:
    """It is never taken for nobody."""
    world.consents(OF_USER)
    await world.whole()
    world.redis.client().flushall()
    assert "unavailable" == await world.stale()
    await world.write(0)
    assert "unavailable" == await world.stale("nobody")
    await world.write(1)
    assert await world.got() is not None

    world.redis.kill()
    assert "unavailable" == await world.stale()
    assert "unavailable" == await world.stale("nobody")


async def test_an_entry_of_another_generation(world: World) -> None:
    """While the view is cut over it does not say."""
    world.consents(OF_USER)
    await world.whole()
    world.log.workers[0].fold.store.clear()
    await world.write(generation=1)

    assert "unavailable" == await world.stale()


async def joined(world: World) -> None:
    """A browser that has consented is the user's; the user does not have its rows yet."""
    world.consents(OF_BROWSER)
    world.log.run()
    world.call("identify", {**OF_USER, **OF_BROWSER})
    of_user, of_browser = world.log.workers
    of_user.run()  # asks the browser's partition
    of_browser.run()  # which hands over
    world.now = max(world.now, world.log.now)


async def test_an_identifier_that_is_anothers(world: World) -> None:
    """Its trigger is about its owner, once what it handed over is there."""
    await joined(world)
    await world.write(1)
    assert "joining" == await world.stale(BROWSER_KEY)  # of the owner nothing is there at all
    await world.write()
    assert "joining" == await world.stale(BROWSER_KEY)
    alone = await world.got(USER_KEY)
    assert alone is not None
    assert "consent_unknown" == refusal(alone, "ads", "email", world.now, alone.gpc_denies)

    await world.whole()
    found = await world.got(BROWSER_KEY)
    assert found is not None and found == await world.got(USER_KEY)
    assert "" == refusal(found, "ads", "email", world.now, found.gpc_denies)


async def test_what_another_identifier_handed_over_is_not_this_ones(world: World) -> None:
    """The owner has had something from the same partition before."""
    before = {"anonymousId": named("anonymous_id", 1, since=50)}
    world.call("page", before)
    world.call("identify", {**OF_USER, **before})
    await world.whole()
    await joined(world)
    await world.write()
    record = world.log.workers[0].fold.records.get(USER_KEY.encode())
    assert 1 in record.senders

    assert "joining" == await world.stale(BROWSER_KEY)
    await world.whole()
    assert await world.got(BROWSER_KEY) is not None


async def test_an_owner_who_is_not_there_yet(world: World) -> None:
    """Is on the way, and not nobody."""
    await joined(world)
    await world.write()
    world.redis.client().delete(entry.key_of(USER_KEY.encode()))

    assert "joining" == await world.stale(BROWSER_KEY)


async def test_the_owners_partition_need_not_move(world: World) -> None:
    """Its clock is another; that it stands is confirmed all the same."""
    await joined(world)
    await world.whole()
    world.now += 60_000
    world.log.tick(world.now, world.log.partition_of(BROWSER_KEY.encode()))
    await world.whole()
    assert await world.got(BROWSER_KEY, world.now) is not None
    assert "behind" == await world.stale(USER_KEY, world.now)

    world.now += MARK_MS_MAX + 1
    await world.write(1)
    assert "unconfirmed" == await world.stale(BROWSER_KEY)


async def test_whether_rows_have_come_is_not_asked_for_ever(world: World) -> None:
    """A handover that is not on record after a while does not hold anything up."""
    await joined(world)
    world.now += JOINED_MS_MAX - 1_000
    await world.write()
    assert "joining" == await world.stale(BROWSER_KEY)

    world.now += 2_000
    await world.write()
    assert await world.got(BROWSER_KEY) is not None


async def test_pointers_that_lead_back(world: World) -> None:
    """An error of ours, and told as one."""
    await joined(world)
    world.now += JOINED_MS_MAX
    await world.whole()
    pointer = world.log.workers[1].fold.store[BROWSER_KEY.encode()]
    world.redis.client().set(entry.key_of(USER_KEY.encode()), entry.encode(0, 1, pointer))

    assert "loop" == await world.stale(BROWSER_KEY)

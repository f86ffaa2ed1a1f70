"""The served view in Redis: four small scripts, and reading.

    put       an entry replaces one with a lower head, never another
    mark      a mark is written only over the one that was expected
    remove    an entry goes only while its head is below the given one
    index     a trigger by its id, and among the newest of its customer; it goes by itself with age

Whoever writes has a session: a counter in Redis that each write expects and moves on. Redis may
forget, all of it (FLUSHALL) or back to some earlier instant (a crash with an older snapshot), but
never the middle; so the counter that is found tells whether everything written before is there.
Where it is not: `ForgottenError`, and nothing was written.

Decides the scripts and what a failure is called. One Redis (with replicas, if need be), no Redis
Cluster: a script touches many keys. Must never wait without bound, nor put an address or a
password into an error.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, NamedTuple

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from footfall.errors import SettingsError
from footfall.view import entry

SCHEMES = ("redis://", "rediss://", "unix://")
#: Of one command; a Redis that takes longer is away.
ANSWER_S_MAX = 2.0
SCAN_KEYS = 1_000
#: A counter that nobody moves on any more goes by itself (the scripts say so, too).
SESSION_S = 3_600
#: The index of triggers: how long after it fired one is found, and how many of a customer, the
#: newest.
TRIGGER_AGE_MS_MAX = 7 * 86_400_000
TRIGGERS_OF_CUSTOMER_MAX = 100
Failure = Literal["timeout", "connection", "out_of_memory", "forgotten", "refused"]

_SESSION = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', 3600)
"""
_PUT = _SESSION + """
local put = 0
for i = 2, #KEYS do
  local data = ARGV[i + 1]
  local held = redis.call('GETRANGE', KEYS[i], 0, 31)
  if held == '' or held < string.sub(data, 1, 32) then
    redis.call('SET', KEYS[i], data)
    put = put + 1
  end
end
return put
"""
_MARK = _SESSION + """
local found = {}
for i = 2, #KEYS do
  local expected, data = ARGV[2 * i - 1], ARGV[2 * i]
  local held = redis.call('GETRANGE', KEYS[i], 0, 31)
  if held == expected then
    redis.call('SET', KEYS[i], data)
    held = string.sub(data, 1, 32)
  end
  found[i - 1] = held
end
return found
"""
_REMOVE = _SESSION + """
local removed = 0
for i = 2, #KEYS do
  local held = redis.call('GETRANGE', KEYS[i], 0, 31)
  if held ~= '' and held < ARGV[i + 1] then
    redis.call('DEL', KEYS[i])
    removed = removed + 1
  end
end
return removed
"""


#: For each trigger: its key and its customer's; id, instant, ms to live, record. Of a customer the
#: oldest ones beyond the count go, with their records.
_TRIGGERS = _SESSION + """
local prefix, count, age = ARGV[3], tonumber(ARGV[4]), ARGV[5]
for i = 2, #KEYS, 2 do
  local at = 2 * i + 2
  local list = KEYS[i + 1]
  redis.call('SET', KEYS[i], ARGV[at + 3], 'PX', ARGV[at + 2])
  redis.call('ZADD', list, ARGV[at + 1], ARGV[at])
  local over = redis.call('ZCARD', list) - count
  if over > 0 then
    for _, gone in ipairs(redis.call('ZRANGE', list, 0, over - 1)) do
      redis.call('DEL', prefix .. gone)
    end
    redis.call('ZREMRANGEBYRANK', list, 0, over - 1)
  end
  redis.call('PEXPIRE', list, age)
end
return 0
"""


class Indexed(NamedTuple):
    """A trigger for the index: its record as the topic has it."""

    trigger_id: str
    customer_key: bytes
    emitted_at: int
    record: bytes


class ForgottenError(Exception):
    """Redis does not have all that was written in this session."""


class Store:
    """The view at one URL. Every method may raise what `FAILURES` names."""

    def __init__(self, url: str, answer_s_max: float = ANSWER_S_MAX) -> None:
        if not url.startswith(SCHEMES):
            raise SettingsError("FOOTFALL_REDIS_URL: expected redis://HOST:PORT, with :PASSWORD@ "
                                "before HOST where it needs one, rediss://... or unix://...")
        try:
            self._redis: Any = Redis.from_url(
                url, socket_timeout=answer_s_max, socket_connect_timeout=answer_s_max,
                retry=Retry(NoBackoff(), 0), protocol=2, client_name="footfall")
        except (ValueError, exceptions.RedisError):
            raise SettingsError("FOOTFALL_REDIS_URL cannot be read as an address") from None
        self._session = b""
        self._written = 0
        self._put = self._redis.register_script(_PUT)
        self._mark = self._redis.register_script(_MARK)
        self._remove = self._redis.register_script(_REMOVE)
        self._index = self._redis.register_script(_TRIGGERS)

    async def begin(self) -> None:
        """A new session, before the first write and after every failure."""
        self._session = entry.SESSION + secrets.token_hex(8).encode()
        self._written = 0
        await self._redis.set(self._session, 0, ex=SESSION_S)

    async def put(self, entries: Sequence[tuple[bytes, bytes]]) -> int:
        """(customer_key, entry) of each; how many were higher than what was there."""
        return int(await self._write(self._put, [entry.PREFIX + key for key, _ in entries],
                                     [data for _, data in entries]))

    async def get(self, customer_keys: Sequence[bytes]) -> list[bytes | None]:
        """The entries, None where there is none."""
        found: list[bytes | None] = await self._redis.mget(
            [entry.PREFIX + key for key in customer_keys])
        return found

    async def marks(self, partitions: Sequence[int]) -> list[bytes]:
        """The marks, b"" where there is none."""
        found = await self._redis.mget([entry.mark_key(n) for n in partitions])
        return [data or b"" for data in found]

    async def mark(self, marks: Sequence[tuple[int, bytes, bytes]]) -> list[bytes]:
        """(partition, head expected there, mark); the head that is there afterwards."""
        found: list[bytes] = await self._write(
            self._mark, [entry.mark_key(n) for n, _, _ in marks],
            [part for _n, expected, data in marks for part in (expected, data)])
        return found

    async def heads(self) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """(customer_key, first bytes of its entry) of all that there are, in lists."""
        cursor = 0
        while True:
            cursor, keys = await self._redis.scan(
                cursor, match=entry.PREFIX + b"*", count=SCAN_KEYS)
            keys = [key for key in keys if not key.startswith(entry.OURS)]
            asked = self._redis.pipeline(transaction=False)
            for key in keys:
                asked.getrange(key, 0, entry.HEAD_BYTES + 5)
            found = await asked.execute() if keys else []
            yield [(key.removeprefix(entry.PREFIX), _bytes(data))
                   for key, data in zip(keys, found, strict=True)]
            if not int(cursor):
                return

    async def remove(self, entries: Sequence[tuple[bytes, bytes]]) -> int:
        """(customer_key, head) of each: it goes if its own is lower; how many went."""
        if not entries:
            return 0
        return int(await self._write(self._remove, [entry.PREFIX + key for key, _ in entries],
                                     [below for _, below in entries]))

    async def index(self, triggers: Sequence[Indexed], now: int) -> int:
        """Put triggers into the index, as of `now` (ms); how many were not too old. The same one
        again changes nothing.
        """
        young = [t for t in triggers if t.emitted_at > now - TRIGGER_AGE_MS_MAX]
        if young:
            await self._write(self._index, [
                key for t in young for key in (entry.TRIGGER + t.trigger_id.encode(),
                                               entry.TRIGGERS_OF + t.customer_key)
            ], [entry.TRIGGER, b"%d" % TRIGGERS_OF_CUSTOMER_MAX, b"%d" % TRIGGER_AGE_MS_MAX, *(
                part for t in young for part in (
                    t.trigger_id.encode(), b"%d" % t.emitted_at,
                    # A clock of the broker that is ahead of ours keeps nothing longer.
                    b"%d" % min(t.emitted_at + TRIGGER_AGE_MS_MAX - now, TRIGGER_AGE_MS_MAX),
                    t.record))])
        return len(young)

    async def trigger(self, trigger_id: str) -> bytes | None:
        """The record of a trigger; None where the index does not have it."""
        found: bytes | None = await self._redis.get(entry.TRIGGER + trigger_id.encode())
        return found

    async def triggers_of(self, customer_key: bytes) -> list[bytes]:
        """The records of a customer's triggers in the index, the newest first."""
        ids = await self._redis.zrange(entry.TRIGGERS_OF + customer_key, 0, -1, desc=True)
        found = await self._redis.mget([entry.TRIGGER + _bytes(one) for one in ids]) if ids else []
        return [record for record in found if record is not None]

    async def clear(self) -> int:
        """Remove every entry and mark of whatever head; how many."""
        removed = in_pass = cursor = 0
        while True:
            cursor, keys = await self._redis.scan(
                cursor, match=entry.PREFIX + b"*", count=SCAN_KEYS)
            if keys:
                in_pass += int(await self._redis.unlink(*keys))
            if not int(cursor):
                if not in_pass:
                    return removed
                # Once more: a cursor that counts (the demo broker's) skips where keys have gone.
                removed, in_pass = removed + in_pass, 0

    async def policy(self) -> str:
        """What Redis does when it is full; "" where it does not say."""
        try:
            found = await self._redis.config_get("maxmemory-policy")
        except exceptions.ResponseError:  # not everybody may ask
            return ""
        return _bytes(next(iter(found.values()), b"")).decode()

    async def release(self) -> str:
        """Which Redis it is; "" where it does not say."""
        try:
            found = await self._redis.info("server")
        except exceptions.ResponseError:  # not everybody may ask
            return ""
        return str(found.get("redis_version", ""))

    async def _write(self, script: Any, keys: list[bytes], args: list[bytes]) -> Any:
        expected, self._written = self._written, self._written + 1
        found = await script(keys=[self._session, *keys], args=[expected, self._written, *args])
        if found == -1:
            raise ForgottenError
        return found

    async def close(self) -> None:
        """Disconnect."""
        await self._redis.aclose()


#: What a Redis that is slow, away, refuses or forgets raises.
FAILURES = (exceptions.RedisError, OSError, TimeoutError, ForgottenError)


async def clear(url: str) -> None:
    """Empty the view at a URL, if that can be."""
    store = Store(url)
    with contextlib.suppress(*FAILURES):
        await store.clear()
    with contextlib.suppress(*FAILURES):
        await store.close()


def failure_of(error: BaseException) -> Failure:
    """What a failure is called in metrics and logs."""
    if isinstance(error, ForgottenError):
        return "forgotten"
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        return "timeout"
    if isinstance(error, exceptions.OutOfMemoryError) or "OOM" in str(error)[:60]:
        return "out_of_memory"
    if isinstance(error, exceptions.ConnectionError | OSError):
        return "connection"
    return "refused"


def _bytes(data: Any) -> bytes:
    return data if isinstance(data, bytes) else str(data).encode()

"""Triggers as entries of a Redis Stream.

Decides the fields of an entry, in clear except that the whole trigger is in one of them, and that
the stream keeps about `entries_max` entries: Redis has no room without end. A repeat after a crash
is a second entry with the same `trigger_id`. Must never wait without bound, write into the served
view, or put an address or a password into an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from footfall.delivery.message import Attempt, Message, Outcome, Person, Resources
from footfall.delivery.rendering import Body
from footfall.delivery.routes_row import RedisDestination
from footfall.errors import ConfigError
from footfall.view import entry
from footfall.view.store import SCHEMES

#: Of one destination; the others wait for one, within their time.
CONNECTIONS_MAX = 16
log = logging.getLogger(__name__)


async def open_channel(name: str, destination: RedisDestination, resources: Resources
                       ) -> RedisChannel:
    """The channel; a Redis that is away is no error, what is sent meanwhile is tried again."""
    if destination.stream.encode().startswith(entry.PREFIX):
        raise ConfigError(f"{name}: the stream may not begin with {entry.PREFIX.decode()}: that is "
                          "the served view; name another", ("stream",))
    body = Body(destination.thin, destination.template, resources.folder)
    return RedisChannel(name, destination, _pool(name, destination, resources), body)


def _pool(name: str, destination: RedisDestination, resources: Resources
          ) -> BlockingConnectionPool:
    variable = destination.url_env
    if variable is None:
        said, url = "redis_url", resources.redis_url
        missing = f"{name}: no Redis is known; give url_env, the name of a variable with its URL"
    else:
        said, url = variable, resources.environment.get(variable, "")
        missing = f"{name}: the variable {variable} is not set; put the URL of the Redis into it"
    if not url:
        raise ConfigError(missing, ("url_env",))
    try:
        if not url.startswith(SCHEMES):
            raise ValueError
        return BlockingConnectionPool.from_url(
            url, max_connections=min(CONNECTIONS_MAX, destination.concurrency_max),
            timeout=destination.timeout_s, socket_timeout=destination.timeout_s,
            socket_connect_timeout=destination.timeout_s, retry=Retry(NoBackoff(), 0), protocol=2,
            client_name="footfall-delivery")
    except (ValueError, exceptions.RedisError):
        # Without the cause: it may hold the password.
        raise ConfigError(f"{name}: what {said} holds is no address of a Redis; expected "
                          "redis://HOST:PORT, rediss://... or unix://...", ("url_env",)) from None


class RedisChannel:
    """One stream. `body`: how the field `trigger` is made."""

    def __init__(self, name: str, destination: RedisDestination, pool: BlockingConnectionPool,
                 body: Body) -> None:
        self.needs_person = body.needs_person
        self._name = name
        self._stream = destination.stream
        self._entries_max = destination.entries_max
        self._timeout_s = destination.timeout_s
        self._body = body
        self._pool = pool
        self._redis: Any = Redis(connection_pool=pool)

    def render(self, trigger: Mapping[str, Any], document: bytes, person: Person) -> Message:
        """The field `trigger`; the others are the attempt's."""
        return Message(self._body.text(trigger, document, person))

    async def send(self, message: Message, attempt: Attempt) -> Outcome:
        """Append."""
        fields = {"trigger_id": attempt.trigger_id, "name": attempt.name,
                  "customer_key": attempt.customer_key, "trigger": message.body}
        try:
            # Each wait has its bound; this one is of all together.
            async with asyncio.timeout(self._timeout_s):
                await self._redis.xadd(self._stream, fields, maxlen=self._entries_max,
                                       approximate=True)
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            # The kind alone: texts may hold addresses.
            log.warning("Redis did not take a trigger", extra={
                "destination": self._name, "error": type(error).__name__})
            return Outcome("retry", "redis")
        return Outcome("sent")

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
        await self._pool.disconnect()

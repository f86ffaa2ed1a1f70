"""The client for asyncio.

The same client with its sender in a thread, not another implementation: a call only queues, in
microseconds, so it needs no await and cannot be forgotten; what does wait (`flush`, `close`) waits
in a thread and leaves the loop free. One implementation of batching, retries and the spool is one
to prove.
"""

from __future__ import annotations

import asyncio
from typing import Unpack

from footfall.errors import SettingsError
from footfall.sdk.client import FLUSH_S_MAX, Client
from footfall.sdk.config import Options
from footfall.sdk.drops import Counts


class AsyncClient:
    """`Client` for asyncio: calls are plain functions, `flush` and `close` are awaited."""

    def __init__(self, write_key: str | None = None, host: str | None = None,
                 **options: Unpack[Options]) -> None:
        if options.get("sync_mode"):
            raise SettingsError("footfall.AsyncClient: sync_mode would stop the event loop")
        self._client = Client(write_key, host, **options)
        self.identify = self._client.identify
        self.track = self._client.track
        self.page = self._client.page
        self.screen = self._client.screen
        self.group = self._client.group
        self.alias = self._client.alias
        self.consent = self._client.consent
        self.commerce = self._client.commerce
        self.calls = self._client.calls

    async def flush(self, timeout_s: float = FLUSH_S_MAX) -> bool:
        """Send at once; whether everything called before has found its end in that time."""
        return await asyncio.to_thread(self._client.flush, timeout_s)

    async def close(self, timeout_s: float = FLUSH_S_MAX) -> None:
        """Send what waits, for so long at most; what then is left is dropped, or in the spool."""
        await asyncio.to_thread(self._client.close, timeout_s)

    def counts(self) -> Counts:
        """What became of all calls of this process."""
        return self._client.counts()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

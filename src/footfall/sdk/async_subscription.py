"""The same subscription for asyncio: it reads in a thread beside the loop.

One implementation of reading, reconnecting and checkpoints is one to prove. A call that is given up
(a timeout, a cancelled task) loses nothing: what it asked for is handed to the next one.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator
from typing import Any

Found = dict[str, Any] | None


class Beside:
    """A thread that asks for the next one when it is told to; None: there is none any more."""

    def __init__(self, triggers: Iterator[dict[str, Any]]) -> None:
        self._triggers = triggers
        self._asked: queue.SimpleQueue[asyncio.Future[Found] | None] = queue.SimpleQueue()
        self._waiting: asyncio.Future[Found] | None = None
        threading.Thread(target=self._run, daemon=True, name="footfall subscription").start()

    async def next(self) -> Found:
        """The next trigger."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
            self._asked.put(self._waiting)
        found = await asyncio.shield(self._waiting)
        self._waiting = None
        return found

    def end(self) -> None:
        """The thread ends after what it is at."""
        self._asked.put(None)

    def _run(self) -> None:
        while (future := self._asked.get()) is not None:
            found: Found = None
            failed: Exception | None = None
            try:
                found = next(self._triggers, None)
            except Exception as error:
                failed = error
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, future, found, failed)


def _settle(future: asyncio.Future[Found], found: Found, failed: Exception | None) -> None:
    if future.done():
        return
    if failed is not None:
        future.set_exception(failed)
    else:
        future.set_result(found)

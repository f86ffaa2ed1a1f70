"""Turns for those who are behind: a few threads, each with a reader of its own.

Decides how many turns are taken at once; whoever asks for one waits behind those who asked before.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from footfall.subscriptions.behind import Behind, Turn
from footfall.subscriptions.cursor import Cursor
from footfall.subscriptions.reading import Reader

#: At once; each has a reader.
TURNS_MAX = 4


class Turns:
    """`readers` makes a reader of the topic; it is called in threads."""

    def __init__(self, readers: Callable[[], Reader]) -> None:
        self._readers = readers
        self._threads = ThreadPoolExecutor(TURNS_MAX, "subscribers behind")
        self._of_thread = threading.local()
        self._made: list[Reader] = []

    async def turn(self, way: Behind) -> Turn:
        """The next one of a subscriber; raises `BrokerError`, `SchemaError`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._turn, way)

    async def bound(self, *, is_earliest: bool) -> Cursor:
        """The first place that the topic has, or the last; raises `BrokerError`."""
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._bound, is_earliest)

    def close(self) -> None:
        """Blocks until no turn is taken any more."""
        self._threads.shutdown(cancel_futures=True)
        for reader in self._made:
            reader.close()

    def _turn(self, way: Behind) -> Turn:
        return way.turn(self._reader())

    def _bound(self, is_earliest: bool) -> Cursor:
        reader = self._reader()
        topic = reader.topic()
        bounds = reader.bounds(topic.partitions)
        return Cursor(topic.id, bounds.lows if is_earliest else bounds.ends)

    def _reader(self) -> Reader:
        """This thread's."""
        reader: Reader | None = getattr(self._of_thread, "reader", None)
        if reader is None:
            reader = self._of_thread.reader = self._readers()
            self._made.append(reader)
        return reader

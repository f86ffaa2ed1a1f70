"""Reads customers from the served view.

Decides how Redis is asked: one question at a time, for all customers that were asked for meanwhile,
so that a thousand a second cost a few connections' worth of work and one slow answer is one; the
marks of all partitions are kept and refreshed every `MARKS_S`. A Redis that failed is left alone
for `REST_S`, so that whoever asks is sent on at once. Must never keep a customer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec

from footfall.errors import ConfigError, DecodeError, StateRefused
from footfall.tables.config import Config
from footfall.tables.record import RecordCodec
from footfall.tables.spec import AnyTable
from footfall.view import entry
from footfall.view.document import Held
from footfall.view.entry import Mark
from footfall.view.store import FAILURES, Store

R = TypeVar("R")

ANSWER_S_MAX = 0.5
MARKS_S = 0.25
#: Where somebody needs them now, no more often than that.
RENEWED_S_MIN = 0.02
REST_S = 1.0
#: Asked for in one question (of the index: at once), and waiting for theirs.
ASKED_MAX = 100
WAITING_MAX = 2_000
#: Each has its partition's configuration, decoded.
CONFIGS_MAX = 64


class UnavailableError(Exception):
    """The view cannot say: Redis is away, is being filled, or holds what this code cannot read."""


class Found(NamedTuple):
    """What the view holds of a customer, with the mark of its partition."""

    held: Held
    generation: int
    #: All that was applied before is in it (ms).
    at: int


class Served:
    """The view at one store, for one configuration of tables."""

    def __init__(self, store: Store, tables: Sequence[AnyTable], partitions: int) -> None:
        self._store = store
        self._tables = tables
        self._partitions = range(partitions)
        self._codec = RecordCodec(tables)
        self._marks: dict[int, Mark] = {}
        self._config = lru_cache(CONFIGS_MAX)(lambda *version: Config(tables, *version))
        self._waiting: list[tuple[bytes, asyncio.Future[bytes | None]]] = []
        self._asking: asyncio.Task[None] | None = None
        self._rested_at = 0.0
        self._renewing: asyncio.Task[bool] | None = None
        self._renewed_at = 0.0
        self._index_asked = 0

    @contextlib.asynccontextmanager
    async def while_running(self) -> AsyncIterator[None]:
        """Within, the marks are kept up."""
        await self._refresh()
        task = asyncio.create_task(self._keep_marks(), name="marks of the served view")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(*FAILURES):
                await self._store.close()

    async def is_whole(self) -> bool:
        """Whether every partition is in the view now: a customer who is not there is unknown."""
        return await self._refresh() and len(self._marks) == len(self._partitions)

    @property
    def partitions(self) -> int:
        """How many the log has."""
        return len(self._partitions)

    @property
    def marks(self) -> Mapping[int, Mark]:
        """By partition, as they were read last. What they say holds of what is read after: who has
        them keeps them as they are.
        """
        return self._marks

    async def renew(self) -> bool:
        """Read the marks now, together with all who ask meanwhile; False where that was done a
        moment ago, or Redis did not answer.
        """
        if self._renewing is None:
            now = time.monotonic()
            if now - self._renewed_at < RENEWED_S_MIN or now < self._rested_at:
                return False
            self._renewing = asyncio.create_task(self._refresh())
            self._renewing.add_done_callback(self._renewed)
        return await asyncio.shield(self._renewing)

    async def get(self, key: bytes, names: Collection[str]) -> Found | None:
        """A customer, with the rows of these tables; None where the view does not have it. Raises
        `UnavailableError`.
        """
        data = await self._read(key)
        if data is None:
            return None
        try:
            found = entry.decode(data)
            mark = self._marks.get(found.partition)
            if mark is None or mark.generation != found.generation:
                raise UnavailableError
            record = self._codec.decode(found.record)
            rows = {t.name: self._codec.row(t, record.rows[t.name])
                    for t in self._tables if t.name in names and t.name in record.rows}
            config = self._config(mark.config_number, mark.config_content)
        except (DecodeError, StateRefused, ConfigError, msgspec.MsgspecError) as error:
            raise UnavailableError from error
        held = Held(record, rows, found.partition, mark.clock, config, mark.behind)
        return Found(held, found.generation, mark.at)

    async def trigger(self, trigger_id: str) -> bytes | None:
        """The record of a trigger in the index; None where that does not have it. Raises
        `UnavailableError`.
        """
        return await self._of_index(self._store.trigger(trigger_id))

    async def triggers_of(self, key: bytes) -> list[bytes]:
        """The records of a customer's triggers in the index, the newest first. Raises
        `UnavailableError`.
        """
        return await self._of_index(self._store.triggers_of(key))

    # -- Redis -------------------------------------------------------------------------------------

    async def _of_index(self, question: Coroutine[Any, Any, R]) -> R:
        if self._index_asked >= ASKED_MAX or time.monotonic() < self._rested_at:
            question.close()
            raise UnavailableError
        self._index_asked += 1
        try:
            return await question
        except FAILURES:
            self._rest([])
            raise UnavailableError from None
        finally:
            self._index_asked -= 1

    async def _read(self, key: bytes) -> bytes | None:
        if len(self._waiting) >= WAITING_MAX or time.monotonic() < self._rested_at:
            raise UnavailableError
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, future))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await future

    async def _ask(self) -> None:
        try:
            while self._waiting:
                asked = self._waiting[:ASKED_MAX]
                del self._waiting[:ASKED_MAX]
                try:
                    found = await self._store.get([key for key, _ in asked])
                except FAILURES:
                    self._rest(asked)
                    return
                for (_key, future), data in zip(asked, found, strict=True):
                    if not future.done():  # who asked may have gone
                        future.set_result(data)
        finally:
            self._asking = None

    def _rest(self, asked: list[tuple[bytes, asyncio.Future[bytes | None]]]) -> None:
        self._rested_at = time.monotonic() + REST_S
        asked += self._waiting
        self._waiting = []
        for _key, future in asked:
            if not future.done():
                future.set_exception(UnavailableError())

    async def _keep_marks(self) -> None:
        while True:
            await asyncio.sleep(MARKS_S)
            await self._refresh()

    def _renewed(self, _task: asyncio.Task[bool]) -> None:
        self._renewing, self._renewed_at = None, time.monotonic()

    async def _refresh(self) -> bool:
        """Whether Redis answered. Marks that it no longer has are gone: it was emptied, and is
        being filled. While it is away they stay: their age tells.
        """
        try:
            found = await self._store.marks(self._partitions)
        except FAILURES:
            return False
        marks = [entry.decode_mark(data) if data else None for data in found]
        self._marks = {n: mark for n, mark in enumerate(marks) if mark is not None}
        return True

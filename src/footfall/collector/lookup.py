"""Where a customer is found: in the served view, else at the worker that owns it.

Decides the order, whom a pointer leads to, and when nobody may be called unknown: while the view is
away or being filled and no worker can say. Must never write a key or an identifier to a log or an
error.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from typing import NamedTuple

from footfall.collector.answers import RequestError
from footfall.errors import SettingsError
from footfall.tables.record import CustomerRecord
from footfall.telemetry import VIEW_READS
from footfall.view.document import Document
from footfall.view.pointers import LoopError, Passed, owner_of
from footfall.view.served import Found, Served, UnavailableError
from footfall.view.workers import ask

#: Questions to workers at once, and those that wait for theirs; each may take some seconds.
OWNERS_ASKED_MAX = 8
OWNERS_WAITING_MAX = 100


class Owners(NamedTuple):
    """The workers that may be asked, with the owner's API key."""

    urls: str
    api_key: str


NOBODY = Owners("", "")


class Located(NamedTuple):
    """A customer: as the view has it, or what its owner said (one of the two), under its own key,
    and the pointers that were passed.
    """

    key: bytes
    way: Passed
    found: Found | None
    said: Document | None


class Lookup:
    """`served` None: there is no view; `owners` without URLs: no workers are known."""

    def __init__(self, served: Served | None = None, owners: Owners = NOBODY,
                 owner_of: Callable[[CustomerRecord], bytes | None] = owner_of) -> None:
        self.served = served
        self._owners = owners
        self._owner_of = owner_of
        self._asking = asyncio.Semaphore(OWNERS_ASKED_MAX)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def while_running(self) -> AsyncIterator[None]:
        """Within, the view's marks are kept up."""
        if self.served is None:
            yield
        else:
            async with self.served.while_running():
                yield

    async def customer(self, key: bytes, names: Collection[str], question: str = "") -> Located:
        """The customer of a key, with the rows of these tables; an owner is asked for `question`, a
        path below the customer's own. Raises `RequestError`.
        """
        try:
            return await self._located(key, names, question)
        except LoopError:
            raise RequestError(500, "pointer_loop", "the pointers of this identifier lead back: an "
                               "error of Footfall") from None

    async def _located(self, key: bytes, names: Collection[str], question: str) -> Located:
        way, view = Passed(), self.served
        while view is not None:
            try:
                found = await view.get(key, names)
            except UnavailableError:
                view = None
                break
            if found is None:
                break
            owner = self._owner_of(found.held.record)
            if owner is None:
                return Located(key, way, found, None)
            way, key = way.by(key, owner), owner
        while True:
            said = await self._from_owner(key, question)
            if said is None:
                if view is not None and await view.is_whole():
                    raise _unknown()
                raise unavailable()
            pointed = said.get("owner")  # a worker of an older release does not say
            if pointed is None:
                return Located(key, way, None, said)
            owner = pointed.encode()
            way, key = way.by(key, owner), owner

    async def _from_owner(self, key: bytes, question: str) -> Document | None:
        """What the owner says, None where none could be asked; raises 404."""
        if not self._owners.urls or not self._owners.api_key:
            return None
        if self._waiting >= OWNERS_WAITING_MAX:
            raise RequestError(503, "overloaded", "too many customers are asked for")
        self._waiting += 1
        try:
            async with self._asking:
                told = await asyncio.to_thread(ask, *self._owners, key, question)
        except SettingsError:
            return None
        finally:
            self._waiting -= 1
        if told.is_unknown:
            raise _unknown()
        return told.found


def unavailable() -> RequestError:
    """Nobody can say now."""
    VIEW_READS.labels("unavailable").inc()
    return RequestError(503, "view_unavailable", "neither the served view nor a worker can say "
                        "now; try again")


def _unknown() -> RequestError:
    VIEW_READS.labels("unknown").inc()
    return RequestError(404, "customer_unknown", "nothing is held of this identifier")

"""Who a customer is at the moment of sending: identifiers, traits, consent, zone; from the served
view.

Decides when what the view says is fresh enough to act on, and fails closed: `Stale` where it cannot
be read, is older than the trigger, has not been confirmed for `MARK_MS_MAX`, or where the rows of
an identifier that was joined to another are still on their way there. Whoever asks then waits and
asks again. Nobody is there (None) only where the whole view is, and they are not.
Must never keep a customer, nor put a key or anything of one into an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Literal

from footfall import tables
from footfall.delivery.message import Person
from footfall.stream.partition import partition_of
from footfall.tables import consent, links, profile
from footfall.tables.consent_row import ConsentFacts
from footfall.tables.links_row import LinksTold
from footfall.tables.profile_facts import REMOVED, TOO_LONG
from footfall.tables.profile_row import ProfileFacts
from footfall.tables.schedules import zone_of
from footfall.tables.spec import AnyTable
from footfall.view.document import Held
from footfall.view.entry import Mark
from footfall.view.pointers import LoopError, Passed, owner_of
from footfall.view.served import Found, Served, UnavailableError

#: A partition's mark is renewed twice a second, also where nothing happens.
MARK_MS_MAX: Final = 5_000
#: Rows that were handed over longer ago than that are where they were sent: then it is not asked
#: whether they have come. Letters to an identifier may have moved its watermark since.
JOINED_MS_MAX: Final = 60_000
#: What the record of links says of an identifier whose rows went to its owner.
JOINED: Final = "joined"

#: unavailable: the view cannot say. behind: it is older than the trigger. unconfirmed: nobody has
#: said for too long that it is current. joining: rows are on their way to the owner. loop: pointers
#: lead back, an error of ours.
Reason = Literal["unavailable", "behind", "unconfirmed", "joining", "loop"]
_BY_MARKS: Final[frozenset[Reason]] = frozenset({"behind", "unconfirmed"})


class Stale(Exception):
    """What the view says must not be acted on now; ask again."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class People:
    """The customers of a served view. `clock`: the wall clock (ms), as that of workers."""

    def __init__(self, served: Served,
                 clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._served = served
        self._clock = clock
        self._ids: AnyTable = next(table for table in tables.ALL if table.ids is not None)
        self._names = frozenset({consent.TABLE.name, profile.TABLE.name, links.NAME,
                                 self._ids.name})

    async def get(self, customer_key: str, emitted_at: int) -> Person | None:
        """The customer whom a trigger of this key, emitted at this instant (ms of the log's clock),
        is about; None: nothing is held of them. Raises `Stale`.
        """
        key = customer_key.encode()
        try:
            try:
                return await self._get(key, emitted_at)
            except Stale as stale:
                # Perhaps only what was read of the marks is.
                if stale.reason not in _BY_MARKS or not await self._served.renew():
                    raise
            return await self._get(key, emitted_at)
        except UnavailableError:
            raise Stale("unavailable") from None
        except LoopError:
            raise Stale("loop") from None

    async def _get(self, key: bytes, emitted_at: int) -> Person | None:
        found = await self._read(key, emitted_at)
        if found is None:
            await self._check_nobody(key, emitted_at)
            return None
        way = Passed()
        while (owner := owner_of(found.held.record)) is not None:
            way, key, joined = way.by(key, owner), owner, found
            # Its partition has a clock of its own, which need not move.
            found = await self._read(key, 0)
            if found is None or not _has_come(joined, found, owner, self._clock()):
                raise Stale("joining")
        return self._person(found.held)

    async def _read(self, key: bytes, emitted_at: int) -> Found | None:
        # Those of before: newer ones may be read while an older entry is on its way here.
        marks = self._served.marks
        found = await self._served.get(key, self._names)
        if found is not None:
            mark = marks.get(found.held.partition)
            if mark is None or mark.generation != found.generation:
                raise Stale("unavailable")
            self._check(mark, emitted_at)
        return found

    async def _check_nobody(self, key: bytes, emitted_at: int) -> None:
        """Make sure that the view has nobody of this key: it may have been emptied, or a customer
        come, since it was asked.
        """
        is_whole = await self._served.is_whole()
        mark = self._served.marks.get(partition_of(key, self._served.partitions))
        if not is_whole or mark is None:
            raise Stale("unavailable")
        self._check(mark, emitted_at)
        if mark.clock == emitted_at and mark.at < emitted_at + MARK_MS_MAX:
            raise Stale("behind")  # the clock was there before, by another record
        if await self._served.get(key, ()) is not None:
            raise Stale("behind")

    def _check(self, mark: Mark, emitted_at: int) -> None:
        if mark.clock < emitted_at:
            raise Stale("behind")
        if self._clock() - mark.at > MARK_MS_MAX:
            raise Stale("unconfirmed")

    def _person(self, held: Held) -> Person:
        rows = held.rows
        ids, said, decided = (rows.get(name) for name in (
            self._ids.name, profile.TABLE.name, consent.TABLE.name))
        assert self._ids.ids is not None
        traits = ProfileFacts() if said is None else said.facts
        return Person(
            ids={} if ids is None else self._ids.ids(ids.facts),
            traits=_traits(traits, held.clock),
            consent=ConsentFacts() if decided is None else decided.facts,
            zone=zone_of(traits),
            gpc_denies=held.config.sections[consent.TABLE.name].gpc_denies)


def _has_come(joined: Found, found: Found, owner: bytes, now: int) -> bool:
    """Whether the rows of an identifier that was joined to an owner are there: of each partition a
    record keeps the last handoff that came, by the offset of the log record whose step sent it.
    """
    held = joined.held
    told: LinksTold = held.rows[links.NAME].told
    since = max((one.at for one in told.happened if (one.what, one.key) == (JOINED, owner)),
                default=0)
    if now - since > JOINED_MS_MAX:
        return True
    offset, _n = found.held.record.senders.get(held.partition, (-1, 0))
    return offset >= held.record.watermark


def _traits(facts: ProfileFacts, now: int) -> dict[str, Any]:
    """The traits as the single customer view shows them, less those taken away."""
    found: dict[str, Any] = {}
    for said in facts.said:
        for n in range(0, len(said.traits), 2):
            name, text = said.traits[n], said.traits[n + 1]
            if text not in (REMOVED, TOO_LONG):
                found[name] = profile.shown(name, text, now)["value"]
    return found

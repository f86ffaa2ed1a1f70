"""Makes the served view anew from the changelog, and takes out whom the changelog does not have.

Decides what may be taken out while workers go on writing: a customer of whom the changelog, read
up to a `$partition` record, knows nothing, and whose entry stands below that record's offset. One
who comes later stands above it, for its first checkpoint follows that one. Partition by partition,
so that one is in memory at a time; of the others only the keys.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from footfall.admin.cluster import admin_client, answers, unanswered
from footfall.admin.topics import read
from footfall.events import topics
from footfall.kafka.reach import unseen
from footfall.stream.generations import FIRST, Generations, Taken
from footfall.tables.stored import PartitionState
from footfall.view import entry
from footfall.view.store import Store

#: Written in one go.
PUT_RECORDS = 500


class Rebuilt(NamedTuple):
    """What was found and done."""

    customers: int
    put: int
    removed: int


class Rebuild:
    """One run. `progress` is called with how many records of the changelog were read."""

    def __init__(self, bootstrap: str, store: Store, generation: int,
                 progress: Callable[[int], None]) -> None:
        self._bootstrap = bootstrap
        self._store = store
        self._generation = generation
        self._progress = progress
        self._keys: list[set[bytes]] = []
        #: Of each partition the head that its customers stand below.
        self._ends: list[bytes] = []
        self._highest = generation
        self._put = 0

    async def run(self, partitions: int) -> Rebuilt:
        """All partitions of the changelog."""
        await self._store.begin()
        copies = Generations(self._bootstrap, read=self._progress)
        for number in range(partitions):
            taken = (await copies.take([number]))[number]
            await self._write(number, taken)
        removed = await self._remove()
        return Rebuilt(sum(map(len, self._keys)), self._put, removed)

    async def _write(self, number: int, taken: Taken) -> None:
        generation = self._generation + taken.generation - FIRST
        self._highest = max(self._highest, generation)
        records = iter(taken.best.store.items())
        while some := list(islice(records, PUT_RECORDS)):
            self._put += await self._store.put(
                [(key, entry.encode(generation, number, record)) for key, record in some])
        state = taken.state or PartitionState()
        self._keys.append(set(taken.best.store))
        self._ends.append(entry.head(generation, state.next_offset))
        (held,) = await self._store.marks([number])
        ours = self._ends[number]
        if held[: entry.HEAD_BYTES] < ours:  # else a worker has gone further
            # As of the log's clock: since then a worker may have applied more.
            said = entry.mark(generation, state, state.clock, None)
            await self._store.mark([(number, held[: entry.HEAD_BYTES], entry.encode_mark(said))])

    async def _remove(self) -> int:
        # First all, then out with them: where keys go, a cursor that counts passes others by.
        gone = [one async for some in self._store.heads()
                for one in map(self._gone, some) if one is not None]
        return sum([await self._store.remove(gone[at : at + PUT_RECORDS])
                    for at in range(0, len(gone), PUT_RECORDS)])

    def _gone(self, found: tuple[bytes, bytes]) -> tuple[bytes, bytes] | None:
        """The key of an entry that has to go, with the head that it must stand below."""
        key, data = found
        number = entry.partition_of(data)
        if not 0 <= number < len(self._keys):
            return key, entry.head(self._highest + 1, 0)
        if key in self._keys[number]:
            return None
        return key, self._ends[number]


def partitions_of(bootstrap: str) -> int:
    """How many partitions the changelog has; raises `BrokerError` where there is none to read."""
    if not answers(bootstrap, seconds_max=10.0):
        raise unanswered(
            bootstrap, f"no broker answers at {bootstrap}; `footfall doctor` says what is wrong")
    (found,) = [t for t in read(admin_client(bootstrap)) if t.name == topics.CHANGELOG]
    if not found.exists:
        raise unseen(found.name)
    return found.partitions

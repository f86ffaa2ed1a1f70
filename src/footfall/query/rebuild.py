"""Makes the served view anew from the changelog, and takes out whom the changelog does not have.

Decides what may be taken out while workers go on writing: a customer of whom the changelog, read
up to a `$partition` record, knows nothing, and whose entry stands below that record's offset. One
who comes later stands above it, for its first checkpoint follows that one. Partition by partition,
so that one is in memory at a time; of the others only the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from aiokafka import TopicPartition

from footfall.admin.cluster import admin_client, answers
from footfall.admin.topics import read
from footfall.errors import BrokerError
from footfall.events import topics
from footfall.stream import changelog
from footfall.stream.reader import Reader
from footfall.tables.record import decode_partition
from footfall.tables.records import Best
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
        self._ends: list[int] = []
        self._put = 0

    async def run(self, bounds: Sequence[tuple[int, int]]) -> Rebuilt:
        """All partitions, of which the changelog holds these offsets."""
        await self._store.begin()
        for number, bound in enumerate(bounds):
            best = Best()
            async for _number, messages in changelog.read(
                    self._bootstrap, topics.CHANGELOG, {number: bound}):
                best.take((m.key(), m.value()) for m in messages)
                self._progress(len(messages))
            await self._write(number, best)
        removed = await self._remove()
        return Rebuilt(sum(map(len, self._keys)), self._put, removed)

    async def _write(self, number: int, best: Best) -> None:
        records = iter(best.store.items())
        while some := list(islice(records, PUT_RECORDS)):
            self._put += await self._store.put(
                [(key, entry.encode(self._generation, number, record)) for key, record in some])
        state = PartitionState() if best.state is None else decode_partition(best.state)
        self._keys.append(set(best.store))
        self._ends.append(state.next_offset)
        (held,) = await self._store.marks([number])
        ours = entry.head(self._generation, state.next_offset)
        if held[: entry.HEAD_BYTES] < ours:  # else a worker has gone further
            # As of the log's clock: since then a worker may have applied more.
            said = entry.mark(self._generation, state, state.clock, None)
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
            return key, entry.head(self._generation + 1, 0)
        if key in self._keys[number]:
            return None
        return key, entry.head(self._generation, self._ends[number])


def partitions_of(bootstrap: str) -> int:
    """How many partitions the changelog has; raises `BrokerError` where there is none to read."""
    if not answers(bootstrap, seconds_max=10.0):
        raise BrokerError(f"no broker answers at {bootstrap}; `footfall doctor` says what is wrong")
    (found,) = [t for t in read(admin_client(bootstrap)) if t.name == topics.CHANGELOG]
    if not found.exists:
        raise BrokerError(f"{found.name} does not exist; `footfall topics create` makes it")
    return found.partitions


async def bounds(bootstrap: str, partitions: int) -> list[tuple[int, int]]:
    """The offsets that each partition of the changelog holds now."""
    tps = [TopicPartition(topics.CHANGELOG, n) for n in range(partitions)]
    async with Reader(bootstrap) as reader:
        found = await reader.bounds(tps)
    return [found[tp] for tp in tps]

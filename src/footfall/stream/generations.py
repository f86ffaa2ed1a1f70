"""Generations of the customers' changelog: which one holds a partition's state.

The first is the topic that every installation begins with; a rebuild writes the next one beside it
and a `$cutover` in the log sends each partition over (docs/rebuild.md). From then on the old
`$partition` says where it went. Decides which generation counts: the lowest that knows the
partition at all, then along `moved_to`. Must never start from one that is still being made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from aiokafka import TopicPartition

from footfall.errors import StateRefused
from footfall.events import topics
from footfall.stream import changelog
from footfall.stream.reader import Reader
from footfall.tables.record import decode_partition
from footfall.tables.records import Best
from footfall.tables.stored import SHADOW, PartitionState

FIRST: Final = 1
#: How soon it is looked again whether a generation is finished.
WAIT_S: Final = 0.1


def topic_of(generation: int, base: str = topics.CHANGELOG) -> str:
    """The topic of a generation."""
    return base if generation == FIRST else f"{base}-{generation}"


def generation_of(topic: str, base: str = topics.CHANGELOG) -> int | None:
    """The generation of a topic; None where it is none of them."""
    if topic == base:
        return FIRST
    name, _, number = topic.rpartition("-")
    return int(number) if name == base and number.isdigit() and int(number) > FIRST else None


class Taken(NamedTuple):
    """What a partition goes on from. `state` is None where nothing is known of it; `end`: of the
    changelog that was read.
    """

    generation: int
    state: PartitionState | None
    best: Best
    end: int


async def existing(reader: Reader, base: str) -> list[int]:
    """The generations that there are, the first one among them in any case."""
    found = {generation_of(topic, base) for topic in await reader.topics()}
    return sorted({FIRST, *(one for one in found if one is not None)})


class Generations:
    """Reads a changelog from the generation that counts. `read` is told how many records were;
    `keys`: take in these alone, and what is no customer's. A partition that has gone over to a
    generation which is not finished is waited for, and `waits` called again and again with its
    number and the offset; without it the older generation holds until then.
    """

    def __init__(self, bootstrap: str, base: str = topics.CHANGELOG, *,
                 read: Callable[[int], None] = lambda _records: None,
                 waits: Callable[[int, int], None] | None = None,
                 keys: Container[bytes] | None = None) -> None:
        self._bootstrap = bootstrap
        self._base = base
        self._read = read
        self._waits = waits
        self._keys = keys

    async def take(self, numbers: Iterable[int]) -> dict[int, Taken]:
        """Read these partitions whole. Raises `StateRefused` where the generation that one went
        over to does not exist.
        """
        found: dict[int, Taken] = {}
        left = set(numbers)
        sent: dict[int, tuple[int, int]] = {}
        async with Reader(self._bootstrap) as reader:
            for generation in await existing(reader, self._base):
                here = [n for n in left if sent.get(n, (generation, 0))[0] == generation]
                for n, taken in (await self._of(reader, generation, here, sent)).items():
                    state = taken.state
                    if n in found and (state is None or (
                            n in sent and state.next_offset < sent[n][1])):
                        continue
                    if n not in sent and state is not None and state.moved_to == SHADOW:
                        continue
                    found[n] = taken
                    if state is not None and state.moved_to > 0:
                        sent[n] = state.moved_to, state.next_offset
                    elif state is not None:
                        left.discard(n)
            there = await existing(reader, self._base)
        for n, (generation, _offset) in sent.items():
            if generation not in there:
                raise StateRefused(
                    f"partition {n} went over to {topic_of(generation, self._base)}, which does "
                    "not exist: restore the topic, or fold anew (docs/engine.md)")
        return found

    async def records(self, partitions: int) -> int:
        """How many records there are to be read, at most."""
        async with Reader(self._bootstrap) as reader:
            bounds = await reader.bounds([
                TopicPartition(topic_of(generation, self._base), n)
                for generation in await existing(reader, self._base) for n in range(partitions)])
        return sum(end - low for low, end in bounds.values())

    async def _of(self, reader: Reader, generation: int, numbers: Sequence[int],
                  sent: Mapping[int, tuple[int, int]]) -> dict[int, Taken]:
        """What one generation has of these partitions; of those sent there all that it must have.
        """
        topic = topic_of(generation, self._base)
        bests = {n: Best() for n in numbers}
        ends = dict.fromkeys(numbers, -1)
        waiting = list(numbers)
        while waiting:
            bounds = await reader.bounds([TopicPartition(topic, n) for n in waiting])
            ranges = {tp.partition: (max(low, ends[tp.partition]), end)
                      for tp, (low, end) in bounds.items()}
            async for number, messages in changelog.read(self._bootstrap, topic, ranges):
                bests[number].take((m.key(), m.value()) for m in messages if self._wants(m.key()))
                self._read(len(messages))
            ends.update((n, end) for n, (_low, end) in ranges.items())
            waiting = [n for n in waiting if self._waits is not None and n in sent
                       and _next_offset(bests[n]) < sent[n][1]]
            for n in waiting:
                assert self._waits is not None
                self._waits(n, sent[n][1])
            if waiting:
                await asyncio.sleep(WAIT_S)
        return {n: Taken(generation, _state(bests[n]), bests[n], ends[n]) for n in numbers}

    def _wants(self, key: bytes) -> bool:
        return self._keys is None or key in self._keys or key.startswith(b"$")


def _state(best: Best) -> PartitionState | None:
    return None if best.state is None else decode_partition(best.state)


def _next_offset(best: Best) -> int:
    state = _state(best)
    return -1 if state is None else state.next_offset

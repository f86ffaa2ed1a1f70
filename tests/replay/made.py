"""A log in memory as a source, and a changelog in memory that may be killed between any two
records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from footfall import tables
from footfall.admin.history import Entry
from footfall.admin.scan import Span
from footfall.events.interaction import CUTOVER
from footfall.replay.rebuild.folding import Folding
from footfall.replay.rebuild.shadow import Origin, Shadow, fresh, resumed
from footfall.replay.together import Together
from footfall.tables.outputs import TRIGGER
from footfall.tables.record import decode_partition
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable
from footfall.tables.stored import PartitionState
from footfall.testing.log import Log
from tests.replay.test_together import INSTALLATION, PARTITIONS

CODE = 1
GENERATION = 2


class KilledError(Exception):
    """Stands for kill -9."""


class MemorySource:
    """A `Source` over lists; a slice is so many records."""

    def __init__(self, entries: Sequence[Sequence[Any]], slice_records: int = 20,
                 low: Mapping[int, int] | None = None) -> None:
        self._entries = [[Entry(*e) for e in partition] for partition in entries]
        self._slice = slice_records
        self._low = low or {}
        self._at: dict[int, int] = {}
        #: Most records of one partition that were handed out at once.
        self.taken = 0

    def spans(self) -> dict[int, Span]:
        return {n: Span(self._low.get(n, 0), len(e)) for n, e in enumerate(self._entries)}

    def seek(self, starts: Mapping[int, int]) -> None:
        self._at = dict(starts)

    def take(self, partition: int, end: int) -> list[Entry]:
        at = self._at[partition]
        assert at >= self._low.get(partition, 0)
        found = self._entries[partition][at : min(end, at + self._slice)]
        self._at[partition] += len(found)
        self.taken += len(found)
        return found

    def close(self) -> None:
        pass


class MemoryChangelog:
    """Keeps what is put in order, and raises `KilledError` once it has taken `until` records."""

    def __init__(self, records: Sequence[tuple[int, bytes, bytes | None]] = (),
                 until: int | None = None) -> None:
        self.records = list(records)
        self._until = until
        self.put_records = 0
        self.barriers = 0

    def put(self, partition: int, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        for key, value in records:
            if self._until is not None and self.put_records >= self._until:
                raise KilledError
            self.put_records += 1
            self.records.append((partition, key, value))

    def check_alone(self, partitions: Iterable[int]) -> None:
        """There is nobody else."""

    def barrier(self) -> None:
        self.barriers += 1

    def best(self, partition: int) -> Best:
        """As recovery takes it in."""
        best = Best()
        best.take((key, value) for number, key, value in self.records if number == partition)
        return best

    def state(self, partition: int) -> PartitionState:
        found = self.best(partition).state
        assert found is not None
        return decode_partition(found)


class Run:
    """One process that makes a shadow, from what its changelog holds."""

    def __init__(self, log: Sequence[Sequence[Any]], changelog: MemoryChangelog, *,
                 specs: Sequence[AnyTable] = tables.ALL, low: Mapping[int, int] | None = None,
                 slice_records: int = 20, checkpoint_records: int = 50) -> None:
        self.source = MemorySource(log, slice_records, low)
        self.triggers: dict[bytes, None] = {}
        origins: dict[int, Origin] = {}
        spans = self.source.spans()
        for number, span in spans.items():
            best = changelog.best(number)
            origins[number] = (resumed(best, span.low, CODE) if best.state or best.store
                               or best.inflight else fresh(span.low, CODE))
        given_up = {n: o.given_up for n, o in origins.items()}
        self.together = Together(
            {n: o.start for n, o in origins.items()}, specs, codecs=INSTALLATION.codecs,
            keys=INSTALLATION.keys, reserved=INSTALLATION.reserved, keep_taken=True,
            told=self._told, recorded_before=given_up,
            strangers=set() if any(given_up.values()) else None)
        self.shadow = Shadow(self.together, changelog, origins, CODE)
        self.folding = Folding(self.shadow, self.source, GENERATION, codecs=INSTALLATION.codecs,
                               reserved=INSTALLATION.reserved,
                               checkpoint_records=checkpoint_records)
        self.folding.begin(spans)

    def fold(self) -> None:
        """To the end of the log, or to its `$cutover`s, and the last checkpoint of either."""
        self.folding.to({n: span.end for n, span in self.source.spans().items()})
        if len(self.folding.stops) == PARTITIONS:
            self.folding.finish()
        else:
            self.folding.checkpoint()

    def _told(self, _partition: int, outputs: Sequence[Any]) -> None:
        self.triggers.update((o.value, None) for o in outputs if o.kind == TRIGGER)


def cut_over(log: Log) -> None:
    """A `$cutover` at the end of each partition."""
    record = INSTALLATION.codecs.interaction.encode(
        INSTALLATION.reserved.cutover(GENERATION, log.now))
    for number in range(PARTITIONS):
        log.append_bytes(CUTOVER.encode(), record, log.now, number)


def stores(log: Log) -> list[dict[bytes, bytes]]:
    """What the workers of a log have made of it."""
    found = []
    for worker in log.workers:
        worker.fold.snapshot()
        found.append(dict(worker.fold.store))
    return found

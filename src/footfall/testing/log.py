"""A log in memory and the workers that fold it: no broker, no clock, append times as given.

Made of the product's own codecs, keys, MAC, partitioner and fold. Decides what a broker and a
producer decide: offsets, on which partition a record is, and that handoffs come back into the log.
All else that a fold sends is kept in `sent`. Must never read a clock: whoever appends says when.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import CONFIG, HANDOFF, TICK, Interaction
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ConfigPayload
from footfall.stream.partition import partition_of
from footfall.tables.fold import EVERY_TIMER, Fold
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable, Output
from footfall.tables.stored import PartitionState

TOPIC = "log"


class Entry(NamedTuple):
    """What the fold needs of a Kafka record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Installation(NamedTuple):
    """What all programs of one installation share: the codecs, and what its secrets make."""

    codecs: Codecs
    keys: CustomerKeys
    reserved: Reserved

    @classmethod
    def of(cls, customer_key_secret: bytes, system_secret: bytes) -> Installation:
        """With the schemas of the folder."""
        return cls(Codecs(), CustomerKeys(customer_key_secret), Reserved(system_secret))


class Log:
    """Partitions of one log, each with a worker of its own.

    `now` is the append time of the last record (ms). Handoffs are appended `hop_ms` after it.
    `entries` is a log that is folded again: its handoffs are in it, and none is sent.
    """

    def __init__(self, specs: Sequence[AnyTable], partitions: int, installation: Installation,
                 now: int, *, hop_ms: int = 0, entries: list[list[Entry]] | None = None) -> None:
        self.specs = specs
        self.installation = installation
        self.hop_ms = hop_ms
        self.now = now
        self.echo = entries is None
        self.entries: list[list[Entry]] = entries or [[] for _ in range(partitions)]
        #: Whatever any worker sent, repeats included, as (partition, output).
        self.sent: list[tuple[int, Output]] = []
        self.workers = [self.worker(number) for number in range(len(self.entries))]

    def worker(self, number: int) -> Worker:
        """What folds a partition."""
        return Worker(self, number)

    # -- what is appended --------------------------------------------------------------------------

    def append(self, key: bytes, event: Interaction, at: int) -> Entry:
        """An interaction, or any reserved record, on the partition of its key."""
        return self.append_bytes(key, self.installation.codecs.interaction.encode(event), at)

    def append_bytes(self, key: bytes | None, value: bytes | None, at: int,
                     partition: int | None = None) -> Entry:
        """Any record at all, appended at `at`: also earlier than the one before it."""
        self.now = at
        if partition is None:
            partition = self.partition_of(key or b"")
        entries = self.entries[partition]
        entries.append(Entry(len(entries), at, key, value))
        return entries[-1]

    def tick(self, at: int, partition: int | None = None) -> None:
        """A `$tick` on one partition, or on every one."""
        self._append_reserved(TICK, self.installation.reserved.tick(at), at, partition)

    def config(self, at: int, payload: ConfigPayload) -> None:
        """A `$config` on every partition."""
        self._append_reserved(CONFIG, self.installation.reserved.config(payload, at), at, None)

    def partition_of(self, key: bytes) -> int:
        """Where every producer puts a customer."""
        return partition_of(key, len(self.entries))

    def _append_reserved(self, kind: str, event: Interaction, at: int, partition: int | None
                         ) -> None:
        value = self.installation.codecs.interaction.encode(event)
        for number in range(len(self.entries)) if partition is None else (partition,):
            self.append_bytes(kind.encode(), value, at, number)

    # -- what is folded ----------------------------------------------------------------------------

    def run(self) -> None:
        """Fold until nothing waits in any partition, handoffs included."""
        while sum(worker.run() for worker in self.workers):
            pass

    def deliver(self, partition: int, output: Output) -> None:
        """What the producer does with an output."""
        self.sent.append((partition, output))
        if output.kind == HANDOFF and self.echo:
            self.append_bytes(output.key, output.value, self.now + self.hop_ms)

    def fold_of(self, key: bytes) -> Fold:
        """The fold that owns a customer."""
        return self.workers[self.partition_of(key)].fold


class Worker:
    """One partition's fold; it sends what the fold gives at once, record by record."""

    #: How many timers it steps before it sends.
    fired_max = EVERY_TIMER

    def __init__(self, log: Log, number: int) -> None:
        self.log = log
        self.number = number
        self.fold = self.fold_from(PartitionState(), Best())

    def fold_from(self, state: PartitionState, best: Best) -> Fold:
        """The fold of this partition that goes on from what is durable."""
        installation = self.log.installation
        return Fold(self.number, self.log.specs, codecs=installation.codecs,
                    keys=installation.keys, reserved=installation.reserved, topic=TOPIC,
                    state=state, best=best)

    def run(self) -> bool:
        """Apply all that waits; whether there was anything."""
        stepped = False
        while self.step():
            stepped = True
        return stepped

    def step(self) -> bool:
        """Apply the next record of the log and send what it gave; False at the log's end."""
        entries = self.log.entries[self.number]
        if self.fold.next_offset >= len(entries):
            return False
        entry = entries[self.fold.next_offset]
        while not self.fold.apply_all([entry], math.inf, self.fired_max):
            assert self.fold.open
            self._deliver()
        assert not self.fold.open
        self._deliver()
        return True

    def _deliver(self) -> None:
        outputs, self.fold.outputs = self.fold.outputs, []
        for output in outputs:
            self.log.deliver(self.number, output)

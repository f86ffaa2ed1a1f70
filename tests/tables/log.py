"""A log in memory and the workers that fold it: no Kafka, no clock, made-up append times.

    log = Log(tables.ALL, partitions=2)
    log.append(ANNA, events.added(START, "m1"), START)
    log.tick(START + 1_800_501)
    log.run()
    log.triggers("cart_abandoned")

Made of the product's own codecs, keys, MAC and partitioner. Whatever a fold sends leaves at once,
as from a worker: handoffs come back into the log, everything else is kept in `sent`. A worker may
be stopped anywhere: `checkpoint` makes its state durable, in law 1's order and if need be only half
way; `crash` loses all that was not. `fold_again` reads the same log from its start.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from footfall.events.interaction import CONFIG, HANDOFF, TICK, Interaction
from footfall.events.reserved_row import ConfigPayload
from footfall.stream.partition import partition_of
from footfall.tables.fold import EVERY_TIMER, Fold
from footfall.tables.outputs import REJECTED, TRIGGER
from footfall.tables.record import decode_partition, header
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable, Output
from footfall.tables.stored import PartitionState
from tests.tables.logs import CODECS, KEYS, RESERVED, START

TOPIC = "log"


class Entry(NamedTuple):
    """What the fold needs of a Kafka record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Log:
    """Partitions of one log, each with a worker of its own.

    `now` is the append time of the last record. Handoffs are appended `hop_ms` after it; `echo` is
    off where a log is folded again: its handoffs are in it already. `fired_max` is how many timers
    a worker steps in one go; new folds then keep no more than one record decoded.
    """

    fired_max = EVERY_TIMER

    def __init__(self, specs: Sequence[AnyTable], partitions: int = 1, *, hop_ms: int = 1,
                 entries: list[list[Entry]] | None = None) -> None:
        self.specs = specs
        self.hop_ms = hop_ms
        self.now = START
        self.echo = entries is None
        self.entries: list[list[Entry]] = entries or [[] for _ in range(partitions)]
        #: Whatever any worker sent, repeats included, as (partition, output).
        self.sent: list[tuple[int, Output]] = []
        self.workers = [Worker(self, number) for number in range(len(self.entries))]

    # -- what is appended --------------------------------------------------------------------------

    def append(self, key: bytes, event: Interaction, at: int) -> Entry:
        """An interaction, or any reserved record, on the partition of its key."""
        return self.append_bytes(key, CODECS.interaction.encode(event), at)

    def append_bytes(self, key: bytes | None, value: bytes | None, at: int,
                     partition: int | None = None) -> Entry:
        """Any record at all, appended at `at`: also earlier than the one before it."""
        self.now = at
        if partition is None:
            partition = self.partition_of(key or b"")
        entries = self.entries[partition]
        entries.append(Entry(len(entries), at, key, value))
        return entries[-1]

    def tick(self, at: int) -> None:
        """A `$tick` on every partition."""
        self._append_to_all(TICK, RESERVED.tick(at), at)

    def config(self, at: int, number: int, **sections: Any) -> None:
        """A `$config` on every partition."""
        content = json.dumps(sections).encode()
        self._append_to_all(CONFIG, RESERVED.config(ConfigPayload(number, content), at), at)

    def partition_of(self, key: bytes) -> int:
        """Where every producer puts a customer."""
        return partition_of(key, len(self.entries))

    def _append_to_all(self, kind: str, event: Interaction, at: int) -> None:
        value = CODECS.interaction.encode(event)
        for partition in range(len(self.entries)):
            self.append_bytes(kind.encode(), value, at, partition)

    # -- what is folded ----------------------------------------------------------------------------

    def run(self) -> Log:
        """Fold until nothing waits in any partition, handoffs included."""
        while sum(worker.run() for worker in self.workers):
            pass
        return self

    def fold_again(self, specs: Sequence[AnyTable] | None = None) -> Log:
        """The same log folded from its start, handoffs taken from it and not sent again."""
        return Log(specs or self.specs, entries=self.entries).run()

    def deliver(self, partition: int, output: Output) -> None:
        """What the producer does with an output."""
        self.sent.append((partition, output))
        if output.kind == HANDOFF and self.echo:
            self.append_bytes(output.key, output.value, self.now + self.hop_ms)

    # -- what came of it ---------------------------------------------------------------------------

    def fold_of(self, key: bytes) -> Fold:
        """The fold that owns a customer."""
        return self.workers[self.partition_of(key)].fold

    def facts(self, key: bytes, table: str) -> Any:
        """A customer's facts of one table; None where it has no row."""
        row = self.fold_of(key).row(key, table)
        return None if row is None else row.facts

    def records(self) -> dict[bytes, bytes]:
        """The record of every customer, as the changelog would hold it."""
        found: dict[bytes, bytes] = {}
        for worker in self.workers:
            list(worker.fold.snapshot())
            found.update(worker.fold.store)
        return found

    def triggers(self, name: str | None = None) -> list[dict[str, Any]]:
        """What was told, in order, each once, with data, evidence and ids as objects."""
        told = {}
        for _partition, output in self.sent:
            if output.kind == TRIGGER:
                record: dict[str, Any] = dict(CODECS.trigger.decode(output.value))
                if name in (None, record["name"]):
                    record["data"] = json.loads(record["data"])
                    record["evidence"] = json.loads(record["evidence"])
                    record["ids"] = json.loads(record.pop("personal"))["ids"]
                    told.setdefault(record["trigger_id"], record)
        return list(told.values())

    def outputs(self) -> set[tuple[int, Output]]:
        """Triggers and rejected records as they were sent, byte for byte, repeats once."""
        return {(partition, output) for partition, output in self.sent if output.kind != HANDOFF}

    def handoffs(self) -> set[tuple[int, Output]]:
        """The same of handoffs."""
        return set(self.sent) - self.outputs()

    def rejected(self) -> list[dict[str, Any]]:
        """What was rejected, in order."""
        return [dict(CODECS.rejected.decode(output.value))
                for _partition, output in self.sent if output.kind == REJECTED]

    def count(self, what: str, label: str) -> int:
        """A counter of the folds, over all partitions."""
        return sum(worker.fold.counts[what, label] for worker in self.workers)


class Worker:
    """One partition's fold, and what of it would survive the end of its process."""

    def __init__(self, log: Log, number: int) -> None:
        self._log = log
        self.number = number
        #: The changelog as recovery reads it: of each key the record with the highest watermark.
        self.changelog: dict[bytes, bytes] = {}
        self.partition_record: bytes | None = None
        #: All that was ever written to the changelog: (key, watermark) -> values.
        self.written: dict[tuple[bytes, int], set[bytes]] = {}
        self.fold = self._recovered()

    def step(self) -> bool:
        """Apply the next record of the log and send what it gave; False at the log's end."""
        entries = self._log.entries[self.number]
        if self.fold.next_offset >= len(entries):
            return False
        entry = entries[self.fold.next_offset]
        while not self.fold.apply_all([entry], math.inf, self._log.fired_max):
            assert self.fold.open
            self._deliver()
        assert not self.fold.open
        self._deliver()
        return True

    def _deliver(self) -> None:
        outputs, self.fold.outputs = self.fold.outputs, []
        for output in outputs:
            self._log.deliver(self.number, output)

    def run(self) -> bool:
        """Apply all that waits; whether there was anything."""
        stepped = False
        while self.step():
            stepped = True
        return stepped

    def checkpoint(self, records: int | None = None) -> None:
        """Write the changed records, then `$partition`; with `records` only so many of them: the
        process ends on the way.
        """
        changed = list(self.fold.snapshot())
        for key, value in changed[:records]:
            self.written.setdefault((key, header(value)[0]), set()).add(value)
            self.changelog[key] = value
        if records is None:
            self.partition_record = self.fold.state().encode()
        else:
            self.crash()

    def crash(self) -> None:
        """The process ends; another one recovers from what is durable."""
        self.fold = self._recovered()

    def _recovered(self) -> Fold:
        state = PartitionState()
        if self.partition_record is not None:
            state = decode_partition(self.partition_record)
        return Fold(self.number, self._log.specs, codecs=CODECS, keys=KEYS, reserved=RESERVED,
                    topic=TOPIC, state=state, best=Best(self.changelog),
                    hot_records_max=100_000 if self._log.fired_max == EVERY_TIMER else 1)

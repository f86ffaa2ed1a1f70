"""The product's log in memory, with workers that may die anywhere.

    log = Log(tables.ALL, partitions=2)
    log.append(ANNA, events.added(START, "m1"), START)
    log.tick(START + 1_800_501)
    log.run()
    log.triggers("cart_abandoned")

`checkpoint` makes a worker's state durable, in law 1's order and if need be only half way; `crash`
loses all that was not. `fold_again` reads the same log from its start.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from footfall.events.interaction import HANDOFF
from footfall.events.reserved_row import ConfigPayload
from footfall.tables.fold import EVERY_TIMER, Fold
from footfall.tables.outputs import REJECTED, TRIGGER
from footfall.tables.record import decode_partition, header
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable, Output
from footfall.tables.stored import PartitionState
from footfall.testing import log
from tests.tables.logs import CODECS, KEYS, RESERVED, START

INSTALLATION = log.Installation(CODECS, KEYS, RESERVED)
Entry = log.Entry


class Log(log.Log):
    """Handoffs are appended `hop_ms` after the record before them. `fired_max` is how many timers
    a worker steps in one go; new folds then keep no more than one record decoded.
    """

    fired_max = EVERY_TIMER
    workers: list[Worker]  # type: ignore[assignment]

    def __init__(self, specs: Sequence[AnyTable], partitions: int = 1, *, hop_ms: int = 1,
                 entries: list[list[Entry]] | None = None) -> None:
        super().__init__(specs, partitions, INSTALLATION, START, hop_ms=hop_ms, entries=entries)

    def worker(self, number: int) -> Worker:
        return Worker(self, number)

    def config(self, at: int, number: int, **sections: Any) -> None:  # type: ignore[override]
        """A `$config` on every partition."""
        super().config(at, ConfigPayload(number, json.dumps(sections).encode()))

    def run(self) -> Log:  # type: ignore[override]
        super().run()
        return self

    def fold_again(self, specs: Sequence[AnyTable] | None = None) -> Log:
        """The same log folded from its start, handoffs taken from it and not sent again."""
        return Log(specs or self.specs, entries=self.entries).run()

    # -- what came of it ---------------------------------------------------------------------------

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


class Worker(log.Worker):
    """One partition's fold, and what of it would survive the end of its process."""

    log: Log

    def __init__(self, log: Log, number: int) -> None:
        #: The changelog as recovery reads it: of each key the record with the highest watermark.
        self.changelog: dict[bytes, bytes] = {}
        self.partition_record: bytes | None = None
        #: All that was ever written to the changelog: (key, watermark) -> values.
        self.written: dict[tuple[bytes, int], set[bytes]] = {}
        super().__init__(log, number)

    @property
    def fired_max(self) -> int:  # type: ignore[override]
        return self.log.fired_max

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
        state = PartitionState()
        if self.partition_record is not None:
            state = decode_partition(self.partition_record)
        self.fold = self.fold_from(state, Best(self.changelog))

    def fold_from(self, state: PartitionState, best: Best) -> Fold:
        fold = super().fold_from(state, best)
        if self.log.fired_max != EVERY_TIMER:
            fold.records.hot_max = 1
        return fold

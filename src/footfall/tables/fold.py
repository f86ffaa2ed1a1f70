"""Folds one partition of the log into customer records and triggers: the laws as one pure machine.

Everything comes from the log (law 4): `apply` takes its records in order and is the only way in.
Decides the clock, which timers fire before a record, what is a repeat, which configuration holds.
Gives back outputs and, at a checkpoint, the changed records. Must never read a wall clock, send
anything, or touch another partition; a worker, a replay and a test run the same code.
How timers fire, handoffs are taken and a customer is stepped is in its bases (`fold_state.py`).
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence

from footfall.errors import ConfigError, DecodeError, StateRefused
from footfall.events.commerce import squeezed
from footfall.events.interaction import (
    CONFIG,
    CUTOVER,
    DELIVERY,
    HANDOFF,
    IMPORT,
    TICK,
    UNMERGE,
    VIOLATION,
    Interaction,
)
from footfall.tables import timers
from footfall.tables.config import config_of, version_of
from footfall.tables.fold_handoffs import FoldHandoffs
from footfall.tables.fold_state import LogRecord
from footfall.tables.import_ledger import ROWS_MAX, ImportLedger
from footfall.tables.record import CustomerRecord
from footfall.tables.stored import PartitionState, Row

#: `apply_all` stops for no number of timers.
EVERY_TIMER = -1


class Fold(FoldHandoffs):
    """The state of one partition and the machine that moves it."""

    # -- the log -------------------------------------------------------------------------------

    def apply_all(self, entries: Sequence[LogRecord], appended_until: float,
                  fired_max: int = EVERY_TIMER) -> int:
        """Apply log records in order, up to the first that was appended later (ms) than given; how
        many were. Stops after the timers of `fired_max` customers: then `open` is true, no snapshot
        may be taken, and the next call must begin with the same record. Stops behind a record
        from which on the state is another one (`moving`).
        """
        self._fired_left = fired_max
        n = 0
        for entry in entries:
            if entry.timestamp > appended_until or not self._apply(entry):
                break
            n += 1
            if self.moving:
                break
        return n

    def apply(self, entry: LogRecord) -> None:
        """Apply one log record and the timers it releases: one unit, no snapshot between them."""
        self._fired_left = EVERY_TIMER
        self._apply(entry)

    def pass_time(self, now: int, before: LogRecord) -> None:
        """Let the clock go on to `now` (ms) before the record that is to come next, as a `$tick`
        would. Only for a fold under a configuration that the log was not made with: the log has
        the ticks that its own deadlines asked for, and not those of others.
        """
        if now > self.clock:
            self.clock = now
        self._fired_left = EVERY_TIMER
        stepped = self._stepped  # still those of one record: it lets them fire again
        self._fire(before.offset, before.key)
        self._stepped = stepped

    def _apply(self, entry: LogRecord) -> bool:
        offset = entry.offset
        appended_at = entry.timestamp
        key = entry.key
        if appended_at > self.clock:
            self.clock = appended_at
        self.next_offset = offset + 1
        self._last = entry
        if self._handoffs and not self.open:
            self._handoffs.clear()
        index = self._timers
        if index.ahead:
            index.catch_up(offset)
        if ((self._scheduled_at < self.clock or (index.heap and index.heap[0][0] < self.clock))
                and not self._fire(offset, key)):
            self.open = True
            return False
        self.open = False
        try:
            event = self._decode(entry.value)
            kind = event["type"]
            if kind.startswith("$"):
                self._apply_reserved(event, offset, key or b"")
            elif kind == VIOLATION:  # of interactions, by the collector's plan: nobody's
                self._processed[kind] = self._processed.get(kind, 0) + 1
            elif key is None:
                self._reject("key_invalid", "the record has no Kafka key")
            else:
                self._apply_interaction(event, offset, appended_at, key)
        except DecodeError as error:
            self._reject(error.reason, error.detail)
        if self._fired_own is not None:
            record = self.records.get(self._fired_own)
            record.watermark = offset
            self.records.touch(self._fired_own, record)
            self._fired_own = None
        return True

    def _apply_interaction(self, event: Interaction, offset: int, appended_at: int, key: bytes
                           ) -> None:
        record = self.records.get(key)
        if offset <= record.watermark:
            self._counts["repeat", "offset"] += 1
            return
        digest = self._hash(event["message_id"])
        memory = record.message_ids
        if digest in memory or (record.imports is not None and digest in record.imports):
            self._counts["repeat", "message_id"] += 1
            return
        when = event["event_time"]
        if when > appended_at:
            when = appended_at
        linking = self._linking
        if linking is not None and linking.is_pointer(record):
            assert self._last is not None
            self._applied(key, record, event, when, digest)
            self._pass_on(key, linking.owner(record), linking.event(when, self._last.value),
                          linking.through(key, (), ()))
            return
        stepped = self._step(key, record, event, when)
        self._applied(key, record, event, when, digest)
        self._take(key, record, stepped)

    def _applied(self, key: bytes, record: CustomerRecord, event: Interaction, when: int,
                 digest: bytes) -> None:
        """Note that an interaction of `key` is taken: what is left to do cannot fail."""
        record.message_ids.add(digest, self.clock)
        record.watermark = self.next_offset - 1
        self.records.touch(key, record)
        kind = event["type"]
        self._processed[kind] = self._processed.get(kind, 0) + 1
        if kind == "track" and self._names:
            name = self._names.get(squeezed(event["event"]))
            if name is not None:
                self._named[name] = self._named.get(name, 0) + 1
        if when < self.clock - self._late_ms:
            self._counts["late", kind] += 1
            if record.timers:
                timers.rearm(record.timers, self.clock, self.config)

    def _apply_import(self, event: Interaction, offset: int, appended_at: int, key: bytes) -> None:
        """Step an interaction of the past, once for all times, and tell nobody. It is no sign of
        the customer's being late: nothing that settles waits for it. One of another log is what its
        messageId says: who sent it there and had no answer may have sent it here again.
        """
        payload, event = self._reserved.read_import(event, key)
        record = self.records.get(key)
        if offset <= record.watermark:
            self._counts["repeat", "offset"] += 1
            return
        if payload.logged:
            digest = self._hash(event["message_id"])
            is_known = digest in record.message_ids
        else:
            digest = self._hash_row(payload.row)
            is_known = False
        ledger = record.imports
        if ledger is None:
            ledger = ImportLedger()
        if is_known or digest in ledger:
            self._counts["repeat", "import"] += 1
            return
        if ledger.is_full():
            raise DecodeError("import_ledger_full", f"{ROWS_MAX} rows of this customer's key have "
                              "been imported; no more can be known again")
        when = event["event_time"]
        if when > appended_at:
            when = appended_at
        self._muted = True
        try:
            linking = self._linking
            if linking is not None and linking.is_pointer(record):
                assert self._last is not None
                self._imported(key, record, ledger, digest)
                self._pass_on(key, linking.owner(record), linking.event(when, self._last.value),
                              linking.through(key, (), ()))
                return
            stepped = self._step(key, record, event, when)
            self._imported(key, record, ledger, digest)
            self._take_muted(key, record, stepped, is_event=True)
            self._timers.arm_next(key, record)
        finally:
            self._muted = False

    def _imported(self, key: bytes, record: CustomerRecord, ledger: ImportLedger, digest: bytes
                  ) -> None:
        """Note that a row is taken: what is left to do cannot fail."""
        ledger.add(digest)
        record.imports = ledger
        record.watermark = self.next_offset - 1
        self.records.touch(key, record)
        self._processed[IMPORT] = self._processed.get(IMPORT, 0) + 1

    def _apply_reserved(self, event: Interaction, offset: int, key: bytes) -> None:
        kind = event["type"]
        if kind == TICK:
            self._reserved.check(event, key)
        elif kind == CONFIG:
            payload = self._reserved.read_config(event, key)
            # One that is ignored need not be understood: its tables may be gone.
            if version_of(payload.number, payload.content) > self.config.version:
                try:
                    self.config = config_of(self.tables, payload.number, payload.content)
                    self._lay_out()
                except ConfigError as error:
                    raise StateRefused(f"configuration {payload.number} is not for this code: "
                                       f"{error}. Run the newer Footfall that applied it") from None
        elif kind == HANDOFF:
            move = self._reserved.read_handoff(event, key)
            rows = event["personal"]
            if self._inflight:
                content = self._inflight.get((key, move.partition, move.offset, move.n))
                if content is not None:
                    rows = self._decode(content)["personal"]
            if not self._receive(move, rows, key, offset):
                return
        elif kind == DELIVERY:  # applied, and counted, as what customers do
            assert self._last is not None
            seen = self._reserved.read_delivery(event, key)
            self._apply_interaction(seen, offset, self._last.timestamp, key)
            return
        elif kind == IMPORT:
            assert self._last is not None
            self._apply_import(event, offset, self._last.timestamp, key)
            return
        elif kind == UNMERGE:
            asked = self._reserved.read_unmerge(event, key)
            if not self._unmerge(asked, event["personal"], key, offset):
                return
        elif kind == CUTOVER:
            generation = self._reserved.read_cutover(event, key)
            if generation > self._generation:
                self.moving = generation
        else:
            raise DecodeError("reserved_unknown", f"type {kind[:20]!r} is not one of ours")
        self._processed[kind] = self._processed.get(kind, 0) + 1

    # -- reading -------------------------------------------------------------------------------

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """(what, label): how often; the shell publishes and clears it."""
        for kind, n in self._processed.items():
            self._counts["processed", kind] += n
        self._processed.clear()
        return self._counts

    @property
    def store(self) -> dict[bytes, bytes]:
        """customer_key -> encoded record as of the last snapshot. For reading only."""
        return self.records.store

    def row(self, key: bytes, name: str) -> Row | None:
        """One table's row of a customer as it stands now. For reading only."""
        record = self.records.peek(key)
        if record is None or name not in record.rows:
            return None
        return self._codec.row(self._by_name[name].table, record.rows[name])

    # -- checkpoints ---------------------------------------------------------------------------

    def pass_gap(self, next_offset: int) -> None:
        """Go on at `next_offset`: what lies before holds no record (control records, law 1)."""
        assert next_offset >= self.next_offset
        self.next_offset = next_offset

    def snapshot(self) -> list[tuple[bytes, bytes]]:
        """Encode what changed into the store; gives (key, value) of each. Runs without pause."""
        return self.records.snapshot()

    def take_counted(self) -> dict[str, int]:
        """How many interactions of the names that are counted were applied since the last time;
        goes with the snapshot taken in the same instant.
        """
        taken, self._named = self._named, {}
        return taken

    def state(self) -> PartitionState:
        """The `$partition` record as of now; goes with the snapshot taken in the same instant."""
        last = self._last
        if last is None:
            known = self._state
            read = known.last_offset, known.last_appended_at, known.last_checksum
        else:
            read = last.offset, last.timestamp, log_checksum(last)
        return PartitionState(
            self.next_offset, self.clock, self.config.number, self.config.content, *read,
            self._fingerprint, moved_to=self.moving)


def log_checksum(entry: LogRecord) -> int:
    """CRC-32 of key and value: tells whether a log still holds the record that was read."""
    return zlib.crc32(entry.value or b"", zlib.crc32(entry.key or b""))

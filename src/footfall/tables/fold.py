"""Folds one partition of the log into customer records and triggers: the laws as one pure machine.

Everything comes from the log (law 4): `apply` takes its records in order and is the only way in.
Decides the clock, which timers fire before a record, what is a repeat, what a deadline revealed
late must wait, which configuration holds. Gives back outputs (triggers, handoffs, rejected) and,
at a checkpoint, the changed records. Must never read a wall clock, send anything, or touch
another partition; a worker, a replay and a test run the same code.
"""

from __future__ import annotations

import hashlib
import heapq
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from footfall.errors import DecodeError, StateRefused
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys, is_customer_key
from footfall.events.interaction import CONFIG, HANDOFF, TICK, Interaction
from footfall.events.reserved import Handoff, Reserved
from footfall.tables.config import Config
from footfall.tables.record import (
    NEVER,
    CustomerRecord,
    PartitionState,
    RecordCodec,
    Row,
    Timer,
    header,
)
from footfall.tables.spec import Announcement, AnyTable, Trigger

TRIGGER = "trigger"
REJECTED = "rejected"


class LogRecord(Protocol):
    """What the fold needs of a Kafka record; `timestamp` is the log-append time in ms."""

    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102


class Output(NamedTuple):
    """Something to send: kind is TRIGGER, HANDOFF or REJECTED; `key` is the Kafka key, of a rejected
    record its offset.
    """

    kind: str
    key: bytes
    value: bytes


#: What stepping one table would change (table, facts, announcement): nothing is, until all tables
#: have been stepped.
_Staged = tuple[AnyTable, Any, Announcement[Any]]


class Fold:
    """The state of one partition and the machine that moves it.

    `store` maps customer_key to encoded record as of the last snapshot; the fold writes it.
    `decode` and `is_key` may replace the codec of the log (benchmarks read another schema). `passed` is
    told when a timer or a handoff is on its way (tests end the process there).
    """

    def __init__(
        self,
        partition: int,
        tables: Sequence[AnyTable],
        *,
        codecs: Codecs,
        keys: CustomerKeys,
        reserved: Reserved,
        topic: str,
        state: PartitionState | None = None,
        store: dict[bytes, bytes] | None = None,
        decode: Callable[[bytes | None], Interaction] | None = None,
        is_key: Callable[[bytes | None], bool] = is_customer_key,
        hot_records_max: int = 100_000,
        passed: Callable[[str], None] = lambda _point: None,
    ) -> None:
        state = state or PartitionState()
        self.partition = partition
        self.topic = topic
        self.tables = sorted(tables, key=lambda t: t.name)
        self.store = {} if store is None else store
        self.clock = state.clock
        self.next_offset = state.next_offset
        self.config = Config(self.tables, state.config_number, state.config_content)
        self.outputs: list[Output] = []
        #: (what, label): how often; the shell publishes and clears it.
        self.counts: Counter[tuple[str, str]] = Counter()
        self.dirty: dict[bytes, CustomerRecord] = {}

        self._codecs = codecs
        self._codec = RecordCodec(self.tables)
        self._decode = decode or codecs.interaction.decode
        self._keys = keys
        self._is_key = is_key
        self._reserved = reserved
        self._passed = passed
        self._state = state
        self._last: LogRecord | None = None
        self._hot: dict[bytes, CustomerRecord] = {}
        self._cooling: dict[bytes, CustomerRecord] = {}
        self._hot_max = hot_records_max
        self._by_name = {t.name: t for t in self.tables}
        self._ids = next((t for t in self.tables if t.ids is not None), None)
        self._handoffs: Counter[bytes] = Counter()
        # Timers: one live heap entry a customer; `_armed` says which, others are stale.
        self._heap: list[tuple[int, bytes]] = []
        self._armed: dict[bytes, int] = {}
        #: Customers whose record is ahead of the log while it is read again.
        self._ahead: list[tuple[int, int, bytes]] = []
        self._fired_own: CustomerRecord | None = None
        for key, data in self.store.items():
            _watermark, wake_at = header(data)
            if wake_at:
                self._heap.append((wake_at, key))
                self._armed[key] = wake_at
        heapq.heapify(self._heap)

    # -- the log -------------------------------------------------------------------------------

    def apply(self, entry: LogRecord) -> None:
        """Apply one log record and the timers it releases: one unit, no snapshot between them."""
        offset = entry.offset
        appended = entry.timestamp
        if appended > self.clock:
            self.clock = appended
        self.next_offset = offset + 1
        self._last = entry
        if self._handoffs:
            self._handoffs.clear()
        if self._ahead:
            self._catch_up(offset)
        if self._heap and self._heap[0][0] < self.clock:
            self._fire(offset, entry.key)
        try:
            event = self._decode(entry.value)
            if event["type"][:1] == "$":
                self._apply_reserved(event, entry)
            else:
                self._apply_interaction(event, entry)
        except DecodeError as error:
            self._reject(entry, error.reason, error.detail)
        if self._fired_own is not None:
            self._fired_own.watermark = offset
            self._fired_own = None

    def _apply_interaction(self, event: Interaction, entry: LogRecord) -> None:
        key = entry.key
        record = self._hot.get(key) or self._load(key)  # type: ignore[arg-type]
        offset = entry.offset
        if offset <= record.watermark:
            self.counts["repeat", "offset"] += 1
            return
        clock = self.clock
        digest = self._keys.message_hash(event["message_id"])
        if digest in record.message_ids:
            self.counts["repeat", "message_id"] += 1
            return
        when = event["event_time"]
        if when > entry.timestamp:
            when = entry.timestamp
        staged = []
        sections = self.config.sections
        rows = record.rows
        try:
            for table in self.tables:
                if table.wants(event):
                    row = rows.get(table.name)
                    if type(row) is not Row:
                        row = self._codec.row(table, row)
                    facts = table.observe(row.facts, event, when)
                    said = table.announce(row.told, facts, clock, sections[table.name], None)
                    staged.append((table, facts, said))
        except (DecodeError, StateRefused):
            raise
        except Exception as error:  # a step that cannot take this event must not stop the others
            raise DecodeError("step_failed", f"{table.name}: {type(error).__name__}") from error
        record.message_ids.add(digest, clock)
        record.watermark = offset
        self.dirty[key] = record  # type: ignore[index]
        self.counts["processed", event["type"]] += 1
        if record.timers and when < clock - self.config.late_ms:
            self._rearm(record)
        if staged:
            self._commit(key, record, staged, clock)  # type: ignore[arg-type]

    def _apply_reserved(self, event: Interaction, entry: LogRecord) -> None:
        key = entry.key or b""
        kind = event["type"]
        if kind == TICK:
            self._reserved.check(event, key)
        elif kind == CONFIG:
            payload = self._reserved.read_config(event, key)
            config = Config(self.tables, payload.number, payload.content)
            if config.version > self.config.version:
                self.config = config
        elif kind == HANDOFF:
            self._receive(self._reserved.read_handoff(event, key), event["personal"], key, entry)
        else:
            raise DecodeError("reserved_unknown", f"type {kind[:20]!r} is not one of ours")
        self.counts["processed", kind] += 1

    # -- one step ------------------------------------------------------------------------------

    def _commit(self, key: bytes, record: CustomerRecord, steps: Sequence[_Staged], now: int,
                *, fired: bool = False) -> None:
        """Put staged steps into the record; then what they tell into the outputs."""
        telling = False
        for table, facts, said in steps:
            name = table.name
            record.rows[name] = Row(table.version, facts, said.told)
            if said.due is not None:
                timer = None if fired else record.timers.get(name)
                timer = record.timers[name] = self._schedule(name, timer, said.due)
                self._arm(key, timer.wake_at)
            elif record.timers:
                record.timers.pop(name, None)
            if said.triggers or said.moves:
                telling = True
        if not telling:
            return
        for table, _facts, said in steps:
            for trigger in said.triggers:
                self._emit(key, record, trigger, now)
            for move in said.moves:
                self._send(key, record, move.to, move.tables or tuple(self._by_name), table.name)

    def _schedule(self, name: str, timer: Timer | None, due: int) -> Timer:
        """When a deadline wakes: after its grace, or, revealed late, once it has settled."""
        config = self.config
        wake_at = due + config.grace_ms
        if timer is not None and timer.revealed_at and wake_at <= self.clock:
            return timer
        if self.clock - wake_at > config.late_ms:
            self.counts["settled", name] += 1
            return Timer(self.clock + config.settle_ms, due, self.clock)
        return Timer(wake_at, due)

    def _rearm(self, record: CustomerRecord) -> None:
        """A record long late has come: what is settling waits on, up to a bound."""
        config = self.config
        for name, timer in record.timers.items():
            if timer.revealed_at:
                wake_at = min(self.clock + config.settle_ms,
                              timer.revealed_at + config.settle_ms_max)
                if wake_at > timer.wake_at:
                    record.timers[name] = Timer(wake_at, timer.due, timer.revealed_at)

    def _emit(self, key: bytes, record: CustomerRecord, trigger: Trigger, now: int) -> None:
        ids: Mapping[str, str] = {}
        if self._ids is not None and self._ids.ids is not None:
            row = record.rows.get(self._ids.name)
            if row is not None:
                ids = self._ids.ids(self._codec.row(self._ids, row).facts)
        cause = msgspec.msgpack.encode((trigger.name, key, trigger.cause))
        value = self._codecs.trigger.encode({
            "trigger_id": hashlib.blake2b(cause, digest_size=16).hexdigest(),
            "name": trigger.name,
            "customer_key": key.decode(),
            "occurred_at": trigger.occurred_at,
            "emitted_at": now,
            "config_version": self.config.label,
            "data": _json(trigger.data),
            "evidence": _json(trigger.evidence),
            "key_id": None,
            "personal": _json({"ids": ids}),
        })
        self.outputs.append(Output(TRIGGER, key, value))
        self.counts["trigger", trigger.name] += 1

    # -- timers --------------------------------------------------------------------------------

    def _arm(self, key: bytes, wake_at: int) -> None:
        """See to it that the heap leads to a timer; a later one needs no entry of its own."""
        armed = self._armed.get(key)
        if armed is None or wake_at < armed:
            self._armed[key] = wake_at
            heapq.heappush(self._heap, (wake_at, key))

    def _arm_next(self, key: bytes, record: CustomerRecord) -> None:
        if record.timers:
            self._arm(key, record.next_wake())

    def _fire(self, offset: int, own: bytes | None) -> None:
        """Step all timers that lie before the clock, in the order (wake_at, key, table)."""
        clock = self.clock
        heap = self._heap
        while heap and heap[0][0] < clock:
            wake_at, key = heapq.heappop(heap)
            if self._armed.get(key) != wake_at:
                continue
            record = self._hot.get(key) or self._load(key)
            if record.watermark >= offset:
                self._ahead.append((record.watermark, wake_at, key))
                continue
            del self._armed[key]
            if record.next_wake() == wake_at:
                for name in sorted(record.timers):
                    if record.timers[name].wake_at == wake_at:
                        self._fire_one(key, record, self._by_name[name], record.timers[name])
                self.dirty[key] = record
                if key == own:
                    self._fired_own = record
                else:
                    record.watermark = offset
            self._arm_next(key, record)

    def _fire_one(self, key: bytes, record: CustomerRecord, table: AnyTable, timer: Timer) -> None:
        config = self.config
        name = table.name
        if not timer.revealed_at and self.clock - timer.wake_at > config.late_ms:
            # The clock jumped past it (an outage): what happened meanwhile may still arrive.
            record.timers[name] = Timer(self.clock + config.settle_ms, timer.due, self.clock)
            self.counts["settled", name] += 1
            return
        now = timer.wake_at
        row = self._codec.row(table, record.rows.get(name))
        try:
            said = table.announce(row.told, row.facts, now, config.sections[name], timer.due)
            if said.due is not None and said.due + config.grace_ms <= now:
                raise ValueError(f"the timer of {name} does not move forward")
        except Exception as error:  # one table's fault must not stop the partition for ever
            assert self._last is not None
            self._reject(self._last, "timer_failed", f"{name}: {type(error).__name__}")
            record.timers.pop(name)
            return
        self._commit(key, record, [(table, row.facts, said)], now, fired=True)
        self._passed("in_timer")

    def _catch_up(self, offset: int) -> None:
        """While the log is read again: timers wait until their customer's watermark is passed."""
        waiting = []
        for item in self._ahead:
            if item[0] < offset:
                heapq.heappush(self._heap, item[1:])
            else:
                waiting.append(item)
        self._ahead = waiting

    # -- handoffs ------------------------------------------------------------------------------

    def _send(self, key: bytes, record: CustomerRecord, to: bytes, names: tuple[str, ...],
              keep: str) -> None:
        """Move rows to another customer: through the log, with coordinates (law 5)."""
        assert self._last is not None
        rows = {
            name: (record.rows.pop(name), record.timers.pop(name, None))
            for name in names
            if name in record.rows and name != keep
        }
        n = self._handoffs[to]
        self._handoffs[to] += 1
        move = Handoff(key, self.partition, self._last.offset, n, self._last.timestamp)
        event = self._reserved.handoff(to, move, self._codec.pack(rows))
        self.outputs.append(Output(HANDOFF, to, self._codecs.interaction.encode(event)))
        self._passed("in_handoff")

    def _receive(self, move: Handoff, rows: bytes, key: bytes, entry: LogRecord) -> None:
        record = self._hot.get(key) or self._load(key)
        if entry.offset <= record.watermark:
            self.counts["repeat", "offset"] += 1
            return
        if record.senders.get(move.partition, (-1, -1)) >= (move.offset, move.n):
            self.counts["repeat", "handoff"] += 1
            return
        staged = []
        timers = dict(record.timers)
        try:
            for name, moved in sorted(self._codec.unpack(rows).items()):
                if name not in self._by_name:
                    raise StateRefused(f"a $handoff holds rows of table {name!r}, which this code "
                                       "does not know: run the newer Footfall that wrote it")
                table = self._by_name[name]
                theirs = self._codec.row(table, moved.row)
                ours = self._codec.row(table, record.rows.get(name))
                facts = table.merge_facts(ours.facts, theirs.facts)
                told = table.merge_told(ours.told, theirs.told)
                said = table.announce(told, facts, self.clock, self.config.sections[name], None)
                timer = _merge_timers(timers.get(name), moved.timer)
                if timer is not None:
                    timers[name] = timer
                staged.append((table, facts, said))
        except StateRefused:
            raise
        except Exception as error:
            raise DecodeError("handoff_failed", type(error).__name__) from error
        record.timers = timers
        record.senders[move.partition] = (move.offset, move.n)
        record.watermark = entry.offset
        self.dirty[key] = record
        self._commit(key, record, staged, self.clock)
        self._arm_next(key, record)

    # -- what cannot be applied ----------------------------------------------------------------

    def _reject(self, entry: LogRecord, reason: str, detail: str) -> None:
        value = self._codecs.rejected.encode({
            "stage": "worker", "reason": reason, "detail": detail, "source": "",
            "rejected_at": max(entry.timestamp, 0), "topic": self.topic,
            "partition": self.partition, "offset": entry.offset, "key_id": None,
            "personal": entry.value or b"",
        })
        self.outputs.append(Output(REJECTED, b"%d" % entry.offset, value))
        self.counts["rejected", reason] += 1

    # -- records -------------------------------------------------------------------------------

    def _load(self, key: bytes) -> CustomerRecord:
        record = self._cooling.pop(key, None)
        if record is None:
            data = self.store.get(key)
            if data is not None:
                record = self._codec.decode(data)
            elif self._is_key(key):
                record = CustomerRecord()
            else:
                raise DecodeError("key_invalid", "the Kafka key is not a customer_key")
        self._hot[key] = record
        return record

    def record(self, key: bytes) -> CustomerRecord | None:
        """The record of a customer as it stands now; None when there is none. For reading only."""
        known = self._hot.get(key) or self._cooling.get(key)
        if known is None and key in self.store:
            known = self._codec.decode(self.store[key])
        return known

    def row(self, key: bytes, name: str) -> Row | None:
        """One table's row of a customer as it stands now. For reading only."""
        record = self.record(key)
        if record is None or name not in record.rows:
            return None
        return self._codec.row(self._by_name[name], record.rows[name])

    def timer_before(self, now: int) -> bool:
        """Whether a timer lies before `now`: then the clock needs a tick if nothing else comes."""
        while self._heap and self._heap[0][0] < now:
            wake_at, key = self._heap[0]
            if self._armed.get(key) == wake_at:
                record = self._hot.get(key) or self._load(key)
                if record.next_wake() == wake_at:
                    return True
                del self._armed[key]
                self._arm_next(key, record)
            heapq.heappop(self._heap)
        return False

    def pass_gap(self, next_offset: int) -> None:
        """Go on at `next_offset`: what lies before holds no record (control records, law 1)."""
        assert next_offset >= self.next_offset
        self.next_offset = next_offset

    def snapshot(self) -> Iterator[tuple[bytes, bytes]]:
        """Encode what changed into the store; gives (key, value) of each. Runs without pause."""
        encode = self._codec.encode
        store = self.store
        changed = []
        for key, record in self.dirty.items():
            value = encode(record)
            store[key] = value
            changed.append((key, value))
        self.dirty = {}
        if len(self._hot) > self._hot_max:
            self._cooling, self._hot = self._hot, {}
        return iter(changed)

    def state(self) -> PartitionState:
        """The `$partition` record as of now; goes with the snapshot taken in the same instant."""
        last = self._last
        if last is None:
            offset, appended, checksum = (
                self._state.last_offset, self._state.last_appended_at, self._state.last_checksum)
        else:
            offset, appended, checksum = last.offset, last.timestamp, log_checksum(last)
        return PartitionState(
            self.next_offset, self.clock, self.config.number, self.config.content,
            offset, appended, checksum,
        )


def log_checksum(entry: LogRecord) -> int:
    """CRC-32 of key and value: tells whether a log still holds the record that was read."""
    return zlib.crc32(entry.value or b"", zlib.crc32(entry.key or b""))


def _merge_timers(ours: Timer | None, theirs: Timer | None) -> Timer | None:
    """Of two timers only a settling one is kept (the one revealed first); deadlines that are not
    late follow anew from the merged row.
    """
    settling = [t for t in (ours, theirs) if t is not None and t.revealed_at]
    if settling:
        return min(settling, key=lambda t: (t.revealed_at, t.due, t.wake_at))
    return ours


def _json(value: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(value, order="sorted")

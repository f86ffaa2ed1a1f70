"""Folds one partition of the log into customer records and triggers: the laws as one pure machine.

Everything comes from the log (law 4): `apply` takes its records in order and is the only way in.
Decides the clock, which timers fire before a record, what is a repeat, which configuration holds.
Gives back outputs and, at a checkpoint, the changed records. Must never read a wall clock, send
anything, or touch another partition; a worker, a replay and a test run the same code.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from footfall.errors import ConfigError, DecodeError, StateRefused
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys, is_customer_key
from footfall.events.interaction import CONFIG, HANDOFF, TICK, UNMERGE, VIOLATION, Interaction
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import Handoff, Unmerge
from footfall.tables import consent_gate, links, timers
from footfall.tables.config import config_of, version_of
from footfall.tables.handoffs import merged, parted
from footfall.tables.linking import EVENT, Linking, Returned, Rows
from footfall.tables.links_row import Letter
from footfall.tables.outputs import Outputs
from footfall.tables.record import CustomerRecord
from footfall.tables.records import Best, Records
from footfall.tables.rules_book import RULES, SEGMENTS
from footfall.tables.ruling import ruling_of
from footfall.tables.schedules import NEVER, Due
from footfall.tables.spec import AnyTable, Output
from footfall.tables.step import Staged, Step
from footfall.tables.stored import MovedRow, PartitionState, Row, Timer

#: What an event or a handoff makes of a customer: staged steps, what they tell (None: nothing, not
#: even moves), and the labels of what the consent gate kept out and of what could not be read.
Stepped = tuple[Sequence[Staged], Sequence[Output] | None, Sequence[str], Sequence[str]]

#: `apply_all` stops for no number of timers.
EVERY_TIMER = -1
NOTHING: Sequence[str] = ()


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


class Fold:
    """The state of one partition and the machine that moves it.

    `best` is what was recovered; the fold takes its contents over.
    `decode` and `is_key` may replace the codec of the log (benchmarks read another schema).
    `passed` is told when a timer or a handoff is on its way (tests end the process there).
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
        best: Best | None = None,
        decode: Callable[[bytes | None], Interaction] | None = None,
        is_key: Callable[[bytes | None], bool] = is_customer_key,
        hot_records_max: int = 100_000,
        passed: Callable[[str], None] = lambda _point: None,
    ) -> None:
        state = state or PartitionState()
        self.partition = partition
        self.tables = sorted(tables, key=lambda t: t.name)
        best = best or Best()
        self.records = Records(self.tables, best, is_key, hot_records_max)
        self.clock = state.clock
        self.next_offset = state.next_offset
        self.config = config_of(self.tables, state.config_number, state.config_content)
        self.outputs: list[Output] = []

        self._codec = self.records.codec
        self._counts: Counter[tuple[str, str]] = Counter()
        #: Those of type "processed", apart: they are counted with each event.
        self._processed: dict[str, int] = {}
        self._encode = Outputs(codecs, reserved, topic, partition)
        self._decode = decode or codecs.interaction.decode
        self._hash = keys.message_hash
        self._key_of = keys.of
        self._fingerprint = keys.fingerprint
        self._reserved = reserved
        self._passed = passed
        self._state = state
        self._last: LogRecord | None = None
        self._lay_out()
        self._ids = next((t for t in self.tables if t.ids is not None), None)
        self._handoffs: Counter[bytes] = Counter()
        self._fired_own: bytes | None = None
        self._timers = timers.Timers(best.wakes)
        #: Whether the last record's unit has timers left: the fold stands between two instants.
        self.open = False
        self._stepped: set[bytes] = set()
        #: Schedules that are being looked at, and the customers who are left.
        self._due: Due | None = None
        self._due_keys: list[bytes] = []
        self._fired_left = EVERY_TIMER

    def _lay_out(self) -> None:
        """What each event needs of the configuration in force, and of each table under it."""
        self._late_ms = self.config.late_ms
        self._grace_ms = self.config.grace_ms
        self._steps = [Step(self._codec.rows[t.name], self.config.sections[t.name],
                            self.config.bound.get(t.name)) for t in self.tables]
        self._by_name = {step.name: step for step in self._steps}
        step = self._by_name.get(links.NAME)
        self._linking: Linking | None = None
        if step is not None:
            self._steps.remove(step)  # it takes letters, never events
            self._linking = Linking(step, self._key_of)
        # They take no events: they are looked at after all others.
        self._last_steps = [one for one in self._steps if one.name in (SEGMENTS, RULES)]
        self._steps = [one for one in self._steps if one not in self._last_steps]
        self._ruling = ruling_of(self._by_name, self.config.book)
        ruling = self._ruling
        self._schedules = None if ruling is None else ruling.schedules(self.clock)
        self._scheduled_at = NEVER if self._schedules is None else self._schedules.next
        self._gate = consent_gate.gate_of(self._steps)

    # -- the log -------------------------------------------------------------------------------

    def apply_all(self, entries: Sequence[LogRecord], appended_until: float,
                  fired_max: int = EVERY_TIMER) -> int:
        """Apply log records in order, up to the first that was appended later (ms) than given; how
        many were. Stops after the timers of `fired_max` customers: then `open` is true, no snapshot
        may be taken, and the next call must begin with the same record.
        """
        self._fired_left = fired_max
        n = 0
        for entry in entries:
            if entry.timestamp > appended_until or not self._apply(entry):
                break
            n += 1
        return n

    def apply(self, entry: LogRecord) -> None:
        """Apply one log record and the timers it releases: one unit, no snapshot between them."""
        self._fired_left = EVERY_TIMER
        self._apply(entry)

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
        if digest in memory:
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

    def _step(self, key: bytes, record: CustomerRecord, event: Interaction, when: int,
              letters: Sequence[Letter] = ()) -> Stepped:
        """What an event makes of a customer; nothing is changed yet."""
        clock = self.clock
        linking = self._linking
        names_new = False
        rows = record.rows
        staged: list[Staged] = []
        told: list[Output] | None = None
        steps: Sequence[Step] = self._steps
        cut, kept_out, unreadable = event, NOTHING, NOTHING
        name = "consent"
        try:
            if self._gate is not None:
                steps, cut, kept_out = self._gate.passed(event, rows, when, clock)
            for step in steps:
                seen = event if step.sees_all else cut
                wants = step.wants
                if wants is None or wants(seen):
                    name = step.name
                    row = rows.get(name)
                    before, told_before = step.rows.read(row)
                    facts = step.observe(before, seen, when)
                    said = step.announce(told_before, facts, clock, step.config, None)
                    if row is not None and facts is before and said.told is told_before:
                        row = None
                    else:
                        row = step.rows.make(facts, said.told)
                        if step.table is self._ids and facts is not before:
                            names_new = True
                    staged.append((step, row, facts, said))
                    if said.triggers or said.moves:
                        told = []
                    if step.unreadable is not None:
                        unreadable = step.unreadable(event)
            # An alias call links also where a newer one is shown.
            if linking is not None and (names_new or letters or linking.is_alert(record)
                                        or event["type"] == "alias"):
                name = links.NAME
                linked = linking.of_event(key, record, event, letters, clock)
                if linked is not None:
                    staged.append(linked)
                    told = []
            if self._ruling is not None:
                name = RULES
                for one in self._ruling.of_event(key, record, staged, cut, (when, clock)):
                    staged.append(one)
                    if one[3].triggers:
                        told = []
            if told is not None:
                told = self._told(key, record, staged, clock)
        except (DecodeError, StateRefused):
            raise
        except Exception as error:  # a step that cannot take this event must not stop the others
            raise DecodeError("step_failed", f"{name}: {type(error).__name__}") from error
        return staged, told, kept_out, unreadable

    def _applied(self, key: bytes, record: CustomerRecord, event: Interaction, when: int,
                 digest: bytes) -> None:
        """Note that an interaction of `key` is taken: what is left to do cannot fail."""
        record.message_ids.add(digest, self.clock)
        record.watermark = self.next_offset - 1
        self.records.touch(key, record)
        kind = event["type"]
        self._processed[kind] = self._processed.get(kind, 0) + 1
        if when < self.clock - self._late_ms:
            self._counts["late", kind] += 1
            if record.timers:
                timers.rearm(record.timers, self.clock, self.config)

    def _take(self, key: bytes, record: CustomerRecord, stepped: Stepped) -> None:
        """Put what an event makes of a customer into its record, and tell it."""
        staged, told, kept_out, unreadable = stepped
        for what in kept_out:
            self._counts["gated", what] += 1
        for signal in unreadable:
            self._counts["unreadable", signal] += 1
        self._commit(key, record, staged)
        if told is not None:
            self._tell(key, record, staged, told)

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
            if not self._receive(move, event["personal"], key, offset):
                return
        elif kind == UNMERGE:
            asked = self._reserved.read_unmerge(event, key)
            if not self._unmerge(asked, event["personal"], key, offset):
                return
        else:
            raise DecodeError("reserved_unknown", f"type {kind[:20]!r} is not one of ours")
        self._processed[kind] = self._processed.get(kind, 0) + 1

    def _reject(self, reason: str, detail: str) -> None:
        entry = self._last
        assert entry is not None
        self.outputs.append(self._encode.rejected(
            entry.offset, entry.timestamp, entry.value, reason, detail))
        self._counts["rejected", reason] += 1

    # -- one step ------------------------------------------------------------------------------

    def _commit(self, key: bytes, record: CustomerRecord, steps: Sequence[Staged], *,
                fired: str = "") -> None:
        """Put staged steps into the record."""
        waiting = record.timers
        for step, row, facts, said in steps:
            name = step.name
            if row is not None:
                record.rows[name] = row
                record.marks = step.rows.marked(record.marks, said.told)
                if step.limited is not None and step.limited(facts):
                    self._counts["limited", name] += 1
            due = said.due
            if due is not None:
                before = None if name == fired else waiting.get(name)
                if (before is None or before.due != due or before.revealed_at
                        or before.wake_at != due + self._grace_ms):
                    timer = timers.schedule(before, due, self.clock, self.config)
                    if timer.revealed_at and timer is not before:
                        self._counts["settled", name] += 1
                    waiting[name] = timer
                    self._timers.arm(key, timer.wake_at)
            elif waiting:
                waiting.pop(name, None)

    def _told(self, key: bytes, record: CustomerRecord, steps: Sequence[Staged], now: int
              ) -> list[Output]:
        """The triggers of staged steps. Before anything changes: one that cannot be encoded is its
        table's fault, like a step that raises.
        """
        told: list[Output] = []
        if not any(said.triggers for _step, _row, _facts, said in steps):
            return told
        ids = self._ids_of(record, steps)
        for step, _row, _facts, said in steps:
            for trigger in said.triggers:
                try:
                    told.append(self._encode.trigger(key, trigger, ids, now, self.config.label))
                except Exception as error:
                    detail = f"{step.name}: {type(error).__name__}"
                    raise DecodeError("step_failed", detail) from error
        return told

    def _ids_of(self, record: CustomerRecord, steps: Sequence[Staged]) -> Mapping[str, str]:
        table = self._ids
        if table is None or table.ids is None:
            return {}
        for step, _row, facts, _said in steps:
            if step.table is table:
                return table.ids(facts)
        return table.ids(self._codec.row(table, record.rows.get(table.name)).facts)

    def _tell(self, key: bytes, record: CustomerRecord, steps: Sequence[Staged],
              told: Sequence[Output]) -> None:
        """Put what committed steps tell into the outputs, then what they move."""
        self.outputs += told
        for step, _row, _facts, said in steps:
            for trigger in said.triggers:
                self._counts["trigger", trigger.name] += 1
            for move in said.moves:
                if move.to != key:  # to oneself it would come back for ever
                    names = tuple(self._by_name) if move.tables is None else move.tables
                    rows: Rows = {
                        name: (self._codec.take(record, name), record.timers.pop(name, None))
                        for name in names if name in record.rows and name != step.name}
                    if move.letters and self._linking is not None:
                        rows |= self._linking.mail(move.letters)
                    self._hand_off(key, move.to, rows)

    # -- timers --------------------------------------------------------------------------------

    def _fire(self, offset: int, own: bytes | None) -> bool:
        """Step all timers that lie before the clock, in the order (wake_at, key, table), and all
        schedules, each before the timers of its instant; False while some are left.
        """
        while self._scheduled_at < self.clock:
            if not (self._fire_timers(self._scheduled_at, offset, own)
                    and self._fire_schedule(offset, own)):
                self.records.make_room()
                return False
        if not self._fire_timers(self.clock, offset, own):
            self.records.make_room()
            return False
        self._stepped = set()
        return True

    def _fire_timers(self, until: int, offset: int, own: bytes | None) -> bool:
        index = self._timers
        stepped = self._stepped
        while (first := index.peek(until)) is not None:
            if not self._fired_left:
                return False
            self._fired_left -= 1
            wake_at, key = first
            record = self.records.get(key)
            if record.watermark >= offset and key not in stepped:
                index.put_off(record.watermark)
                continue
            index.take()
            if record.next_wake() == wake_at:
                stepped.add(key)
                for name in sorted(record.timers):
                    timer = record.timers.get(name)  # a step may have sent others' rows away
                    if timer is not None and timer.wake_at == wake_at:
                        self._fire_one(key, record, self._known(name), timer)
                self.records.touch(key, record)
                if key == own:
                    self._fired_own = key
                else:
                    record.watermark = offset
            index.arm_next(key, record)
        return True

    def _fire_schedule(self, offset: int, own: bytes | None) -> bool:
        """Look at every customer for the schedules that are due next; False while some are left."""
        schedules, ruling = self._schedules, self._ruling
        assert schedules is not None
        assert ruling is not None
        if self._due is None:
            self._due = schedules.due(self.clock)
            self._due_keys = self.records.keys() if self._due.zones else []
        due, waiting = self._due, self._due_keys
        while waiting:
            if not self._fired_left:
                return False
            self._fired_left -= 1
            key = waiting.pop()
            record = self.records.peek(key)
            if record is None or (record.watermark >= offset and key not in self._stepped) or (
                    self._linking is not None and self._linking.is_pointer(record)):
                continue
            try:
                steps = ruling.of_schedule(key, record, due)
                told = self._told(key, record, steps, due.at)
            except Exception as error:  # one customer must not stop the partition for ever
                self._reject("timer_failed", f"{RULES}: {type(error).__name__}")
                continue
            if steps:
                record = self.records.get(key)
                self._stepped.add(key)
                self._commit(key, record, steps)
                self._tell(key, record, steps, told)
                self.records.touch(key, record)
                if key == own:
                    self._fired_own = key
                else:
                    record.watermark = offset
                self._timers.arm_next(key, record)
        self._due = None
        self._scheduled_at = schedules.next
        return True

    def _fire_one(self, key: bytes, record: CustomerRecord, step: Step, timer: Timer) -> None:
        config = self.config
        name = step.name
        if not timer.revealed_at and self.clock - timer.wake_at > config.late_ms:
            # The clock jumped past it: an outage is not taken for everybody's silence.
            record.timers[name] = timers.reveal(timer.due, self.clock, config)
            self._counts["settled", name] += 1
            return
        now = timer.wake_at
        # The grace is not spent twice: what is told is the silence up to `now` less it.
        proven = now - config.grace_ms
        try:
            steps: list[Staged] = []
            if step in self._last_steps:
                if self._ruling is not None:
                    steps += self._ruling.of_timer(key, record, name, proven, timer.due)
            else:
                facts, told_before = step.rows.read(record.rows.get(name))
                said = step.announce(told_before, facts, proven, step.config, timer.due)
                row = None if said.told is told_before else step.rows.make(facts, said.told)
                steps.append((step, row, facts, said))
                if self._ruling is not None:
                    steps += self._ruling.of_steps(key, record, steps, proven)
            for one in steps:
                if one[0] is step and one[3].due is not None and (
                        one[3].due + config.grace_ms <= now):
                    raise ValueError(f"the timer of {name} does not move forward")
            told = self._told(key, record, steps, now)
        except Exception as error:  # one table's fault must not stop the partition for ever
            self._reject("timer_failed", f"{name}: {type(error).__name__}")
            record.timers.pop(name)
            return
        if not steps:  # rules that there were
            record.timers.pop(name)
        self._commit(key, record, steps, fired=name)
        self._tell(key, record, steps, told)
        self._passed("in_timer")

    def timer_before(self, now: int) -> bool:
        """Whether a timer lies before `now`: then the clock needs a tick if nothing else comes."""
        return self.next_timer(now) is not None

    def next_timer(self, before: int) -> int | None:
        """When the first timer or schedule that lies before an instant comes (ms); None where there
        is none.
        """
        scheduled = self._scheduled_at if self._scheduled_at < before else None
        index = self._timers
        if index.ahead:
            index.catch_up(self.next_offset)
        while (first := index.peek(before)) is not None:
            wake_at, key = first
            record = self.records.get(key)
            if record.next_wake() == wake_at:
                return wake_at if scheduled is None else min(wake_at, scheduled)
            index.take()
            index.arm_next(key, record)
        return scheduled

    # -- handoffs ------------------------------------------------------------------------------

    def _hand_off(self, key: bytes, to: bytes, rows: Rows) -> None:
        """Send rows to another customer: through the log, with coordinates (law 5)."""
        assert self._last is not None
        n = self._handoffs[to]
        self._handoffs[to] += 1
        move = Handoff(key, self.partition, self._last.offset, n, self._last.timestamp)
        self.outputs.append(self._encode.handoff(to, move, self._codec.pack(rows)))
        self._passed("in_handoff")

    def _receive(self, move: Handoff, rows: bytes, key: bytes, offset: int) -> bool:
        """Merge rows that were handed off to us; False when they had come before."""
        record = self.records.get(key)
        if offset <= record.watermark:
            self._counts["repeat", "offset"] += 1
            return False
        if record.senders.get(move.partition, (-1, -1)) >= (move.offset, move.n):
            self._counts["repeat", "handoff"] += 1
            return False
        linking = self._linking
        letters: Sequence[Letter] = ()
        path: tuple[bytes, ...] = ()
        try:
            moved = self._codec.unpack(rows)
            if linking is not None:
                mail = linking.opened(moved)
                letters, path = mail.letters, linking.path(mail, move.sender)
                back = linking.returned(key, record, path, mail, moved)
                if back is not None:
                    self._send_back(key, record, moved, back)
                    self._received(key, record, move, offset)
                    return True
                if linking.is_pointer(record):
                    if self._send_on(key, record, moved, letters, path):
                        self._received(key, record, move, offset)
                        return True
                    letters = ()  # they have set it free: what came with them is its own
            stepped, waiting = self._stepped_by(key, record, moved, letters, path)
        except StateRefused:
            raise
        except Exception as error:
            raise DecodeError("handoff_failed", type(error).__name__) from error
        record.timers = waiting
        self._received(key, record, move, offset)
        self._take(key, record, stepped)
        self._timers.arm_next(key, record)
        return True

    def _stepped_by(self, key: bytes, record: CustomerRecord, moved: dict[str, MovedRow],
                    letters: Sequence[Letter], path: tuple[bytes, ...]
                    ) -> tuple[Stepped, dict[str, Timer]]:
        """What a handoff makes of a customer, and the timers of its record; nothing is changed yet.
        """
        linking = self._linking
        part = None if linking is None else moved.pop(EVENT, None)
        if linking is not None and part is not None:
            when, value = linking.passed_event(part)
            event = self._decode(value)
            waiting = record.timers
            if when < self.clock - self._late_ms and waiting:
                waiting = dict(waiting)
                timers.rearm(waiting, self.clock, self.config)
            return self._step(key, record, event, when, linking.for_a_root(letters)), waiting
        staged: list[Staged] = []
        waiting = record.timers
        for name in sorted(moved):
            self._known(name)
        if moved or not letters:
            staged, waiting = merged(record, moved, [*self._steps, *self._last_steps],
                                     clock=self.clock, config=self.config)
        if linking is not None and letters:
            staged.append(linking.of_letters(key, record, letters, self.clock, path))
        if self._ruling is not None:
            if moved:
                staged = self._ruling.of_merge(key, record, staged, self.clock)
            else:
                staged += self._ruling.of_steps(key, record, staged, self.clock)
        return (staged, self._told(key, record, staged, self.clock), NOTHING, NOTHING), waiting

    def _received(self, key: bytes, record: CustomerRecord, move: Handoff, offset: int) -> None:
        """Note that a handoff is taken: what is left to do cannot fail."""
        record.senders[move.partition] = (move.offset, move.n)
        record.watermark = offset
        self.records.touch(key, record)

    def _send_on(self, key: bytes, record: CustomerRecord, moved: Mapping[str, MovedRow],
                 letters: Sequence[Letter], path: tuple[bytes, ...]) -> bool:
        """At a pointer: read letters, and send what came with them to the owner; False where they
        have set it free.
        """
        linking = self._linking
        assert linking is not None
        linked = linking.of_letters(key, record, letters, self.clock)
        self._commit(key, record, [linked])
        said = linked[3]
        owner = said.told.owner
        goes_on = bool(owner and moved)
        own: Sequence[Letter] = ()
        for one in said.moves:
            if goes_on and one.to == owner:
                own = one.letters  # they go with the rows
            else:
                self._hand_off(key, one.to,
                               linking.mail(one.letters, path if one.to == owner else ()))
        if goes_on:
            self._pass_on(key, owner, moved, linking.through(key, own, path))
        return bool(owner)

    def _send_back(self, key: bytes, record: CustomerRecord, moved: Mapping[str, MovedRow],
                   back: Returned) -> None:
        """Send what is not for us back as it came; letters that are for us are read."""
        linking = self._linking
        assert linking is not None
        to, going, path, ours = back
        linked = linking.of_letters(key, record, ours, self.clock)
        told = self._told(key, record, [linked], self.clock)
        self._commit(key, record, [linked])
        self._tell(key, record, [linked], told)  # letters that say why go first
        self._pass_on(key, to, moved, linking.mail(going, path, is_returned=True))
        self._timers.arm_next(key, record)

    def _pass_on(self, key: bytes, to: bytes, rows: Mapping[str, MovedRow], mail: Rows) -> None:
        """Send what came to a customer to another, as it came."""
        parts: Rows = {name: (part.row, part.timer) for name, part in rows.items()}
        self._hand_off(key, to, parts | mail)

    def _unmerge(self, asked: Unmerge, sides: bytes, key: bytes, offset: int) -> bool:
        """Take identifiers and what they did out of a customer; False where it is not as it was
        when the administrator read the log: then the facts given are not those of now.
        """
        record = self.records.get(key)
        linking = self._linking
        if offset <= record.watermark:
            self._counts["repeat", "offset"] += 1
            return False
        if linking is None or record.watermark != asked.watermark:
            self._counts["repeat", "unmerge"] += 1
            return False
        try:
            stay, leave = self._codec.unpack_sides(sides)
            for name in sorted(stay.keys() | leave.keys()):
                self._known(name)
            staged, rows = parted(record, stay, leave, [*self._steps, *self._last_steps],
                                  self.clock)
            if self._ruling is not None:
                staged = self._ruling.of_merge(key, record, staged, self.clock)
            linked, letter = linking.parted(key, record, asked, (self.partition, offset),
                                            self.clock)
            staged.append(linked)
            told = self._told(key, record, staged, self.clock)
        except StateRefused:
            raise
        except Exception as error:
            raise DecodeError("unmerge_failed", type(error).__name__) from error
        record.watermark = offset
        self.records.touch(key, record)
        self._commit(key, record, staged)
        self._tell(key, record, staged, told)
        self._hand_off(key, asked.leaving[0], rows | linking.mail((letter,), is_returned=True))
        self._timers.arm_next(key, record)
        return True

    # -- reading -------------------------------------------------------------------------------

    def _known(self, name: str) -> Step:
        step = self._by_name.get(name)
        if step is None:
            raise StateRefused(f"rows of table {name!r} are here, which this code does not know: "
                               "run the newer Footfall that wrote them")
        return step

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
            self._fingerprint)


def log_checksum(entry: LogRecord) -> int:
    """CRC-32 of key and value: tells whether a log still holds the record that was read."""
    return zlib.crc32(entry.value or b"", zlib.crc32(entry.key or b""))

"""What time brings: the timers and schedules that the clock has passed.

Decides their order (all before the record that moved the clock; by time, customer, table; a
schedule before the timers of its instant), that a customer whose record lies further on is left as
it is, and which deadlines are not told at once since the clock jumped past them. Of what an import
reveals, deadlines that are past are over at once, and told to nobody: in a history of years every
silence has ended. Must never read any clock but the log's, nor let one customer's or table's fault
stop the partition.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final

import msgspec

from footfall.tables import timers
from footfall.tables.fold_steps import FoldSteps, Stepped
from footfall.tables.import_ledger import ImportLedger, cause_hash
from footfall.tables.record import CustomerRecord
from footfall.tables.rules_book import RULES, SEGMENTS
from footfall.tables.step import Staged, Step
from footfall.tables.stored import Timer

#: Timers that one record of an import may fire: each moves forward, so more is a table's fault.
FIRED_PAST_MAX: Final = 64
_LOOKED_AT_TOGETHER: Final = frozenset({SEGMENTS, RULES})


class FoldTimers(FoldSteps):
    """A partition whose timers and schedules fire."""

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
        self._fire_due(key, record, step, timer, timer.wake_at)

    def _fire_due(self, key: bytes, record: CustomerRecord, step: Step, timer: Timer, now: int
                  ) -> None:
        """Step a table whose timer has come, as of `now`."""
        config = self.config
        name = step.name
        # The grace is not spent twice: what is told is the silence up to `now` less it.
        proven = now - config.grace_ms
        try:
            steps = self._due_steps(key, record, step, timer.due, proven)
            if record.imports is not None and record.imports.muted and not self._muted:
                steps = self._less_muted(record.imports, steps)
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

    def _due_steps(self, key: bytes, record: CustomerRecord, step: Step, due: int, proven: int
                   ) -> list[Staged]:
        """What a table's timer, set for `due`, makes of a customer; nothing is changed yet."""
        steps: list[Staged] = []
        name = step.name
        if step in self._last_steps:
            if self._ruling is not None:
                steps += self._ruling.of_timer(key, record, name, proven, due)
        else:
            facts, told_before = step.rows.read(record.rows.get(name))
            said = step.announce(told_before, facts, proven, step.config, due)
            row = None if said.told is told_before else step.rows.make(facts, said.told)
            steps.append((step, row, facts, said))
            if self._ruling is not None:
                steps += self._ruling.of_steps(key, record, steps, proven)
        return steps

    # -- what an import causes -----------------------------------------------------------------

    def _take_muted(self, key: bytes, record: CustomerRecord, stepped: Stepped, *, is_event: bool
                    ) -> None:
        """Put what an import makes of a customer into its record, and tell nobody.

        A timer that settles waits for a live cause: it goes on, and what an imported event adds to
        it is told to nobody once it fires. (Rows that joined may add live causes of their own.)
        """
        staged, told, kept_out, unreadable = stepped
        self._count(kept_out, unreadable)
        settling = sorted(name for name, timer in record.timers.items() if timer.revealed_at)
        if not _LOOKED_AT_TOGETHER.isdisjoint(settling):
            settling = sorted({*settling, *_LOOKED_AT_TOGETHER})
        before = self._causes(key, record, settling) if is_event else set()
        self._commit(key, record, staged)
        self._fire_past(key, record, settling)
        if is_event and settling:
            self._mute(record, sorted(self._causes(key, record, settling) - before))
        if told is not None:
            self._tell(key, record, staged, told)

    def _fire_past(self, key: bytes, record: CustomerRecord, but: Container[str]) -> None:
        """Fire what an import revealed as past, until none is left."""
        now = self.clock - 1  # timers fire before the clock, here too
        for _ in range(FIRED_PAST_MAX):
            past = [name for name, timer in record.timers.items()
                    if timer.due + self._grace_ms <= now and name not in but]
            if not past:
                return
            name = min(past)
            self._fire_due(key, record, self._known(name), record.timers[name], now)
        for name in past:
            self._reject("timer_failed", f"{name}: does not come to an end")
            del record.timers[name]

    def _causes(self, key: bytes, record: CustomerRecord, names: list[str]) -> set[bytes]:
        """What the timers of these tables would tell if they fired now."""
        found: set[bytes] = set()
        for name in names:
            timer = record.timers.get(name)
            if timer is None or not timer.revealed_at:
                continue
            try:
                steps = self._due_steps(key, record, self._known(name), timer.due,
                                        self.clock - 1 - self._grace_ms)
                found.update(cause_hash(trigger) for _step, _row, _facts, said in steps
                             for trigger in said.triggers)
            except Exception:  # noqa: S112 - it is counted when the timer fires
                continue
        return found

    def _mute(self, record: CustomerRecord, causes: Sequence[bytes]) -> None:
        """Let what timers that settle will tell of these be told to nobody."""
        if causes:
            if record.imports is None:
                record.imports = ImportLedger()
            for cause in causes:
                record.imports.mute(cause)

    def _less_muted(self, imports: ImportLedger, steps: list[Staged]) -> list[Staged]:
        """Staged steps of a timer without the triggers that only an import caused."""
        found: list[Staged] = []
        for step, row, facts, said in steps:
            live = []
            for trigger in said.triggers:
                if imports.unmute(cause_hash(trigger)):
                    self._counts["muted", trigger.name] += 1
                else:
                    live.append(trigger)
            if len(live) < len(said.triggers):
                said = msgspec.structs.replace(said, triggers=tuple(live))  # noqa: PLW2901
            found.append((step, row, facts, said))
        return found

    # -- what comes next -----------------------------------------------------------------------

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

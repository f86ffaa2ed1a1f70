"""What time brings: the timers and schedules that the clock has passed.

Decides their order (all before the record that moved the clock; by time, customer, table; a
schedule before the timers of its instant), that a customer whose record lies further on is left as
it is, and which deadlines are not told at once since the clock jumped past them. Must never read
any clock but the log's, nor let one customer's or table's fault stop the partition.
"""

from __future__ import annotations

from footfall.tables import timers
from footfall.tables.fold_steps import FoldSteps
from footfall.tables.record import CustomerRecord
from footfall.tables.rules_book import RULES
from footfall.tables.step import Staged, Step
from footfall.tables.stored import Timer


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

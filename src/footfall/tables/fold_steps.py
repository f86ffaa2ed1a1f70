"""One step of a customer: what an event makes of it, put into its record, and told.

Decides what is staged before anything changes, so that a step which fails changes nothing, and the
order: rows and timers first, then triggers, then what moves to others, through the log (law 5).
Must never put a part of what was staged into a record, nor touch another customer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from footfall.errors import DecodeError, StateRefused
from footfall.events import integrations
from footfall.events.interaction import DELIVERY, Interaction
from footfall.events.outcomes import is_activity
from footfall.events.reserved_row import Handoff
from footfall.tables import links, timers
from footfall.tables.fold_state import FoldState
from footfall.tables.linking import Rows
from footfall.tables.links_row import Letter
from footfall.tables.record import CustomerRecord
from footfall.tables.rules_book import RULES
from footfall.tables.spec import Output
from footfall.tables.step import Staged, Step

#: What an event or a handoff makes of a customer: staged steps, what they tell (None: nothing, not
#: even moves), and the labels of what the consent gate kept out and of what could not be read.
Stepped = tuple[Sequence[Staged], Sequence[Output] | None, Sequence[str], Sequence[str]]

NOTHING: Sequence[str] = ()
#: How triggers end that tell of a table's level.
LEVEL_CHANGED: Final = "_level_changed"
#: In the place of a table's name: causes that timers which go along are to tell to nobody.
MUTED: Final = "$muted"


class FoldSteps(FoldState):
    """A partition whose customers can be stepped."""

    def _step(self, key: bytes, record: CustomerRecord, event: Interaction, when: int,
              letters: Sequence[Letter] = ()) -> Stepped:
        """What an event makes of a customer; nothing is changed yet."""
        clock = self.clock
        linking = self._linking
        names_new = False
        rows = record.rows
        staged: list[Staged] = []
        told: list[Output] | None = None
        steps: Sequence[Step] = self._steps if is_activity(event) else self._passive_steps
        cut, kept_out, unreadable = event, NOTHING, NOTHING
        name = "consent"
        try:
            if self._gate is not None:
                steps, cut, kept_out = self._gate.passed(event, steps, rows, when, clock)
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
            if linking is not None and (names_new or letters or event["type"] == "alias" or (
                    linking.is_alert(record) and event["type"] != DELIVERY)):
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
                told = self._told(key, record, staged, clock, event)
        except (DecodeError, StateRefused):
            raise
        except Exception as error:  # a step that cannot take this event must not stop the others
            raise DecodeError("step_failed", f"{name}: {type(error).__name__}") from error
        return staged, told, kept_out, unreadable

    def _take(self, key: bytes, record: CustomerRecord, stepped: Stepped) -> None:
        """Put what an event makes of a customer into its record, and tell it."""
        staged, told, kept_out, unreadable = stepped
        if kept_out or unreadable:
            self._count(kept_out, unreadable)
        self._commit(key, record, staged)
        if told is not None:
            self._tell(key, record, staged, told)

    def _count(self, kept_out: Sequence[str], unreadable: Sequence[str]) -> None:
        for what in kept_out:
            self._counts["gated", what] += 1
        for signal in unreadable:
            self._counts["unreadable", signal] += 1

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
                    if timer.revealed_at and timer is not before and not self._muted:
                        self._counts["settled", name] += 1
                    waiting[name] = timer
                    self._timers.arm(key, timer.wake_at)
            elif waiting:
                waiting.pop(name, None)

    def _told(self, key: bytes, record: CustomerRecord, steps: Sequence[Staged], now: int,
              event: Interaction | None = None) -> list[Output]:
        """The triggers of staged steps, with what they have of the event that caused them. Before
        anything changes: one that cannot be encoded is its table's fault, like a step that raises.
        """
        told: list[Output] = []
        if not any(said.triggers for _step, _row, _facts, said in steps) or self._muted:
            return told
        ids = self._ids_of(record, steps)
        depth, allowed = (0, b"") if event is None else self._caused_by(event)
        for step, _row, _facts, said in steps:
            for said_trigger in said.triggers:
                trigger = said_trigger
                if depth > trigger.depth or allowed:
                    trigger = trigger._replace(depth=max(depth, trigger.depth),
                                               integrations=allowed)
                try:
                    told.append(self._encode.trigger(key, trigger, ids, now, self.config.label))
                except Exception as error:
                    detail = f"{step.name}: {type(error).__name__}"
                    raise DecodeError("step_failed", detail) from error
        return told

    def _caused_by(self, event: Interaction) -> tuple[int, bytes]:
        """Depth and `integrations` of the triggers that an event causes at once."""
        depth = event.get("depth", 0)
        allowed, is_cut = integrations.carried(event["personal"])
        if is_cut:
            self._counts["limited", "integrations"] += 1
        return depth, allowed

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
        """Put what committed steps tell into the outputs, then what they move. What is muted was
        put into `told` of the rows, and of the outputs it has none.
        """
        self.outputs += told
        for step, _row, _facts, said in steps:
            for trigger in said.triggers:
                self._counts["muted" if self._muted else "trigger", trigger.name] += 1
                level = step.table.level
                if level is not None and trigger.name.endswith(LEVEL_CHANGED) and not self._muted:
                    self._counts["entered", f"{step.name} {level(said.told)}"] += 1
            for move in said.moves:
                if move.to != key:  # to oneself it would come back for ever
                    names = tuple(self._by_name) if move.tables is None else move.tables
                    rows: Rows = {
                        name: (self._codec.take(record, name), record.timers.pop(name, None))
                        for name in names if name in record.rows and name != step.name}
                    if rows and record.imports is not None:
                        rows |= self._muted_causes(record)
                    if move.letters and self._linking is not None:
                        rows |= self._linking.mail(move.letters)
                    self._hand_off(key, move.to, rows)

    def _muted_causes(self, record: CustomerRecord) -> Rows:
        """What timers of this customer are to tell to nobody, as a row of a handoff."""
        imports = record.imports
        if imports is None or not imports.muted:
            return {}
        return {MUTED: (msgspec.Raw(msgspec.msgpack.encode(bytes(imports.muted))), None)}

    def _hand_off(self, key: bytes, to: bytes, rows: Rows) -> None:
        """Send rows to another customer: through the log, with coordinates (law 5)."""
        assert self._last is not None
        n = self._handoffs[to]
        self._handoffs[to] += 1
        move = Handoff(key, self.partition, self._last.offset, n, self._last.timestamp,
                       self._muted)
        self.outputs.append(self._encode.handoff(to, move, self._codec.pack(rows)))
        self._passed("in_handoff")

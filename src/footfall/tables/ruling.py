"""Where segments and rules meet the fold: after all tables of a step, in the same step.

Decides when they are looked at (an event, a trigger, a change of what they depend on, a timer, rows
that joined), and as of when: a change that time alone makes is told by a timer only, so that a late
event cannot make it early (law 4). Reads the customer's other rows as the step leaves them and
changes none but its own two. Whether a rule fires is `rules_firing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from footfall.events.interaction import Interaction
from footfall.tables import rules_firing, segments_changes
from footfall.tables.record import CustomerRecord
from footfall.tables.rules_aggregates import AGGREGATE
from footfall.tables.rules_book import RULES, SEGMENTS, Book
from footfall.tables.rules_conditions import SEGMENT
from footfall.tables.rules_fields import Seen
from footfall.tables.rules_happening import Happening
from footfall.tables.schedules import Due, Schedules, zone_of
from footfall.tables.spec import Trigger
from footfall.tables.step import Staged, Step

NOTHING: Final[Sequence[Staged]] = ()
NO_TRIGGERS: Final[Sequence[Trigger]] = ()
_COMPUTED: Final = "computed"
_PROFILE: Final = "profile"


class Ruling:
    """The rules and segments of one partition's customers, under the configuration in force."""

    def __init__(self, steps: dict[str, Step], book: Book) -> None:
        self._steps = steps
        self._segments = steps[SEGMENTS]
        self._rules = steps[RULES]
        self._book = book
        self._config = book.config
        self._entry = book.entry
        self._listened = frozenset(book.listened)
        self._tokens = book.tokens
        self._tables = frozenset(t for t in book.tokens if not t.startswith((AGGREGATE, SEGMENT)))
        self._has_aggregates = any(token.startswith(AGGREGATE) for token in book.tokens)
        self._has_conditions = bool(book.segments or book.whens)
        #: The rows that say under which configuration a customer was last looked at.
        self._kept = [name for name, there in ((SEGMENTS, book.segments), (RULES, book.whens))
                      if there]
        nobody = Seen(steps, CustomerRecord(), (), None, 0)
        for one in book.segments:
            one.is_of_nobody = one.condition.holds(nobody)
        for rule in book.whens:
            rule.is_of_nobody = rule.when.holds(nobody)

    def of_event(self, key: bytes, record: CustomerRecord, staged: Sequence[Staged],
                 event: Interaction, times: tuple[int, int]) -> Sequence[Staged]:
        """What follows from an event; `times`: when it happened, the clock when it is stepped."""
        when, now = times
        entry = self._entry(event)
        triggers = self._triggers(staged)
        if entry is None and not triggers and not self._has_conditions:
            return NOTHING
        is_new = not record.rows
        changed = self._changed(record, staged, is_new=is_new)
        if entry is None and not triggers and changed is not None and not changed and not is_new:
            return NOTHING
        seen = Seen(self._steps, record, staged, event, now)
        if entry is not None:
            seen.paths = entry.paths
        return self._settled(key, seen, Happening(entry, when, triggers, changed, (), is_new))

    def of_steps(self, key: bytes, record: CustomerRecord, staged: Sequence[Staged], now: int
                 ) -> Sequence[Staged]:
        """What follows from timers of other tables, or from letters."""
        triggers = self._triggers(staged)
        if not triggers and not self._has_conditions:
            return NOTHING
        changed = self._changed(record, staged, is_new=False)
        if not triggers and changed is not None and not changed:
            return NOTHING
        seen = Seen(self._steps, record, staged, None, now)
        return self._settled(key, seen, Happening(None, now, triggers, changed))

    def of_merge(self, key: bytes, record: CustomerRecord, staged: Sequence[Staged], now: int
                 ) -> list[Staged]:
        """All steps of a merge, with the two tables' own looked at once more."""
        seen = Seen(self._steps, record, staged, None, now)
        ours = (SEGMENTS, RULES)
        others = [one for one in staged if one[0].name not in ours]
        found = self._settled(key, seen, Happening(None, now, self._triggers(others), None,
                                                   is_join=True))
        return [*others, *found]

    def of_timer(self, key: bytes, record: CustomerRecord, name: str, now: int, due: int
                 ) -> Sequence[Staged]:
        """What a timer of one of the two tables, set for `due`, tells at `now`. Where the other
        one's comes at the same instant, both are looked at: a rule must not see segments of before.
        """
        mine = record.timers[name]
        come = [one for one in (SEGMENTS, RULES)
                if (timer := record.timers.get(one)) is not None
                and (timer.wake_at, timer.revealed_at) == (mine.wake_at, mine.revealed_at)]
        changed = self._changed(record, NOTHING, is_new=False)
        seen = Seen(self._steps, record, (), None, now)
        return self._settled(key, seen, Happening(None, due, NO_TRIGGERS, changed, come))

    def of_schedule(self, key: bytes, record: CustomerRecord, due: Due) -> Sequence[Staged]:
        """What the schedules that are due tell of one customer."""
        seen = Seen(self._steps, record, (), None, due.at)
        zone = zone_of(seen.row(_PROFILE)[0]) if _PROFILE in self._steps else ""
        rules = tuple(due.of(zone))
        if not rules:
            return NOTHING
        return self._settled(key, seen, Happening(None, due.at, NO_TRIGGERS, frozenset(),
                                                  scheduled=rules))

    def schedules(self, at: int) -> Schedules | None:
        """The schedules of rules from an instant on; None: there are none."""
        rules = [rule for rule in self._book.rules if rule.said.on.schedule is not None]
        return Schedules(rules, at) if rules else None

    def _settled(self, key: bytes, seen: Seen, happening: Happening) -> list[Staged]:
        made: list[Staged] = []
        book = self._book
        if self._has_conditions and book.segments:
            found = segments_changes.settled(self._segments, book, seen, happening)
            if found is not None:
                made.append(found)
                seen.stage((found,))
                happening = happening.with_segments(found[3].triggers, self._listened)
        if book.rules:
            found = rules_firing.settled(self._rules, book, key, seen, happening)
            if found is not None:
                made.append(found)
        return made

    def _triggers(self, staged: Sequence[Staged]) -> Sequence[Trigger]:
        found: list[Trigger] | None = None
        for _step, _row, _facts, said in staged:
            for trigger in said.triggers:
                if trigger.name in self._listened:
                    if found is None:
                        found = []
                    found.append(trigger)
        return NO_TRIGGERS if found is None else found

    def _changed(self, record: CustomerRecord, staged: Sequence[Staged], *, is_new: bool
                 ) -> frozenset[str] | None:
        """What changed of what conditions depend on; None: anything may have, for the customer was
        not looked at under this configuration.
        """
        if not self._has_conditions:
            return frozenset()
        if not is_new:
            for name in self._kept:
                if self._steps[name].rows.read(record.rows.get(name))[1].config != self._config:
                    return None
        found: list[str] = []
        for step, row, facts, _said in staged:
            if row is None:
                continue
            name = step.name
            if name in self._tables:
                found.append(name)
            if name == _COMPUTED and self._has_aggregates:
                before = set(step.rows.read(record.rows.get(name))[0].entries)
                found += [f"{AGGREGATE}{entry[:8].hex()}" for entry in facts.entries
                          if entry not in before]
        return frozenset(found)


def ruling_of(steps: dict[str, Step], book: Book) -> Ruling | None:
    """The rules and segments in force; None where there are none."""
    return Ruling(steps, book) if book.rules or book.segments else None

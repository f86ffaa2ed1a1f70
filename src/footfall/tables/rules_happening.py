"""What rules and segments are looked at for, and a rule that is about to fire, as data.

Decides nothing. Stays interpreted (setup.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from footfall.tables.rules_book import CompiledRule, Entry
from footfall.tables.rules_conditions import SEGMENT
from footfall.tables.spec import Trigger

Cause = tuple[str | int, ...]


class Happening(NamedTuple):
    """What rules and segments are looked at for: an event and when it happened, triggers, what
    changed (None: anything may have), or the timer of a table.
    """

    entry: Entry | None
    at: int
    triggers: Sequence[Trigger]
    changed: frozenset[str] | None
    #: The tables whose timers have come.
    timers: Sequence[str] = ()
    #: The customer has nothing yet.
    is_new: bool = False
    #: Rows have joined: those that are seen are not yet in the record.
    is_join: bool = False
    #: Rules whose schedule has come, with the local date.
    scheduled: Sequence[tuple[CompiledRule, date]] = ()

    def is_due(self, table: str, told: Any) -> bool:
        """Whether a row is staged also where nothing changed: for its timer, or to be kept."""
        return table in self.timers or (self.is_join and told != type(told)())

    def has_come(self, table: str, check_at: int, now: int) -> bool:
        """Whether an instant at which time alone may change something has come, by the timer."""
        return 0 < check_at <= now and table in self.timers

    def with_segments(self, told: Sequence[Trigger], listened: frozenset[str]) -> Happening:
        """The same with what segments told."""
        changed = self.changed
        if changed is not None and told:
            changed = changed | {f"{SEGMENT}{trigger.data['segment']}" for trigger in told}
        heard = [trigger for trigger in told if trigger.name in listened]
        return self._replace(changed=changed, triggers=[*self.triggers, *heard])


class Firing(NamedTuple):
    """A rule that is about to fire."""

    rule: CompiledRule
    at: int
    cause: Cause
    key: str
    on: dict[str, Any]
    trigger: Trigger | None
    depth: int

"""Who enters and leaves a segment at a step.

Decides which segments are looked at (those whose inputs changed, whose instant has come, or all
after another configuration) and tells each change once. Must never look at a rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from footfall.tables.cart_triggers import instant
from footfall.tables.rules_book import SEGMENTS, Book, CompiledSegment
from footfall.tables.rules_fields import Seen
from footfall.tables.rules_firing import is_concerned, judged, within
from footfall.tables.rules_happening import Happening
from footfall.tables.segments_row import Membership, SegmentsTold
from footfall.tables.spec import Announcement, Trigger
from footfall.tables.step import Staged, Step


def settled(step: Step, book: Book, seen: Seen, happening: Happening) -> Staged | None:
    """The row of segments after a step; None where it stays as it is."""
    facts, told = seen.row(SEGMENTS)
    known = {one.segment: one for one in told.memberships}
    triggers: list[Trigger] = []
    turned: set[str] = set()
    made = dict(known)
    for segment in book.segments:
        before = known.get(segment.code)
        is_fired = before is not None and happening.has_come(SEGMENTS, before.check_at, seen.now)
        if (is_fired or not turned.isdisjoint(segment.asked)
                or is_concerned(segment.condition, happening, is_of_nobody=segment.is_of_nobody)):
            after = _membership(segment, before, seen, is_fired=is_fired, triggers=triggers)
            if after is not None:
                made[segment.code] = after
            if len(triggers) > len(turned):  # those that ask for it follow
                turned.add(segment.said.name)
                seen.stage(((step, None, facts, Announcement(_told(book.config, made))),))
    after_told, config = told, book.config
    if happening.changed is None or happening.is_new:  # all were looked at
        there = {segment.code for segment in book.segments}
        made = {code: one for code, one in made.items() if code in there}
        if config != told.config:
            after_told = SegmentsTold(config, ())
    if made != known or after_told is not told:
        after_told = _told(config, made)
    if after_told is told and not happening.is_due(SEGMENTS, told):
        return None
    row = None if after_told is told and not happening.is_join else step.rows.make(
        facts, after_told)
    return step, row, facts, Announcement(after_told, _due(made.values()), tuple(triggers))


def _told(config: int, made: Mapping[int, Membership]) -> SegmentsTold:
    return SegmentsTold(config, tuple(made[code] for code in sorted(made)))


def _membership(segment: CompiledSegment, before: Membership | None, seen: Seen, *,
                is_fired: bool, triggers: list[Trigger]) -> Membership | None:
    """A membership as it is now; None where there was none and is none."""
    held = before is not None and before.holds
    checked = 0 if before is None else before.check_at
    holds, check_at, at = judged(segment.condition, seen, checked, is_fired=is_fired)
    if holds == held:
        if before is None:
            return Membership(segment.code, False, 0, 0, check_at) if check_at else None
        if check_at == before.check_at:
            return before
        return Membership(segment.code, held, before.since, before.changes, check_at)
    changes = 1 if before is None else before.changes + 1
    said = segment.said
    cause = said.name, changes, at
    data: dict[str, Any] = {"segment": said.name, "version": said.version}
    evidence = within({"because": "time" if is_fired else "event", "changes": changes,
                       "conditions": segment.condition.evidence(seen)})
    if before is not None and held:
        data |= {"since": instant(before.since), "until": instant(at)}
        triggers.append(Trigger("segment_left", cause, at, data, evidence))
    else:
        data |= {"since": instant(at), "until": None}
        triggers.append(Trigger("segment_entered", cause, at, data, evidence))
    return Membership(segment.code, holds, at, changes, check_at)


def _due(memberships: Iterable[Membership]) -> int | None:
    return min((one.check_at for one in memberships if one.check_at), default=None)

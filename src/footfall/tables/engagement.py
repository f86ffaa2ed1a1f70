"""How engaged a customer is: tells `session_started`, `engagement_level_changed` and
`customer_dormant`.

What happened is kept in `engagement_facts.py`, the score is `engagement_score.py`;
`engagement_triggers.py` has the triggers' fields, `engagement_view.py` the row for people. This
file decides when something is told, once (law 3):
- A session is told with the event that shows it, while it is on (its newest event at most 30
  minutes before the clock) and if it began after the newest event of every session told. So neither
  a late event nor a merge, which can only make a told session longer, tells it again; a session
  found only when it is over is never told, one found late but still on is.
- The level is told when it differs from the one told last: risen, with the event that raised it;
  fallen, by a timer only. A fall is told at the instant at which the score falls, exactly.
  `check_at` is that instant as of the first event of the newest event's day. With more events of
  the same day it can only move away, so it need not be computed again with each: the timer then
  comes too early, by less than a day, tells nothing and asks for the exact instant. So a silence
  wakes a customer at most five times: once too early, at three levels, and for dormancy.
- A customer is dormant `dormant_s` after the newest event, once a silence. While a deadline is past
  and waits to settle, later activity that is itself past does not move the cause: it stays the
  first deadline. Activity at or before the deadline told starts no new silence.
Must never tell by time when it is not a timer that asks, nor remember trigger ids.
"""

from __future__ import annotations

from footfall.tables import (
    engagement_facts,
    engagement_fields,
    engagement_triggers,
    engagement_view,
)
from footfall.tables.engagement_row import Change, EngagementConfig, EngagementFacts, EngagementTold
from footfall.tables.engagement_score import activity, falls_below, score
from footfall.tables.engagement_sessions import IDLE_MS
from footfall.tables.engagement_windows import DAY_MS
from footfall.tables.spec import Announcement, Reads, TableSpec, Trigger, wants_all

LEVELS = engagement_fields.LEVELS


def announce(told: EngagementTold, facts: EngagementFacts, now: int, config: EngagementConfig,
             fired: int | None) -> Announcement[EngagementTold]:
    """Tell what there is to tell, and when to be asked again."""
    if not facts.kinds:
        return Announcement(told)
    last = facts.last
    triggers: tuple[Trigger, ...] = ()

    session_until = told.session_until
    first = last - facts.session_ms
    if first <= session_until:
        if last > session_until:
            session_until = last
    elif fired is None and now - last <= IDLE_MS:
        triggers = (engagement_triggers.started(facts, first),)
        session_until = last

    level, changes, day, floor, check_at = (
        told.level, told.changes, told.day, told.floor, told.check_at)
    silent = 0 if now - last < DAY_MS else (now - last) // DAY_MS
    points = sum(score(activity(facts, silent)))
    reached = (3 if points >= config.high else 2 if points >= config.medium
               else 1 if points >= config.low else 0)
    if reached != level and (reached > level or fired is not None):
        least_score = {name: getattr(config, name) for name in LEVELS[1:]}
        at = now if reached > level else falls_below(facts, least_score[LEVELS[reached + 1]])
        changes += 1
        change = Change(changes, LEVELS[level], LEVELS[reached], at)
        triggers += (engagement_triggers.level_changed(change, facts, silent, least_score),)
        level, day = reached, -1
    due: int | None = None
    if level:
        least = config.high if level == 3 else config.medium if level == 2 else config.low
        today = last // DAY_MS
        if day != today or floor != least or check_at <= now:
            day, floor, check_at = today, least, falls_below(facts, least)
        due = check_at
    else:
        day = floor = check_at = 0

    silent_since, dormant_until = last, told.dormant_until
    if last > dormant_until:
        dormant_ms = config.dormant_s * 1000
        deadline = last + dormant_ms
        if deadline <= now and dormant_until < told.silent_since <= now - dormant_ms:
            silent_since = told.silent_since
        if fired is not None and deadline <= now:
            cause = silent_since + dormant_ms
            triggers += (engagement_triggers.dormant(facts, cause, now, dormant_ms),)
            dormant_until = deadline
        elif due is None or deadline < due:
            due = deadline
    return Announcement(
        EngagementTold(level, changes, day, floor, check_at, session_until, silent_since,
                       dormant_until), due, triggers)


def merge_told(mine: EngagementTold, theirs: EngagementTold) -> EngagementTold:
    """What either told counts as told; of two levels the higher one. A merged row is checked no
    later than the one with the newer day would have been: events can only put that off.
    """
    checked, other = mine, theirs
    if (checked.day, -checked.check_at, checked.floor) < (other.day, -other.check_at, other.floor):
        checked = theirs
    since, other_since = mine.silent_since, theirs.silent_since
    if not since or 0 < other_since < since:
        since = other_since
    return EngagementTold(
        max(mine.level, theirs.level), max(mine.changes, theirs.changes), checked.day,
        checked.floor, checked.check_at, max(mine.session_until, theirs.session_until), since,
        max(mine.dormant_until, theirs.dormant_until))


TABLE = TableSpec(
    name="engagement",
    version=1,
    facts=EngagementFacts,
    told=EngagementTold,
    config=EngagementConfig,
    wants=wants_all,
    observe=engagement_facts.observe,
    announce=announce,
    merge_facts=engagement_facts.merge,
    merge_told=merge_told,
    triggers=(engagement_triggers.STARTED, engagement_triggers.LEVEL_CHANGED,
              engagement_triggers.DORMANT),
    view=lambda facts, told, now, _config: engagement_view.view(facts, LEVELS[told.level], now),
    classes={
        **dict.fromkeys(
            ("first_seen", "last_seen", "tenure_days", "interactions", "sessions", "streak",
             "devices", "engagement_score", "parts", "activity", "level", "limited"), "internal"),
        "devices.id": "personal",
    },
    reads=(Reads(engagement_facts.READ),),
    fields=engagement_fields.FIELDS,
    slot=1,
    activity=True,
    levels=LEVELS,
    level=lambda told: LEVELS[told.level],
    personal=True,
    limited=engagement_facts.is_limited,
)

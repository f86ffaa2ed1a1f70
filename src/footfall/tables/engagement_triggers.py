"""What the triggers of engagement say, field by field.

Decides names and forms of their data and evidence (docs/triggers.md lists them): instants RFC 3339
in UTC with milliseconds, spans integers of milliseconds or days. Must never decide whether a
trigger fires; that is `engagement.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from footfall.events.amount import text
from footfall.tables import engagement_score
from footfall.tables.cart_triggers import LATE_MS, instant
from footfall.tables.engagement_facts import sessions_of
from footfall.tables.engagement_row import Change, EngagementFacts
from footfall.tables.engagement_sessions import IDLE_MS, each_session
from footfall.tables.spec import Trigger

STARTED = "session_started"
LEVEL_CHANGED = "engagement_level_changed"
DORMANT = "customer_dormant"


def started(facts: EngagementFacts, first: int) -> Trigger:
    """A session began, with its first event at `first`."""
    sessions = each_session(sessions_of(facts))
    newest = next(sessions)
    before = next(sessions, None)
    return Trigger(
        STARTED,
        (first,),
        first,
        {
            "started_at": instant(first),
            "number": facts.closed + 1 + len(facts.sessions) // 3,
            "previous_ended_at": None if before is None else instant(before.last),
            "away_ms": None if before is None else first - before.last,
            "first_seen": instant(facts.first),
        },
        {
            "idle_s": text(IDLE_MS, 3),
            "last_activity": instant(newest.last),
            "events": newest.events,
        },
    )


def level_changed(change: Change, facts: EngagementFacts, silent: int, least: Mapping[str, int]
                  ) -> Trigger:
    """The level changed, after so many days of silence; `least` score of each level."""
    done = engagement_score.activity(facts, silent)
    points = engagement_score.score(done)
    return Trigger(
        LEVEL_CHANGED,
        (change.number, change.after),
        change.at,
        {
            "from": change.before,
            "to": change.after,
            "score": sum(points),
            "parts": dict(zip(engagement_score.PARTS, points, strict=True)),
            "last_seen": instant(facts.last),
        },
        {
            "activity": dict(zip(engagement_score.ACTIVITY, done, strict=True)),
            "least_score": least,
            "changed_at": instant(change.at),
        },
    )


def dormant(facts: EngagementFacts, deadline: int, now: int, dormant_ms: int) -> Trigger:
    """Nothing happened for `dormant_ms`; `deadline` is the first one of the silence."""
    return Trigger(
        DORMANT,
        (deadline,),
        deadline,
        {
            "last_seen": instant(facts.last),
            "first_seen": instant(facts.first),
            "sessions": facts.closed + 1 + len(facts.sessions) // 3,
            "events": sum(kind.older + kind.events + sum(kind.buckets[1::2])
                          for kind in facts.kinds),
            "deadline": instant(deadline),
            "late": now - deadline > LATE_MS,
        },
        {
            "dormant_s": text(dormant_ms, 3),
            "last_seen": instant(facts.last),
            "deadline": instant(deadline),
            "silent_until": instant(now),
        },
    )

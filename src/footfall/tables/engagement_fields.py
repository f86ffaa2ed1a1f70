"""What conditions may ask of engagement: level, score, sessions, streak, first and last seen.

Decides when each may change by time alone: a streak ends with the day after its last one; a score
falls when `engagement_score.falls_below` says so, and never rises without an event. The level is
the one told last. Stays interpreted (setup.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from footfall.events.amount import ONE
from footfall.tables import engagement_score
from footfall.tables.engagement_facts import days_of
from footfall.tables.engagement_row import EngagementConfig, EngagementFacts, EngagementTold
from footfall.tables.engagement_sessions import streaks
from footfall.tables.engagement_windows import DAY_MS
from footfall.tables.spec import FieldSpec

LEVELS: Final = ("none", "low", "medium", "high")


def _points(facts: EngagementFacts, now: int) -> int:
    if not facts.kinds:
        return 0
    silent = max(now - facts.last, 0) // DAY_MS
    return sum(engagement_score.score(engagement_score.activity(facts, silent)))


def _score(facts: EngagementFacts, _told: EngagementTold, now: int, _config: EngagementConfig
           ) -> int:
    return _points(facts, now) * ONE


def _score_changes(facts: EngagementFacts, _told: EngagementTold, now: int,
                   _config: EngagementConfig) -> int | None:
    points = _points(facts, now)
    return engagement_score.falls_below(facts, points) if points else None


def _streak(facts: EngagementFacts, _told: EngagementTold, now: int, _config: EngagementConfig
            ) -> int:
    if not facts.kinds:
        return 0
    return streaks(days_of(facts), max(now, facts.last) // DAY_MS)[0] * ONE


def _streak_changes(facts: EngagementFacts, _told: EngagementTold, now: int,
                    _config: EngagementConfig) -> int | None:
    ends = (facts.last // DAY_MS + 2) * DAY_MS
    return ends if facts.kinds and ends > now else None


def _sessions(facts: EngagementFacts, _told: EngagementTold, _now: int, _config: EngagementConfig
              ) -> int:
    return (facts.closed + 1 + len(facts.sessions) // 3) * ONE if facts.kinds else 0


FIELDS: Final[Mapping[str, FieldSpec]] = {
    "level": FieldSpec("text", lambda _facts, told, _now, _config: LEVELS[told.level],
                       values=LEVELS, about="the level told last"),
    "score": FieldSpec("number", _score, _score_changes, about="0 to 100"),
    "sessions": FieldSpec("number", _sessions, about="how many there were"),
    "streak_days": FieldSpec("number", _streak, _streak_changes,
                             about="days in a row, up to today or yesterday"),
    "first_seen": FieldSpec(
        "instant", lambda facts, _told, _now, _config: facts.first if facts.kinds else None,
        about="the earliest interaction"),
    "last_seen": FieldSpec(
        "instant", lambda facts, _told, _now, _config: facts.last if facts.kinds else None,
        about="the newest interaction"),
}

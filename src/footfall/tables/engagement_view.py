"""Engagement for people: windows, sessions, streak, devices and score as of an instant.

Decides names and forms (docs/tables.md lists them): instants RFC 3339 in UTC with milliseconds,
everything else integers and text. Must never keep what it derives, nor tell anything.
"""

from __future__ import annotations

from typing import Any

from footfall.tables import engagement_score
from footfall.tables.cart_triggers import instant
from footfall.tables.engagement_facts import days_of, is_limited, sessions_of
from footfall.tables.engagement_row import EngagementFacts, Session
from footfall.tables.engagement_sessions import IDLE_MS, each_session, streaks
from footfall.tables.engagement_windows import DAY_MS, counts


def view(facts: EngagementFacts, level: str, now: int) -> dict[str, Any]:
    """The row at `now` (ms), or at its newest event if that is later; `level` as told last."""
    if not facts.kinds:
        return {}
    now = max(now, facts.last)
    sessions = list(each_session(sessions_of(facts)))
    current, longest = streaks(days_of(facts), now // DAY_MS)
    done = engagement_score.activity(facts, (now - facts.last) // DAY_MS)
    points = engagement_score.score(done)
    return {
        "first_seen": instant(facts.first),
        "last_seen": instant(facts.last),
        "tenure_days": (now - facts.first) // DAY_MS,
        "interactions": [
            {"type": kind.type.removeprefix("$"), "channel": kind.channel,
             **counts(kind, now)._asdict()}
            for kind in facts.kinds],
        "sessions": {
            "count": facts.closed + len(sessions),
            "current": _session(sessions[0]) if now - facts.last <= IDLE_MS else None,
            "newest": [_session(session) for session in sessions],
        },
        "streak": {"current_days": current, "longest_days": longest},
        "devices": [
            {"id": device.id, "kind": device.kind, "first_seen": instant(device.first),
             "last_seen": instant(device.last), "events": device.events}
            for device in facts.devices],
        "engagement_score": sum(points),
        "parts": dict(zip(engagement_score.PARTS, points, strict=True)),
        "activity": dict(zip(engagement_score.ACTIVITY, done, strict=True)),
        "level": level,
        "limited": is_limited(facts),
    }


def _session(session: Session) -> dict[str, Any]:
    return {"started_at": instant(session.first), "last_activity": instant(session.last),
            "length_ms": session.last - session.first, "events": session.events}

"""Engagement equals an independent recount by pandas: after events, and when only time passes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.tables.engagement import LEVELS, TABLE
from footfall.tables.engagement_row import EngagementConfig
from footfall.tables.engagement_sessions import SESSIONS_MAX
from footfall.tables.spec import Trigger
from tests.tables import events
from tests.tables.recount_engagement import DAY_MS, Event, Recount

START = 1_700_000_000_000
MINUTE = 60_000
CONFIG = EngagementConfig()


class Live:
    """One row whose timers come exactly when they are due: no grace, nothing settles. An event of
    the same millisecond comes first, as in the log.
    """

    def __init__(self) -> None:
        self.facts = TABLE.facts()
        self.told = TABLE.told()
        self.due: int | None = None
        self.now = 0
        self.triggers: list[Trigger] = []
        self.wakes = 0

    def observe(self, event: Event, now: int) -> None:
        self.wait(now - 1)
        self.now = now
        made = events.plain(event.when, "m")
        made["type"], made["channel"] = event.type, event.channel
        self.facts = TABLE.observe(self.facts, made, event.when)
        self._announce(None)
        self.wait(now)

    def wait(self, until: int) -> None:
        """Only time passes."""
        while self.due is not None and self.due <= until:
            self.now = max(self.now, self.due)
            self.wakes += 1
            self._announce(self.due)
            assert self.due is None or self.due > self.now
        self.now = max(self.now, until)

    def view(self) -> dict[str, Any]:
        assert TABLE.view is not None
        return dict(TABLE.view(self.facts, self.told, self.now, CONFIG))

    def _announce(self, fired: int | None) -> None:
        said = TABLE.announce(self.told, self.facts, self.now, CONFIG, fired)
        self.told, self.due = said.told, said.due
        self.triggers += said.triggers


_minutes = st.sampled_from([0, 0, 1, 7, 15, 29, 30, 31, 45, 61, 120])
_steps = st.builds(lambda days, minutes, ms: days * DAY_MS + minutes * MINUTE + ms,
                   st.sampled_from([0, 0, 0, 0, 1, 1, 2, 7, 29, 30, 31]), _minutes,
                   st.sampled_from([0, 1, 59_999]))
_late = st.sampled_from([0, 0, 0, 1, 10 * MINUTE, 29 * MINUTE, 60 * MINUTE, 25 * 60 * MINUTE,
                         8 * DAY_MS, 31 * DAY_MS, 40 * DAY_MS])
_happened = st.lists(st.tuples(_steps, _late, st.sampled_from(["page", "track", "identify"]),
                               st.sampled_from(["", "web", "mobile"])), min_size=1, max_size=25)
_waits = st.lists(st.one_of(_steps, st.integers(0, 45 * DAY_MS)), min_size=1, max_size=5)


@settings(deadline=None, max_examples=60)
@given(_happened, _waits)
def test_a_row_shows_what_pandas_counts(happened: list[Any], waits: list[int]) -> None:
    """Windows, sessions, streaks, score, level: random and late events, random instants."""
    live, known, now = Live(), [], START
    for step, late, kind, channel in happened:
        now += step
        event = Event(max(now - late, START - 50 * DAY_MS), kind, channel)
        known.append(event)
        live.observe(event, now)
        check(live, Recount(known))
    for wait in waits:
        live.wait(live.now + wait)
        check(live, Recount(known))


def check(live: Live, recount: Recount) -> None:
    now = live.now
    view = live.view()
    windows = {(k["type"], k["channel"]): {w: n for w, n in k.items() if type(n) is int}
               for k in view["interactions"]}
    assert recount.windows(now) == windows
    sessions = recount.sessions()
    assert TABLE.limited is not None
    if not TABLE.limited(live.facts):
        assert len(sessions) == view["sessions"]["count"]
        assert sessions[:SESSIONS_MAX] == [
            (milliseconds(s["started_at"]), milliseconds(s["last_activity"]), s["events"])
            for s in view["sessions"]["newest"]]
    assert (now - recount.last <= 30 * MINUTE) == (view["sessions"]["current"] is not None)
    assert recount.streaks(now) == tuple(view["streak"].values())
    assert recount.score(now) == view["parts"]
    assert sum(view["parts"].values()) == view["engagement_score"]
    assert recount.level(now) == view["level"]
    assert recount.last == milliseconds(view["last_seen"])
    assert int(recount.frame["when"].min()) == milliseconds(view["first_seen"])


@settings(deadline=None, max_examples=150)
@given(_happened)
def test_the_level_falls_at_the_instant_it_names(happened: list[Any]) -> None:
    """One millisecond earlier the recount still has the level before; few timers are needed."""
    live, known, now = Live(), [], START
    for step, _late, kind, channel in happened:
        now += step
        event = Event(now, kind, channel)
        live.wait(now - 1)
        check_falls(live, known)
        known.append(event)
        live.observe(event, now)
        live.triggers.clear()
    live.wakes = 0
    live.wait(now + 100 * DAY_MS)
    assert 1 == [t.name for t in live.triggers].count("customer_dormant")
    check_falls(live, known)
    assert live.wakes <= 5
    assert "none" == live.view()["level"]
    assert live.due is None


def check_falls(live: Live, known: list[Event]) -> None:
    for trigger in live.triggers:
        if trigger.name == "engagement_level_changed":
            recount = Recount(known)
            before, after = trigger.data["from"], trigger.data["to"]
            assert LEVELS.index(after) < LEVELS.index(before)
            assert after == recount.level(trigger.occurred_at)
            if trigger.occurred_at > recount.last:
                assert before == recount.level(trigger.occurred_at - 1)
            assert trigger.data["score"] == sum(trigger.data["parts"].values())
    live.triggers.clear()


def milliseconds(instant: str) -> int:
    return round(datetime.fromisoformat(instant).timestamp() * 1000)

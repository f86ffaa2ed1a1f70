"""When a customer was there: sessions, and the days on which anything happened.

Decides both as sets of instants read along a line, so that neither order nor split matters (law 3):
- A session is a longest run of events with at most `IDLE_MS` from each to the next. Of two rows the
  intervals are united and those that come within `IDLE_MS` of each other become one.
- The newest `SESSIONS_MAX` sessions are kept exactly; older ones are closed: only counted. A closed
  session cannot be joined any more, so an event that comes at or before the newest closed one
  (`closed_at`, plus `IDLE_MS`) marks the row `strayed`; so do two rows that closed sessions both.
- Days are those of UTC: events of each of the last 30 whole days and the newest, and whether
  anything happened on each of the last `DAYS_MAX`. What is older than that, counted back from the
  newest day held, is dropped: the same for any order, so this is no limit that law 3 speaks of.
Must never read a clock, nor store how long ago something was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from footfall.tables.engagement_row import Days, Session, Sessions

#: Without an event for longer than this, the next one starts a session. Google Analytics' default.
IDLE_MS: Final = 1_800_000
SESSIONS_MAX: Final = 8
#: Days back to which it is known whether anything happened: streaks up to a year.
DAYS_MAX: Final = 366
#: Days before the newest of which events are counted.
COUNTED_DAYS: Final = 30
_DAYS_MASK: Final = (1 << DAYS_MAX) - 1
_OLDER_LENGTH_MAX: Final = 3 * (SESSIONS_MAX - 1)


# -- sessions ----------------------------------------------------------------------------------


def session_added(sessions: Sessions, when: int) -> Sessions:
    """Sessions with one more event, at `when` (ms)."""
    gap = when - sessions.last
    if gap > IDLE_MS and len(sessions.older) < _OLDER_LENGTH_MAX:
        older = (gap, sessions.length, sessions.events, *sessions.older)
        return Sessions(when, 0, 1, older, sessions.closed, sessions.closed_at, sessions.strayed)
    if sessions.closed and when <= sessions.closed_at + IDLE_MS:
        return sessions._replace(strayed=True)
    return sessions_joined(sessions, Sessions(when))


def sessions_joined(mine: Sessions, theirs: Sessions) -> Sessions:
    """The sessions of all events of both."""
    if not (theirs.older or theirs.closed or mine.closed or mine.strayed or theirs.strayed):
        found = newest_joined(mine.last, mine.length, mine.older, theirs.last, theirs.length)
        if found is not None:
            return Sessions(found[0], found[1], mine.events + theirs.events, found[2], 0,
                            mine.closed_at)
    kept: list[Session] = []
    for session in sorted((*each_session(mine), *each_session(theirs))):
        before = kept[-1] if kept else None
        if before is not None and session.first - before.last <= IDLE_MS:
            kept[-1] = Session(before.first, max(before.last, session.last),
                               before.events + session.events)
        else:
            kept.append(session)
    closed = mine.closed + theirs.closed
    closed_at = max(mine.closed_at, theirs.closed_at)
    strayed = (mine.strayed or theirs.strayed or bool(mine.closed and theirs.closed)
               or (bool(closed) and kept[0].first <= closed_at + IDLE_MS))
    over = len(kept) - SESSIONS_MAX
    if over > 0:
        closed += over
        closed_at = max(closed_at, kept[over - 1].last)
        kept = kept[over:]
    older: list[int] = []
    for session, after in zip(kept[-2::-1], kept[:0:-1], strict=True):
        older += (after.first - session.last, session.last - session.first, session.events)
    newest = kept[-1]
    return Sessions(newest.last, newest.last - newest.first, newest.events, tuple(older), closed,
                    closed_at, strayed)


def newest_joined(last: int, length: int, older: tuple[int, ...], their_last: int,
                  their_length: int) -> tuple[int, int, tuple[int, ...]] | None:
    """`last`, `length` and `older` of sessions where one session of theirs meets the newest of
    mine, and no other, none being closed: nearly always, when somebody becomes known.
    """
    first = last - length
    their_first = their_last - their_length
    if their_first - last > IDLE_MS or first - their_last > IDLE_MS:
        return None
    if their_first < first:
        if older:
            gap = older[0] - (first - their_first)
            if gap <= IDLE_MS:
                return None
            older = (gap, *older[1:])
        first = their_first
    if their_last > last:
        last = their_last
    return last, last - first, older


def each_session(sessions: Sessions) -> Iterator[Session]:
    """Those kept, newest first."""
    last = sessions.last
    first = last - sessions.length
    yield Session(first, last, sessions.events)
    older = sessions.older
    for i in range(0, len(older), 3):
        last = first - older[i]
        first = last - older[i + 1]
        yield Session(first, last, older[i + 2])


def sessions_limited(sessions: Sessions) -> bool:
    """Whether these sessions may differ from those of the same events in another order."""
    return sessions.strayed or (sessions.closed > 0 and len(sessions.older) < _OLDER_LENGTH_MAX)


# -- days --------------------------------------------------------------------------------------


def day_added(days: Days, day: int) -> Days:
    """Days with one more event, on a day (since 1970)."""
    behind = day - days.newest
    if not behind:
        return Days(day, days.events + 1, days.older, days.active)
    if behind < 0:
        return days_joined(days, Days(day))
    older: list[int] = []
    if behind <= COUNTED_DAYS:
        older = [behind, days.events]
        for age, count in zip(days.older[::2], days.older[1::2], strict=True):
            if age + behind > COUNTED_DAYS:
                break
            older += (age + behind, count)
    active = 1
    if behind < DAYS_MAX:
        active |= int.from_bytes(days.active, "little") << behind & _DAYS_MASK
    return Days(day, 1, tuple(older), _bytes(active))


def days_joined(mine: Days, theirs: Days) -> Days:
    """The days of all events of both."""
    newest = max(mine.newest, theirs.newest)
    if mine.newest == theirs.newest and theirs.active == b"\1":
        return Days(newest, mine.events + theirs.events, mine.older, mine.active)
    sums: dict[int, int] = {}
    active = 0
    for days in (mine, theirs):
        behind = newest - days.newest
        counts = (0, days.events, *days.older)
        for age, count in zip(counts[::2], counts[1::2], strict=True):
            if age + behind <= COUNTED_DAYS:
                sums[age + behind] = sums.get(age + behind, 0) + count
        if behind < DAYS_MAX:
            active |= int.from_bytes(days.active, "little") << behind
    events = sums.pop(0)
    older = tuple(n for age in sorted(sums) for n in (age, sums[age]))
    return Days(newest, events, older, _bytes(active & _DAYS_MASK))


def streaks(days: Days, today: int) -> tuple[int, int]:
    """Length in days of the current streak and of the longest one held. A streak lasts while
    `today` or the day before it is its last day.
    """
    active = int.from_bytes(days.active, "little")
    current = 0
    if today - days.newest <= 1:
        current = (~active & (active + 1)).bit_length() - 1
    longest = 0
    while active:
        active &= active >> 1
        longest += 1
    return current, longest


def _bytes(active: int) -> bytes:
    return active.to_bytes((active.bit_length() + 7) // 8, "little")

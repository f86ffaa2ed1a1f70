"""How engaged a customer is: a score from 0 to 100, from facts, and when it will have fallen.

Recency and frequency as in RFM (A. M. Hughes, Strategic Database Marketing, 1994), frequency as
days active in a month ("L30": L. Jin and A. Chen, The Power User Curve, 2018), then volume and
breadth. With n = events and k = kinds of interaction in the score's 30 days:

    recency      25 - 1 a whole day of silence                          0 to 25
    active_days  2 a day on which anything happened, at most 20 days    0 to 40
    volume       2 a binary digit of n: 1 -> 2, 50 -> 12, 512 -> 20     0 to 20
    breadth      3 a kind of interaction, at most 5                     0 to 15

Twenty days a month is five a week, where a customer counts as a power user. Decides what time it
is for the score: silence is counted in whole days of 24 hours since the newest event, and the 30
days end as many days after the UTC day of that event. So a score falls at the hour at which this
customer was last seen, at most once a day, and not for everybody at midnight. With the same facts
it never rises by time. Must never use a float or keep what it computes.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from footfall.tables.engagement_row import EngagementFacts
from footfall.tables.engagement_sessions import COUNTED_DAYS
from footfall.tables.engagement_windows import DAY_MS, DAY_QUARTERS, KINDS_MAX

RECENCY_MAX: Final = 25
#: Points for so many active days, binary digits of events, kinds of interaction.
ACTIVE_DAYS = tuple(2 * min(days, 20) for days in range(COUNTED_DAYS + 2))
VOLUME = tuple(2 * min(digits, 10) for digits in range(64))
BREADTH = tuple(3 * min(kinds, 5) for kinds in range(KINDS_MAX + 2))

#: Names of what `activity` gives, and of the parts of a score.
ACTIVITY = ("silent_days", "active_days", "events", "kinds")
PARTS = ("recency", "active_days", "volume", "breadth")

#: Whole days of silence, and of the score's days: those on which anything happened, events, kinds
#: of interaction. A plain tuple: one is made with each event.
Activity = tuple[int, int, int, int]


def activity(facts: EngagementFacts, silent: int) -> Activity:
    """What the score is made of after so many days of silence."""
    if silent > COUNTED_DAYS:
        return silent, 0, 0, 0
    floor = (facts.last // DAY_MS + silent - COUNTED_DAYS) * DAY_QUARTERS
    kinds = 0
    for kind in facts.kinds:
        if kind.base >= floor:
            kinds += 1
    counts = facts.days[1::2]
    if silent:
        counts = counts[: bisect_right(facts.days[::2], COUNTED_DAYS - silent)]
    return silent, 1 + len(counts), facts.day_events + sum(counts), kinds


def score(done: Activity) -> tuple[int, int, int, int]:
    """The points of each part."""
    silent, days, events, kinds = done
    return (RECENCY_MAX - silent if silent < RECENCY_MAX else 0,
            ACTIVE_DAYS[days], VOLUME[events.bit_length()], BREADTH[kinds])


def falls_below(facts: EngagementFacts, floor: int) -> int:
    """The first instant (ms), from the newest event on, at which the score is below `floor` (at
    least 1) if nothing more happens.
    """
    oldest = facts.days[-2] if facts.days else 0
    spare = sum(score(activity(facts, 0))) - floor
    if 0 <= spare < RECENCY_MAX and spare + oldest < COUNTED_DAYS:
        return facts.last + (spare + 1) * DAY_MS  # no day leaves the score's days before that
    low, high = 0, COUNTED_DAYS + 1  # after so many days of silence there is nothing left
    while low < high:
        middle = (low + high) // 2
        if sum(score(activity(facts, middle))) < floor:
            high = middle
        else:
            low = middle + 1
    return facts.last + low * DAY_MS

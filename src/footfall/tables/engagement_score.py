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

from typing import NamedTuple

from footfall.tables.engagement_facts import EngagementFacts
from footfall.tables.engagement_sessions import COUNTED_DAYS
from footfall.tables.engagement_windows import DAY_MS, DAY_QUARTERS

RECENCY_MAX = 25
ACTIVE_DAY = 2
ACTIVE_DAYS_MAX = 20
VOLUME_DIGIT = 2
VOLUME_DIGITS_MAX = 10
BREADTH_KIND = 3
BREADTH_KINDS_MAX = 5


class Activity(NamedTuple):
    """What the score is made of: whole days of silence, and of the 30 days before them the days on
    which anything happened, events, and kinds of interaction.
    """

    silent_days: int
    active_days: int
    events: int
    kinds: int


class Score(NamedTuple):
    """The points of each part."""

    recency: int
    active_days: int
    volume: int
    breadth: int


def silent_days(facts: EngagementFacts, now: int) -> int:
    """Whole days of silence at `now` (ms)."""
    return (now - facts.last) // DAY_MS if now > facts.last else 0


def activity(facts: EngagementFacts, silent: int) -> Activity:
    """What the score is made of after so many days of silence."""
    floor = (facts.last // DAY_MS + silent - COUNTED_DAYS) * DAY_QUARTERS
    kinds = 0
    for kind in facts.kinds:
        if kind.base >= floor:
            kinds += 1
    older = facts.days
    if not silent:
        return Activity(0, 1 + len(older) // 2, facts.day_events + sum(older[1::2]), kinds)
    if silent > COUNTED_DAYS:
        return Activity(silent, 0, 0, 0)
    counts = [n for age, n in zip(older[::2], older[1::2], strict=True)
              if age + silent <= COUNTED_DAYS]
    return Activity(silent, 1 + len(counts), facts.day_events + sum(counts), kinds)


def score(done: Activity) -> Score:
    """The points that an activity gives."""
    silent, days, events, kinds = done
    digits = events.bit_length()
    return Score(
        RECENCY_MAX - silent if silent < RECENCY_MAX else 0,
        ACTIVE_DAY * (days if days < ACTIVE_DAYS_MAX else ACTIVE_DAYS_MAX),
        VOLUME_DIGIT * (digits if digits < VOLUME_DIGITS_MAX else VOLUME_DIGITS_MAX),
        BREADTH_KIND * (kinds if kinds < BREADTH_KINDS_MAX else BREADTH_KINDS_MAX),
    )


def falls_below(facts: EngagementFacts, floor: int) -> int:
    """The first instant (ms), from the newest event on, at which the score is below `floor` (at
    least 1) if nothing more happens.
    """
    low, high = 0, COUNTED_DAYS + 1  # after so many days of silence there is nothing left
    while low < high:
        middle = (low + high) // 2
        if sum(score(activity(facts, middle))) < floor:
            high = middle
        else:
            low = middle + 1
    return facts.last + low * DAY_MS

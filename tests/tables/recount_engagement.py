"""What engagement must show, counted by pandas from all events: shares nothing with our code.

Says docs/tables.md again over a frame of raw events (`when`, `type`, `channel`), and is slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

MINUTE = pd.Timedelta(minutes=1)
DAY_MS = 86_400_000
IDLE_MS = 30 * 60 * 1000
#: Name of a window -> its bucket and how many whole ones it has.
WINDOWS = {"h1": ("1min", 60), "h24": ("15min", 96), "d7": ("1h", 168), "d30": ("1D", 30)}


class Event(NamedTuple):
    when: int
    type: str
    channel: str


class Recount:
    """Of the events of one customer."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.frame = pd.DataFrame(events, columns=["when", "type", "channel"])
        self.frame["time"] = pd.to_datetime(self.frame["when"], unit="ms", utc=True)
        self.last = int(self.frame["when"].max())

    def windows(self, now: int) -> dict[tuple[str, str], dict[str, int]]:
        """(type, channel) -> window -> events, at an instant (ms)."""
        instant = pd.Timestamp(now, unit="ms", tz="UTC")
        groups = self.frame.groupby(["type", "channel"])["time"]
        found = {name: {"total": int(size)} for name, size in groups.size().items()}
        for window, (bucket, whole) in WINDOWS.items():
            start = instant.floor(bucket) - whole * pd.Timedelta(bucket)
            within = groups.agg(lambda times, start=start: int((times >= start).sum()))
            for name, count in within.items():
                found[name][window] = int(count)
        return found

    def sessions(self) -> list[tuple[int, int, int]]:
        """(first, last, events), newest first."""
        times = self.frame["when"].sort_values()
        number = (times.diff() > IDLE_MS).cumsum()
        grouped = times.groupby(number).agg(["min", "max", "count"])
        return [(int(a), int(b), int(n)) for a, b, n in grouped.itertuples(index=False)][::-1]

    def streaks(self, now: int) -> tuple[int, int]:
        """Days of the current streak, and of the longest: of the last 366 days held."""
        days = pd.Series(self.frame["time"].dt.floor("D").unique()).sort_values()
        days = days[days > days.max() - pd.Timedelta(days=366)]
        runs = (days.diff() != pd.Timedelta(days=1)).cumsum()
        lengths = runs.value_counts().sort_index()
        today = pd.Timestamp(now, unit="ms", tz="UTC").floor("D")
        alive = today - days.max() <= pd.Timedelta(days=1)
        return int(lengths.iloc[-1]) if alive else 0, int(lengths.max())

    def score(self, now: int) -> dict[str, int]:
        """The points of each part."""
        silent = (now - self.last) // DAY_MS
        day = pd.Timestamp(self.last, unit="ms", tz="UTC").floor("D")
        start = day + pd.Timedelta(days=silent) - pd.Timedelta(days=30)
        recent = self.frame[self.frame["time"] >= start]
        digits = len(f"{len(recent):b}") if len(recent) else 0
        return {
            "recency": max(25 - silent, 0),
            "active_days": 2 * min(recent["time"].dt.floor("D").nunique(), 20),
            "volume": 2 * min(digits, 10),
            "breadth": 3 * min(len(recent[["type", "channel"]].drop_duplicates()), 5),
        }

    def level(self, now: int) -> str:
        """With the thresholds of the code."""
        points = sum(self.score(now).values())
        return ("none" if points < 10 else "low" if points < 45 else
                "medium" if points < 70 else "high")

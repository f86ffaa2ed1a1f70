"""What the demo's live view counts: rates over moving spans, triggers by name, the newest. Pure.

Decides which triggers are the watcher's own: those of a customer that is not of the shop. The
time comes from its caller, in seconds of any clock that only goes forward. Must never keep more
than a minute of what it counts, nor more than `NEWEST_MAX` lines.
"""

from __future__ import annotations

import re
from collections import Counter, deque

from footfall.up.demo_line import Shown

EVENTS_S = 10.0
TRIGGERS_S = 60.0
NEWEST_MAX = 50
OWN_MAX = 3
#: Identifiers that `up/shop_visitor.py` makes.
_OF_THE_SHOP = re.compile(r"(customer|browser)-\d{5}(-\d+)?")

#: (table, level) -> customers.
Levels = dict[tuple[str, str], int]


class Seen:
    """What was sent and what came of it, since `began_s`."""

    def __init__(self, began_s: float) -> None:
        self._began_s = began_s
        self._events: deque[tuple[float, int]] = deque()
        self._triggers: deque[tuple[float, str]] = deque()
        self.posted = 0
        self.counts: Counter[str] = Counter()
        #: (seconds since the start, trigger), newest last.
        self.newest: deque[tuple[float, Shown]] = deque(maxlen=NEWEST_MAX)
        self.own: deque[tuple[float, Shown]] = deque(maxlen=OWN_MAX)
        self.levels: Levels = {}

    def sent(self, now_s: float, events: int) -> None:
        """So many events were acknowledged."""
        if events:
            self.posted += events
            self._events.append((now_s, events))

    def told(self, now_s: float, shown: Shown) -> None:
        """A trigger came."""
        self.counts[shown.name] += 1
        self._triggers.append((now_s, shown.name))
        line = (now_s - self._began_s, shown)
        self.newest.append(line)
        if _OF_THE_SHOP.fullmatch(shown.customer) is None:
            self.own.append(line)

    def events_a_second(self, now_s: float) -> float:
        """Of the last ten seconds, or as long as there are any."""
        while self._events and self._events[0][0] <= now_s - EVENTS_S:
            self._events.popleft()
        span = min(EVENTS_S, max(now_s - self._began_s, 1.0))
        return sum(n for _, n in self._events) / span

    def triggers_a_minute(self, now_s: float) -> Counter[str]:
        """How many of each name came in the last minute."""
        while self._triggers and self._triggers[0][0] <= now_s - TRIGGERS_S:
            self._triggers.popleft()
        return Counter(name for _, name in self._triggers)

"""How many attempts a second: a bucket that fills while time passes. Pure.

Decides that what was not used may be made up for within one second, no more. Must never read a
clock: `now` is any clock that only goes forward, in seconds.
"""

from __future__ import annotations

import sys


class Rate:
    """So many a second; 0: as many as there are."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._burst = max(per_s, 1.0)
        self._held = self._burst
        self._at: float | None = None

    def room(self, now: float) -> int:
        """How many may be taken now."""
        if not self._per_s:
            return sys.maxsize
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._held = min(self._burst, self._held + passed * self._per_s)
        return int(self._held)

    def take(self) -> None:
        """One is taken."""
        self._held -= 1

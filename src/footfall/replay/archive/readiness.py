"""How a run of the archive is, for its `/readyz`.

Decides that it is ready once log and archive were found to fit, and as long as it moves: a round
over the log, or records of it, within a bound that allows for the rate it is held to. What it
cannot go on from ends the process. Must never show a password of the target's address.
"""

from __future__ import annotations

import time
from typing import Final

from footfall.health import Part
from footfall.replay.archive.totals import Totals
from footfall.replay.source import SLICE_RECORDS

#: Longer than any object store takes for one file.
STILL_S_MAX: Final = 300.0


class Readiness:
    """`target`: as it may be shown. Called by the run, asked by the thread that serves."""

    def __init__(self, target: str, totals: Totals, rate_per_s: float | None = None) -> None:
        self._target = target
        self._totals = totals
        self._still_s_max = STILL_S_MAX + (SLICE_RECORDS / rate_per_s if rate_per_s else 0.0)
        self._moved_at: float | None = None

    def moved(self) -> None:
        """It has begun, or come further."""
        self._moved_at = time.monotonic()

    def parts(self) -> dict[str, Part]:
        """As of now."""
        return {"log": self._log(), "target": Part(
            True, f"{self._target}: {self._totals.records:,} records in {self._totals.files:,} "
                  "files since the start", is_needed=False)}

    def _log(self) -> Part:
        if self._moved_at is None:
            return Part(False, "log and archive are being compared", "starting")
        still_s = time.monotonic() - self._moved_at
        if still_s > self._still_s_max:
            return Part(False, f"stands still for {still_s:.0f} s: does the target take so long?",
                        "standing_still")
        return Part(True, f"fits the archive; it came further {still_s:.0f} s ago")

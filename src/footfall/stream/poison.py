"""When bad records are no longer an accident: stops the worker loudly (law 7).

A few poison records are data's fault and go to footfall.rejected; many are ours (a bad release, a
wrong key), and going on would empty the log into the rejected topic.
"""

from __future__ import annotations

from collections import deque

from footfall.errors import StateRefused

WINDOW = 1000


class PoisonLimit:
    """Counts rejected records of one partition, by offset."""

    def __init__(self, partition: int, ratio_max: float, run_max: int) -> None:
        self._partition = partition
        self._most = int(ratio_max * WINDOW)
        self._run_max = run_max
        self._run = 0
        self._offsets: deque[int] = deque()

    def rejected(self, offset: int) -> None:
        """One more at `offset`; raises `StateRefused` past a limit."""
        offsets = self._offsets
        self._run = self._run + 1 if offsets and offsets[-1] == offset - 1 else 1
        offsets.append(offset)
        while offsets[0] <= offset - WINDOW:
            offsets.popleft()
        if len(offsets) > self._most or self._run >= self._run_max:
            raise StateRefused(
                f"partition {self._partition}: {len(offsets)} of the last {WINDOW} records were "
                f"rejected, {self._run} in a row, up to offset {offset}. Look at them: footfall "
                "tail rejected --from-beginning. Raise rejected_ratio_max or rejected_run_max to "
                "let them pass")

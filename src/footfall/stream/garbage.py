"""Keeps Python's cycle collector from walking the customers' records again and again.

The records are hundreds of thousands of objects without a cycle among them; collecting them by
default costs a sixth of a worker's time. Decides when: young objects hardly ever; what has
survived a checkpoint is frozen (reference counts still free it); everything once in ten minutes.
"""

from __future__ import annotations

import gc
import time

#: More than a checkpoint leaves behind: freezing begins the count anew.
THRESHOLDS = (1_000_000, 20, 20)
FULL_INTERVAL_S = 600.0


class Garbage:
    """The collector of one worker process."""

    def __init__(self) -> None:
        gc.set_threshold(*THRESHOLDS)
        self._full_at = time.monotonic()

    def after_checkpoint(self) -> None:
        """Freeze what lives; once in a while look at all of it."""
        now = time.monotonic()
        if now - self._full_at > FULL_INTERVAL_S:
            self._full_at = now
            gc.unfreeze()
            gc.collect()
        gc.freeze()

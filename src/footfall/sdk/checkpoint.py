"""Where a subscription left off, in a file.

Decides when it is written: at most once in `checkpoint_s`, and at the end; so a crash repeats what
was done since, and never passes over anything. It is replaced as a whole: whoever looks finds the
former place or the new one. For one subscription; two that share a file disturb each other.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from footfall.errors import SubscriptionError

#: More than any collector takes.
CURSOR_CHARS_MAX = 8_000


class Checkpoint:
    """A place that outlives the process; without a path only this process knows it."""

    def __init__(self, path: Path | None, checkpoint_s: float) -> None:
        self._path = path
        self._checkpoint_s = checkpoint_s
        self._saved_at = 0.0
        self._lock = threading.Lock()
        self._saved = self.place = self._read()

    def move(self, place: str) -> None:
        """All up to here is done."""
        self.place = place
        if time.monotonic() >= self._saved_at + self._checkpoint_s:
            self.save()

    def save(self) -> None:
        """Have the place outlive the process; raises `SubscriptionError`."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        if self._path is None or self.place == self._saved:
            return
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            with beside.open("w", encoding="ascii") as file:
                file.write(self.place)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except (OSError, ValueError) as error:
            raise SubscriptionError("checkpoint_failed", f"{self._path}: {error}") from None
        self._saved, self._saved_at = self.place, time.monotonic()

    def _read(self) -> str:
        if self._path is None:
            return ""
        try:
            with self._path.open(encoding="ascii") as file:
                found = file.read(CURSOR_CHARS_MAX + 1).strip()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise SubscriptionError("checkpoint_failed", f"{self._path}: {error}") from None
        if len(found) > CURSOR_CHARS_MAX or not found.isprintable():
            raise SubscriptionError("checkpoint_failed", f"{self._path} holds no place of a "
                                    "subscription; remove it to begin anew")
        return found

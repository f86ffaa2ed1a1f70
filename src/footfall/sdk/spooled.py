"""Waiting items in a spool on disk: they outlive the process.

Decides how processes share a folder: each takes the first slot in it that is free, and empties
those that dead ones have left. An item outlives kill -9 when `put` returns; a power loss after the
next fsync, which the sender makes every `sync_s`, or `put` itself where that is 0.
Must never read or write a slot that another process holds.
"""

from __future__ import annotations

import threading
from pathlib import Path

from footfall.sdk.drops import DroppedError
from footfall.spool import Recovery, Spool, SpoolError, SpoolFullError, SpoolInUseError

#: Processes that share a folder.
SLOTS_MAX = 256


class Spooled:
    """The waiting items of one process."""

    keeps = True

    def __init__(self, folder: Path, bytes_max: int, sync_always: bool) -> None:
        self._sync_always = sync_always
        #: Read in this order; the process's own, the only one written to, is the last.
        self._spools = _slots(folder, bytes_max)
        self._own = self._spools[-1]
        self.recovered = Recovery(*map(sum, zip(*(s.recovered for s in self._spools), strict=True)))
        self._lock = threading.Lock()
        self._count = self.recovered.records
        self._bytes = 0
        self._taken: list[bytes] = []
        self._taken_to = 0
        self._damaged = self._damaged_gone = 0

    def put(self, item: bytes) -> None:
        """Write an item; raises `DroppedError`."""
        try:
            self._own.append(item)
        except SpoolFullError as error:
            raise DroppedError("spool_full", str(error)) from None
        except SpoolError as error:
            raise DroppedError("spool_failed", str(error)) from None
        with self._lock:
            self._count += 1
            self._bytes += len(item)
        if self._sync_always:
            self.sync()

    def take(self, count_max: int, bytes_max: int) -> list[bytes]:
        """The next items; one at least, if there is one."""
        if self._taken:
            return list(self._taken)
        while not self._taken:
            spool = self._spools[0]
            found = spool.read(count_max, bytes_max)
            self._taken = [entry.payload for entry in found]
            if found:
                self._taken_to = found[-1].number
                break
            spool.acknowledge(spool.last)  # what is left of it cannot be read
            if spool is self._own:
                break
            self._damaged_gone += spool.damaged
            self._spools.pop(0).close()
        with self._lock:
            self._bytes = max(0, self._bytes - sum(map(len, self._taken)))
        return list(self._taken)

    def settle(self) -> None:
        """The batch taken last has found its end."""
        with self._lock:
            self._count -= len(self._taken)
        self._spools[0].acknowledge(self._taken_to)
        self._taken = []

    def lost(self) -> int:
        """Items that could not be read, since this was asked last."""
        damaged = self._damaged_gone + sum(spool.damaged for spool in self._spools)
        new, self._damaged = damaged - self._damaged, damaged
        with self._lock:
            self._count -= new
        return new

    def sync(self) -> None:
        """Have what was put outlive a power loss; raises `DroppedError`."""
        try:
            self._own.sync()
        except SpoolError as error:
            raise DroppedError("spool_failed", str(error)) from None

    def count(self) -> int:
        """Items put and not settled."""
        return self._count

    def untaken(self) -> tuple[int, int]:
        """Items not taken yet, and their bytes, less those of an earlier process."""
        return self._count - len(self._taken), self._bytes

    def mark(self) -> int:
        """The place of the item put last."""
        return self._own.last

    def settled(self) -> int:
        """The place up to which all have found their end."""
        return self._own.acknowledged if self._spools[0] is self._own else -1

    def abandon(self) -> list[bytes]:
        """End; nothing is lost by that."""
        for spool in self._spools:
            spool.close()
        return []

    def forget(self) -> None:
        """In a forked child: what waits is its parent's."""
        for spool in self._spools:
            spool.forget()


def _slots(folder: Path, bytes_max: int) -> list[Spool]:
    """What dead processes have left, then the slot of this one."""
    own: Spool | None = None
    left: list[Spool] = []
    for number in range(SLOTS_MAX):
        slot = folder / f"{number}"
        if own is not None and not slot.exists():
            continue
        try:
            spool = Spool(slot, bytes_max)
        except SpoolInUseError:
            continue
        if own is None:
            own = spool
        elif spool.last > spool.acknowledged:
            left.append(spool)
        else:
            spool.close()
    if own is None:
        raise SpoolInUseError(f"{SLOTS_MAX} processes use {folder} already")
    return [*left, own]

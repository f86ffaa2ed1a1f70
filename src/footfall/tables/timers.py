"""Which customer's timer comes next, and how long a deadline must wait (law 4).

`Timers` is an index over the customers' records: one live heap entry a customer, no later than its
next timer; the record itself says what is due. `schedule`, `rearm` and `merge` are the rules of
grace and settling. Decides nothing about what a timer tells.
"""

from __future__ import annotations

import heapq

from footfall.tables.config import Config
from footfall.tables.record import CustomerRecord
from footfall.tables.stored import Timer


class Timers:
    """Heap of (wake_at, key). `armed` says which entry of a customer is live; others are stale.
    Takes `armed` over as it is given: the next wake_at of each customer who waits.
    """

    __slots__ = ("ahead", "armed", "heap")

    def __init__(self, armed: dict[bytes, int]) -> None:
        self.armed = armed
        self.heap = [(wake_at, key) for key, wake_at in armed.items()]
        heapq.heapify(self.heap)
        #: (watermark, wake_at, key) of customers whose record is ahead of the log, which is being
        #: read again.
        self.ahead: list[tuple[int, int, bytes]] = []

    def arm(self, key: bytes, wake_at: int) -> None:
        """See to it that the heap leads to a timer; a later one needs no entry of its own."""
        armed = self.armed.get(key)
        if armed is None or wake_at < armed:
            self.armed[key] = wake_at
            heapq.heappush(self.heap, (wake_at, key))

    def arm_next(self, key: bytes, record: CustomerRecord) -> None:
        """The same for the earliest timer of a record, if it has any."""
        if record.timers:
            self.arm(key, record.next_wake())

    def peek(self, before: int) -> tuple[int, bytes] | None:
        """The first live entry earlier than `before`; stale ones go."""
        heap = self.heap
        while heap and heap[0][0] < before:
            if self.armed.get(heap[0][1]) == heap[0][0]:
                return heap[0]
            heapq.heappop(heap)
        return None

    def take(self) -> None:
        """Remove the entry that `peek` gave: the caller arms the customer again."""
        _, key = heapq.heappop(self.heap)
        del self.armed[key]

    def put_off(self, watermark: int) -> None:
        """Set the entry that `peek` gave aside until the log is past the customer's watermark."""
        wake_at, key = heapq.heappop(self.heap)
        self.ahead.append((watermark, wake_at, key))

    def catch_up(self, offset: int) -> None:
        """The log has come to `offset`: what was put off for less comes back."""
        waiting = []
        for item in self.ahead:
            if item[0] < offset:
                heapq.heappush(self.heap, item[1:])
            else:
                waiting.append(item)
        self.ahead = waiting


def schedule(timer: Timer | None, due: int, clock: int, config: Config) -> Timer:
    """The timer for a deadline: after its grace or, revealed late, once it has settled.

    A timer that settles already goes on doing so, with its first deadline as the cause, as long as
    the new deadline too has passed.
    """
    wake_at = due + config.grace_ms
    if timer is not None and timer.revealed_at and wake_at <= clock:
        return timer
    if clock - wake_at > config.late_ms:
        return reveal(due, clock, config)
    return Timer(wake_at, due)


def reveal(due: int, clock: int, config: Config) -> Timer:
    """A deadline found to be long past: what happened meanwhile may still arrive."""
    return Timer(clock + config.settle_ms, due, clock)


def rearm(waiting: dict[str, Timer], clock: int, config: Config) -> None:
    """A record long late has come: what is settling waits on, up to a bound."""
    for name, timer in waiting.items():
        waiting[name] = prolong(timer, clock, config)


def prolong(timer: Timer, clock: int, config: Config) -> Timer:
    """A timer that settles waits anew, up to its bound; any other stays as it is."""
    wake_at = min(clock + config.settle_ms, timer.revealed_at + config.settle_ms_max)
    if not timer.revealed_at or wake_at <= timer.wake_at:
        return timer
    return Timer(wake_at, timer.due, timer.revealed_at)


def merge(ours: Timer | None, theirs: Timer | None) -> Timer | None:
    """Of two timers only a settling one is kept (the one revealed first); deadlines that are not
    late follow anew from the merged row.
    """
    settling = [t for t in (ours, theirs) if t is not None and t.revealed_at]
    if settling:
        return min(settling, key=lambda t: (t.revealed_at, t.due, t.wake_at))
    return ours

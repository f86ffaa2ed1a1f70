"""The thread that sends what waits, in batches, until each item has found its end.

Decides when a batch goes: at so many items, so many bytes, or so long after the first. One batch is
under way at a time, so items arrive in the order of the calls. It is started by the first item and
in each process anew: a forked child has none of its parent's threads.
Must never end by an exception, and never make the host app wait longer than it says.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from footfall.sdk.drops import DroppedError, Drops
from footfall.sdk.outcome import Again, Outcome, Refused, Taken, delay_s
from footfall.sdk.waiting import Waiting

log = logging.getLogger("footfall")

#: While it waits for another try, the sender looks so often whether there is something else to do.
SLICE_S = 0.25


class Transport(Protocol):
    """What takes items to the log."""

    def deliver(self, items: Sequence[bytes]) -> Outcome:
        """Send the items as one batch; never raises for what the world does."""

    def close(self) -> None:
        """Let go of connections."""

    def forget(self) -> None:
        """In a forked child: let go of the parent's connections without ending them."""


class Limits(NamedTuple):
    """Of a batch, and of trying."""

    items: int
    size_bytes: int
    linger_s: float
    retries: int
    sync_s: float


class Sender:
    """Sends what waits."""

    def __init__(self, waiting: Waiting, transport: Transport, drops: Drops,
                 limits: Limits) -> None:
        self._waiting = waiting
        self._transport = transport
        self._drops = drops
        self._limits = limits
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._idle = False
        self._flushing = 0
        self._abandoned = False
        self._synced_at = time.monotonic()
        #: The place up to which all ends were told.
        self._ended = waiting.settled()

    @property
    def is_closed(self) -> bool:
        """Whether it takes nothing more."""
        return self._closing.is_set()

    def notify(self) -> None:
        """Something was put."""
        if self._thread is None:
            self._start()
        if (self._idle or self._is_full()) and not self._wake.is_set():
            self._wake.set()

    def flush(self, timeout_s: float) -> bool:
        """Send at once; whether all that was put before has found its end in that time."""
        mark = self._waiting.mark()
        deadline = time.monotonic() + timeout_s
        if self._thread is None:
            self.send_now(timeout_s, gives_up=False)
        with self._changed:
            self._flushing += 1
            self._wake.set()
            try:
                while self._ended < mark:
                    left = deadline - time.monotonic()
                    if left <= 0 or self._abandoned:
                        return False
                    self._changed.wait(left)
            finally:
                self._flushing -= 1
        return True

    def send_now(self, timeout_s: float, gives_up: bool) -> None:
        """Send in this thread, for so long at most; what is left then stays, or is given up."""
        deadline = time.monotonic() + timeout_s
        if not self._sending.acquire(timeout=timeout_s):
            return  # another thread is at it, and sends what was put before too
        try:
            while self._waiting.count() and self._send_batch(deadline, gives_up):
                pass
        finally:
            self._sending.release()

    def close(self, timeout_s: float) -> None:
        """Send what waits, for so long at most, then end."""
        with self._lock:
            if self._abandoned:
                return
            self._closing.set()
            self._wake.set()
            thread = self._thread
        if thread is None:
            self.send_now(timeout_s, gives_up=False)
        elif thread is not threading.current_thread():
            thread.join(timeout_s)
        with self._changed:
            self._abandoned = True
            left = self._waiting.abandon()
            self._changed.notify_all()
        if left:
            self._drops.drop(DroppedError("closed", "the client was closed before it was sent"),
                             left)
        if thread is None or not thread.is_alive():
            self._transport.close()

    def forget(self) -> None:
        """In a forked child: connections are its parent's."""
        self._transport.forget()

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or self._closing.is_set():
                return
            thread = threading.Thread(target=self._work, name="footfall-sender", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # the interpreter is ending; `close` sends
            self._thread = thread

    def _work(self) -> None:
        while not self._abandoned:
            try:
                if self._wait():
                    with self._sending:
                        self._send_batch()
                elif self._closing.is_set():
                    return
            except Exception as error:
                # Nothing of ours should get here; the text may hold what was sent.
                log.error("sending failed: %s", type(error).__name__)
                time.sleep(self._limits.linger_s)

    def _wait(self) -> bool:
        """Until a batch should go; whether there is one."""
        self._idle = True
        while not self._waiting.count() and not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
        self._idle = False
        deadline = time.monotonic() + self._limits.linger_s
        while not (self._is_full() or self._flushing or self._closing.is_set()):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._wake.wait(left)
            self._wake.clear()
        self._sync()
        return self._waiting.count() > 0

    def _is_full(self) -> bool:
        count, size = self._waiting.untaken()
        return count >= self._limits.items or size >= self._limits.size_bytes

    def _sync(self) -> None:
        """What waits on disk is made to outlive a power loss, now and then."""
        now = time.monotonic()
        if now - self._synced_at < self._limits.sync_s:
            return
        self._synced_at = now
        try:
            self._waiting.sync()
        except DroppedError as error:
            log.error("the spool failed: %s", error.detail)

    def _send_batch(self, deadline: float | None = None, gives_up: bool = False) -> bool:
        """Take one batch to its end; False where there is none, or time was over first."""
        items = self._waiting.take(self._limits.items, self._limits.size_bytes)
        lost = self._waiting.lost()
        if lost:
            self._drops.drop(DroppedError("spool_damaged", "the spool could not be read"), [], lost)
        sound = [item for item in items if is_json(item)]
        outcome: Outcome = Again("")
        attempt = 0
        while sound and isinstance(outcome, Again):
            outcome = self._delivered(sound)
            if not isinstance(outcome, Again):
                break
            attempt += 1
            is_last = attempt > self._limits.retries and not self._waiting.keeps
            if is_last or not self._pause(attempt, outcome.retry_after_s, deadline):
                if not is_last and (self._waiting.keeps or not gives_up):
                    return False
                outcome = Refused("retries_exhausted", f"{attempt} attempts; the last failed with "
                                  f"{outcome.reason}", 0)
        if items:
            self._settle(items, sound, outcome)
        return bool(items)

    def _delivered(self, items: Sequence[bytes]) -> Outcome:
        try:
            return self._transport.deliver(items)
        except Exception as error:
            log.error("sending failed: %s", type(error).__name__)
            return Again("internal_error")

    def _settle(self, items: Sequence[bytes], sound: Sequence[bytes], outcome: Outcome) -> None:
        """The batch has found its end: count it, tell of drops, wake who waits for that."""
        with self._changed:
            if self._abandoned:
                return  # `close` has told the end of these
            self._waiting.settle()
        if len(sound) < len(items):
            self._drops.drop(DroppedError("unencodable", "the item is not JSON"),
                             [item for item in items if not is_json(item)])
        if isinstance(outcome, Refused):
            self._drops.drop(DroppedError(*outcome), sound)
        elif isinstance(outcome, Taken):
            self._count(sound, outcome)
        with self._changed:
            self._ended = self._waiting.settled()
            self._changed.notify_all()

    def _count(self, items: Sequence[bytes], outcome: Taken) -> None:
        states = [result.status for result in outcome.results]
        self._drops.count(states.count("accepted"), states.count("duplicate"))
        for item, result in zip(items, outcome.results, strict=True):
            if result.status not in ("accepted", "duplicate"):
                self._drops.drop(DroppedError(result.reason or "rejected", result.detail, 200),
                                 [item])

    def _pause(self, attempt: int, asked_s: float, deadline: float | None) -> bool:
        """Wait before another try; whether there is to be one."""
        now = time.monotonic()
        until = now + delay_s(attempt, asked_s, random.random())  # noqa: S311 (not a secret)
        if deadline is not None and until >= deadline:
            return False
        hurried = self._closing.is_set()
        while not self._abandoned:
            left = until - time.monotonic()
            if left <= 0:
                return True
            if self._closing.wait(min(left, SLICE_S)) and not hurried:
                # One more try at once, but not before the collector wants to hear of us.
                hurried, until = True, now + asked_s
            elif hurried:
                time.sleep(min(left, SLICE_S))
            self._sync()
        return False


def is_json(item: bytes) -> bool:
    """Whether an item is what it should be: one that is not would spoil its whole batch."""
    try:
        _shape.decode(item)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


_shape = msgspec.json.Decoder(dict[str, msgspec.Raw])

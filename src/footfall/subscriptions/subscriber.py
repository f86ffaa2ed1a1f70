"""One subscriber: where it is, what waits for it, and the bytes of its stream one after another.

It is either at the end, where the hub puts what is its own into a queue, or behind, where it takes
turns at reading. A queue that is full makes it be behind from there: nothing is lost, and what
waits in memory is bounded. Only the hub's loop touches it. Whoever writes the bytes decides how
long that may take; must never wait for a client here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from operator import ge
from typing import Protocol

from footfall.errors import BrokerError, SchemaError
from footfall.subscriptions import cursor, frames
from footfall.subscriptions.behind import Behind, Turn
from footfall.subscriptions.cursor import Cursor
from footfall.subscriptions.items import Item
from footfall.subscriptions.items import Reader as Who
from footfall.subscriptions.recent import Kept
from footfall.telemetry import SUBSCRIPTION_EVENTS
from footfall.view.why_classes import ExplanationMask

#: Events that wait to be written; one at least, whatever its size.
QUEUE_EVENTS_MAX = 1_000
QUEUE_BYTES_MAX = 256 * 1024
#: Events are written together up to so many bytes.
WRITE_BYTES = 64 * 1024


class Shared(Protocol):
    """What a subscriber needs of its hub."""

    mask: ExplanationMask

    @property
    def is_ending(self) -> bool:
        """Whether streams are to end."""

    @property
    def heartbeat_s(self) -> float:
        """How long a stream may be silent."""

    @property
    def retry_s(self) -> float:
        """What is waited for where the broker does not answer."""

    def place_at_end(self) -> Cursor:
        """The place of those at the end."""

    def join(self, subscriber: Subscriber) -> bool:
        """Put one who has come far enough among those at the end."""

    def behind(self, subscriber: Subscriber) -> Behind:
        """The way of one from its place to the end."""

    async def turn(self, way: Behind) -> Turn:
        """Its next turn; raises `BrokerError`, `SchemaError`."""


class Subscriber:
    """One stream, for a reader of triggers."""

    def __init__(self, hub: Shared, who: Who) -> None:
        self._hub = hub
        self.who = who
        self.is_at_end = False
        #: Whether its place is known to be in the topic; a client's own may be anything.
        self.is_checked = False
        self._at = Cursor(b"", ())
        #: Partitions in which it has come further than those at the end -> its next offset.
        self._ahead: dict[int, int] = {}
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._woken = asyncio.Event()
        self._turning: asyncio.Future[Turn] | None = None

    @property
    def at(self) -> Cursor:
        """Its place, after all that was queued."""
        return self._place(self._hub.place_at_end()) if self.is_at_end else self._at

    def place(self, at: Cursor) -> None:
        """Where it begins."""
        self._at = at

    def join(self, recent: Iterable[Kept], ends: Sequence[int]) -> None:
        """Be at the end from now on, after what of the newest items lies beyond its place. Where
        that is more than is written at once it comes closer, and may join again later: many who
        come together must not hold up the loop.
        """
        place = list(self._at.offsets)
        is_on_way = False
        for item, end, text in recent:
            if item.offset >= place[item.partition]:
                if self._queued_bytes >= WRITE_BYTES:
                    self._at = Cursor(self._at.topic_id, tuple(place))
                    return
                place[item.partition] = item.offset + 1
                # Once it is where those at the end were, it goes on as they did.
                is_on_way = is_on_way or all(map(ge, end.offsets, place))
                if is_on_way:
                    place = list(end.offsets)
                self._add(item, text if is_on_way else cursor.encode(self._at.topic_id, place))
        self._ahead = {n: at for n, (at, end) in enumerate(zip(place, ends, strict=True))
                       if at > end}
        self.is_at_end = True

    def put(self, item: Item, end: Cursor, text: str) -> None:
        """Queue an item if it is its own. `end`: the place of those at the end after it, with its
        text. A full queue sends the subscriber back.
        """
        if self._ahead:
            if item.offset < self._ahead.get(item.partition, 0):
                return
            place = self._place(end)
            self._ahead = {n: at for n, at in self._ahead.items() if at > end.offsets[n]}
            text = cursor.encode(*place)
        if self._is_full():
            offsets = list(self._place(end).offsets)
            offsets[item.partition] = item.offset
            self._leave(Cursor(end.topic_id, tuple(offsets)))
            return
        self._add(item, text)

    def leave_end(self) -> None:
        """Nobody reads at the end any more: it is behind from its place."""
        if self.is_at_end:
            self._leave(self.at)

    def wake(self) -> None:
        """Look at once at what there is to do."""
        self._woken.set()
        if self._turning is not None:
            self._turning.cancel()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes of the stream, until the hub ends."""
        yield frames.opening(cursor.encode(*self.at))
        while True:
            if self._queue:
                yield self._taken()
                await asyncio.sleep(0)  # a write that gets away at once lets nobody else in
            elif self._hub.is_ending:
                yield frames.heartbeat(cursor.encode(*self.at))
                return
            elif self.is_at_end:
                if not await self._is_woken(self._hub.heartbeat_s):
                    yield frames.heartbeat(cursor.encode(*self.at))
            elif not self._hub.join(self):
                async for chunk in self._coming():
                    yield chunk

    async def _coming(self) -> AsyncIterator[bytes]:
        """Turns from its place until it may join those at the end."""
        way = self._hub.behind(self)
        while not self._hub.is_ending and not self._hub.join(self):
            turning = self._turning = asyncio.ensure_future(self._hub.turn(way))
            try:
                while not (await asyncio.wait({turning}, timeout=self._hub.heartbeat_s))[0]:
                    yield frames.heartbeat(cursor.encode(*self._at))
            finally:
                self._turning = None
                turning.cancel()
            if turning.cancelled():
                return  # woken: the hub ends
            try:
                turn = turning.result()
            except (BrokerError, SchemaError):
                if not await self._is_woken(self._hub.retry_s):
                    yield frames.heartbeat(cursor.encode(*self._at))
                continue
            self._at, self.is_checked = turn.at, way.is_placed
            SUBSCRIPTION_EVENTS.labels(frames.GAP if turn.has_gap else frames.TRIGGER).inc(
                len(turn.frames))
            if turn.frames:
                yield b"".join(turn.frames)
            elif turn.is_at_end and not self._hub.join(self):
                await self._is_woken(self._hub.retry_s)

    async def _is_woken(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def _is_full(self) -> bool:
        return len(self._queue) >= QUEUE_EVENTS_MAX or self._queued_bytes >= QUEUE_BYTES_MAX

    def _place(self, end: Cursor) -> Cursor:
        """Its place where that of those at the end is `end`."""
        if not self._ahead:
            return end
        return Cursor(end.topic_id, tuple(max(at, self._ahead.get(n, 0))
                                          for n, at in enumerate(end.offsets)))

    def _leave(self, at: Cursor) -> None:
        self._at, self._ahead, self.is_at_end = at, {}, False
        self._woken.set()

    def _add(self, item: Item, text: str) -> None:
        if not item.is_for(self.who, self._hub.mask):
            return
        frame = item.frame(self.who, self._hub.mask, text)
        self._queue.append(frame)
        self._queued_bytes += len(frame)
        self._woken.set()

    def _taken(self) -> bytes:
        """What is written next."""
        taken = [self._queue.popleft()]
        size = len(taken[0])
        while self._queue and size < WRITE_BYTES:
            taken.append(self._queue.popleft())
            size += len(taken[-1])
        self._queued_bytes -= size
        SUBSCRIPTION_EVENTS.labels(frames.TRIGGER).inc(len(taken))
        return b"".join(taken)

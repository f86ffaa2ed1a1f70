"""All subscribers of a process: one shared reading of the topic, and a way back to it.

    at the end    one thread reads the topic once; each subscriber is asked of every trigger
    behind        a few readers take turns for those who came from an earlier place (`behind.py`)

Whoever is behind joins those at the end without a gap: the newest items are kept, and a subscriber
who has reached the first of these is given the rest of them. A queue that is full sends its owner
back behind, so that a slow one costs the others nothing and loses nothing.
Decides all bounds. Must never let one subscriber wait for another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from footfall.errors import BrokerError, SchemaError
from footfall.events.codec import Codec, TriggerRecord
from footfall.subscriptions import cursor
from footfall.subscriptions.behind import Behind, Turn
from footfall.subscriptions.cursor import Cursor
from footfall.subscriptions.items import SKIPPED, Item, item_of
from footfall.subscriptions.items import Reader as Who
from footfall.subscriptions.reading import Reader, Record, Topic
from footfall.subscriptions.repeats import Repeats, depth
from footfall.subscriptions.subscriber import Subscriber
from footfall.telemetry import SUBSCRIBERS, SUBSCRIPTION_SKIPPED, at_zero
from footfall.view.why_classes import ExplanationMask

log = logging.getLogger(__name__)

SUBSCRIBERS_MAX = 500
HEARTBEAT_S = 15.0
#: Turns for those behind at once; each has a reader.
TURNS_MAX = 4
#: The newest items, kept for those who come back at once.
RECENT_ITEMS_MAX = 1_000
RECENT_BYTES_MAX = 4 * 1024 * 1024
READ_RECORDS_MAX = 500
POLL_S = 0.05
RETRY_S = 1.0
#: How often it is looked whether the topic is still the same one.
TOPIC_CHECK_S = 10.0
#: A first subscriber waits so long for the broker.
FIRST_S_MAX = 5.0


class FullError(Exception):
    """There are as many subscribers as may be."""


class Options(NamedTuple):
    """What tests shorten."""

    subscribers_max: int = SUBSCRIBERS_MAX
    heartbeat_s: float = HEARTBEAT_S
    topic_check_s: float = TOPIC_CHECK_S
    retry_s: float = RETRY_S


class Hub:
    """`readers` makes a reader of the topic; it is called in threads."""

    def __init__(self, readers: Callable[[], Reader], codec: Codec[TriggerRecord],
                 mask: ExplanationMask, options: Options | None = None) -> None:
        self._readers = readers
        self._codec = codec
        self.mask = mask
        self.options = options or Options()
        self.is_ending = False
        self._topic: Topic | None = None
        #: Next offset of each partition for those at the end; None while nobody reads there.
        self._ends: list[int] | None = None
        self._lows: list[int] = []
        self._recent: deque[Item] = deque()
        self._recent_bytes = 0
        self._known = asyncio.Event()
        self._subscribers: set[Subscriber] = set()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._turns = ThreadPoolExecutor(TURNS_MAX, "subscribers behind")
        self._of_thread = threading.local()
        self._made: list[Reader] = []
        at_zero(SUBSCRIPTION_SKIPPED, SKIPPED)

    @contextlib.asynccontextmanager
    async def while_running(self) -> AsyncIterator[None]:
        """Within, it can be subscribed to; afterwards every thread has ended."""
        try:
            yield
        finally:
            self.end()
            self._ended.set()
            await asyncio.to_thread(self._close)

    def end(self) -> None:
        """Every stream ends once what waits for it is sent; there are no new ones."""
        self.is_ending = True
        for subscriber in self._subscribers:
            subscriber.wake()

    @contextlib.asynccontextmanager
    async def subscribed(self, who: Who, place: Cursor | None, *, is_earliest: bool = False
                         ) -> AsyncIterator[Subscriber]:
        """A subscriber at a place; None: at the end, or at the first record that is kept. Raises
        `FullError`, and `BrokerError` where the topic has never been seen.
        """
        if len(self._subscribers) >= self.options.subscribers_max:
            raise FullError
        subscriber = Subscriber(self, who)
        self._subscribers.add(subscriber)
        SUBSCRIBERS.inc()
        try:
            subscriber.place(await self._placed(place, is_earliest))
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            SUBSCRIBERS.dec()

    # -- for subscribers ---------------------------------------------------------------------------

    @property
    def heartbeat_s(self) -> float:
        """How long a stream may be silent."""
        return self.options.heartbeat_s

    @property
    def retry_s(self) -> float:
        """What is waited for where the broker does not answer."""
        return self.options.retry_s

    def place_at_end(self) -> Cursor:
        """The place of those at the end."""
        assert self._topic is not None and self._ends is not None
        return Cursor(self._topic.id, tuple(self._ends))

    def join(self, subscriber: Subscriber) -> bool:
        """Put one who has come far enough among those at the end."""
        place = subscriber.at
        if (self._ends is None or self._topic is None or place.topic_id != self._topic.id
                or len(place.offsets) != len(self._lows)
                or any(at < low for at, low in zip(place.offsets, self._lows, strict=True))):
            return False
        if not subscriber.is_checked and any(
                at > end for at, end in zip(place.offsets, self._ends, strict=True)):
            return False  # another process may have been quicker, or the place was never there
        subscriber.join(self._recent, self._ends)
        return True

    def behind(self, subscriber: Subscriber) -> Behind:
        """The way of one from its place to the end."""
        return Behind(subscriber.at, subscriber.who, self.mask, self._codec)

    async def turn(self, way: Behind) -> Turn:
        """Its next turn, after those who came before; raises `BrokerError`, `SchemaError`."""
        return await asyncio.get_running_loop().run_in_executor(self._turns, self._turn, way)

    def _turn(self, way: Behind) -> Turn:
        return way.turn(self._reader())

    async def _placed(self, place: Cursor | None, is_earliest: bool) -> Cursor:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._follow, args=(asyncio.get_running_loop(),), daemon=True,
                name="subscribers at the end")
            self._thread.start()
        try:
            await asyncio.wait_for(self._known.wait(), FIRST_S_MAX)
        except TimeoutError:
            raise BrokerError("the topic of triggers is not seen") from None
        if place is not None:
            return place
        if not is_earliest and self._ends is not None:
            return self.place_at_end()
        return await asyncio.get_running_loop().run_in_executor(
            self._turns, self._bound, is_earliest)

    def _bound(self, is_earliest: bool) -> Cursor:
        reader = self._reader()
        topic = reader.topic()
        bounds = reader.bounds(topic.partitions)
        return Cursor(topic.id, bounds.lows if is_earliest else bounds.ends)

    def _reader(self) -> Reader:
        """This thread's."""
        reader: Reader | None = getattr(self._of_thread, "reader", None)
        if reader is None:
            reader = self._of_thread.reader = self._readers()
            self._made.append(reader)
        return reader

    # -- the shared reading ------------------------------------------------------------------------

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """In its thread: reads from the end, again and again until the hub ends."""
        said = ""
        while not self._ended.is_set():
            try:
                self._follow_once(loop)
                said = ""
            except (BrokerError, SchemaError) as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("subscriptions: %s; trying again", said)
            except Exception as error:  # an error of ours: those at the end are read for apart
                log.error("subscriptions: reading failed: %s", type(error).__name__)
            self._call(loop, self._pause)
            self._ended.wait(self.options.retry_s)

    def _follow_once(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until the topic is another, or a place in it is lost."""
        reader = self._readers()
        try:
            topic = reader.topic()
            bounds = reader.bounds(topic.partitions)
            back = depth(topic.partitions)
            reader.assign([max(low, end - back)
                           for low, end in zip(bounds.lows, bounds.ends, strict=True)])
            repeats, ends = Repeats(topic.partitions), list(bounds.ends)
            self._call(loop, partial(self._begin, topic, list(ends)))
            checked_at = time.monotonic()
            while not self._ended.is_set():
                found = reader.read(READ_RECORDS_MAX, POLL_S)
                if found.lost:
                    return
                if found.records or time.monotonic() > checked_at + self.options.topic_check_s:
                    # Before anything is given out: records of a topic that was made anew would
                    # pass for those that come next.
                    if reader.topic() != topic:
                        return
                    checked_at = time.monotonic()
                if found.records:
                    items = list(self._new(found.records, repeats, ends))
                    self._call(loop, partial(self._take, items, list(ends)))
        finally:
            reader.close()

    def _new(self, records: list[Record], repeats: Repeats, ends: list[int]) -> Iterator[Item]:
        """What of these records is sent; moves `ends` on."""
        for record in records:
            item = item_of(record, self._codec, repeats)
            if record.offset < ends[record.partition]:
                continue  # looked back at
            ends[record.partition] = record.offset + 1
            if isinstance(item, Item):
                yield item
            else:
                SUBSCRIPTION_SKIPPED.labels(item).inc()

    def _call(self, loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
        """Have the loop do this, and wait until it is done: the loop sets the pace."""
        done = threading.Event()

        def do() -> None:
            try:
                what()
            finally:
                done.set()

        loop.call_soon_threadsafe(do)
        while not done.wait(POLL_S) and not self._ended.is_set():
            pass

    def _begin(self, topic: Topic, ends: list[int]) -> None:
        self._topic, self._ends, self._lows = topic, ends, list(ends)
        self._recent.clear()
        self._recent_bytes = 0
        self._known.set()

    def _take(self, items: list[Item], ends: list[int]) -> None:
        """Give out new items; `ends`: where those at the end are after them."""
        assert self._ends is not None
        for item in items:
            self._ends[item.partition] = item.offset + 1
            self._keep(item)
            place = self.place_at_end()
            text = cursor.encode(*place)
            for subscriber in self._subscribers:
                if subscriber.is_at_end:
                    subscriber.put(item, place, text)
        self._ends = ends

    def _keep(self, item: Item) -> None:
        """Among the newest; the oldest give way."""
        self._recent.append(item)
        self._recent_bytes += item.size
        while len(self._recent) > RECENT_ITEMS_MAX or (
                self._recent_bytes > RECENT_BYTES_MAX and len(self._recent) > 1):
            gone = self._recent.popleft()
            self._recent_bytes -= gone.size
            self._lows[gone.partition] = gone.offset + 1

    def _pause(self) -> None:
        """Nobody reads at the end."""
        for subscriber in self._subscribers:
            subscriber.leave_end()
        self._ends = None

    def _close(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self._turns.shutdown(cancel_futures=True)
        for reader in self._made:
            reader.close()

"""All subscribers of a process: one shared reading of the topic, and a way back to it.

    at the end    one thread reads the topic once (`following.py`); each subscriber is asked of
                  every trigger
    behind        a few readers take turns (`turns.py`) for those who came from an earlier place

Whoever is behind joins those at the end without a gap: the newest items are kept (`recent.py`), and
a subscriber who has reached the first of these is given the rest of them. A queue that is full
sends its owner back behind, so that a slow one costs the others nothing and loses nothing.
Decides who may subscribe, and where each is. Must never let one subscriber wait for another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from footfall.errors import BrokerError
from footfall.events.codec import Codec, TriggerRecord
from footfall.subscriptions import cursor
from footfall.subscriptions.behind import Behind, Turn
from footfall.subscriptions.cursor import Cursor
from footfall.subscriptions.following import Following
from footfall.subscriptions.items import Item
from footfall.subscriptions.items import Reader as Who
from footfall.subscriptions.reading import Reader, Topic
from footfall.subscriptions.recent import Kept, Recent
from footfall.subscriptions.subscriber import Subscriber
from footfall.subscriptions.turns import Turns
from footfall.telemetry import SUBSCRIBERS
from footfall.view.why_classes import ExplanationMask

SUBSCRIBERS_MAX = 500
#: Of one API key: what runs wild leaves room for the others.
OF_KEY_MAX = 100
HEARTBEAT_S = 15.0
RETRY_S = 1.0
#: How often it is looked whether the topic is still the same one.
TOPIC_CHECK_S = 10.0
#: A first subscriber waits so long for the broker.
FIRST_S_MAX = 5.0


class FullError(Exception):
    """There are as many subscribers as may be."""


class KeyFullError(FullError):
    """One key has as many subscribers as it may."""


class Options(NamedTuple):
    """What tests shorten."""

    subscribers_max: int = SUBSCRIBERS_MAX
    of_key_max: int = OF_KEY_MAX
    heartbeat_s: float = HEARTBEAT_S
    topic_check_s: float = TOPIC_CHECK_S
    retry_s: float = RETRY_S


class Hub:
    """`readers` makes a reader of the topic; it is called in threads."""

    def __init__(self, readers: Callable[[], Reader], codec: Codec[TriggerRecord],
                 mask: ExplanationMask, options: Options | None = None) -> None:
        self._codec = codec
        self.mask = mask
        self.options = options or Options()
        self.is_ending = False
        self._topic: Topic | None = None
        #: Next offset of each partition for those at the end; None while nobody reads there.
        self._ends: list[int] | None = None
        self._recent = Recent()
        self._known = asyncio.Event()
        self._subscribers: set[Subscriber] = set()
        #: Name of a key -> its subscribers.
        self._of_key: Counter[str] = Counter()
        self._turns = Turns(readers)
        self._following = Following(readers, codec, self, retry_s=self.options.retry_s,
                                    check_s=self.options.topic_check_s)

    @contextlib.asynccontextmanager
    async def while_running(self) -> AsyncIterator[None]:
        """Within, it can be subscribed to; afterwards every thread has ended."""
        try:
            yield
        finally:
            self.end()
            self._following.end()
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
        `FullError`, `KeyFullError`, and `BrokerError` where the topic has never been seen.
        """
        if len(self._subscribers) >= self.options.subscribers_max:
            raise FullError
        if self._of_key[who.key] >= self.options.of_key_max:
            raise KeyFullError
        subscriber = Subscriber(self, who)
        self._subscribers.add(subscriber)
        self._of_key[who.key] += 1
        SUBSCRIBERS.inc()
        try:
            subscriber.place(await self._placed(place, is_earliest))
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            self._of_key[who.key] -= 1
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
        place, lows = subscriber.at, self._recent.lows
        if (self._ends is None or self._topic is None or place.topic_id != self._topic.id
                or len(place.offsets) != len(lows)
                or any(at < low for at, low in zip(place.offsets, lows, strict=True))):
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
        return await self._turns.turn(way)

    async def _placed(self, place: Cursor | None, is_earliest: bool) -> Cursor:
        self._following.start()
        try:
            await asyncio.wait_for(self._known.wait(), FIRST_S_MAX)
        except TimeoutError:
            raise BrokerError("the topic of triggers is not seen") from None
        if place is not None:
            return place
        if not is_earliest and self._ends is not None:
            return self.place_at_end()
        return await self._turns.bound(is_earliest=is_earliest)

    def _close(self) -> None:
        self._following.join()
        self._turns.close()

    # -- for the shared reading --------------------------------------------------------------------

    def begin(self, topic: Topic, ends: list[int]) -> None:
        """Reading begins there."""
        self._topic, self._ends, self._recent = topic, ends, Recent(ends)
        self._known.set()

    def take(self, items: list[Item], ends: list[int]) -> None:
        """Give out new items; `ends`: where those at the end are after them."""
        assert self._ends is not None
        for item in items:
            self._ends[item.partition] = item.offset + 1
            place = self.place_at_end()
            text = cursor.encode(*place)
            self._recent.keep(Kept(item, place, text))
            for subscriber in self._subscribers:
                if subscriber.is_at_end:
                    subscriber.put(item, place, text)
        self._ends = ends

    def pause(self) -> None:
        """Nobody reads at the end."""
        for subscriber in self._subscribers:
            subscriber.leave_end()
        self._ends = None

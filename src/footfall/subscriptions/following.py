"""The reading at the end of the topic, which all who are there share: one thread, one reader.

Decides what is given out, in the order of the log, and when reading begins anew: where the topic
was made anew, a place in it is lost, or the broker is away. Must never run ahead of whoever takes:
a part is read when the one before it was given out, so the loop sets the pace.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Protocol

from footfall.errors import BrokerError, SchemaError
from footfall.events.codec import Codec, TriggerRecord
from footfall.subscriptions.items import SKIPPED, Item, item_of
from footfall.subscriptions.reading import Reader, Record, Topic
from footfall.subscriptions.repeats import Repeats, depth
from footfall.telemetry import SUBSCRIPTION_SKIPPED, at_zero

log = logging.getLogger(__name__)

READ_RECORDS_MAX = 500
#: Given out at once: to 500 subscribers that takes some 30 ms, in which the loop does nothing else.
PART_ITEMS_MAX = 25
POLL_S = 0.05


class Takes(Protocol):
    """Who is given what was read, on the loop."""

    def begin(self, topic: Topic, ends: list[int]) -> None:
        """Reading begins there."""

    def take(self, items: list[Item], ends: list[int]) -> None:
        """New items; `ends`: how far has been read with them."""

    def pause(self) -> None:
        """Nobody reads for now."""


class Following:
    """Its thread. `retry_s`: from one try to the next; `check_s`: how often it is looked whether
    the topic is still the same one.
    """

    def __init__(self, readers: Callable[[], Reader], codec: Codec[TriggerRecord], to: Takes, *,
                 retry_s: float, check_s: float) -> None:
        self._readers = readers
        self._codec = codec
        self._to = to
        self._retry_s = retry_s
        self._check_s = check_s
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        at_zero(SUBSCRIPTION_SKIPPED, SKIPPED)

    def start(self) -> None:
        """Read from now on; again: nothing."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._follow, args=(asyncio.get_running_loop(),), daemon=True,
                name="subscribers at the end")
            self._thread.start()

    def end(self) -> None:
        """Give nothing out any more."""
        self._ended.set()

    def join(self) -> None:
        """Wait for the thread, which is told to end."""
        if self._thread is not None:
            self._thread.join()

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """In its thread: reads from the end, again and again until it is told to end."""
        said = ""
        while not self._ended.is_set():
            try:
                self._follow_once(loop)
                said = ""
            except (BrokerError, SchemaError) as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("subscriptions cannot be read for; trying again", extra={
                        "error": type(error).__name__, "error_text": said})
            except Exception as error:  # an error of ours: those at the end are read for apart
                log.error("reading for subscriptions failed", extra={
                    "error": type(error).__name__})
            self._call(loop, self._to.pause)
            self._ended.wait(self._retry_s)

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
            self._call(loop, partial(self._to.begin, topic, list(ends)))
            checked_at = time.monotonic()
            while not self._ended.is_set():
                found = reader.read(READ_RECORDS_MAX, POLL_S)
                if found.lost:
                    return
                if found.records or time.monotonic() > checked_at + self._check_s:
                    # Before anything is given out: records of a topic that was made anew would
                    # pass for those that come next.
                    if reader.topic() != topic:
                        return
                    checked_at = time.monotonic()
                if found.records:
                    self._give(loop, self._new(found.records, repeats, ends), ends)
        finally:
            reader.close()

    def _give(self, loop: asyncio.AbstractEventLoop, items: Iterator[Item], ends: list[int]
              ) -> None:
        """Part by part; `ends` moves on with the items."""
        is_last = False
        while not is_last:
            part = list(islice(items, PART_ITEMS_MAX))
            is_last = len(part) < PART_ITEMS_MAX
            self._call(loop, partial(self._to.take, part, list(ends)))

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
        """Have the loop do this, and wait until it is done."""
        done = threading.Event()

        def do() -> None:
            try:
                what()
            finally:
                done.set()

        loop.call_soon_threadsafe(do)
        while not done.wait(POLL_S) and not self._ended.is_set():
            pass

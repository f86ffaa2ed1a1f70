"""A subscriber at the end and one behind, each alone: the edges that a running hub seldom meets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from footfall import tables
from footfall.errors import BrokerError
from footfall.subscriptions import cursor, frames
from footfall.subscriptions.behind import Behind
from footfall.subscriptions.cursor import Cursor
from footfall.subscriptions.filters import Filter
from footfall.subscriptions.items import Item, Reader, item_of
from footfall.subscriptions.reading import Read, Record
from footfall.subscriptions.recent import Kept
from footfall.subscriptions.repeats import Repeats
from footfall.subscriptions.subscriber import QUEUE_EVENTS_MAX, WRITE_BYTES, Subscriber
from footfall.view.why_classes import ExplanationMask
from tests.events.records import a_trigger
from tests.subscriptions.memory import CODECS, MemoryReader, MemoryTopic
from tests.subscriptions.test_core import parsed

OWNER = Reader(Filter(), "sensitive")
MASK = ExplanationMask(tables.ALL)
ID = bytes(range(16))


class AtEnd:
    """As much of a hub as a subscriber at its end needs."""

    mask = MASK
    is_ending = False
    heartbeat_s = retry_s = 1.0

    def __init__(self, *ends: int) -> None:
        self.ends = list(ends)

    def place_at_end(self) -> Cursor:
        return Cursor(ID, tuple(self.ends))

    def give(self, to: Subscriber, partition: int, offset: int) -> None:
        self.ends[partition] = offset + 1
        place = self.place_at_end()
        to.put(item(partition, offset), place, cursor.encode(*place))


def item(partition: int, offset: int) -> Item:
    record = a_trigger(trigger_id=f"{partition:016x}{offset:016x}")
    made = item_of(Record(partition, offset, CODECS.trigger.encode(record)), CODECS.trigger,
                   Repeats(partition + 1))
    assert isinstance(made, Item)
    return made


def kept(begin: tuple[int, ...], *places: tuple[int, int]) -> list[Kept]:
    """Items in the order in which they were read from `begin` on."""
    made, ends = [], list(begin)
    for partition, offset in places:
        ends[partition] = offset + 1
        end = Cursor(ID, tuple(ends))
        made.append(Kept(item(partition, offset), end, cursor.encode(*end)))
    return made


def got(one: Subscriber) -> list[tuple[str, tuple[int, ...]]]:
    """(partition and offset of the trigger, cursor) of all that waits."""
    found = []
    while one._queue:
        events, last = parsed(one._queue.popleft())
        found.append((events[0][1].partition('"trigger_id":"')[2][:32], cursor.decode(last)))
    return [(f"{int(name[:16], 16)}:{int(name[16:], 16)}", at.offsets) for name, at in found]


def at(hub: Any, *offsets: int) -> Subscriber:
    made = Subscriber(hub, OWNER)
    made.place(Cursor(ID, offsets))
    return made


def test_one_who_is_ahead_is_not_given_the_same_again() -> None:
    """And its cursors never fall back to where the others are."""
    hub = AtEnd(0, 0)
    one = at(hub, 2, 0)
    one.join([], hub.ends)
    hub.give(one, 0, 0)
    hub.give(one, 1, 0)
    hub.give(one, 0, 1)
    hub.give(one, 0, 2)
    hub.give(one, 1, 1)
    assert [("1:0", (2, 1)), ("0:2", (3, 1)), ("1:1", (3, 2))] == got(one)
    assert Cursor(ID, (3, 2)) == one.at


def test_one_who_joins_gets_the_rest_of_the_newest() -> None:
    hub = AtEnd(3, 2)
    one = at(hub, 1, 2)
    one.join(kept((0, 0), (0, 0), (1, 1), (0, 1), (0, 2)), hub.ends)
    assert [("0:1", (2, 2)), ("0:2", (3, 2))] == got(one)
    assert one.is_at_end


def test_one_who_joins_where_the_others_were_is_given_the_same_bytes() -> None:
    """Not before: a cursor that falls back would bring what it has had again."""
    hub = AtEnd(4, 2)
    way = kept((0, 0), (0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (0, 3))
    on_it, beside, ahead = at(hub, 2, 0), at(hub, 1, 1), at(hub, 0, 2)
    for one in (on_it, beside, ahead):
        one.join(way, hub.ends)
        assert one.is_at_end
    shared = [frame for one in way for frame in [one.item.frame(OWNER, MASK, one.text)]]
    assert shared[2:] == list(on_it._queue)
    assert [("0:1", (2, 1)), *got(on_it)[1:]] == got(beside)
    assert [("0:0", (1, 2)), ("0:1", (2, 2)), ("0:2", (3, 2)), ("0:3", (4, 2))] == got(ahead)


def test_no_more_of_the_newest_is_queued_than_may_wait() -> None:
    hub = AtEnd(QUEUE_EVENTS_MAX + 50)
    one = at(hub, 0)
    newest = kept((0,), *((0, n) for n in range(QUEUE_EVENTS_MAX + 50)))
    names: list[str] = []
    for _ in range(20):
        one.join(newest, hub.ends)
        assert one._queued_bytes < WRITE_BYTES + 1_000
        names += [name for name, _at in got(one)]
        one._queued_bytes = 0
        if one.is_at_end:
            break
        assert [f"0:{n}" for n in range(one.at.offsets[0])] == names
    assert one.is_at_end
    assert [f"0:{n}" for n in range(len(newest))] == names


class Interrupted(MemoryReader):
    """Something happens after the first records were read."""

    def __init__(self, log: MemoryTopic, happens: Callable[[], object]) -> None:
        super().__init__(log)
        self._happens = happens
        self._reads = 0

    def assign(self, offsets: Sequence[int]) -> None:
        super().assign(offsets)
        self._reads = 0

    def read(self, records_max: int, wait_s: float) -> Read:
        self._reads += 1
        if self._reads == 2:
            self._happens()
        return super().read(1, wait_s)


def behind(topic: MemoryTopic, *offsets: int) -> Behind:
    return Behind(Cursor(topic.id, offsets), OWNER, MASK, CODECS.trigger)


def test_what_was_read_before_the_broker_went_away_is_read_again() -> None:
    """Nothing of that turn was sent."""
    topic = MemoryTopic(1)
    for n in range(3):
        topic.put(n)

    def go() -> None:
        topic.away = True

    way = behind(topic, 0)
    with pytest.raises(BrokerError):
        way.turn(Interrupted(topic, go))
    topic.away = False
    found = []
    for _ in range(3):
        found += way.turn(topic.reader()).frames
    assert [f"{n:032x}" for n in range(3)] == [
        parsed(frame)[0][0][1].partition('"trigger_id":"')[2][:32] for frame in found]


def test_records_of_a_topic_made_anew_do_not_pass_for_those_that_come_next() -> None:
    """Nothing of that turn is sent; a gap comes first, then all of the new one."""
    topic = MemoryTopic(1)
    topic.put(0)
    topic.put(1)

    def again() -> None:
        if topic.id[0] == 1:
            topic.make(1)
            for n in (10, 11, 12):
                topic.put(n)

    way, reader = behind(topic, 0), Interrupted(topic, again)
    assert [] == way.turn(reader).frames
    gap = way.turn(topic.reader())
    assert gap.has_gap
    assert frames.GAP == parsed(gap.frames[0])[0][0][0]
    assert 3 == len(way.turn(topic.reader()).frames)


def test_a_gap_is_told_though_what_follows_fails() -> None:
    topic = MemoryTopic(1)
    for n in range(3):
        topic.put(n)
    topic.expire(2)
    way = behind(topic, 0)
    assert way.turn(topic.reader()).has_gap
    topic.away = True
    with pytest.raises(BrokerError):
        way.turn(topic.reader())
    topic.away = False
    assert 1 == len(way.turn(topic.reader()).frames)

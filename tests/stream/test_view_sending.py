"""What is sent to the view and when, against a model: all that is durable, and nothing else."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from footfall.stream import view_sending
from footfall.stream.view_sending import Sending
from footfall.tables.record import header
from footfall.tables.stored import FORMAT, HEADER, NEVER, PartitionState
from footfall.view import entry

KEYS = [b"user_id:%d" % n for n in range(12)]


def record(watermark: int) -> bytes:
    """A record's header is all that matters here."""
    return HEADER.pack(FORMAT, watermark, NEVER, 0)


def sending(generation: int = 0) -> Sending:
    return Sending(0, generation, {}, PartitionState(), 0, walk_from=0)


class Checkpoints(RuleBasedStateMachine):
    """Changes, checkpoints, a Redis that fails and forgets, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.saved = view_sending.WAITING_MAX, view_sending.SEND_RECORDS_MAX
        view_sending.WAITING_MAX, view_sending.SEND_RECORDS_MAX = 6, 2
        self.offset = 0
        #: As the fold has it: in the store as of a snapshot, durable, and in Redis.
        self.store: dict[bytes, bytes] = {}
        self.durable: dict[bytes, bytes] = {}
        self.redis: dict[bytes, bytes] = {}
        self.mark = b""
        #: Redis as it was after each write: what it may fall back to.
        self.history: list[tuple[dict[bytes, bytes], bytes]] = [({}, b"")]
        self.has_forgotten = False
        self.under_way: list[tuple[bytes, bytes]] | None = None
        self.sending = Sending(0, 0, self.store, PartitionState(), 0, walk_from=0)

    def teardown(self) -> None:
        view_sending.WAITING_MAX, view_sending.SEND_RECORDS_MAX = self.saved

    @precondition(lambda self: self.under_way is None)
    @rule(keys=st.lists(st.sampled_from(KEYS), unique=True, max_size=9))
    def snapshot(self, keys: list[bytes]) -> None:
        self.under_way = []
        for key in keys:
            self.under_way.append((key, record(self.offset)))
            self.offset += 1
        self.store.update(self.under_way)
        self.sending.begin(self.under_way)

    @precondition(lambda self: self.under_way is not None)
    @rule()
    def acknowledged(self) -> None:
        assert self.under_way is not None
        self.durable.update(self.under_way)
        self.sending.durable(self.under_way, PartitionState(next_offset=self.offset), self.offset)
        self.under_way = None

    @rule(fails=st.booleans())
    def send(self, fails: bool) -> None:
        """One write: a batch, or the mark. One that fails may have been done all the same."""
        if self.sending.marked is None:
            self.has_forgotten = False
            self.sending.found(self.mark)
        batch = self.sending.take()
        assert len(batch) <= 2
        if self.has_forgotten:
            self.sending.interrupted()
            return
        for key, data in batch:
            if key not in self.redis or header(self.redis[key]) < header(data):
                self.redis[key] = data
        if fails:
            self.sending.interrupted()
        elif not batch and self.sending.is_sent() and not self.sending.is_ahead():
            assert self.mark == self.sending.marked
            self.mark = self.sending.marked = entry.head(0, self.sending.state.next_offset)
        self.history.append((dict(self.redis), self.mark))

    @rule(data=st.data())
    def forgets(self, data: Any) -> None:
        """Everything since some earlier write, or everything."""
        redis, self.mark = data.draw(st.sampled_from(self.history))
        self.redis = dict(redis)
        self.has_forgotten = True

    @invariant()
    def nothing_is_shown_that_a_crash_takes_back(self) -> None:
        for key, data in self.redis.items():
            assert header(data) <= header(self.durable[key])

    @invariant()
    def what_waits_is_bounded(self) -> None:
        assert len(self.sending.waiting) <= 6 + 2

    @invariant()
    def a_mark_tells_the_truth(self) -> None:
        held = entry.head_of(self.mark)
        for key, data in self.durable.items():
            if held is not None and header(data)[0] < held.offset:
                assert header(self.redis[key]) >= header(data)

    @rule()
    def catches_up(self) -> None:
        """With a Redis that works, in a number of rounds that is bounded."""
        if self.under_way is not None:
            self.acknowledged()
        for _ in range(30):
            self.send(fails=False)
        assert self.durable == self.redis
        assert entry.head(0, self.sending.state.next_offset) == self.mark


TestCheckpoints = Checkpoints.TestCase
TestCheckpoints.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_a_mark_of_a_lower_generation_covers_nothing() -> None:
    """All is sent anew; a higher one is another's, and told."""
    made = sending(generation=2)
    made.found(entry.head(1, 100))
    assert (0, "taken_up", False) == (made.walk_from, made.walk_reason, made.is_ahead())
    made.interrupted()
    made.found(entry.head(2, 100))
    assert (100, "interrupted", True) == (made.walk_from, made.walk_reason, made.is_ahead())
    made.found(entry.head(3, 0))
    assert made.is_ahead()
    made.found(b"not ours")
    assert (0, False) == (made.walk_from, made.is_ahead())


def test_a_walk_begins_where_the_mark_ends() -> None:
    """What another worker had brought there is not sent again."""
    made = Sending(0, 0, {KEYS[n]: record(n) for n in range(10)},
                   PartitionState(next_offset=10), 0, walk_from=0)
    made.found(entry.head(0, 7))
    assert [KEYS[7], KEYS[8], KEYS[9]] == [key for key, _ in made.take()]
    assert made.is_sent()

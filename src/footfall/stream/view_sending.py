"""What of one partition has still to be sent to the served view. Pure.

Holds records that are durable and no others: what a crash may take back must never be shown. What
waits is bounded: past `WAITING_MAX` it is dropped, for the fold's store has it all; then, as at the
start and after every failure, the store is walked through and what the mark in Redis does not cover
is sent again. So the view catches up whatever happened to it, and a worker never waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from footfall.tables.record import header
from footfall.tables.stored import PartitionState
from footfall.view import entry

#: Records of one partition that wait; a store holds them anyway, so this costs a pointer each.
WAITING_MAX = 20_000
#: Sent at once: some 2 ms of the loop, and of Redis.
SEND_RECORDS_MAX = 500
SEND_BYTES_MAX = 1 << 20
#: Records looked at in one go of a walk.
WALK_RECORDS = 5_000
#: Why the store is walked through.
Reason = Literal["taken_up", "interrupted", "overflow"]
REASONS: tuple[Reason, ...] = ("taken_up", "interrupted", "overflow")

Records = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Sending:
    """One partition. `store` is the fold's, for reading; `state` the last durable one, of all that
    was applied before the instant `at` (ms).
    """

    number: int
    generation: int
    store: Mapping[bytes, bytes]
    state: PartitionState
    at: int
    #: Durable, not sent.
    waiting: dict[bytes, bytes] = field(default_factory=dict)
    #: In the store, and on their way to the changelog.
    under_way: frozenset[bytes] = frozenset()
    #: A walk passed by a record that was under way: the mark has to wait for that checkpoint.
    has_passed: bool = False
    #: What is due of the store, from which watermark on; None: nothing.
    walk_from: int | None = None
    walk_reason: Reason = "taken_up"
    #: The head of the mark in Redis; None until it was read.
    marked: bytes | None = None
    #: What the last mark said.
    marked_at: int = 0
    _walk: list[bytes] | None = None
    _walked: int = 0

    # -- what the checkpoint says ------------------------------------------------------------------

    def begin(self, changed: Iterable[tuple[bytes, bytes]]) -> None:
        """These records are on their way to the changelog; the store has them already."""
        self.under_way = frozenset(key for key, _ in changed)

    def durable(self, changed: Records, state: PartitionState, at: int) -> None:
        """These are in the changelog."""
        self.under_way = frozenset()
        self.has_passed = False
        self.state, self.at = state, at
        if self.walk_from is not None and self._walk is None:
            return  # the walk that is due finds them
        if len(self.waiting) + len(changed) > WAITING_MAX:
            self.waiting.clear()
            self.walk_again("overflow")
        else:
            self.waiting.update(changed)

    # -- what Redis says ---------------------------------------------------------------------------

    def found(self, marked: bytes) -> None:
        """The mark that Redis holds; b"" where there is none. What it does not cover is sent."""
        self.marked = marked[: entry.HEAD_BYTES]
        self.walk_again(self.walk_reason if self.walk_from is not None else "interrupted")

    def interrupted(self) -> None:
        """A write failed, or Redis forgot: what was sent since the mark may not be there."""
        self.marked = None
        self.waiting.clear()
        self.walk_again("interrupted")

    def is_ahead(self) -> bool:
        """Whether the view stands beyond this state: another worker has gone on, or the state was
        made anew under the same generation.
        """
        held = entry.head_of(self.marked or b"")
        return held is not None and held > (self.generation, self.state.next_offset)

    def walk_again(self, reason: Reason) -> None:
        """Look through the store, from its beginning, for what the mark does not cover."""
        held = entry.head_of(self.marked or b"")
        self.walk_from = 0
        if held is not None and held.generation == self.generation:
            self.walk_from = held.offset
        self.walk_reason = reason
        self._walk = None

    # -- what is sent ------------------------------------------------------------------------------

    def take(self) -> Records:
        """What is to be sent next, as it is in the changelog. That it is empty does not mean that
        nothing is left: `is_empty` says so.
        """
        batch: Records = []
        size = 0
        for key in list(islice(self.waiting, SEND_RECORDS_MAX)):
            record = self.waiting.pop(key)
            batch.append((key, record))
            size += len(record)
            if size > SEND_BYTES_MAX:
                break
        return batch or self._walk_on()

    def is_empty(self) -> bool:
        """Whether all that is durable has been taken to be sent."""
        return not self.waiting and self.walk_from is None

    def is_sent(self) -> bool:
        """Whether the view has, once that is acknowledged, all that is durable."""
        return self.is_empty() and not self.has_passed

    def _walk_on(self) -> Records:
        if self.walk_from is None:
            return []
        if self._walk is None:
            self._walk, self._walked = list(self.store), 0
        batch: Records = []
        size = 0
        keys = self._walk[self._walked : self._walked + WALK_RECORDS]
        for key in keys:
            if len(batch) == SEND_RECORDS_MAX or size > SEND_BYTES_MAX:
                break
            self._walked += 1
            record = self.store.get(key)
            if record is None or header(record)[0] < self.walk_from:
                continue
            if key in self.under_way:
                self.has_passed = True
                continue
            batch.append((key, record))
            size += len(record)
        if self._walked >= len(self._walk):
            self._walk = self.walk_from = None
        return batch

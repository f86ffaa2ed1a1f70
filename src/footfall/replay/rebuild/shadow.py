"""A state that is being made: all partitions folded together, and how they become durable.

A checkpoint has two steps over all partitions:

    contents of handoffs acked -> rows, then `$partition`, of each partition acked

Handoffs are what ties partitions together: a receiver that is further back than its sender finds in
the changelog what the sender, further on, does not send again. So whoever is killed between any two
records goes on from the changelog alone: each partition where its `$partition` says, its records
perhaps further on (law 2), and every content that may still be asked for is there. Decides what is
written in which order, and what is still needed. Nobody may start from such a state: its
`$partition` says so until the last checkpoint. Pure: the changelog is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

import msgspec

from footfall.errors import FootfallError
from footfall.replay.together import Start, Together
from footfall.tables.record import decode_partition
from footfall.tables.records import Best
from footfall.tables.stored import (
    PARTITION_KEY,
    SHADOW,
    Coordinates,
    PartitionState,
    inflight,
    read_inflight,
)

#: What a state that is being made keeps beside its offsets (`PartitionState.positions`).
CODE: Final = "$code"
GIVEN_UP: Final = "$given_up"


class ShadowRefusedError(FootfallError):
    """What was begun cannot be gone on with."""


class Changelog(Protocol):
    """Where a shadow is written."""

    def put(self, partition: int, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take records of a partition, in order."""
        ...

    def check_alone(self, partitions: Iterable[int]) -> None:
        """Raise where a partition holds what somebody else has written."""
        ...

    def barrier(self) -> None:
        """Return when all that was put is durable; raise where any of it is not."""
        ...


class Origin(NamedTuple):
    """Where a partition goes on. `given_up`: the offset below which its log was gone when the
    shadow was begun; `is_done`: it has had its last checkpoint; `is_new`: it has had none.
    """

    start: Start
    given_up: int
    is_done: bool = False
    is_new: bool = False


def fresh(low: int, code: int) -> Origin:
    """A partition of which nothing was folded; its log begins at `low`."""
    state = PartitionState(next_offset=low, positions={CODE: code, GIVEN_UP: low},
                           moved_to=SHADOW)
    return Origin(Start(state, Best(), {}), low, is_new=True)


def resumed(best: Best, low: int, code: int) -> Origin:
    """A partition as its changelog has it; raises `ShadowRefusedError` where other code has begun
    it.
    """
    if best.state is None:
        begun = fresh(low, code)
        contents = dict(read_inflight(*item) for item in best.inflight.items())
        best.inflight = {}
        # Its first checkpoint was broken off: records may lie ahead of it.
        return begun._replace(start=Start(begun.start.state, best, contents))
    state = decode_partition(best.state)
    is_done = state.moved_to != SHADOW
    if not is_done and state.positions.get(CODE) != code:
        raise ShadowRefusedError(
            "this state was begun by other code or other tables than are here now: half of it "
            "would be of each. Run `footfall replay abandon`, then begin anew")
    contents = dict(read_inflight(*item) for item in best.inflight.items())
    best.inflight = {}
    return Origin(Start(state, best, contents), state.positions.get(GIVEN_UP, 0), is_done)


class Shadow:
    """The writer of one shadow. `origins`: what `together` began with."""

    def __init__(self, together: Together, changelog: Changelog, origins: Mapping[int, Origin],
                 code: int, passed: Callable[[str], None] = lambda _point: None) -> None:
        self._passed = passed
        self.together = together
        self._changelog = changelog
        self._extra = {number: {CODE: code, GIVEN_UP: origin.given_up}
                       for number, origin in origins.items()}
        self._written = dict.fromkeys(origins, -1)
        #: Contents that the changelog holds.
        self._held: dict[int, set[Coordinates]] = {
            number: set(origin.start.inflight) for number, origin in origins.items()}
        #: Whether contents may lie about that have come already: they came of a shadow resumed.
        self._has_leftovers = any(
            start.state.last_offset >= 0 or start.best.store or start.inflight
            for start, *_rest in origins.values())
        self.done = {number for number, origin in origins.items() if origin.is_done}
        self.checkpoints = 0
        self.rows = 0

    def checkpoint(self, done: Iterable[int] = ()) -> None:
        """Make all that was folded durable. `done`: partitions that are at their end: from this on
        they may be started from.
        """
        together, changelog = self.together, self._changelog
        # Of those that are done workers may be the writers by now.
        changelog.check_alone(together.folds.keys() - self.done)
        ending = set(done) - self.done
        if self._has_leftovers:
            self._drop_leftovers()
        for number, contents in together.inflight.items():
            held = self._held[number]
            needed = {**together.taken[number], **contents}
            changelog.put(number, [inflight(place, value) for place, value in needed.items()
                                   if place not in held])
            held.update(needed)
        changelog.barrier()
        for number, fold in together.folds.items():
            if number in self.done:
                continue
            changed = fold.snapshot()
            state = fold.state()
            if number not in ending and not changed and state.next_offset == self._written[number]:
                continue
            changelog.put(number, changed)
            changelog.put(number, [(PARTITION_KEY, self._stored(number, state, ending).encode())])
            if ending:
                changelog.barrier()  # its worker may go over while the others are written
                self._passed("half_shadow")
            self._written[number] = state.next_offset
            self.rows += len(changed)
        changelog.barrier()
        self.done |= ending
        for number, contents in together.inflight.items():
            together.taken[number].clear()
            come = self._held[number] - contents.keys()
            changelog.put(number, [(inflight(place, b"")[0], None) for place in sorted(come)])
            self._held[number] -= come
        self.checkpoints += 1

    def _stored(self, number: int, state: PartitionState, ending: set[int]) -> PartitionState:
        if number in ending:
            return msgspec.structs.replace(state, moved_to=0)
        return msgspec.structs.replace(state, moved_to=SHADOW, positions=self._extra[number])

    def _drop_leftovers(self) -> None:
        """Forget contents that have come: a partition that goes on further back than its receivers
        sends again what these have.
        """
        for number, contents in self.together.inflight.items():
            records = self.together.folds[number].records
            for place in list(contents):
                to, partition, offset, n = place
                record = records.peek(to)
                if record is not None and record.senders.get(partition, (-1, -1)) >= (offset, n):
                    del contents[place]

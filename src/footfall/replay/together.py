"""Folds all partitions of the log together, again: the past through the code that runs now.

Handoffs in the log are history (law 5): that one was sent, and when it came, is as recorded; what
was in it is what the sender's fold, here, had in it, so that a bug mended in a table, or a table
that is new, is right across merged customers, too. A receiver waits for its sender: causes come
before effects, so nobody waits for ever. Decides in what order partitions go on: the one whose
clock is furthest back first, so that little is on its way between them. Pure: it is given records
and sends nothing; what the folds tell is handed out.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from footfall.admin.history import Entry
from footfall.errors import DecodeError, FootfallError
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import HANDOFF, TYPE_AT, type_bytes
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import Handoff
from footfall.events.topics import INTERACTIONS
from footfall.tables.fold import Fold
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable, Output
from footfall.tables.stored import Coordinates, PartitionState

_HANDOFF: Final = type_bytes(HANDOFF)

EVERY_GENERATION: Final = 1 << 62
#: Keys of whom it is remembered in which partition they are.
RECEIVERS_REMEMBERED: Final = 1 << 16


class MovedOtherwiseError(FootfallError):
    """The log says that a record moved a customer, and this code does not."""


class Start(NamedTuple):
    """Where a partition goes on: its state, its customers, and handoffs on their way to it."""

    state: PartitionState
    best: Best
    inflight: Mapping[Coordinates, bytes]


class Together:
    """The folds of all partitions. `starts`: what each begins with; `told` is given (partition,
    outputs) as they come, handoffs aside. `recorded_before`: of each partition the offset below
    which its steps are not folded here, so that what they sent is taken as the log has it.
    `replaced`: values read in the place of the log's, by (partition, offset) (`unmerges.py`).
    `keep_taken`: keep contents that have come, for who writes them down (`taken`). `strangers`:
    given where a part of the past is given up; a move that is not made here is then one that it
    had a hand in: it is taken as the log has it, and its sender is added.
    """

    def __init__(self, starts: Mapping[int, Start], tables: Sequence[AnyTable], *, codecs: Codecs,
                 keys: CustomerKeys, reserved: Reserved,
                 told: Callable[[int, list[Output]], None] = lambda _partition, _outputs: None,
                 recorded_before: Mapping[int, int] | None = None, keep_taken: bool = False,
                 replaced: Mapping[tuple[int, int], bytes] | None = None,
                 strangers: set[bytes] | None = None,
                 **fold_options: Any) -> None:
        self._codecs = codecs
        self._reserved = reserved
        self._told = told
        self._recorded_before = dict(recorded_before or {})
        self._strangers = strangers
        self.counts: Counter[str] = Counter()
        #: Contents of handoffs that are on their way, by receiving partition.
        self.inflight: dict[int, dict[Coordinates, bytes]] = {
            number: dict(start.inflight) for number, start in starts.items()}
        #: Contents that have come since `taken` was last cleared, where they are kept.
        self.taken: dict[int, dict[Coordinates, bytes]] = {number: {} for number in starts}
        self._keep_taken = keep_taken
        self._replaced = replaced or {}
        self._waiting: dict[int, deque[Entry]] = {number: deque() for number in starts}
        self._blocked: dict[int, tuple[int, int]] = {}
        #: Whatever changed over in the past is no matter of those who fold it again.
        fold_options.setdefault("generation", EVERY_GENERATION)
        self.folds = {
            number: Fold(number, tables, codecs=codecs, keys=keys, reserved=reserved,
                         topic=INTERACTIONS, state=start.state, best=start.best, **fold_options)
            for number, start in starts.items()}
        self._partition_of = _partitioner(len(starts))

    # -- the log -------------------------------------------------------------------------------

    def put(self, partition: int, entries: Iterable[Entry]) -> None:
        """More records of a partition, in order; `run` folds them."""
        if self._replaced:
            entries = [entry._replace(value=self._replaced.get((partition, entry.offset),
                                                               entry.value)) for entry in entries]
        self._waiting[partition].extend(entries)

    def waiting(self, partition: int) -> int:
        """Records put and not yet folded."""
        return len(self._waiting[partition])

    def next(self, ends: Mapping[int, int]) -> int | None:
        """Of which partition records are wanted next: that whose clock is furthest back, of those
        that have none waiting and are not at their end; None where there is no such.
        """
        wanted = [number for number, fold in self.folds.items()
                  if not self._waiting[number] and fold.next_offset < ends[number]]
        return min(wanted, key=lambda number: self.folds[number].clock, default=None)

    def run(self) -> int:
        """Fold what was put, as far as causes are known; how many records were."""
        done = 0
        moved = True
        while moved:
            moved = False
            for partition, waiting in self._waiting.items():
                n = self._run(partition, waiting) if waiting else 0
                done += n
                moved = moved or n > 0
        return done

    def _run(self, partition: int, waiting: deque[Entry]) -> int:
        """Fold of one partition up to a handoff whose sender has to be waited for."""
        blocked = self._blocked.get(partition)
        if blocked is not None and self.folds[blocked[0]].next_offset <= blocked[1]:
            return 0
        self._blocked.pop(partition, None)
        fold = self.folds[partition]
        done = 0
        plain: list[Entry] = []
        while waiting:
            entry = waiting[0]
            value = entry.value
            if value is not None and value.startswith(_HANDOFF, TYPE_AT):
                done += self._apply(partition, fold, plain)
                plain = []
                taken = self._content(partition, fold, entry)
                if taken is None:
                    return done
                entry = taken
            waiting.popleft()
            plain.append(entry)
        return done + self._apply(partition, fold, plain)

    def _apply(self, partition: int, fold: Fold, entries: list[Entry]) -> int:
        if not entries:
            return 0
        applied = fold.apply_all(entries, math.inf)
        assert applied == len(entries)
        if fold.outputs:
            outputs, fold.outputs = fold.outputs, []
            said = [one for one in outputs if one.kind != HANDOFF]
            for one in outputs:
                if one.kind == HANDOFF:
                    self._send(one)
            if said:
                self._told(partition, said)
        return applied

    def _send(self, output: Output) -> None:
        event = self._codecs.interaction.decode(output.value)
        move = self._reserved.read_handoff(event, output.key)
        to = self._partition_of(output.key)
        # What is there has been written down: who goes on from records that are further on than
        # their partition may number what he sends again otherwise.
        self.inflight[to].setdefault(_coordinates(output.key, move), output.value)

    def _content(self, partition: int, fold: Fold, entry: Entry) -> Entry | None:
        """The handoff with what its sender had in it; None where the sender has to be waited for.
        Raises `MovedOtherwiseError`.
        """
        key = entry.key
        if key is None:
            return entry
        try:
            move = self._reserved.read_handoff(self._codecs.interaction.decode(entry.value), key)
        except DecodeError:
            return entry  # the fold rejects it as a worker does
        place = _coordinates(key, move)
        inflight = self.inflight[partition]
        value = inflight.get(place)
        if value is not None:
            del inflight[place]
            if self._keep_taken:
                self.taken[partition][place] = value
            self.counts["recomputed"] += 1
            return entry if value == entry.value else entry._replace(value=value)
        record = fold.records.peek(key)
        if record is not None and (
                entry.offset <= record.watermark
                or record.senders.get(move.partition, (-1, -1)) >= (move.offset, move.n)):
            return entry  # had come before: it is not read
        if move.offset < self._recorded_before.get(move.partition, 0):
            self.counts["recorded"] += 1
            return entry
        if self.folds[move.partition].next_offset <= move.offset:
            self._blocked[partition] = move.partition, move.offset
            return None
        if self._strangers is not None:
            self._strangers.add(move.sender)
            self.counts["recorded_otherwise"] += 1
            return entry
        raise MovedOtherwiseError(
            f"partition {partition}, offset {entry.offset}: the log says that the record at "
            f"partition {move.partition}, offset {move.offset} moved a customer, and this code "
            "does not: identity cannot be folded otherwise than it was; use the settings and the "
            "code of identity that the log was made with")

    @property
    def blocked(self) -> dict[int, tuple[int, int]]:
        """Partition -> (partition, offset) of the cause that it waits for."""
        return dict(self._blocked)

    # -- what came of it -----------------------------------------------------------------------

    @property
    def customers(self) -> int:
        """How many there are, as of each fold's last snapshot."""
        return sum(len(fold.store) for fold in self.folds.values())


def _coordinates(key: bytes, move: Handoff) -> Coordinates:
    return key, move.partition, move.offset, move.n


def _partitioner(partitions: int) -> Callable[[bytes], int]:
    from footfall.stream.partition import partition_of

    # What goes to one customer mostly goes there again; the hash is plain Python.
    return lru_cache(maxsize=RECEIVERS_REMEMBERED)(lambda key: partition_of(key, partitions))

"""Passes through the log: up to the window as it was, from then on also as it might have been.

Up to the window there is one fold, under the configuration that the log has. There it is forked, as
a worker goes on from a checkpoint: one goes on as recorded, the other (`fork.py`) under the
configuration that is asked for, to which `$config` records mean nothing. Decides where the fork
begins and which deadlines the log let pass: its ticks are those that its own deadlines asked for,
so the fork is told of each silence. Pure, but for the source and the cycle collector: it sends
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from footfall.admin.history import Entry
from footfall.errors import FootfallError
from footfall.replay.source import Source
from footfall.replay.together import MovedOtherwiseError, Start
from footfall.replay.what_if.fork import CONFIG_KEY, AsRecorded, Delivered, Fork, gap_of
from footfall.replay.what_if.machine import Machine, together_of
from footfall.stream.garbage import Garbage
from footfall.tables import links
from footfall.tables.config import Config, canonical
from footfall.tables.fold import Fold
from footfall.tables.record import header
from footfall.tables.records import Best
from footfall.tables.spec import Output
from footfall.tables.stored import NEVER, PartitionState

#: Of one partition, between two encodings of what changed.
SNAPSHOT_RECORDS: Final = 20_000


class CauseMissingError(FootfallError):
    """The log holds what a record caused, and not the record."""


class IdentityChangedError(FootfallError):
    """The log moves customers under other settings than those asked for."""


@dataclass(frozen=True, slots=True)
class Question:
    """From `since` on, up to before `until` (ms; 0: the log's end). `content`: the configuration
    asked for, None for the recorded one; it holds from `since` on, or `from_start` of the log.
    `delivers`: handoffs come as the fork sends them, also where settings of identity are the same.
    """

    since: int = 0
    until: int = 0
    content: bytes | None = None
    from_start: bool = False
    delivers: bool = False


@dataclass(frozen=True, slots=True)
class Listening:
    """Who is told of what: outputs of the recorded fold and of the one asked for, as (partition,
    outputs); records of the window; how many records were passed.
    """

    recorded: Callable[[int, list[Output]], None]
    asked: Callable[[int, list[Output]], None]
    met: Callable[[int, Sequence[Entry]], None] | None = None
    passed: Callable[[int], None] = lambda _records: None


@dataclass(slots=True)
class Seen:
    """What a passing has to say of itself. `clocks`: of each partition, where its part of the
    window ends; `versions` were in force in the window; `woken`: ticks that the log has not;
    `delivered`: handoffs came as the fork sent them;
    `strangers`: identifiers of whom the log's start, which is gone, would say whose they are.
    """

    records: int = 0
    woken: int = 0
    clocks: dict[int, int] = field(default_factory=dict)
    versions: set[str] = field(default_factory=set)
    handoffs_recorded: int = 0
    delivered: bool = False
    unmerges_left_out: int = 0
    customers: int = 0
    pending: int = 0
    strangers: set[bytes] = field(default_factory=set)


class Passing:
    """One pass through the log, from where each partition starts to before its end."""

    def __init__(self, source: Source, span: tuple[Mapping[int, PartitionState], Mapping[int, int]],
                 machine: Machine, question: Question, listening: Listening) -> None:
        starts, ends = span
        self._source = source
        self._ends = dict(ends)
        self._machine = machine
        self._question = question
        self._listening = listening
        self._lows = {p: state.next_offset for p, state in starts.items()}
        #: What was taken of a partition, and how many of it have been given out.
        self._held: dict[int, tuple[list[Entry], int]] = {}
        self._garbage = Garbage()
        self._fresh = dict.fromkeys(starts, 0)
        self._fork: Fork | None = None
        self._gap_ms = 0
        #: Up to where each partition is read in the part of the log that is being read.
        self._to: dict[int, int] = {}
        self.seen = Seen()
        self._base = together_of(
            machine, {p: Start(state, Best(), {}) for p, state in starts.items()}, self._lows,
            self.seen.strangers, self._told_by_base)

    def run(self) -> Seen:
        """Read the log once; what came of it is told on the way."""
        question = self._question
        self._source.seek(self._lows)
        if question.content is not None:
            if question.since and not question.from_start:
                self._read(question.since, is_crossed=False)
            self._fork = self._forked(question.content)
        self.seen.versions.clear()  # of what came before
        self._note_versions()
        self._read(question.until, is_crossed=True)
        for number, fold in self._base.folds.items():
            self.seen.clocks.setdefault(number, fold.clock)
        self._finish()
        return self.seen

    def folds(self) -> Mapping[int, Fold]:
        """The folds of what was asked for as they stand, for reading."""
        return self._base.folds if self._fork is None else self._fork.folds

    def _finish(self) -> None:
        seen = self.seen
        if self._fork is not None:
            self._fork.run(math.inf)
            seen.woken, seen.unmerges_left_out = self._fork.woken, self._fork.unmerges
        for fold in self.folds().values():
            fold.snapshot()
            seen.customers += len(fold.store)
            seen.pending += sum(header(value)[1] != NEVER for value in fold.store.values())
        seen.handoffs_recorded = (self._base.counts["recorded"]
                                  + self._base.counts["recorded_otherwise"])

    # -- the log -------------------------------------------------------------------------------

    def _read(self, stop_ms: int, *, is_crossed: bool) -> None:
        """Each partition up to its first record of `stop_ms` or later (0: to its end), with it
        where that is to be crossed: it releases the deadlines before.
        """
        ends = self._to = dict(self._ends)
        while True:
            number = self._base.next(ends)
            if number is None:
                if not self._read_causes():
                    return
                continue
            entries, is_last = self._piece(number, ends[number], stop_ms, is_crossed=is_crossed)
            if entries:
                if is_last:
                    ends[number] = entries[-1].offset + 1
                self._put(number, entries)
            else:
                ends[number] = self._base.folds[number].next_offset

    def _piece(self, number: int, end: int, stop_ms: int, *, is_crossed: bool
               ) -> tuple[list[Entry], bool]:
        """The next records, none after a silence but the first, and whether they are the last."""
        entries, first = self._taken(number, end)
        clock = self._base.folds[number].clock
        gap_ms = self._gap_ms
        for n in range(first, len(entries)):
            at = entries[n].timestamp
            if stop_ms and at >= stop_ms:
                if is_crossed and (n == first or not gap_ms or at - clock <= gap_ms):
                    return self._cut(number, entries, first, n + 1), True
                return self._cut(number, entries, first, n), False
            if gap_ms and n > first and at - clock > gap_ms:
                return self._cut(number, entries, first, n), False
            if at > clock:
                clock = at
        return entries[first:], False

    def _taken(self, number: int, end: int) -> tuple[list[Entry], int]:
        """What is held of a partition, or the next records, and how many have been given out."""
        if number in self._held:
            return self._held.pop(number)
        return self._source.take(number, end), 0

    def _cut(self, number: int, entries: list[Entry], first: int, n: int) -> list[Entry]:
        if n < len(entries):
            self._held[number] = entries, n
        return entries[first:n]

    def _read_causes(self) -> bool:
        """Read on where what caused a record lies past the end of its own partition: they were not
        looked up in one instant. False where nobody waits.
        """
        waited_for = set(self._base.blocked.values())
        if not waited_for:
            return False
        for number, offset in waited_for:
            if self._base.waiting(number) or self._base.folds[number].next_offset > offset:
                continue
            self.seen.clocks.setdefault(number, self._base.folds[number].clock)
            entries, first = self._taken(number, offset + 1)
            n = next((n for n in range(first, len(entries)) if entries[n].offset > offset),
                     len(entries))
            if n > first:
                self._put(number, self._cut(number, entries, first, n))
                return True
        number, offset = min(waited_for)
        raise CauseMissingError(
            f"partition {number}, offset {offset}: the record is not in the log, and what it "
            "caused is; was it cut while it was read?")

    def _put(self, number: int, entries: list[Entry]) -> None:
        if self._listening.met is not None:
            self._listening.met(number, entries)
        fork = self._fork
        if fork is not None:
            fork.put(number, entries, self._slept_at(number, entries[0]))
        self._base.put(number, entries)
        self._base.run()
        if any(entry.key == CONFIG_KEY for entry in entries):
            self._note_versions()
        if fork is not None:
            self._run_fork(fork)
        self.seen.records += len(entries)
        self._listening.passed(len(entries))
        self._fresh[number] += len(entries)
        if self._fresh[number] >= SNAPSHOT_RECORDS:
            self._fresh[number] = 0
            self._base.folds[number].snapshot()
            if fork is not None:
                fork.folds[number].snapshot()
            self._garbage.after_checkpoint()

    def _run_fork(self, fork: Fork) -> None:
        base = self._base
        until = min((fold.clock for p, fold in base.folds.items()
                     if base.waiting(p) or fold.next_offset < self._to[p]), default=math.inf)
        try:
            fork.run(until)
        except MovedOtherwiseError:
            self._note_versions()
            raise

    # -- the fork ------------------------------------------------------------------------------

    def _forked(self, content: bytes) -> Fork:
        machine = self._machine
        asked = Config(machine.tables, 1, content).sections.get(links.NAME)
        delivers = self._question.delivers
        starts = {}
        for number, fold in self._base.folds.items():
            delivers = delivers or _identity(fold) != asked
            fold.snapshot()
            state = fold.state()
            if canonical(machine.tables, state.config_content) != content:
                state = msgspec.structs.replace(
                    state, config_number=state.config_number + 1, config_content=content)
            starts[number] = Start(state, Best(fold.store), self._base.inflight[number])
        self.seen.delivered = delivers
        told = self._listening.asked
        fork: Fork
        if delivers:
            fork = Delivered(starts, machine, told)
        else:
            fork = AsRecorded(
                together_of(machine, starts, self._lows, self.seen.strangers, told), machine)
        self._gap_ms = min(map(gap_of, fork.folds.values()))
        return fork

    def _slept_at(self, number: int, entry: Entry) -> float:
        """The deadline that the log let pass in the silence before a record."""
        base = self._base.folds[number]
        if entry.timestamp - base.clock <= self._gap_ms:
            return math.inf
        slept_at = base.next_timer(entry.timestamp - base.config.late_ms)
        return math.inf if slept_at is None else slept_at

    def _told_by_base(self, number: int, outputs: list[Output]) -> None:
        """Before the fork, and where there is none, both are the same."""
        if self._base.folds[number].clock < self._question.since:
            return
        if self._question.content is not None:
            self._listening.recorded(number, outputs)
        if self._fork is None:
            self._listening.asked(number, outputs)

    def _note_versions(self) -> None:
        """The configurations in force; raises `IdentityChangedError` where customers are moved
        otherwise from here on than the fork does.
        """
        fork = self._fork
        for number, fold in self._base.folds.items():
            self.seen.versions.add(fold.config.label)
            if fork is not None and not self.seen.delivered and (
                    _identity(fold) != _identity(fork.folds[number])):
                raise IdentityChangedError(
                    f"partition {number}, offset {fold.next_offset - 1}: settings of identity "
                    "(links) were changed within the window, so the log moves customers that the "
                    "configuration asked for does not: ask with --deliver-handoffs, or for a later "
                    "--since")


def _identity(fold: Fold) -> Any:
    return fold.config.sections.get(links.NAME)

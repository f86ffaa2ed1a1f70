"""Passes through the log: up to the window as it was, from then on also as it might have been.

Up to the window there is one fold, under the configuration that the log has. There it is forked, as
a worker goes on from a checkpoint: one goes on as recorded, the other under the configuration that
is asked for, to which `$config` records mean nothing. Both take handoffs where the log has them.
Decides when time passes where the log has no record: its ticks are those that its own deadlines
asked for, so the fork is given those that its deadlines would have, but none after a deadline that
the log itself let pass: from there on nobody was awake. Pure, but for the source: sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from footfall import tables as all_tables
from footfall.admin.history import Entry
from footfall.errors import FootfallError
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import CONFIG
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ConfigPayload
from footfall.replay.source import Source
from footfall.replay.together import MovedOtherwiseError, Start, Together
from footfall.tables.config import canonical
from footfall.tables.fold import Fold
from footfall.tables.record import header
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable, Output
from footfall.tables.stored import NEVER, PartitionState

#: As often as a worker asks for a tick: shorter silences have none.
TICK_INTERVAL_MS: Final = 200
#: Of one partition, between two encodings of what changed.
SNAPSHOT_RECORDS: Final = 20_000
#: Decoded at a time, of all folds together.
HOT_RECORDS: Final = 100_000
_CONFIG_KEY: Final = CONFIG.encode()


class CauseMissingError(FootfallError):
    """The log holds what a record caused, and not the record."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What folds: codecs, the installation's secrets, tables."""

    codecs: Codecs
    keys: CustomerKeys
    reserved: Reserved
    tables: Sequence[AnyTable] = all_tables.ALL


@dataclass(frozen=True, slots=True)
class Question:
    """From `since` on, up to before `until` (ms; 0: the log's end). `content`: the configuration
    asked for, None for the recorded one; it holds from `since` on, or `from_start` of the log.
    """

    since: int = 0
    until: int = 0
    content: bytes | None = None
    from_start: bool = False


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
    `strangers`: identifiers of whom the log's start, which is gone, would say whose they are.
    """

    records: int = 0
    woken: int = 0
    clocks: dict[int, int] = field(default_factory=dict)
    versions: set[str] = field(default_factory=set)
    handoffs_recorded: int = 0
    customers: int = 0
    pending: int = 0
    strangers: set[bytes] = field(default_factory=set)


class WithoutStart(Together):
    """Folds of a log whose start is gone. Who belonged to whom before is not known, so the code may
    not move what the log says was moved: that is taken as recorded, and its sender kept in mind.
    """

    strangers: set[bytes]

    def _content(self, partition: int, fold: Fold, entry: Entry) -> Entry | None:
        try:
            return super()._content(partition, fold, entry)
        except MovedOtherwiseError:
            assert entry.key is not None
            event = self._codecs.interaction.decode(entry.value)
            self.strangers.add(self._reserved.read_handoff(event, entry.key).sender)
            self.counts["recorded"] += 1
            return entry


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
        self._held: dict[int, list[Entry]] = {}
        self._fresh = dict.fromkeys(starts, 0)
        self._fork: Together | None = None
        self._gap_ms = 0
        nothing = self._machine.reserved.config(ConfigPayload(0, b"{}"), 0)
        self._no_config = machine.codecs.interaction.encode(nothing)
        self.seen = Seen()
        self._base = self._together(
            {p: Start(state, Best(), {}) for p, state in starts.items()}, self._told_by_base)

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
        last = self._fork or self._base
        for number, fold in self._base.folds.items():
            self.seen.clocks.setdefault(number, fold.clock)
        for fold in last.folds.values():
            fold.snapshot()
            self.seen.pending += sum(header(value)[1] != NEVER for value in fold.store.values())
        self.seen.customers = last.customers
        self.seen.handoffs_recorded = self._base.counts["recorded"]
        return self.seen

    def row_folds(self) -> Mapping[int, Fold]:
        """The folds as they stand at the end, for reading."""
        return (self._fork or self._base).folds

    # -- the log -------------------------------------------------------------------------------

    def _read(self, stop_ms: int, *, is_crossed: bool) -> None:
        """Each partition up to its first record of `stop_ms` or later (0: to its end), with it
        where that is to be crossed: it releases the deadlines before.
        """
        ends = dict(self._ends)
        while True:
            number = self._base.next(ends)
            if number is None:
                if not self._read_causes():
                    return
                continue
            entries, is_last = self._piece(number, ends[number], stop_ms, is_crossed=is_crossed)
            if entries:
                self._put(number, entries)
                if is_last:
                    ends[number] = entries[-1].offset + 1
            else:
                ends[number] = self._base.folds[number].next_offset

    def _piece(self, number: int, end: int, stop_ms: int, *, is_crossed: bool
               ) -> tuple[list[Entry], bool]:
        """The next records, none after a silence but the first, and whether they are the last."""
        entries = self._held.pop(number, None) or self._source.take(number, end)
        clock = self._base.folds[number].clock
        gap_ms = self._gap_ms
        for n, entry in enumerate(entries):
            at = entry.timestamp
            if stop_ms and at >= stop_ms:
                if is_crossed and (not n or not gap_ms or at - clock <= gap_ms):
                    return self._cut(number, entries, n + 1), True
                return self._cut(number, entries, n), False
            if gap_ms and n and at - clock > gap_ms:
                return self._cut(number, entries, n), False
            if at > clock:
                clock = at
        return entries, False

    def _cut(self, number: int, entries: list[Entry], n: int) -> list[Entry]:
        if n < len(entries):
            self._held[number] = entries[n:]
        return entries[:n]

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
            entries = self._held.pop(number, None) or self._source.take(number, offset + 1)
            n = next((n for n, one in enumerate(entries) if one.offset > offset), len(entries))
            if n:
                self._put(number, self._cut(number, entries, n))
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
            self._wake(number, fork.folds[number], entries[0])
            fork.put(number, self._masked(entries))
        self._base.put(number, entries)
        self._base.run()
        if fork is not None:
            fork.run()
        if any(entry.key == _CONFIG_KEY for entry in entries):
            self._note_versions()
        self.seen.records += len(entries)
        self._listening.passed(len(entries))
        self._fresh[number] += len(entries)
        if self._fresh[number] >= SNAPSHOT_RECORDS:
            self._fresh[number] = 0
            for together in (self._base, fork):
                if together is not None:
                    together.folds[number].snapshot()

    def _masked(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        """The records without what configurations say."""
        for entry in entries:
            yield entry if entry.key != _CONFIG_KEY else entry._replace(value=self._no_config)

    # -- the fork ------------------------------------------------------------------------------

    def _forked(self, content: bytes) -> Together:
        starts = {}
        for number, fold in self._base.folds.items():
            fold.snapshot()
            state = fold.state()
            if canonical(self._machine.tables, state.config_content) != content:
                state = msgspec.structs.replace(
                    state, config_number=state.config_number + 1, config_content=content)
            starts[number] = Start(state, Best(fold.store), self._base.inflight[number])
        fork = self._together(starts, self._listening.asked)
        self._gap_ms = max(TICK_INTERVAL_MS, fork.folds[min(fork.folds)].config.late_ms)
        return fork

    def _wake(self, number: int, fold: Fold, entry: Entry) -> None:
        """Let the fork's deadlines come that lie in a silence before a record."""
        if entry.timestamp - fold.clock <= self._gap_ms:
            return
        base = self._base.folds[number]
        slept_at = base.next_timer(entry.timestamp - base.config.late_ms)
        until = entry.timestamp - self._gap_ms
        if slept_at is not None and slept_at < until:
            until = slept_at
        while (due := fold.next_timer(until)) is not None:
            fold.pass_time(due + 1, entry)
            self.seen.woken += 1

    def _together(self, starts: Mapping[int, Start], told: Callable[[int, list[Output]], None]
                  ) -> Together:
        machine = self._machine
        kind = WithoutStart if any(self._lows.values()) else Together
        together = kind(
            starts, machine.tables, codecs=machine.codecs, keys=machine.keys,
            reserved=machine.reserved, told=told, recorded_before=self._lows,
            hot_records_max=max(100, HOT_RECORDS // (2 * len(starts))))
        if isinstance(together, WithoutStart):
            together.strangers = self.seen.strangers
        return together

    def _told_by_base(self, number: int, outputs: list[Output]) -> None:
        """Before the fork, and where there is none, both are the same."""
        if self._base.folds[number].clock < self._question.since:
            return
        if self._question.content is not None:
            self._listening.recorded(number, outputs)
        if self._fork is None:
            self._listening.asked(number, outputs)

    def _note_versions(self) -> None:
        self.seen.versions |= {fold.config.label for fold in self._base.folds.values()}

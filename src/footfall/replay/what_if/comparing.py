"""Puts together what a window tells: the passing of the log, the ledger, and who is meant.

Decides what lies in the window (by when a trigger was emitted), that a selection of interactions
chooses customers (those of whom one of the window fits, as who they are at its end), and how far
both sides are known at the end of the log: what live traffic tells meanwhile is no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from footfall.admin.history import Entry
from footfall.errors import DecodeError
from footfall.events.codec import TriggerRecord
from footfall.events.interaction import IMPORT
from footfall.replay.selected import Selection
from footfall.replay.source import Source
from footfall.replay.what_if.ledger import ASKED, RECORDED, Difference, Ledger, Told
from footfall.replay.what_if.machine import Machine
from footfall.replay.what_if.passing import Listening, Passing, Question, Seen
from footfall.tables import links
from footfall.tables.fold import Fold
from footfall.tables.links_row import LinksTold
from footfall.tables.outputs import REJECTED, TRIGGER
from footfall.tables.spec import Output
from footfall.tables.stored import PartitionState

#: What was recorded, as (partition, trigger); None: it is folded again.
Recorded = Iterable[tuple[int, TriggerRecord]]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which triggers are compared: of these names (None: all), of customers that are chosen."""

    names: Callable[[str], bool] | None = None
    selection: Selection = field(default_factory=Selection)

    @property
    def chooses(self) -> bool:
        """Whether customers are chosen by what they did."""
        asked = self.selection
        return bool(asked.asks_content or asked.from_offsets or asked.to_offsets)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What differs, (name, customer) -> how many triggers both sides told, what was rejected by
    which side in the window, and what the passing saw.
    """

    differences: Sequence[Difference]
    both: Counter[tuple[str, bytes]]
    rejected: tuple[int, int]
    seen: Seen


class Comparison:
    """One question about a window of the log. `recorded`: see `Recorded`."""

    def __init__(self, machine: Machine, question: Question, scope: Scope,
                 recorded: Recorded | None) -> None:
        self._machine = machine
        self._question = question
        self._scope = scope
        self._is_folded = recorded is None
        self._ledger = Ledger(self._is_meant)
        self._rejected = [0, 0]
        self._chosen: set[bytes] = set()
        for partition, record in recorded or ():
            self._ledger.take(RECORDED, partition, record)

    def run(self, source: Source, span: tuple[Mapping[int, PartitionState], Mapping[int, int]],
            passed: Callable[[int], None] = lambda _records: None,
            ends: Callable[[], Mapping[int, int]] | None = None) -> Outcome:
        """Pass through the log. `ends`: where each partition ends afterwards; one that has grown
        may have told, in its last millisecond, what lies beyond.
        """
        listening = Listening(self._recorded, self._asked,
                              self._choose if self._scope.chooses else None, passed)
        passing = Passing(source, span, self._machine, self._question, listening)
        seen = passing.run()
        grown = {p for p, end in ends().items() if end > span[1].get(p, end)} if ends else set()
        is_meant = self._is_chosen(passing.folds())

        def is_chosen(key: bytes) -> bool:
            return key not in seen.strangers and is_meant(key)

        def is_known(side: int, told: Told) -> bool:
            if not is_chosen(told.key):
                return False
            clock = seen.clocks[told.partition]
            return told.emitted_at < clock or self._is_folded or (
                told.emitted_at == clock and (side == ASKED or told.partition not in grown))

        differences = [one for one in self._ledger.differences(is_known) if is_chosen(one.key)]
        return Outcome(differences, self._ledger.both(is_chosen),
                       (self._rejected[RECORDED], self._rejected[ASKED]), seen)

    # -- what is told --------------------------------------------------------------------------

    def _recorded(self, partition: int, outputs: list[Output]) -> None:
        self._take(RECORDED, partition, outputs)

    def _asked(self, partition: int, outputs: list[Output]) -> None:
        self._take(ASKED, partition, outputs)

    def _take(self, side: int, partition: int, outputs: list[Output]) -> None:
        for output in outputs:
            if output.kind == REJECTED:
                self._rejected[side] += 1
            elif output.kind == TRIGGER and (side == ASKED or self._is_folded):
                self._ledger.take(side, partition,
                                  self._machine.codecs.trigger.decode(output.value))

    def _is_meant(self, record: TriggerRecord) -> bool:
        at, question = record["emitted_at"], self._question
        return (at >= question.since and (not question.until or at < question.until)
                and (self._scope.names is None or self._scope.names(record["name"])))

    # -- who is meant --------------------------------------------------------------------------

    def _choose(self, partition: int, entries: Sequence[Entry]) -> None:
        selection = self._scope.selection
        for entry in entries:
            if entry.key is None or not selection.reaches(partition, entry):
                continue
            try:
                event = self._machine.codecs.interaction.decode(entry.value)
                if event["type"] == IMPORT:
                    event = self._machine.reserved.read_import(event, entry.key)[1]
            except DecodeError:
                continue
            if selection.matches(partition, entry, event):
                self._chosen.add(entry.key)

    def _is_chosen(self, folds: Mapping[int, Fold]) -> Callable[[bytes], bool]:
        if not self._scope.chooses:
            return lambda _key: True
        roots: dict[bytes, bytes] = {}

        def root(key: bytes) -> bytes:
            found = roots.get(key)
            if found is None:
                owner = _owner(folds, key)
                found = roots[key] = root(owner) if owner else key
            return found

        chosen = {root(key) for key in self._chosen}
        return lambda key: root(key) in chosen


def _owner(folds: Mapping[int, Fold], key: bytes) -> bytes:
    for fold in folds.values():
        row = fold.row(key, links.NAME)
        if row is not None:
            told: LinksTold = row.told
            return told.owner
    return b""

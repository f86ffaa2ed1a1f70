"""Asking what if of a log in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from footfall import tables
from footfall.admin.config import content_of
from footfall.admin.history import Entry
from footfall.admin.scan import Span
from footfall.replay.what_if.comparing import Comparison, Outcome, Scope
from footfall.replay.what_if.machine import Machine
from footfall.replay.what_if.passing import Question
from footfall.tables.outputs import TRIGGER
from footfall.tables.stored import PartitionState
from footfall.testing.log import Log


class MemorySource:
    """A log in memory as a source, given out in pieces."""

    def __init__(self, entries: Iterable[Iterable[Any]], piece: int = 97) -> None:
        self._entries = [[Entry(*one) for one in of] for of in entries]
        self._at: dict[int, int] = {}
        self._piece = piece

    def spans(self) -> dict[int, Span]:
        return {p: Span(of[0].offset if of else 0, of[-1].offset + 1 if of else 0)
                for p, of in enumerate(self._entries)}

    def seek(self, starts: Mapping[int, int]) -> None:
        self._at = {p: next((n for n, one in enumerate(self._entries[p]) if one.offset >= at),
                            len(self._entries[p])) for p, at in starts.items()}

    def take(self, partition: int, end: int) -> list[Entry]:
        at = self._at[partition]
        found = [one for one in self._entries[partition][at:at + self._piece] if one.offset < end]
        self._at[partition] += len(found)
        return found

    def close(self) -> None:
        """There is nothing to let go of."""


def asked(log: Log, question: Question, scope: Scope | None = None, *, fold: bool = False,
          lows: Mapping[int, int] | None = None) -> Outcome:
    """What differs from what the log's workers told, or from their fold again."""
    codecs = log.installation.codecs
    machine = Machine(codecs, log.installation.keys, log.installation.reserved, log.specs)
    sent = [(p, codecs.trigger.decode(o.value)) for p, o in log.sent if o.kind == TRIGGER]
    starts = {p: PartitionState(next_offset=(lows or {}).get(p, 0))
              for p in range(len(log.entries))}
    source = MemorySource(log.entries)
    comparison = Comparison(machine, question, scope or Scope(), None if fold else sent)
    return comparison.run(source, (starts, {p: span.end for p, span in source.spans().items()}))


def content(*documents: Mapping[str, Any]) -> bytes:
    """A configuration as the log has it."""
    merged: dict[str, Any] = {}
    for document in documents:
        merged |= document
    return content_of(merged, tables.ALL)

"""What folds the past: codecs, secrets and tables of an installation, and folds made of them.

Decides how many customers stay decoded, and what becomes of a log whose start is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from footfall import tables as all_tables
from footfall.admin.history import Entry
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.replay.together import MovedOtherwiseError, Start, Together
from footfall.tables.fold import Fold
from footfall.tables.spec import AnyTable, Output

#: Decoded at a time, of all folds together.
HOT_RECORDS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Machine:
    """What folds: codecs, the installation's secrets, tables."""

    codecs: Codecs
    keys: CustomerKeys
    reserved: Reserved
    tables: Sequence[AnyTable] = all_tables.ALL


def hot_records_max(partitions: int) -> int:
    """Of one fold of two on each partition."""
    return max(100, HOT_RECORDS // (2 * partitions))


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


def together_of(machine: Machine, starts: Mapping[int, Start], lows: Mapping[int, int],
                strangers: set[bytes], told: Callable[[int, list[Output]], None]) -> Together:
    """Folds of a log that is held from `lows` on."""
    kind = WithoutStart if any(lows.values()) else Together
    together = kind(starts, machine.tables, codecs=machine.codecs, keys=machine.keys,
                    reserved=machine.reserved, told=told, recorded_before=lows,
                    hot_records_max=hot_records_max(len(starts)))
    if isinstance(together, WithoutStart):
        together.strangers = strangers
    return together

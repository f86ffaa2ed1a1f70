"""What folds the past: codecs, secrets and tables of an installation, and folds made of them.

Decides how many customers stay decoded, and what becomes of a log whose start is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from footfall import tables as all_tables
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.replay.together import Start, Together
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


def together_of(machine: Machine, starts: Mapping[int, Start], lows: Mapping[int, int],
                strangers: set[bytes], told: Callable[[int, list[Output]], None]) -> Together:
    """Folds of a log that is held from `lows` on; `strangers` takes those of whom it is not known
    whose they are.
    """
    return Together(starts, machine.tables, codecs=machine.codecs, keys=machine.keys,
                    reserved=machine.reserved, told=told, recorded_before=lows,
                    strangers=strangers if any(lows.values()) else None,
                    hot_records_max=hot_records_max(len(starts)))

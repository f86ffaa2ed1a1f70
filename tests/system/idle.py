"""How long a partition stood idle, told from what the topics hold.

Idle is the time in which a record of the log waited and the state did not move: from one
`$partition` record of the changelog to the next, counted from when the record that was due next had
been appended. Exact to the interval of checkpoints. What lies before the first one is the time in
which no worker ran yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from footfall.events.topics import CHANGELOG, INTERACTIONS
from footfall.tables.record import decode_partition
from footfall.tables.stored import PARTITION_KEY
from tests.system.topics import Entry, read_all


def idle_s(bootstrap: str) -> dict[int, float]:
    """Of each partition the longest such time, in all that the topics hold."""
    return longest(read_all(bootstrap, INTERACTIONS), read_all(bootstrap, CHANGELOG))


def longest(log: Sequence[Entry], changelog: Sequence[Entry]) -> dict[int, float]:
    """The same of what was read; by partition, s."""
    appended = {(e.partition, e.offset): e.timestamp for e in log}
    moved: dict[int, tuple[int, int]] = {}
    found = dict.fromkeys(sorted({e.partition for e in log}), 0.0)
    for entry in changelog:
        if entry.key != PARTITION_KEY or entry.value is None:
            continue
        reached = decode_partition(entry.value).next_offset
        due, at = moved.setdefault(entry.partition, (reached, entry.timestamp))
        if reached > due:
            since = max(at, appended[entry.partition, due])
            found[entry.partition] = max(found[entry.partition], (entry.timestamp - since) / 1000)
            moved[entry.partition] = reached, entry.timestamp
    return found

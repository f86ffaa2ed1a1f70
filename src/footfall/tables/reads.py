"""Who reads which fields of an item: one answer for all who ask what is collected for nothing.

Decides what counts as read: a field that a table names, or that lies in an object it names, or
that holds one it names. This release has no rules and no destinations; they add theirs to
`read_fields`. Must never be written by hand what a table reads: `TableSpec.reads` says it, and a
test finds it out.
"""

from __future__ import annotations

from collections.abc import Iterable

from footfall import tables
from footfall.events.commerce import squeeze
from footfall.events.plan import READ
from footfall.tables.spec import Reads


def read_fields() -> tuple[Reads, ...]:
    """All that is read: by the tables, and by the collector for consent and plan."""
    return (Reads(frozenset(READ)), *(reads for table in tables.ALL for reads in table.reads))


def paths_read(reads: Iterable[Reads], call: str, event: str) -> frozenset[str]:
    """The paths that are read of an event of a call."""
    squeezed = squeeze(event) if call == "track" else None
    return frozenset().union(*(one.paths for one in reads
                               if (one.names is None or squeezed in one.names)
                               and (one.calls is None or call in one.calls)))


def is_read(path: str, paths: frozenset[str]) -> bool:
    """Whether a path of an item is among those that are read."""
    parts = path.split(".")
    return (any(".".join(parts[:n]) in paths for n in range(1, len(parts) + 1))
            or any(one.startswith(f"{path}.") for one in paths))

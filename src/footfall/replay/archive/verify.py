"""Looks through an archive: is all that the manifest names there, as it was written?

Decides what is damage, and what to do about it. Nothing is changed. A file that no entry names yet
is none: a writer may be at work, and the next start of one cleans up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.manifest import (
    ArchiveError,
    Entry,
    File,
    Part,
    breaks,
    by_partition,
    entry_name,
)

_CHUNK_BYTES: Final = 1 << 20
Kind = Literal["missing", "altered", "manifest", "gap", "overlap"]


class Damage(NamedTuple):
    """What is wrong, where, and what to do."""

    kind: Kind
    where: str
    what: str


class Verified(NamedTuple):
    """What was looked at and found."""

    files: int
    records: int
    bytes: int
    #: Offsets that retention took before they were archived, as the manifest names them.
    lost: dict[int, int]
    damages: list[Damage]


def verify(catalog: Catalog, checked: Callable[[int], None] = lambda _n: None) -> Verified:
    """Look through all of it; `checked` is called with how many files were looked at."""
    parts = catalog.parts()
    damages: list[Damage] = []
    entries = list(_entries(catalog, parts, damages))
    for entry in entries:
        if entry.file is not None:
            damages += _file(catalog, entry, entry.file)
        checked(1)
    damages += _holes(parts, entries)
    damages += _unnamed(catalog, parts, entries)
    lost: dict[int, int] = {}
    for entry in entries:
        if entry.lost is not None:
            lost[entry.partition] = (lost.get(entry.partition, 0) + entry.lost.end
                                     - entry.lost.start)
    files = [entry.file for entry in entries if entry.file is not None]
    return Verified(len(files), sum(file.records for file in files),
                    sum(file.bytes for file in files), lost, damages)


def _entries(catalog: Catalog, parts: Sequence[Part], damages: list[Damage]) -> Iterator[Entry]:
    for part in parts:
        try:
            (entry,) = catalog.entries([part])
        except ArchiveError as error:
            damages.append(Damage("manifest", entry_name(part), str(error)))
        else:
            yield entry


def _file(catalog: Catalog, entry: Entry, file: File) -> Iterator[Damage]:
    lacks = (f"offsets {entry.start} to {entry.end - 1} of partition {entry.partition}: put it "
             "back from a copy, or, while Kafka has them, delete it and all entries of the "
             f"partition from {entry_name(entry.part)} on, and run `footfall archive run --once`")
    digest = hashlib.sha256()
    size = 0
    try:
        with catalog.target.open(file.name) as opened:
            while chunk := opened.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except FileNotFoundError:
        yield Damage("missing", file.name, f"it is not there; it has {lacks}")
        return
    except OSError as error:
        yield Damage("missing", file.name, f"it cannot be read ({error.strerror}); it has {lacks}")
        return
    if size != file.bytes or digest.hexdigest() != file.sha256:
        yield Damage("altered", file.name, f"it has {size} bytes with another checksum than the "
                     f"{file.bytes} that were written; it has {lacks}")


def _unnamed(catalog: Catalog, parts: Sequence[Part], entries: Sequence[Entry]
             ) -> Iterator[Damage]:
    """Files that an entry must have named once: what follows them is archived."""
    ends = {part.partition: part.end for part in parts}
    names = {entry.file.name for entry in entries if entry.file is not None}
    for name, (partition, first_offset) in catalog.data().items():
        if name not in names and first_offset < ends.get(partition, 0):
            yield Damage("manifest", name, "no entry names it, though later ones are named: its "
                         "entry has gone, put it back from a copy")


def _holes(parts: Sequence[Part], entries: Sequence[Entry]) -> Iterator[Damage]:
    lost = {entry.part: entry.lost for entry in entries if entry.lost is not None}
    for number, of_one in by_partition(parts).items():
        for found in breaks(of_one, lost):
            todo = ("an entry of the manifest has gone: put it back from a copy"
                    if found.kind == "gap" else
                    "two writers were at work: keep the entries of one, delete those of the other")
            yield Damage(found.kind, f"partition {number}",
                         f"{found.kind} from offset {found.start} to {found.end}; {todo}")

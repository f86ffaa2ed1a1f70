"""An archive that `footfall archive` wrote, as files of an import.

Decides that a folder or URL is one by its manifest; what of it is refused before a row is read (a
gap that no entry names, two writers, a file that is not there), for nobody would miss later what
is missing here; and the order of its files: by when their records were appended, so that what a
customer did under several identifiers comes about as it came. The records of one key lie in one
partition, and come in its order. Must never change an archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.manifest import (
    IDENTITY,
    ArchiveError,
    Entry,
    File,
    Identity,
    breaks,
    by_partition,
)
from footfall.replay.archive.target import Folder, Target, target_of

#: A year of 12 partitions, a file an hour each, nine times over.
FILES_MAX: Final = 1_000_000
_PATTERN: Final = frozenset("*?[")


class Part(NamedTuple):
    """One file of an archive. `lacks`: offsets before it, of its partition, that the archive does
    not have: retention was faster, or it was begun later.
    """

    target: Target
    log: Identity
    partition: int
    file: File
    lacks: int

    @property
    def shown(self) -> str:
        """For people."""
        return f"{self.target.shown}/{self.file.name}"

    def open(self) -> BinaryIO:
        """Its bytes."""
        return cast(BinaryIO, self.target.open(self.file.name))


def parts_of(name: str) -> list[Part] | None:
    """The files of an archive, in the order in which they are imported; None where the name is that
    of anything else. Raises `ArchiveError`.
    """
    target = _target(name)
    if target is None:
        return None
    catalog = Catalog(target)
    log = catalog.identity()
    if log is None:
        return None
    entries = catalog.entries(catalog.parts())
    _whole(catalog, entries)
    found = [one for number in sorted({entry.partition for entry in entries})
             for one in _of_partition(target, log, [e for e in entries if e.partition == number])]
    if not found:
        raise ArchiveError(f"{target.shown}: no file of the archive is complete yet; `footfall "
                           "archive run --once` closes what there is")
    if len(found) > FILES_MAX:
        raise ArchiveError(f"{target.shown}: more than {FILES_MAX} files")
    return [part for _at, part in sorted(found, key=lambda one: (
        one[0], one[1].partition, one[1].file.first_offset))]


def archive_of(path: Path) -> Path | None:
    """The archive that a file of this machine is a part of."""
    folder = path.parent.parent
    return folder if (folder / IDENTITY).is_file() else None


def _target(name: str) -> Target | None:
    """Where an archive may be; None where there is surely none."""
    if "://" not in name:
        return Folder(Path(name)) if (Path(name) / IDENTITY).is_file() else None
    if name.startswith("file://"):
        return _target(name.removeprefix("file://"))
    if _PATTERN & set(name):
        return None
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(name)
        is_there = system.exists(f"{path.rstrip('/')}/{IDENTITY}")
    except Exception:  # of any store: who opens it as a file says what is wrong
        return None
    return target_of(name) if is_there else None


def _whole(catalog: Catalog, entries: list[Entry]) -> None:
    lost = {entry.part: entry.lost for entry in entries if entry.lost is not None}
    for parts in by_partition(entry.part for entry in entries).values():
        for hole in breaks(parts, lost):
            raise ArchiveError(
                f"{catalog.target.shown}: partition {hole.partition} has "
                f"{'a gap' if hole.kind == 'gap' else 'an overlap'} from offset {hole.start} to "
                f"{hole.end}: `footfall archive verify` says more")
    there = set(catalog.target.names())
    for entry in entries:
        if entry.file is not None and entry.file.name not in there:
            raise ArchiveError(f"{catalog.target.shown}: {entry.file.name} is missing, which the "
                               "manifest names: put it back from a copy")


def _of_partition(target: Target, log: Identity, entries: list[Entry]
                  ) -> Iterator[tuple[int, Part]]:
    """The files of a partition, each with the time by which it is ordered: never before that of the
    file before it, whatever clocks said.
    """
    at = end = lacks = 0
    for entry in entries:
        lacks += (entry.start if entry.lost is None else entry.lost.end) - end
        end = entry.end
        if entry.file is not None:
            at = max(at, entry.file.appended_from)
            yield at, Part(target, log, entry.partition, entry.file, lacks)
            lacks = 0

"""An archive's manifest where it is kept: what there is, and one entry more.

Decides when an archive is refused: it is of another log, its version is newer, an entry cannot be
read. Must never name a file before it is there, nor change an entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from footfall.replay.archive.manifest import (
    FOLDER,
    IDENTITY,
    VERSION,
    ArchiveError,
    Entry,
    Identity,
    Part,
    entry_name,
    parts_of,
)
from footfall.replay.archive.target import Target

_DATA: Final = re.compile(r"day=[\d-]{10}/(\d{5,})-(\d{20})\.(?:parquet|avro)")
T = TypeVar("T", Identity, Entry)
#: Read at once.
_ENTRIES: Final = 500


class Catalog:
    """The manifest of one archive."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def identity(self) -> Identity | None:
        """Of which log it is; None where nothing was archived yet. Raises `ArchiveError`."""
        content = self.target.read([IDENTITY]).get(IDENTITY)
        return None if content is None else _decoded(content, IDENTITY, Identity)

    def check(self, log: Identity) -> bool:
        """Whether there is an archive, of this log; raises `ArchiveError` where it is another's."""
        found = self.identity()
        if found is not None and found != log:
            raise ArchiveError(
                f"{self.target.shown} holds {_shown(found)}, and this is {_shown(log)}: records of "
                "two logs cannot follow one another; give FOOTFALL_ARCHIVE_TARGET a place of its "
                "own for each")
        return found is not None

    def begin(self, log: Identity) -> None:
        """An archive of this log, to which will be added; raises `ArchiveError`."""
        if not self.check(log):
            self.target.write(IDENTITY, msgspec.json.format(msgspec.json.encode(log)))

    def parts(self) -> list[Part]:
        """Which ranges its entries stand for, by partition and offset: a listing of names."""
        return parts_of(self.target.names(FOLDER))

    def entries(self, parts: Iterable[Part]) -> list[Entry]:
        """The entries of these parts, in their order; raises `ArchiveError`."""
        wanted = list(parts)
        found = []
        for at in range(0, len(wanted), _ENTRIES):
            names = [entry_name(part) for part in wanted[at : at + _ENTRIES]]
            contents = self.target.read(names)
            for name, part in zip(names, wanted[at : at + _ENTRIES], strict=True):
                if name not in contents:
                    raise ArchiveError(f"{self.target.shown}: {name} has gone while it was read")
                entry = _decoded(contents[name], name, Entry)
                if entry.part != part:
                    raise ArchiveError(f"{self.target.shown}: {name} does not say what its name "
                                       "says; put it back from a copy")
                found.append(entry)
        return found

    def add(self, entry: Entry) -> None:
        """One entry more; its file is there."""
        self.target.write(entry_name(entry.part),
                          msgspec.json.format(msgspec.json.encode(entry)))

    def data(self) -> dict[str, tuple[int, int]]:
        """Files of data, named by an entry or not: name -> partition, first offset."""
        found = {}
        for name in self.target.names():
            match = _DATA.fullmatch(name)
            if match:
                found[name] = int(match[1]), int(match[2])
        return found


def _decoded(content: bytes, name: str, kind: type[T]) -> T:
    try:
        found = msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise ArchiveError(f"{name} cannot be read ({error}): put it back from a copy") from None
    if found.version > VERSION:
        raise ArchiveError(f"{name} is of version {found.version}, this Footfall knows {VERSION}: "
                           "upgrade it")
    return found


def _shown(log: Identity) -> str:
    return (f"{log.topic} (id {log.topic_id or 'unknown'}, {log.partitions} partitions) of cluster "
            f"{log.cluster_id or 'unknown'}")

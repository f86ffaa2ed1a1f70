"""The manifest of an archive: which file holds which offsets, as names and JSON documents. Pure.

One document a file, written once and never changed, so that nothing grows that has to be written
again, and a writer that was killed leaves either all of an entry or none. Partition and range stand
in its name: listing a folder is enough to know where to go on. The ranges of a partition must
follow one another; a range may hold fewer records than offsets (control records have offsets and
are none). What retention had taken before it could be written is named by the entry that comes
after it, never passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import msgspec

from footfall.errors import FootfallError

FOLDER: Final = "_manifest"
#: Of which log the archive is; made before its first file.
IDENTITY: Final = f"{FOLDER}/archive.json"
VERSION: Final = 1
Format = Literal["parquet", "avro"]
#: The first and last day that a record may say.
_TIME_MAX: Final = 253_402_300_799_999
_NAME: Final = re.compile(r"(\d{5,})-(\d{20})-(\d{20})\.json")


class ArchiveError(FootfallError):
    """The archive is not what it should be, or not of this log; the message says what to do."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Of which log an archive is."""

    version: int = VERSION
    topic: str
    #: Empty where the broker gives none.
    topic_id: str
    cluster_id: str
    partitions: int


class Part(NamedTuple):
    """A partition's offsets [start, end) that one entry stands for: all that its name says."""

    partition: int
    start: int
    end: int


class Lost(msgspec.Struct, frozen=True):
    """Offsets [start, end) that retention had taken; they come before the entry's own."""

    start: int
    end: int


class Last(msgspec.Struct, frozen=True):
    """The newest record of an entry, to know the log by when it is written on."""

    offset: int
    sha256: str


class File(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file of data."""

    name: str
    format: Format
    records: int
    first_offset: int
    last_offset: int
    #: Append times, milliseconds since 1970.
    appended_from: int
    appended_to: int
    bytes: int
    sha256: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One document of the manifest. Without a file: the range holds no record at all."""

    version: int = VERSION
    partition: int
    start: int
    end: int
    file: File | None
    last: Last | None
    lost: Lost | None = None

    @property
    def part(self) -> Part:
        """Its partition and range."""
        return Part(self.partition, self.start, self.end)


class Break(NamedTuple):
    """Where the ranges of a partition do not follow one another."""

    partition: int
    kind: Literal["gap", "overlap"]
    start: int
    end: int


def day_of(appended_at: int) -> str:
    """The day (UTC) of an append time, as the folders are called."""
    at = min(max(appended_at, 0), _TIME_MAX)
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%d")


def data_name(day: str, partition: int, first_offset: int, kind: Format) -> str:
    """Where records from an offset on are put: a writer that begins there again writes over what
    one that was killed has left.
    """
    return f"day={day}/{partition:05d}-{first_offset:020d}.{kind}"


def entry_name(part: Part) -> str:
    """Where an entry is put."""
    return f"{FOLDER}/{part.partition:05d}-{part.start:020d}-{part.end:020d}.json"


def parts_of(names: Iterable[str]) -> list[Part]:
    """The entries among names of files, by partition and offset."""
    found = (_NAME.fullmatch(name.rpartition("/")[2]) for name in names)
    return sorted(Part(*map(int, one.groups())) for one in found if one)


def by_partition(parts: Iterable[Part]) -> dict[int, list[Part]]:
    """Each partition's parts, in order."""
    ordered: dict[int, list[Part]] = {}
    for part in sorted(parts):
        ordered.setdefault(part.partition, []).append(part)
    return ordered


def breaks(parts: Sequence[Part], lost: Mapping[Part, Lost]) -> list[Break]:
    """Where the parts of one partition do not follow one another; a gap that `lost` names is none.
    """
    found = []
    for before, after in pairwise(parts):
        named = lost.get(after)
        begins = after.start if named is None else named.start
        if begins > before.end:
            found.append(Break(after.partition, "gap", before.end, begins))
        elif begins < before.end:
            found.append(Break(after.partition, "overlap", begins, min(before.end, after.end)))
    return found

"""What an archive holds, for people and for programs: days, partitions, ranges, sizes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from rich.table import Table

from footfall.replay.archive.manifest import Entry, Identity


class Day(NamedTuple):
    """All files of one day."""

    day: str
    partitions: int
    files: int
    records: int
    bytes: int


class Range(NamedTuple):
    """All files of one partition."""

    partition: int
    start: int
    end: int
    files: int
    records: int
    #: Offsets that retention took first.
    lost: int
    appended_from: int | None
    appended_to: int | None


def days(entries: Sequence[Entry]) -> list[Day]:
    """By day."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.file is not None:
            day = entry.file.name.partition("/")[0].removeprefix("day=")
            found.setdefault(day, []).append(entry)
    return [Day(day, len({e.partition for e in some}), len(some),
                sum(e.file.records for e in some if e.file is not None),
                sum(e.file.bytes for e in some if e.file is not None))
            for day, some in sorted(found.items())]


def ranges(entries: Sequence[Entry]) -> list[Range]:
    """By partition."""
    found: dict[int, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.partition, []).append(entry)
    ranges_found = []
    for number, some in sorted(found.items()):
        files = [entry.file for entry in some if entry.file is not None]
        ranges_found.append(Range(
            number, some[0].start, some[-1].end, len(files), sum(file.records for file in files),
            sum(e.lost.end - e.lost.start for e in some if e.lost is not None),
            min((file.appended_from for file in files), default=None),
            max((file.appended_to for file in files), default=None)))
    return ranges_found


def document(log: Identity, entries: Sequence[Entry]) -> dict[str, Any]:
    """All of it, for programs."""
    return {"log": msgspec.to_builtins(log),
            "days": [day._asdict() for day in days(entries)],
            "partitions": [one._asdict() for one in ranges(entries)],
            "entries": msgspec.to_builtins(entries)}


def tables(entries: Sequence[Entry]) -> tuple[Table, Table]:
    """Days and partitions, for people."""
    by_day = _table("day", "partitions", "files", "records", "MB")
    for day in days(entries):
        by_day.add_row(day.day, f"{day.partitions:,}", f"{day.files:,}", f"{day.records:,}",
                       f"{day.bytes / 1e6:,.1f}")
    by_partition = _table("partition", "offsets", "files", "records", "lost", "first", "last")
    for one in ranges(entries):
        by_partition.add_row(str(one.partition), f"{one.start} to {one.end - 1}", f"{one.files:,}",
                             f"{one.records:,}", f"{one.lost:,}", _time(one.appended_from),
                             _time(one.appended_to))
    return by_day, by_partition


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _time(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at // 1000, UTC).strftime(
        "%Y-%m-%d %H:%M:%S")

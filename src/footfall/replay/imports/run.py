"""One run of an import: file after file, chunk after chunk, from rows to acknowledged records.

Decides the order that makes a run resumable: a chunk's records acknowledged and its rejects on disk
before the journal says that it is done. A row that cannot be imported costs itself, a file that
cannot be read on costs what is left of it; only the log not taking records ends a run.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from footfall.errors import Rejected
from footfall.replay.imports.admitting import Admission, Ready
from footfall.replay.imports.files import File, Format
from footfall.replay.imports.journal import Journal, Place, Position
from footfall.replay.imports.mapping_row import Mapping as FieldMapping
from footfall.replay.imports.past import Passed
from footfall.replay.imports.reading import read
from footfall.replay.imports.rejecting import Rejects
from footfall.replay.imports.row_ids import RowIds
from footfall.replay.imports.rows import Bad, FileFault, Logged, Row, Rows, raw_of
from footfall.replay.imports.sending import Reached, Sender
from footfall.replay.imports.telling import History
from footfall.replay.job import Rate

CHUNK_ROWS: Final = 4096
CHUNK_BYTES: Final = 8 * 1024 * 1024
JOURNAL_S: Final = 1.0
#: The rows of a chunk live a moment and have no cycles: looking for these took a tenth of the time.
_GARBAGE_THRESHOLDS: Final = (100_000, 20, 20)


class Stopped(Exception):
    """Somebody asked the run to end."""


@dataclass(slots=True)
class Tally:
    """What became of the rows of one file. `resumed`: rows that an earlier run had done;
    `passed_over`: records of an archive that are no interactions.
    """

    rows: int = 0
    imported: int = 0
    rejected: int = 0
    not_selected: int = 0
    passed_over: int = 0
    resumed: int = 0
    fault: str = ""
    since: int | None = None
    until: int | None = None

    def note(self, at: int) -> None:
        """One more was imported, of this time."""
        self.imported += 1
        if self.since is None or at < self.since:
            self.since = at
        if self.until is None or at > self.until:
            self.until = at


@dataclass(slots=True)
class Run:
    """What a run works with. `asks_end`: whether somebody asked it to end."""

    admission: Admission
    sender: Sender
    rejects: Rejects
    journal: Journal
    position: Position
    rate: Rate
    chunk_rows: int
    asks_end: Callable[[], bool]
    advance: Callable[[int], None]
    #: What is imported is kept there, too, for what it would have told.
    history: History | None = None
    tallies: dict[str, Tally] = field(default_factory=dict)
    #: What was passed over, by type.
    passed_over: Counter[str] = field(default_factory=Counter)
    _saved_s: float = 0.0

    def files(self, files: Mapping[str, tuple[File, Format]],
              mapping: FieldMapping | None) -> None:
        """Import files; raises `Stopped`, or what the log says."""
        gc.set_threshold(*_GARBAGE_THRESHOLDS)
        for name, (file, form) in files.items():
            tally = self.tallies[name] = Tally()
            identity = file.identity()
            place = self.position.files.get(name)
            if place is None or place.identity != identity:
                place = Place(identity=identity)
            tally.resumed = place.rows
            if place.is_done:
                continue
            self._file(read(file, form, mapping), name, place)
            self.sender.flush()
            self._reached(name, msgspec.structs.replace(place, rows=tally.rows, is_done=True),
                          self.rejects.size, is_due=time.monotonic() - self._saved_s > JOURNAL_S)

    def _file(self, rows: Rows, name: str, place: Place) -> None:
        tally = self.tallies[name]
        ids = RowIds()
        try:
            for chunk in chunks(rows, self.chunk_rows):
                named = self._named(ids, chunk)
                before, tally.rows = tally.rows, tally.rows + len(chunk)
                records = self._records(named[max(0, place.rows - before):], name)
                if self.history is not None:
                    self.history.add(records)
                done = self.sender.send(records, Reached(tally.rows, self.rejects.size))
                self.rate.spend(len(records))
                self.advance(len(chunk))
                is_end = self.asks_end()
                if is_end:
                    done = self.sender.flush()
                if done is not None and (is_end or time.monotonic() - self._saved_s > JOURNAL_S):
                    self._reached(name, msgspec.structs.replace(
                        place, rows=max(done.rows, place.rows)), done.rejects_bytes, is_due=True)
                if is_end:
                    raise Stopped
        except FileFault as fault:
            tally.fault = fault.reason
            self.rejects.add(name, 0, fault.reason, fault.detail, b"")
        finally:
            ids.close()

    def _named(self, ids: RowIds, chunk: list[Row | Bad | Logged]
               ) -> list[tuple[Row | Bad | Logged, bytes]]:
        """Rows with their ids; of rows done before, too, for the equal ones among what follows.
        Records of an archive have their own.
        """
        rows = [one.content for one in chunk if isinstance(one, Row)]
        found = iter(ids.of(rows) if rows else ())
        return [(one, next(found) if isinstance(one, Row) else b"") for one in chunk]

    def _records(self, named: list[tuple[Row | Bad | Logged, bytes]], name: str) -> list[Ready]:
        tally, records = self.tallies[name], []
        for one, row_id in named:
            if isinstance(one, Bad):
                tally.rejected += 1
                self.rejects.add(name, one.number, one.reason, one.detail, one.raw)
                continue
            made = self.admission.of(one, row_id)
            if made is None:
                tally.not_selected += 1
            elif isinstance(made, Passed):
                tally.passed_over += 1
                self.passed_over[made.kind] += 1
            elif isinstance(made, Rejected):
                tally.rejected += 1
                self.rejects.add(name, one.number, made.reason, made.detail, raw_of(one))
            else:
                tally.note(made.at)
                records.append(made)
        return records

    def _reached(self, name: str, place: Place, rejects_bytes: int, *, is_due: bool) -> None:
        """Note how far a file has come; on disk where it is due: an archive has many small files,
        and the journal names them all.
        """
        self.position.files[name] = place
        self.position = msgspec.structs.replace(self.position, rejects_bytes=rejects_bytes)
        if is_due:
            self._saved_s = time.monotonic()
            self.rejects.sync()
            self.journal.write(self.position)


def chunks(rows: Rows, rows_max: int) -> Iterator[list[Row | Bad | Logged]]:
    """Rows in lists of bounded size; what was read before a fault comes before the fault."""
    made: list[Row | Bad | Logged] = []
    size = 0
    try:
        for one in rows:
            made.append(one)
            size += len(raw_of(one))
            if len(made) >= rows_max or size >= CHUNK_BYTES:
                yield made
                made, size = [], 0
    except FileFault:
        if made:
            yield made
        raise
    if made:
        yield made

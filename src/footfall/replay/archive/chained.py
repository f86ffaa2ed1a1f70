"""The log from an archive as far as that goes, and from Kafka after it: `ChainedSource`.

Decides where one ends and the other begins. Both may hold the same records for a while; each is
given once. An archive that ends before Kafka begins is a gap, and refused: it is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from footfall.admin.history import Entry as Record
from footfall.admin.scan import Span
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.manifest import ArchiveError
from footfall.replay.archive.reading import ArchiveSource
from footfall.replay.source import Source


class ChainedSource:
    """An archive, then what is live. Kafka is read from where the archive ends once a partition
    gets there: until then the archive may have grown.
    """

    def __init__(self, archive: ArchiveSource, live: Source) -> None:
        self._archive = archive
        self._live = live
        #: Partitions still read from the archive, and up to where once that is fixed.
        self._archived: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        self._is_live = False

    def __enter__(self) -> ChainedSource:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:
        self.close()

    def spans(self) -> dict[int, Span]:
        """From where the archive begins to where Kafka ends; raises `ArchiveError`."""
        archived = self._archive.spans()
        return {number: _joined(number, archived.get(number), live)
                for number, live in self._live.spans().items()}

    def seek(self, starts: Mapping[int, int]) -> None:
        """Where each partition is read from; those not named are not read."""
        spans = self._archive.spans()
        self._starts = dict(starts)
        self._archived = {number: spans[number].end for number, at in starts.items()
                          if number in spans and spans[number].low <= at < spans[number].end}
        self._archive.seek({number: starts[number] for number in self._archived})
        self._is_live = False

    def take(self, partition: int, end: int) -> list[Record]:
        """The next records of a partition below `end`, wherever they are."""
        while partition in self._archived:
            upto = self._archived[partition]
            records = self._archive.take(partition, min(upto, end))
            if records or end <= upto:
                return records
            if self._is_live or not self._grown(partition):
                del self._archived[partition]
                self._go_live(partition, upto)
        self._go_live(partition, self._starts[partition])
        return self._live.take(partition, end)

    def close(self) -> None:
        """Let go of both."""
        self._archive.close()
        self._live.close()

    def _grown(self, partition: int) -> bool:
        """Whether the archive has more by now."""
        before = self._archived[partition]
        self._archive.refresh()
        spans = self._archive.spans()
        self._archived = {number: spans[number].end for number in self._archived}
        return self._archived[partition] > before

    def _go_live(self, partition: int, at: int) -> None:
        """Have Kafka read from where the archive ends, all partitions at once."""
        if self._is_live:
            return
        archived = self._archive.spans()
        live = self._live.spans()
        for number in self._starts:
            _joined(number, archived.get(number), live[number])
        self._live.seek({**self._starts, **self._archived, partition: at})
        self._is_live = True


def source(catalog: Catalog, live: Source) -> Source:
    """What there is in an archive, and then `live`; that alone where nothing was archived."""
    if catalog.identity() is None:
        return live
    return ChainedSource(ArchiveSource(catalog), live)


def _joined(number: int, archived: Span | None, live: Span) -> Span:
    if archived is None:
        return live
    if archived.end < live.low:
        raise ArchiveError(
            f"partition {number}: the archive ends at offset {archived.end}, and the log begins at "
            f"{live.low}: what is between is in neither. `footfall archive run --accept-gap` names "
            "the gap and goes on")
    if archived.end > live.end:
        raise ArchiveError(
            f"partition {number}: the archive has offsets up to {archived.end}, and the log ends "
            f"at {live.end}: a broker forgot records, or this is another log")
    return Span(min(archived.low, live.low), live.end)

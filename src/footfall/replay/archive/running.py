"""Carries the log into an archive: up to its end now, or until stopped.

Decides whether the log may be written on: it must hold what comes next, reach as far as the archive
does, and have the archive's newest record where the archive has it. Must never pass over what
retention took without being told to, nor name it otherwise than as lost.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from footfall.admin.scan import Span
from footfall.replay.archive.growing import last_of
from footfall.replay.archive.manifest import ArchiveError, Last
from footfall.replay.archive.writer import Writer
from footfall.replay.source import Source
from footfall.telemetry import ARCHIVE_LAG

#: Files close after minutes or hours: nothing waits for the archive.
POLL_S: Final = 2.0
logger = logging.getLogger(__name__)


class Manner(NamedTuple):
    """How a run is made. `spent` is called with how many records were read; `same_log` is asked
    again and again, and raises where the log has become another.
    """

    accept_gap: bool = False
    spent: Callable[[int], object] = lambda _n: None
    same_log: Callable[[], object] = lambda: None
    poll_s: float = POLL_S


class Run:
    """One run over a source, until `stopping` is set; `known` is where the archive ends."""

    def __init__(self, source: Source, writer: Writer, known: Mapping[int, tuple[int, Last | None]],
                 stopping: threading.Event, manner: Manner) -> None:
        self._source = source
        self._writer = writer
        self._known = known
        self._manner = manner
        self._stopping = stopping

    def begin(self, spans: Mapping[int, Span]) -> None:
        """Go to where the archive ends; raises `ArchiveError` where the log does not fit it."""
        starts = {}
        checked = {}
        for number, span in spans.items():
            end, last = self._known.get(number, (span.low, None))
            _reaches(number, span, end)
            starts[number] = end
            if last is not None and span.low <= last.offset < span.end:
                starts[number], checked[number] = last.offset, last
        self._gaps(spans, starts)
        self._source.seek(starts)
        for number, last in checked.items():
            found = self._source.take(number, last.offset + 1)
            if not found or last_of(found[0]) != last:
                raise ArchiveError(
                    f"partition {number}, offset {last.offset}: the log has another record than "
                    "the archive: a broker forgot, or this is another log; begin an archive of "
                    "its own at another place")

    def once(self, spans: Mapping[int, Span]) -> None:
        """Archive up to where the log ended when it was asked."""
        self._drain(spans)
        self._writer.close()
        self._lag(spans)

    def forever(self) -> None:
        """Archive what comes, until it is to stop; what is open then is closed."""
        while not self._stopping.is_set():
            self._manner.same_log()
            spans = self._source.spans()
            starts = {number: self._writer.next(number) for number in spans}
            for number, span in spans.items():
                _reaches(number, span, starts[number])
            if self._gaps(spans, starts):
                self._source.seek(starts)
            self._drain(spans)
            self._writer.close_old()
            self._lag(spans)
            self._stopping.wait(self._manner.poll_s)
        self._writer.close()

    def _drain(self, spans: Mapping[int, Span]) -> None:
        """Read all partitions to their ends, some of each in turn."""
        left = {number for number, span in spans.items() if self._writer.next(number) < span.end}
        while left and not self._stopping.is_set():
            for number in sorted(left):
                end = spans[number].end
                records = self._source.take(number, end)
                if records:
                    self._writer.put(number, records)
                    self._manner.spent(len(records))
                else:
                    self._writer.pass_to(number, end)
                    left.discard(number)

    def _gaps(self, spans: Mapping[int, Span], starts: dict[int, int]) -> bool:
        """What retention has taken before it was read; `starts` are moved behind it."""
        found = False
        for number, span in spans.items():
            at = self._writer.next(number)
            if at >= span.low:
                continue
            if not self._manner.accept_gap:
                raise ArchiveError(
                    f"partition {number}: the archive ends at offset {at}, and the log begins at "
                    f"{span.low}: retention has taken what is between. Run once with --accept-gap "
                    "to go on and have the gap named in the manifest, and lengthen retention.ms")
            logger.warning("offsets are lost to the archive", extra={
                "partition": number, "from_offset": at, "until_offset": span.low})
            self._writer.lose(number, span.low)
            starts[number] = span.low
            found = True
        return found

    def _lag(self, spans: Mapping[int, Span]) -> None:
        for number, span in spans.items():
            ARCHIVE_LAG.labels(str(number)).set(max(0, span.end - self._writer.named(number)))


def _reaches(number: int, span: Span, at: int) -> None:
    """Raises `ArchiveError` where the log ends before what was read of it."""
    if span.end < at:
        raise ArchiveError(
            f"partition {number} of the log ends at offset {span.end}, and was read up to {at}: a "
            "broker forgot records, or this is another log; begin an archive of its own at another "
            "place")

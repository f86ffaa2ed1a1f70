"""What a run of the archive has added, counted once for its report, its health and its metrics."""

from __future__ import annotations

from footfall.replay.archive.manifest import Entry
from footfall.telemetry import ARCHIVED, ARCHIVED_BYTES


class Totals:
    """What a run has added."""

    def __init__(self) -> None:
        self.files = self.records = self.bytes = self.lost = 0

    def take(self, entry: Entry) -> None:
        """Count one entry, in the metrics too."""
        if entry.lost is not None:
            self.lost += entry.lost.end - entry.lost.start
        if entry.file is not None:
            self.files += 1
            self.records += entry.file.records
            self.bytes += entry.file.bytes
            ARCHIVED.inc(entry.file.records)
            ARCHIVED_BYTES.labels(entry.file.format).inc(entry.file.bytes)

"""How far a job is, for Prometheus: a job ends, so nobody could scrape it; it keeps a file instead.

Node exporter's textfile collector reads such files. Decides the names and how often it is written.
No label is called `job`: Prometheus has one of that name for whom it scrapes.
Must never hold up the job: a file that cannot be written is told once, and the job goes on.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import click
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

#: From one writing to the next.
WRITE_S: Final = 1.0


class JobMetrics:
    """Of one run; without a file nothing is kept."""

    def __init__(self, job: str, file: Path | None) -> None:
        self._job = job
        self._file = file
        self.registry = CollectorRegistry()
        self._running = Gauge("footfall_job_running", "1 until the job has ended.", ["command"],
                              registry=self.registry)
        self._records = Gauge("footfall_job_records", "Records done, by stage.",
                              ["command", "stage"], registry=self.registry)
        self._expected = Gauge("footfall_job_records_expected", "Records to be done, by stage.",
                               ["command", "stage"], registry=self.registry)
        self._ended = Gauge("footfall_job_reported_timestamp_seconds",
                            "When its report was made; 0: it has made none.", ["command"],
                            registry=self.registry)
        self._written_at = 0.0
        self._running.labels(job).set(1)
        self._ended.labels(job).set(0)
        self._write()

    def done(self, stage: str, records: int, expected: int) -> None:
        """So many of so many records of a stage."""
        self._records.labels(self._job, stage).set(records)
        self._expected.labels(self._job, stage).set(expected)
        if time.monotonic() - self._written_at >= WRITE_S:
            self._write()

    def reported(self) -> None:
        """It has come to its end."""
        self._ended.labels(self._job).set(time.time())

    def close(self) -> None:
        """The process ends, for whatever reason."""
        self._running.labels(self._job).set(0)
        self._write()

    def _write(self) -> None:
        self._written_at = time.monotonic()
        if self._file is None:
            return
        try:
            write_to_textfile(str(self._file), self.registry)
        except OSError as error:
            click.echo(f"footfall: {self._file} cannot be written ({error.strerror}): progress is "
                       "not kept there", err=True)
            self._file = None

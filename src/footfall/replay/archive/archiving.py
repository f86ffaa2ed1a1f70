"""One run of `footfall archive run`: puts log, archive, metrics and report together.

Decides nothing about the archive itself. One run at a time writes to an archive.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple

from prometheus_client import start_http_server

from footfall import expiry
from footfall.admin.scan import Span
from footfall.errors import SettingsError
from footfall.events.registry import codecs_for
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.log import identity_of
from footfall.replay.archive.manifest import Entry
from footfall.replay.archive.running import Manner, Run
from footfall.replay.archive.target import module, target_of
from footfall.replay.archive.writer import Limits, Writer, resumed
from footfall.replay.job import Job, Rate
from footfall.replay.source import KafkaSource
from footfall.settings import Settings
from footfall.telemetry import ARCHIVED, ARCHIVED_BYTES


class Asked(NamedTuple):
    """What the command was called with."""

    once: bool = False
    accept_gap: bool = False
    plan_only: bool = False
    rate_per_s: float | None = None
    as_json: bool = False


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


def archive_log(settings: Settings, bootstrap: str, asked: Asked, stopping: threading.Event
                ) -> None:
    """Archive up to the log's end, or until stopped."""
    if settings.archive_format == "parquet":
        module("pyarrow.parquet")  # before anything is begun
    catalog = Catalog(target_of(settings.archive_target))
    log = identity_of(bootstrap)
    catalog.check(log)
    job = Job("archive", yes=True, as_json=asked.as_json, plan_only=asked.plan_only)
    with closing(KafkaSource(bootstrap)) as source:
        spans = source.spans()
        if not job.agreed(_plan(settings, catalog, spans)):
            return
        catalog.target.take_over()
        catalog.begin(log)
        _serve(settings)
        known = resumed(catalog)
        totals = Totals()
        starts = {number: known[number][0] if number in known else span.low
                  for number, span in spans.items()}
        writer = Writer(catalog, codecs_for(settings.schema_registry_url).interaction.decode,
                        Limits.of(settings), starts, totals.take)
        rate = Rate(asked.rate_per_s)
        with job.progress("records", _waiting(spans, starts)) as advance:

            def spent(records: int) -> None:
                advance(records)
                rate.spend(records)

            run = Run(source, writer, known, stopping, Manner(
                asked.accept_gap, spent, lambda: catalog.check(identity_of(bootstrap))))
            run.begin(spans)
            if asked.once:
                run.once(spans)
            else:
                run.forever()
        catalog.target.give_up()
    job.report({"files": totals.files, "records": totals.records, "bytes": totals.bytes,
                "lost_to_retention": totals.lost, "target": catalog.target.shown,
                "stopped": stopping.is_set()})


def _plan(settings: Settings, catalog: Catalog, spans: Mapping[int, Span]) -> dict[str, Any]:
    ends = {part.partition: part.end for part in catalog.parts()}
    starts = {number: ends.get(number, span.low) for number, span in spans.items()}
    return {"target": catalog.target.shown, "format": settings.archive_format,
            "partitions": len(spans), "records": _waiting(spans, starts)}


def _waiting(spans: Mapping[int, Span], starts: Mapping[int, int]) -> int:
    """How many offsets there are to read."""
    return sum(max(0, span.end - max(span.low, starts[number])) for number, span in spans.items())


def _serve(settings: Settings) -> None:
    """`/metrics` for Prometheus, where a port is set."""
    ARCHIVED_BYTES.labels(settings.archive_format)
    expiry.watch(settings)
    if settings.metrics_port:
        try:
            start_http_server(settings.metrics_port, settings.metrics_host)
        except OSError as error:
            raise SettingsError(
                f"FOOTFALL_METRICS_PORT: port {settings.metrics_port} of {settings.metrics_host} "
                f"cannot be used ({error.strerror}); choose another") from None

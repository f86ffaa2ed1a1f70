"""One run of `footfall archive run`: puts log, archive, metrics and report together.

Decides nothing about the archive itself; health is served from before anything that takes long.
One run at a time writes to an archive.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from typing import Any, NamedTuple

from footfall import expiry
from footfall.admin.scan import Span
from footfall.events.registry import codecs_for
from footfall.health_serving import HealthServing, beside
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.log import identity_of
from footfall.replay.archive.readiness import Readiness
from footfall.replay.archive.running import Manner, Run
from footfall.replay.archive.target import module, target_of
from footfall.replay.archive.totals import Totals
from footfall.replay.archive.writer import Limits, Writer, resumed
from footfall.replay.job import Job, Rate
from footfall.replay.source import KafkaSource
from footfall.settings import Settings
from footfall.telemetry import ARCHIVED_BYTES


class Asked(NamedTuple):
    """What the command was called with."""

    once: bool = False
    accept_gap: bool = False
    plan_only: bool = False
    rate_per_s: float | None = None
    as_json: bool = False


def archive_log(settings: Settings, bootstrap: str, asked: Asked, stopping: threading.Event
                ) -> None:
    """Archive up to the log's end, or until stopped."""
    if settings.archive_format == "parquet":
        module("pyarrow.parquet")  # before anything is begun
    catalog = Catalog(target_of(settings.archive_target))
    log = identity_of(bootstrap)
    catalog.check(log)
    job = Job("archive", yes=True, as_json=asked.as_json, plan_only=asked.plan_only)
    with closing(KafkaSource(bootstrap)) as source, ExitStack() as serving:
        spans = source.spans()
        if not job.agreed(_plan(settings, catalog, spans)):
            return
        totals = Totals()
        ready = Readiness(catalog.target.shown, totals, asked.rate_per_s)
        # Before anything that takes long: whoever asks is told what it does.
        serving.enter_context(_served(settings, ready))
        catalog.target.take_over()
        catalog.begin(log)
        known = resumed(catalog)
        starts = {number: known[number][0] if number in known else span.low
                  for number, span in spans.items()}
        writer = Writer(catalog, codecs_for(settings.schema_registry_url).interaction.decode,
                        Limits.of(settings), starts, totals.take)
        with job.progress("records", _waiting(spans, starts)) as advance:
            run = Run(source, writer, known, stopping, _manner(
                asked, advance, ready, lambda: catalog.check(identity_of(bootstrap))))
            run.begin(spans)
            ready.moved()
            if asked.once:
                run.once(spans)
            else:
                run.forever()
        catalog.target.give_up()
    job.report({"files": totals.files, "records": totals.records, "bytes": totals.bytes,
                "lost_to_retention": totals.lost, "target": catalog.target.shown,
                "stopped": stopping.is_set()})


def _manner(asked: Asked, advance: Callable[[int], None], ready: Readiness,
            check: Callable[[], object]) -> Manner:
    """Rate and progress, for people and for whoever asks how it is."""
    rate = Rate(asked.rate_per_s)

    def spent(records: int) -> None:
        advance(records)
        rate.spend(records)
        ready.moved()

    def same_log() -> None:
        check()
        ready.moved()

    return Manner(asked.accept_gap, spent, same_log)


def _plan(settings: Settings, catalog: Catalog, spans: Mapping[int, Span]) -> dict[str, Any]:
    ends = {part.partition: part.end for part in catalog.parts()}
    starts = {number: ends.get(number, span.low) for number, span in spans.items()}
    return {"target": catalog.target.shown, "format": settings.archive_format,
            "partitions": len(spans), "records": _waiting(spans, starts)}


def _waiting(spans: Mapping[int, Span], starts: Mapping[int, int]) -> int:
    """How many offsets there are to read."""
    return sum(max(0, span.end - max(span.low, starts[number])) for number, span in spans.items())


def _served(settings: Settings, ready: Readiness) -> AbstractContextManager[None]:
    """`/metrics`, `/healthz` and `/readyz`, where a port is set."""
    ARCHIVED_BYTES.labels(settings.archive_format)
    expiry.watch(settings)
    if not settings.metrics_port:
        return nullcontext()
    return beside(HealthServing(settings.metrics_host, settings.metrics_port, ready.parts))

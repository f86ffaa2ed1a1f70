"""The dashboard *Footfall*, as code: `python deploy/grafana/dashboard.py` writes its JSON.

Decides what is shown and in which order: what comes in, what becomes of it, the customers, how long
it takes, what is delivered to whom, who listens to triggers, how the processes are. Every query
adds up all processes of a job, so scaled workers need no change.
A test holds the JSON to this file, the names to `footfall.telemetry`, and evaluates every query on
a real Prometheus. Panels use what Grafana 11.6 knows; later ones read it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, prometheus, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef

OUTPUT = Path(__file__).parent / "dashboards" / "footfall.json"
SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
WIDTH, HEIGHT = 8, 8
#: Grafana's units.
PER_SECOND, SECONDS, NUMBER, BYTES, BYTES_PER_SECOND = "cps", "s", "short", "bytes", "Bps"
QUANTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


class Query(NamedTuple):
    """PromQL, and how a series of its answer is called."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """One graph; what it means stands in its corner."""

    title: str
    meaning: str
    unit: str
    queries: tuple[Query, ...]
    stacked: bool = False


def _legend(labels: tuple[str, ...]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in labels)


def rate(metric: str, *labels: str) -> tuple[Query, ...]:
    """How fast a counter moves, by labels."""
    return (Query(f"sum by ({', '.join(labels)}) (rate({metric}[$__rate_interval]))",
                  _legend(labels)),)


def moving(metric: str, *labels: str) -> tuple[Query, ...]:
    """The same, without what stands still: of many labels most do."""
    return tuple(query._replace(expr=f"{query.expr} > 0") for query in rate(metric, *labels))


def hour(metric: str, *labels: str) -> tuple[Query, ...]:
    """By how much a counter has moved within an hour, by labels."""
    return (Query(f"sum by ({', '.join(labels)}) (increase({metric}[1h]))",
                  _legend(labels)),)


def hour_moving(metric: str, *labels: str) -> tuple[Query, ...]:
    """The same, without what stands still."""
    return tuple(query._replace(expr=f"{query.expr} > 0") for query in hour(metric, *labels))


def now(gauge: str, *labels: str) -> tuple[Query, ...]:
    """What gauges of all processes come to, by labels."""
    return (Query(f"sum by ({', '.join(labels)}) ({gauge})", _legend(labels)),)


def quantiles(histogram: str, *labels: str) -> tuple[Query, ...]:
    """p50, p95 and p99 of all processes together, by labels."""
    buckets = f"sum by ({', '.join(('le', *labels))}) (rate({histogram}_bucket[$__rate_interval]))"
    return tuple(Query(f"histogram_quantile({q}, {buckets})", f"{_legend(labels)} {name}".strip())
                 for q, name in QUANTILES)


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    ("Pipeline", (
        Panel("Accepted", "Interactions in the log, by write key's source", PER_SECOND,
              rate("footfall_accepted_total", "source")),
        Panel("Rejected", "Single items and records that were refused", PER_SECOND,
              moving("footfall_rejected_total", "stage", "reason")),
        Panel("Refused requests", "Whole requests that were refused", PER_SECOND,
              moving("footfall_refused_requests_total", "code")),
        Panel("Processed", "Log records that workers have applied", PER_SECOND,
              rate("footfall_processed_total", "type")),
        Panel("Duplicates", "Records recognised as repeats, and not applied again", PER_SECOND,
              rate("footfall_duplicates_total", "kind")),
        Panel("Triggers", "Triggers emitted", PER_SECOND,
              rate("footfall_triggers_total", "name")),
        Panel("Muted by imports", "Triggers that only imported history caused: put down as told, "
              "and told to nobody", PER_SECOND, moving("footfall_muted_triggers_total", "name")),
        Panel("Lag", "Log records not yet applied: of workers the interactions, of delivery the "
              "deliveries. It should come back to 0", NUMBER,
              (Query("sum by (job, partition) (footfall_lag_records)", "{{job}} {{partition}}"),)),
        Panel("Clock behind", "Time since the newest record of a partition. A partition alone that "
              "grows while others do not is stuck, or quiet", SECONDS,
              (Query("time() - max by (job, partition) (footfall_clock_seconds > 0)",
                     "{{job}} {{partition}}"),)),
        Panel("Ticks and settling", "Timers that came due in silence, and deadlines found late",
              PER_SECOND,
              (Query("sum(rate(footfall_ticks_total[$__rate_interval]))", "ticks"),
               Query("sum by (table) (rate(footfall_settled_total[$__rate_interval]))",
                     "settled {{table}}"))),
    )),
    ("Customers", (
        Panel("Customers", "Customer records held", NUMBER,
              (Query("sum(footfall_customers)", "customers"),)),
        Panel("Engagement", "Customers by engagement level", NUMBER,
              (Query('sum by (level) (footfall_rows{table="engagement"})', "{{level}}"),),
              stacked=True),
        Panel("Risk", "Customers whose risk is above low", NUMBER,
              (Query('sum by (level) (footfall_rows{table="risk", level=~"elevated|high"})',
                     "{{level}}"),), stacked=True),
        Panel("Carts", "Carts abandoned, and ordered after all, within an hour", NUMBER,
              hour('footfall_triggers_total{name=~"cart_.*"}', "name")),
        Panel("Money in carts", "What abandoned carts held and recovered ones brought, within an "
              "hour", NUMBER, hour("footfall_cart_value_total", "trigger", "currency")),
        Panel("Orders", "First orders, and refunds, within an hour", NUMBER,
              hour('footfall_triggers_total{name=~"order_.*"}', "name")),
    )),
    ("Latency", (
        Panel("Collector", "From a request to the broker's acknowledgement", SECONDS,
              quantiles("footfall_ack_seconds")),
        Panel("To the customer's state", "From an interaction's receipt to its being applied",
              SECONDS, quantiles("footfall_apply_latency_seconds")),
        Panel("To the trigger", "From the log to the broker's acknowledgement of the trigger",
              SECONDS, quantiles("footfall_trigger_latency_seconds")),
        Panel("Age on arrival", "How long ago interactions happened when they came",
              SECONDS, quantiles("footfall_event_age_seconds")),
        Panel("Late events", "Interactions that happened more than clock.late_s (5 s) before they "
              "came", PER_SECOND, rate("footfall_late_events_total", "type")),
        Panel("Checkpoint", "Time of one checkpoint", SECONDS,
              quantiles("footfall_checkpoint_seconds")),
    )),
    ("Delivery", (
        Panel("Sent", "What destinations have got", PER_SECOND,
              rate('footfall_deliveries_total{status="sent"}', "destination")),
        Panel("Failed attempts", "Attempts that did not succeed, and are made again while the "
              "schedule has more", PER_SECOND,
              moving('footfall_deliveries_total{status="failed"}', "destination", "reason")),
        Panel("Suppressed and held", "What was not to be sent, and what may not go yet",
              PER_SECOND, moving('footfall_deliveries_total{status=~"suppressed|held"}',
                                 "destination", "status", "reason")),
        Panel("Dead", "What could not be sent, within an hour; `footfall deliveries redrive` "
              "begins it anew", NUMBER, hour_moving('footfall_deliveries_total{status="dead"}',
                                             "destination", "reason")),
        Panel("Waiting", "Deliveries that have not ended: the backlog", NUMBER,
              now("footfall_deliveries_waiting", "destination")),
        Panel("In flight", "Attempts under way", NUMBER,
              now("footfall_deliveries_in_flight", "destination")),
        Panel("To the destination", "From a trigger's firing to its destination's having it",
              SECONDS, quantiles("footfall_delivery_seconds", "destination")),
        Panel("Attempt", "Time of one attempt, whatever came of it", SECONDS,
              quantiles("footfall_delivery_attempt_seconds", "destination")),
        Panel("Destination", "0: it gets what is sent. 1: its breaker is open, one is tried now "
              "and then. 2: it is disabled, until an administrator enables it", NUMBER,
              (Query("max by (destination) (footfall_delivery_destination_state)",
                     "{{destination}}"),)),
        Panel("Stale views", "Deliveries put off because the served view knew less than their "
              "trigger. Some are normal; none sent meanwhile is not", PER_SECOND,
              rate("footfall_delivery_stale_views_total", "destination")),
        Panel("Repeated triggers", "Triggers that came again and were not sent again, within an "
              "hour", NUMBER,
              (Query("sum(increase(footfall_delivery_repeats_total[1h]))", "repeats"),)),
        Panel("Resent", "What `footfall replay resend` has begun anew, and what becomes of it: no "
              "other panel counts it", PER_SECOND,
              moving("footfall_deliveries_resent_total", "destination", "status")),
        Panel("Missed triggers", "Triggers that retention took before they could be delivered, "
              "within an hour: they are lost to every destination", NUMBER,
              (Query("sum(increase(footfall_delivery_missed_triggers_total[1h]))", "missed"),)),
    )),
    ("Subscriptions", (
        Panel("Streams", "Streams of triggers that are open at all collectors", NUMBER,
              (Query("sum(footfall_subscribers)", "streams"),)),
        Panel("Sent to streams", "Triggers that were written to streams, and gaps that were told "
              "in place of what retention had taken", PER_SECOND,
              rate("footfall_subscription_events_total", "event")),
        Panel("Streams that ended", "Within an hour: the client went, was too slow and cut, the "
              "collector stopped. failed is an error of Footfall", NUMBER,
              hour("footfall_subscription_ends_total", "reason")),
        Panel("Kept from streams", "Records of triggers that no stream is sent: held out, a "
              "repeat, unreadable", PER_SECOND,
              moving("footfall_subscription_skipped_total", "reason")),
    )),
    ("Archive", (
        Panel("Archived", "Log records in files that are complete", PER_SECOND,
              (Query("sum(rate(footfall_archived_records_total[$__rate_interval]))", "records"),)),
        Panel("Archived bytes", "Size of these files", BYTES_PER_SECOND,
              rate("footfall_archived_bytes_total", "format")),
        Panel("Archive lag", "Log records that are in no complete file yet: it falls as files are "
              "closed, and must stay far below what retention holds", NUMBER,
              now("footfall_archive_lag_records", "partition")),
    )),
    ("Processes", (
        Panel("Up", "Processes that answer Prometheus", NUMBER,
              (Query("sum by (job) (up)", "{{job}}"),)),
        Panel("Rebalances", "Assignments of partitions taken up, within an hour", NUMBER,
              hour("footfall_rebalances_total", "job")),
        Panel("Recovery", "Time that each process' last recovery took", SECONDS,
              (Query("max by (instance) (footfall_recovery_seconds)", "{{instance}}"),)),
        Panel("Recovered", "Records that each process has read back since it started",
              NUMBER, (Query("sum by (instance) (footfall_recovered_records_total)",
                             "{{instance}}"),)),
        Panel("Written", "Bytes that the broker has acknowledged to workers and delivery",
              BYTES_PER_SECOND, rate("footfall_written_bytes_total", "topic")),
        Panel("Certificates", "Time for which certificates are valid, as processes read them at "
              "their start and as they would now; 0 and below: expired, or not readable", SECONDS,
              (Query("min by (certificate, destination, copy) "
                     "(footfall_certificate_expires_timestamp_seconds) - time()",
                     "{{certificate}} {{destination}} {{copy}}"),)),
        Panel("Age of keys", "Time since keys were made, where their date is set", SECONDS,
              (Query("time() - min by (key) (footfall_key_created_timestamp_seconds)",
                     "{{key}}"),)),
        Panel("Memory", "Resident memory of each process", BYTES,
              (Query("sum by (job, instance) (process_resident_memory_bytes)",
                     "{{job}} {{instance}}"),)),
    )),
)


def dashboard() -> str:
    """The JSON that Grafana reads."""
    made = (Dashboard("Footfall").uid("footfall").tags(["footfall"]).readonly()
            .time("now-30m", "now").refresh("10s").timezone("browser")
            .tooltip(DashboardCursorSync.CROSSHAIR))
    number = 0
    for title, panels in ROWS:
        number += 1
        made = made.with_row(Row(title).id(number))
        for panel in panels:
            number += 1
            made = made.with_panel(_graph(panel).id(number))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _graph(panel: Panel) -> timeseries.Panel:
    graph = (
        timeseries.Panel().title(panel.title).description(panel.meaning).unit(panel.unit).min(0)
        .datasource(SOURCE).span(WIDTH).height(HEIGHT).fill_opacity(30 if panel.stacked else 10)
        .legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
                .placement(LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
                 .sort(SortOrder.DESCENDING))
    )
    if panel.stacked:
        graph = graph.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    for query, ref in zip(panel.queries, "ABCDEF", strict=False):
        graph = graph.with_target(
            prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(ref)
            .datasource(SOURCE).range())
    return graph


if __name__ == "__main__":
    OUTPUT.write_text(dashboard(), encoding="utf-8")

"""Every metric, declared once: kind, labels and meaning. Names begin with `footfall_`, units last.

No label may hold anything of a customer (law 6). A label whose values are known beforehand has all
of them from the start, at 0 (`at_zero`).
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

#: Seconds; up to what an outage makes of a latency.
_LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
_STALENESS_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 5, 10, 30, 60, 300, 3600)
#: Seconds: an app's queue, a device without a network, a replay.
_AGE_S = (1, 5, 60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400)

# collector
RECEIVED = Counter("footfall_received", "Items of requests that could be split", ["source"])
REPEATED = Counter("footfall_repeated", "Items known to be in the log, not written again",
                   ["source"])
UNACKNOWLEDGED = Counter("footfall_unacknowledged", "Items of requests that the log did not "
                         "acknowledge: nothing was promised", ["source"])
PLAN = Counter("footfall_plan", "Properties that the tracking plan found something in",
               ["finding", "call", "event"])
PLAN_EVENTS = Counter("footfall_plan_events", "Records of type violation that the broker "
                      "acknowledged", ["source"])
IN_FLIGHT = Gauge("footfall_in_flight_requests", "Requests whose body is there, not answered yet")
IN_FLIGHT_BYTES = Gauge("footfall_in_flight_bytes", "Bytes of bodies in memory, unpacked")
ACCEPTED = Counter("footfall_accepted", "Interactions acknowledged by the broker", ["source"])
REJECTED = Counter("footfall_rejected", "Refused, at which stage and why", ["stage", "reason"])
REFUSED = Counter("footfall_refused_requests", "Requests refused as a whole, by code", ["code"])
ACK_SECONDS = Histogram("footfall_ack_seconds", "From a request's body to the broker's answer")
UNSENT = Gauge("footfall_unsent_records", "Records that wait for the broker's acknowledgement")
SPOOLED = Counter("footfall_spooled_records", "Records spooled, for the log was away")
UNSPOOLED = Counter("footfall_unspooled_records", "Spooled records that the log has since taken")
SPOOL_BYTES = Gauge("footfall_spool_bytes", "Bytes that the spool holds on disk")
SPOOL_LOST = Counter("footfall_spool_lost_records", "Spooled records that cannot be read",
                     ["reason"])
VIEW_READS = Counter("footfall_view_reads", "Customers asked for over HTTP", ["outcome"])
SUBSCRIBERS = Gauge("footfall_subscribers", "Streams of triggers that are open")
SUBSCRIPTION_EVENTS = Counter("footfall_subscription_events", "Events for streams of triggers, by "
                              "kind", ["event"])
SUBSCRIPTION_SKIPPED = Counter("footfall_subscription_skipped", "Records of the topic of triggers "
                               "that no stream is sent", ["reason"])
SUBSCRIPTION_ENDS = Counter("footfall_subscription_ends", "Streams of triggers that ended",
                            ["reason"])

# worker
PROCESSED = Counter("footfall_processed", "Log records applied, by kind", ["type"])
DUPLICATES = Counter("footfall_duplicates", "Log records recognised as repeats", ["kind"])
TRIGGERS = Counter("footfall_triggers", "Triggers emitted", ["name"])
MUTED = Counter("footfall_muted_triggers", "Triggers that only an import caused: put down as told, "
                "and told to nobody", ["name"])
CART_VALUE = Counter("footfall_cart_value", "Money in triggers of carts, as exact as a float",
                     ["trigger", "currency"])
NORTH_STAR = Counter("footfall_north_star", "Interactions of the name that FOOTFALL_NORTH_STAR "
                     "gives, once they are durable", ["event"])
FUNNEL = Counter("footfall_funnel", "Interactions on the way to an order, once they are durable, "
                 "by step", ["step"])
LEVEL_ENTRIES = Counter("footfall_level_entries", "Customers who came to a level, as announced",
                        ["table", "level"])
LIMITED = Counter("footfall_limited_steps", "Steps of rows of which a limit has cut facts off",
                  ["table"])
GATED = Counter("footfall_gated", "What consent kept out: events of a table, or a field class of "
                "events", ["what"])
UNREADABLE_CONSENTS = Counter("footfall_unreadable_consents", "Interactions with something about "
                              "consent that cannot be read", ["signal"])
LATE = Counter("footfall_late_events", "Interactions that happened more than clock.late_s before "
               "the log's clock", ["type"])
TICKS = Counter("footfall_ticks", "Ticks appended")
SETTLED = Counter("footfall_settled", "Deadlines revealed late, which had to settle", ["table"])
APPLY_LATENCY = Histogram(
    "footfall_apply_latency_seconds", "From the collector's receipt of an interaction to its being "
    "applied; sampled, the first record of each batch", buckets=_LATENCY_S)
TRIGGER_LATENCY = Histogram(
    "footfall_trigger_latency_seconds", "From the append of a batch's first record to the broker's "
    "acknowledgement of the triggers that the batch gave", buckets=_LATENCY_S)
EVENT_AGE = Histogram(
    "footfall_event_age_seconds", "How long before its append an interaction happened; sampled, "
    "the first record of each batch", buckets=_AGE_S)
CHECKPOINT_SECONDS = Histogram("footfall_checkpoint_seconds", "Time of one checkpoint")
RECOVERY_SECONDS = Gauge("footfall_recovery_seconds", "Time the last recovery took")
RECOVERED = Counter("footfall_recovered_records", "Customer records read back from the changelog")
REBALANCES = Counter("footfall_rebalances", "Assignments of partitions taken up")
OUTBOX_BYTES = Gauge("footfall_outbox_bytes", "Bytes that wait for the broker's acknowledgement")
WRITTEN_BYTES = Counter("footfall_written_bytes", "Bytes acknowledged by the broker", ["topic"])
STALE_RECORDS = Counter("footfall_stale_records", "Changelog rows older than the best, rewritten")
CONTROL_OFFSETS = Counter("footfall_control_offsets", "Log offsets that hold no record")
HELD = Gauge("footfall_held", "1 while a record appended ahead of our clock holds the partition",
             ["partition"])
LAG = Gauge("footfall_lag_records", "Log records not yet applied", ["partition"])
CLOCK = Gauge("footfall_clock_seconds", "The log's clock", ["partition"])
CUSTOMERS = Gauge("footfall_customers", "Customer records held", ["partition"])
VIEW_WRITTEN = Counter("footfall_view_written", "Customer records sent to the served view")
VIEW_WAITING = Gauge("footfall_view_waiting_records", "Records that wait to be sent to the view")
VIEW_AWAY = Gauge("footfall_view_away", "1 while the served view cannot be written")
VIEW_FAILURES = Counter("footfall_view_failures", "Attempts to write the view that failed",
                        ["reason"])
VIEW_WALKS = Counter("footfall_view_walks", "Partitions of which all records were looked through "
                     "to bring the view up", ["reason"])
VIEW_STALENESS = Histogram(
    "footfall_view_staleness_seconds", "How old the view of a partition was, at most, each time it "
    "caught up with a checkpoint", buckets=_STALENESS_S)
VIEW_TRIGGERS = Counter("footfall_view_triggers", "Triggers for the index of the served view",
                        ["outcome"])
ROWS = Gauge("footfall_rows", "Customers with a row of a table, by the level last announced",
             ["table", "level"])

# delivery
DELIVERIES = Counter("footfall_deliveries", "Records of footfall.deliveries applied, by what they "
                     "say", ["destination", "status", "reason"])
DELIVERIES_RESENT = Counter("footfall_deliveries_resent", "The same of what `footfall replay "
                            "resend` has begun anew", ["destination", "status", "reason"])
DELIVERIES_WAITING = Gauge("footfall_deliveries_waiting", "Deliveries that have not ended",
                           ["destination"])
DELIVERIES_IN_FLIGHT = Gauge("footfall_deliveries_in_flight", "Attempts under way", ["destination"])
DELIVERY_SECONDS = Histogram(
    "footfall_delivery_seconds", "From a trigger's firing to its destination's having it",
    ["destination"], buckets=_LATENCY_S)
DELIVERY_ATTEMPT_SECONDS = Histogram(
    "footfall_delivery_attempt_seconds", "Time of one attempt", ["destination"],
    buckets=_LATENCY_S)
DELIVERY_STATE = Gauge("footfall_delivery_destination_state", "0: it gets what is sent; 1: its "
                       "breaker is open; 2: it is disabled", ["destination"])
DELIVERY_STALE = Counter("footfall_delivery_stale_views", "Deliveries put off because the served "
                         "view knew less than their trigger", ["destination"])
DELIVERY_REPEATS = Counter("footfall_delivery_repeats", "Triggers that came again to a destination "
                           "within the time they are recognised")
DELIVERY_MISSED = Counter("footfall_delivery_missed_triggers", "Triggers that were gone by "
                          "retention before they could be delivered")

# every program
CERTIFICATE_EXPIRES = Gauge("footfall_certificate_expires_timestamp_seconds", "Until when a "
                            "certificate is valid by which the process reaches Kafka",
                            ["certificate", "destination", "copy"])
KEY_CREATED = Gauge("footfall_key_created_timestamp_seconds",
                    "When a key was made that the process has, "
                    "by the setting key_dates", ["key"])

# archive
ARCHIVED = Counter("footfall_archived_records", "Log records in files that the manifest names")
ARCHIVED_BYTES = Counter("footfall_archived_bytes", "Bytes of these files", ["format"])
ARCHIVE_LAG = Gauge("footfall_archive_lag_records", "Log offsets that the manifest does not cover",
                    ["partition"])


def at_zero(counter: Counter, values: Iterable[str], *before: str) -> None:
    """Show a counter for each value of its last label; `before`: those of the others. Prometheus
    sees no increase in a series' first sample, so one that came with its first step would hide it.
    """
    for value in values:
        counter.labels(*before, value)

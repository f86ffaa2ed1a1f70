"""*Pipeline*: where interactions are, what is late and why. The first page of who is on call.

From top to bottom as an interaction goes: what came of how many, whether all are accounted for, how
long it took, then each stage with what it refuses.
"""

from __future__ import annotations

from boards.panels import (
    BYTES,
    NUMBER,
    PER_SECOND,
    SECONDS,
    SHARE,
    Board,
    Choice,
    Panel,
    Query,
    change,
    hour,
    in_range,
    moving,
    now,
    one,
    quantiles,
    rate,
)

#: The eight stations of a dashboard's first glance.
STATIONS = (
    ("received", "footfall_received_total"),
    ("accepted", "footfall_accepted_total"),
    ("rejected", "footfall_rejected_total"),
    ("processed", 'footfall_processed_total{type!~"[$].*"}'),
    ("triggers", "footfall_triggers_total"),
    ("delivered", 'footfall_deliveries_total{status="sent"}'),
    ("suppressed", 'footfall_deliveries_total{status="suppressed"}'),
    ("dead", 'footfall_deliveries_total{status="dead"}'),
)
#: Of these more is worse.
WORSE = ("rejected", "suppressed", "dead")
#: By whom an item that was received is accounted for.
RECEIVED = ("sum(footfall_received_total) - sum(footfall_accepted_total)"
            " - sum(footfall_repeated_total) - sum(footfall_unacknowledged_total)"
            ' - sum(footfall_rejected_total{stage="collector"})')
#: As in the rule FootfallEventsUnaccounted.
ACCEPTED = ("sum(increase(footfall_accepted_total[1h]))"
            " + sum(increase(footfall_plan_events_total[1h]))"
            ' - sum(increase(footfall_processed_total{type!~"[$].*"}[1h]))'
            ' - sum(increase(footfall_duplicates_total{kind="message_id"}[1h]))'
            ' - sum(increase(footfall_rejected_total{stage="worker"}[1h]))')

BOARD = Board(
    "Pipeline",
    "Where interactions are, from the request to the destination: what is late, refused or lost. "
    "Whoever is called begins here.",
    (
        ("At a glance", (
            Panel("In this period", "How many of each within the range that is shown. Accepted and "
                  "processed should be alike, and dead should be 0: the rows below say why not",
                  NUMBER, tuple(Query(in_range(metric), name) for name, metric in STATIONS),
                  stat=True, width=24),
            Panel("Change against the period before", "The same against the range of the same "
                  "length before it. Received falls alone: an app or the way to it. Processed "
                  "falls and received does not: a worker. No data: there was none before", SHARE,
                  tuple(Query(change(metric, "$__range"), name) for name, metric in STATIONS),
                  stat=True, width=12, signed=True, good="rise", worse=WORSE),
            Panel("Change against $compared before", "The same against this time a day or a week "
                  "before, which knows of nights and weekends", SHARE,
                  tuple(Query(change(metric, "$compared"), name) for name, metric in STATIONS),
                  stat=True, width=12, signed=True, good="rise", worse=WORSE),
        )),
        ("Accounted for", (
            Panel("Items without an outcome", "Received, less accepted, repeated, unacknowledged "
                  "and rejected, since collectors were started: what is in flight, and 0 at rest. "
                  "Else it is an error of Footfall: FootfallCollectorUnaccounted says what to do",
                  NUMBER, one(RECEIVED, "in flight"), stat=True, signed=True, good="zero"),
            Panel("Accepted and not yet applied", "Of an hour: accepted, less processed, repeated "
                  "and rejected by workers. It should be what waits in the log, and 0 at rest. Two "
                  "programs are scraped seconds apart: what comes in a few seconds, more or less, "
                  "is no loss. Where more is missing, see FootfallEventsUnaccounted", NUMBER,
                  (Query(ACCEPTED, "not yet applied"),
                   Query('sum(footfall_lag_records{job="worker"})', "waits in the log")),
                  signed=True, more="Worker"),
            Panel("Up", "Processes that answer Prometheus. Fewer than you run: look at their logs",
                  NUMBER, one("sum by (job) (up)", "{{job}}"), more="Worker"),
        )),
        ("End to end", (
            Panel("Collector", "From a request to the broker's acknowledgement. It grows with "
                  "brokers that are slow, and with collectors that have too few cores", SECONDS,
                  quantiles("footfall_ack_seconds")),
            Panel("Acceptance to trigger", "From an interaction's append to the log to the "
                  "broker's acknowledgement of the triggers that its batch gave. Above a second: "
                  "see Lag", SECONDS, quantiles("footfall_trigger_latency_seconds"),
                  more="Worker"),
            Panel("Acceptance to destination", "From the append of what made a trigger fire (an "
                  "interaction, or the end of a silence) to a destination's having it, all "
                  "destinations together. Delivery shows each alone", SECONDS,
                  quantiles("footfall_delivery_seconds"), more="Delivery"),
            Panel("To the customer's state", "From an interaction's receipt by the collector to "
                  "its being applied", SECONDS, quantiles("footfall_apply_latency_seconds"),
                  more="Worker"),
            Panel("Age on arrival", "How long ago interactions happened when they came: what apps "
                  "and devices hold back. Nothing here can make it shorter", SECONDS,
                  quantiles("footfall_event_age_seconds")),
            Panel("Late events", "Interactions that happened more than clock.late_s (5 s) before "
                  "they came. Many, and no outage: an app queues, or its clock is wrong",
                  PER_SECOND, rate("footfall_late_events_total", "type")),
        )),
        ("Taken in", (
            Panel("Received", "Items of requests, by write key's source, whatever came of them",
                  PER_SECOND, rate("footfall_received_total", "source")),
            Panel("Accepted", "Interactions in the log, by write key's source", PER_SECOND,
                  rate("footfall_accepted_total", "source")),
            Panel("Rejected", "Single items and records that were refused, by stage and reason. "
                  "They are in footfall.rejected; a release of an app or of a plan is the usual "
                  "cause", PER_SECOND, moving("footfall_rejected_total", "stage", "reason")),
            Panel("Refused requests", "Whole requests that were refused. unauthorized: a key; "
                  "overloaded and log_unavailable: the client sends again, and you have to look",
                  PER_SECOND, moving("footfall_refused_requests_total", "code")),
            Panel("Sent again, or not acknowledged", "Items that the log has already, and items "
                  "of which nothing was promised: their clients send them again", PER_SECOND,
                  (*rate("footfall_repeated_total", called="repeated"),
                   *rate("footfall_unacknowledged_total", called="unacknowledged"))),
            Panel("Against the tracking plan", "Properties in which the plan found something. An "
                  "app was released without its plan, or the other way round", PER_SECOND,
                  moving("footfall_plan_total", "finding", "call", "event")),
            Panel("Violations written", "Records of type violation in the log: who listens to them "
                  "is told of the plan's findings", PER_SECOND,
                  rate("footfall_plan_events_total", "source")),
            Panel("Requests in flight", "Requests whose body is there and that are not answered "
                  "yet, at all collectors. Near FOOTFALL_IN_FLIGHT_REQUESTS_MAX others get 503: "
                  "run more collectors", NUMBER,
                  now("footfall_in_flight_requests", called="requests")),
            Panel("Bytes in flight", "Their bodies, unpacked; the limit is "
                  "FOOTFALL_IN_FLIGHT_BYTES_MAX", BYTES,
                  now("footfall_in_flight_bytes", called="bodies")),
            Panel("Unsent", "Records that wait for the broker's acknowledgement. Growing: the "
                  "brokers are slow or away; at 100,000 of a collector requests get 503", NUMBER,
                  now("footfall_unsent_records", called="records")),
        )),
        ("Spool", (
            Panel("Spool", "What collectors keep on their disks because the log is away. More than "
                  "0 for long: mend the brokers, and do not lose that disk", BYTES,
                  (Query("sum by (instance) (footfall_spool_bytes)", "{{instance}}"),)),
            Panel("Spooled and sent on", "Records that went to the disk, and those that the log "
                  "has taken since", PER_SECOND,
                  (*rate("footfall_spooled_records_total", called="spooled"),
                   *rate("footfall_unspooled_records_total", called="sent on"))),
            Panel("Lost from spools", "Spooled records that cannot be read, since collectors were "
                  "started. cut: a write that a crash interrupted, never answered 200. damaged: "
                  "that disk is broken, replace it", NUMBER,
                  now("footfall_spool_lost_records_total", "reason")),
        )),
        ("Processed", (
            Panel("Processed", "Log records that workers have applied, by type", PER_SECOND,
                  rate("footfall_processed_total", "type"), more="Worker"),
            Panel("Duplicates", "Records recognised as repeats, and not applied again", PER_SECOND,
                  rate("footfall_duplicates_total", "kind")),
            Panel("Triggers", "Triggers emitted, by name. None while there is traffic: see Lag, "
                  "then the configuration in force", PER_SECOND,
                  rate("footfall_triggers_total", "name"), more="Customers"),
            Panel("Muted by imports", "Triggers that only imported history caused: put down as "
                  "told, and told to nobody", PER_SECOND,
                  moving("footfall_muted_triggers_total", "name")),
            Panel("Lag", "Log records not yet applied: of workers the interactions, of delivery "
                  "the deliveries. It should come back to 0; else run more workers", NUMBER,
                  one("sum by (job) (footfall_lag_records)", "{{job}}"), more="Worker"),
        )),
        ("Delivered", (
            Panel("What became of deliveries", "Within an hour, by what they say. dead: `footfall "
                  "deliveries list --status dead`", NUMBER,
                  hour("footfall_deliveries_total", "status"), more="Delivery"),
            Panel("Customers asked for", "Customers asked for over HTTP, by where the answer came "
                  "from. unavailable: see the view on Worker", PER_SECOND,
                  moving("footfall_view_reads_total", "outcome"), more="Worker"),
        )),
    ),
    choices=(Choice("compared", "Compared with", "1d,7d,1h", listed=True),),
    since="now-1h",
)

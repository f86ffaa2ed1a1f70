"""*Delivery*: what each destination gets, does not get, and why; and who listens to streams.

The variable picks destinations by their names in routes.yaml.
"""

from __future__ import annotations

from boards.panels import (
    NUMBER,
    PER_SECOND,
    SECONDS,
    Board,
    Choice,
    Panel,
    hour,
    hour_moving,
    moving,
    now,
    one,
    quantiles,
    rate,
)

_TO = 'destination=~"$destination"'


def _with(status: str) -> str:
    return f'footfall_deliveries_total{{{_TO}, status=~"{status}"}}'


BOARD = Board(
    "Delivery",
    "Each destination: what it got, what failed, what waits and how long it took; and streams of "
    "triggers.",
    (
        ("Outcomes", (
            Panel("Sent", "What destinations have got", PER_SECOND,
                  rate(_with("sent"), "destination")),
            Panel("Failed attempts", "Attempts that did not succeed, and are made again while the "
                  "schedule has more. The reason says whose turn it is", PER_SECOND,
                  moving(_with("failed"), "destination", "reason")),
            Panel("Suppressed and held", "What was not to be sent (consent, caps, quiet hours), "
                  "and what may not go yet", PER_SECOND,
                  moving(_with("suppressed|held"), "destination", "status", "reason")),
            Panel("Dead", "What could not be sent, within an hour; `footfall deliveries redrive` "
                  "begins it anew once the cause is mended", NUMBER,
                  hour_moving(_with("dead"), "destination", "reason")),
        )),
        ("Each destination", (
            Panel("Destination", "0: it gets what is sent. 1: its breaker is open, one is tried "
                  "now and then. 2: it is disabled, until an administrator enables it", NUMBER,
                  one("max by (destination) "
                      f"(footfall_delivery_destination_state{{{_TO}}})", "{{destination}}")),
            Panel("Waiting", "Deliveries that have not ended: the backlog. Growing: it is slow or "
                  "down; raise concurrency_max or rate_per_s where it can take more", NUMBER,
                  now(f"footfall_deliveries_waiting{{{_TO}}}", "destination")),
            Panel("In flight", "Attempts under way. At concurrency_max the rest waits", NUMBER,
                  now(f"footfall_deliveries_in_flight{{{_TO}}}", "destination")),
            Panel("To the destination", "From a trigger's firing to its destination's having it",
                  SECONDS, quantiles("footfall_delivery_seconds", "destination",
                                     where=f"{{{_TO}}}")),
            Panel("Attempt", "Time of one attempt, whatever came of it: how quick the destination "
                  "is", SECONDS, quantiles("footfall_delivery_attempt_seconds", "destination",
                                           where=f"{{{_TO}}}")),
            Panel("Stale views", "Deliveries put off because the served view knew less than their "
                  "trigger. Some are normal; none sent meanwhile is not: see the view on Worker",
                  PER_SECOND, rate(f"footfall_delivery_stale_views_total{{{_TO}}}", "destination"),
                  more="Worker"),
        )),
        ("Again, and never", (
            Panel("Repeated triggers", "Triggers that came again and were not sent again, within "
                  "an hour: a worker was killed, or came back", NUMBER,
                  hour("footfall_delivery_repeats_total", called="repeats")),
            Panel("Resent", "What `footfall replay resend` has begun anew, and what becomes of it: "
                  "no other panel counts it", PER_SECOND,
                  moving(f"footfall_deliveries_resent_total{{{_TO}}}", "destination", "status")),
            Panel("Missed triggers", "Triggers that retention took before they could be delivered, "
                  "within an hour: they are lost to every destination. Run delivery more often "
                  "than every 7 days", NUMBER,
                  hour("footfall_delivery_missed_triggers_total", called="missed")),
        )),
        ("Streams", (
            Panel("Streams", "Streams of triggers that are open at all collectors. At "
                  "FOOTFALL_SUBSCRIBERS_MAX others get 503", NUMBER,
                  now("footfall_subscribers", called="streams")),
            Panel("Sent to streams", "Triggers that were written to streams, and gaps that were "
                  "told in place of what retention had taken", PER_SECOND,
                  rate("footfall_subscription_events_total", "event")),
            Panel("Streams that ended", "Within an hour: the client went, was too slow and cut, "
                  "the collector stopped. failed is an error of Footfall", NUMBER,
                  hour("footfall_subscription_ends_total", "reason")),
            Panel("Kept from streams", "Records of triggers that no stream is sent: held out, a "
                  "repeat, unreadable. unreadable: somebody else writes to footfall.triggers",
                  PER_SECOND, moving("footfall_subscription_skipped_total", "reason")),
        )),
    ),
    choices=(Choice("destination", "Destination",
                    "label_values(footfall_deliveries_waiting, destination)"),),
)

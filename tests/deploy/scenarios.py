"""What happens in the shop for each panel of the dashboards, by name, and what it then shows.

A query without a case fails the test. Every scenario has customers of its own in each round.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple

from tests.deploy.installation import Installation, Item

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
NEWCOMERS = 500
#: For longer than three scrapes take some are in flight: one of the sides' requests at least. Of
#: each side so many, however slow the machine: that they were there is seen later, too.
RUSH_S, SIDES, REQUESTS_MIN = 1.6, 4, 4
#: Whatever lasts so long is scraped.
SCRAPED_S = 3.0
#: What is taken for the range that a dashboard shows, and so for the period before it.
PERIOD_S = 3
#: What comes of triggers, among the stations of *Pipeline*.
LATER = (4, 5, 6, 7)
_CRM = '{destination="crm"}'
_STREAMED = 'footfall_subscription_events_total{event="trigger"}'

Scenario = Callable[[Installation, str], None]


class Case(NamedTuple):
    """A panel shows more (`rises`) or less (`falls`) than before in a series with these labels, by
    `by` or more; `differs`: something else than before, above 0; `other`: anything else, as the
    share of what was there and is no more. `worker` is that worker's address. `query`: it is of
    one of the panel's queries alone, not of each.
    """

    panel: str
    scenario: str
    labels: Mapping[str, str] = MappingProxyType({})
    how: Literal["rises", "falls", "differs", "other"] = "rises"
    by: float = 0.0
    worker: int | None = None
    query: int | None = None


def track(user: str, event: str, age_s: float = 0.0, **properties: object) -> Item:
    """One call of the SDKs, with an id that every try of it has."""
    item: Item = {"type": "track", "userId": user, "event": event, "properties": properties,
                  "messageId": f"{user}-{event}-{len(properties)}-{age_s}-{time.time_ns()}"}
    if age_s:
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        item["timestamp"] = at.isoformat(timespec="milliseconds")
    return item


def users(scenario: str, number: str, count: int) -> Iterator[str]:
    """New customers."""
    return (f"{scenario}-{number}-{n}" for n in range(count))


def _people_look_around(footfall: Installation, number: str) -> None:
    footfall.send([track(u, "Product Viewed", product_id="p1") for u in users("look", number, 200)])


def _items_have_no_name(footfall: Installation, _number: str) -> None:
    footfall.send([{"type": "track", "userId": "u"} for _ in range(20)])


def _a_key_is_wrong(footfall: Installation, _number: str) -> None:
    for _ in range(20):
        assert 401 == footfall.status("POST", "/v1/track", track("u", "x"), key="not the key")


def _an_app_sends_twice(footfall: Installation, number: str) -> None:
    # Both copies in one request: one that comes later is known to the collector already.
    items = [track(u, "Product Viewed") for u in users("twice", number, 100)]
    footfall.send([item for item in items for _ in range(2)])
    footfall.send(items)


def _newcomers_rush_in(footfall: Installation, number: str) -> None:
    until = time.monotonic() + RUSH_S

    def rush(side: int) -> None:
        for n in itertools.count():
            if time.monotonic() > until and n >= REQUESTS_MIN:
                return
            footfall.send([track(u, "Product Viewed", product_id="p1", category="shoes")
                           for u in users(f"newcomer-{side}-{n}", number, NEWCOMERS)])

    with ThreadPoolExecutor(SIDES) as sides:
        list(sides.map(rush, range(SIDES)))


def _carts_are_left(footfall: Installation, number: str) -> None:
    """One after the other, so that some are open for longer than a few scrapes take."""
    for n in range(8):
        footfall.send([_added(u) for u in users(f"left-{n}", number, 15)])
        time.sleep(0.25)


def _carts_come_back(footfall: Installation, number: str) -> None:
    came = list(users("back", number, 30))
    footfall.leave([_added(u) for u in came])
    footfall.send([_added(u) for u in users("away", number, 10)])
    time.sleep(1)
    footfall.send([_ordered(u) for u in came])


def _orders_are_refunded(footfall: Installation, number: str) -> None:
    buyers = list(users("buyer", number, 30))
    footfall.send([track(u, "Checkout Started", order_id=f"o-{u}") for u in buyers])
    footfall.send([_ordered(u) for u in buyers])
    footfall.send([track(u, "Order Refunded", order_id=f"o-{u}") for u in buyers])


def _payments_fail(footfall: Installation, number: str) -> None:
    footfall.send([track(u, "Payment Failed") for _ in range(8)
                   for u in users("fraud", number, 10)])


def _accounts_are_tried_out(footfall: Installation, number: str) -> None:
    tried = list(users("tried", number, 10))
    footfall.send([track(u, "Sign In Failed") for _ in range(20) for u in tried])
    footfall.send([track(u, "Payment Failed") for _ in range(8) for u in tried])


def _customers_come_every_day(footfall: Installation, number: str) -> None:
    footfall.send([track(u, "Product Viewed", age_s=day * DAY_S + n)
                   for day in range(7, -1, -1) for n in range(5)
                   for u in users("daily", number, 10)])


def _a_phone_was_offline(footfall: Installation, number: str) -> None:
    footfall.send([_added(u, age_s=3 * HOUR_S) for u in users("offline", number, 30)])


def _somebody_listens(footfall: Installation, number: str) -> None:
    """While carts are left, and something that is no trigger gets into their topic."""
    before = footfall.shows("collector", _STREAMED)
    with footfall.listening():
        footfall.send([_added(u) for u in users("listened", number, 30)])
        footfall.put_broken_trigger()
        # Of each a session and a cart.
        footfall.until(lambda: footfall.shows("collector", _STREAMED) >= before + 60,
                       "a stream has triggers")
        time.sleep(SCRAPED_S)


def _a_receiver_is_down(footfall: Installation, number: str) -> None:
    was = footfall.receiver.answer
    footfall.receiver.answer = lambda *_: 500
    footfall.send([_added(u) for u in users("down", number, 30)])
    footfall.until(lambda: footfall.shows("delivery", f"footfall_deliveries_waiting{_CRM}") >= 30
                   and footfall.shows("delivery", f"footfall_delivery_destination_state{_CRM}"),
                   "deliveries wait")
    time.sleep(SCRAPED_S)
    footfall.receiver.answer = was


def _a_receiver_is_slow(footfall: Installation, number: str) -> None:
    before = len(footfall.receiver.got)
    footfall.receiver.takes_s["crm"] = SCRAPED_S
    footfall.send([_added(u) for u in users("slow", number, 30)])
    footfall.until(lambda: sum(got.path == "crm" for got in footfall.receiver.got[before:]) >= 30,
                   "all are delivered")
    footfall.receiver.takes_s.clear()


def _the_view_is_away(footfall: Installation, number: str) -> None:
    """While people come: what waits is to be seen only until the first write is given up."""
    stale = 'footfall_delivery_stale_views_total{destination="mail"}'
    before = footfall.shows("delivery", stale)
    for n in range(12):
        if n == 4:
            footfall.redis.pause()
        footfall.send([_added(u) for u in users(f"unseen-{n}", number, 10)])
        time.sleep(0.1)
    footfall.until(lambda: footfall.shows("worker", "footfall_view_away")
                   and footfall.shows("delivery", stale) > before, "the view is missed")
    time.sleep(SCRAPED_S)
    footfall.redis.resume()


def _a_trigger_comes_again(footfall: Installation, _number: str) -> None:
    footfall.tell_again()


def _triggers_are_sent_again(footfall: Installation, _number: str) -> None:
    footfall.resend("cart_abandoned", "crm")


def _delivery_was_away_for_too_long(footfall: Installation, number: str) -> None:
    footfall.stop_delivery()
    footfall.leave([_added(u) for u in users("missed", number, 30)])
    footfall.expire_triggers()
    footfall.start_delivery()


def _a_certificate_is_renewed(footfall: Installation, number: str) -> None:
    footfall.renew_certificate(days=100 + 50 * int(number))


def _a_key_is_replaced(footfall: Installation, _number: str) -> None:
    footfall.replace_key()


def _a_history_is_imported(footfall: Installation, number: str) -> None:
    footfall.put_imports([_added(u, age_s=400 * DAY_S) for u in users("history", number, 50)])


def _more_come_than_before(footfall: Installation, number: str) -> None:
    """So many, and in the next period four times as many; of each kind some, all in one request, so
    that each comes a period after those before.
    """
    for n, count in enumerate((10, 40)):
        if n:
            time.sleep(PERIOD_S)
        buyers = list(users(f"more-{n}", number, count))
        footfall.send([
            *(_ordered(u) for u in buyers),
            *(track(u, "Order Refunded", order_id=f"o-{u}") for u in buyers),
            *(_added(u) for u in users(f"more-left-{n}", number, count)),
            *({"type": "track", "userId": "u"} for _ in range(count))])


def _an_app_is_released_badly(footfall: Installation, number: str) -> None:
    """Against its plan, with consent that nobody can read, and with too many integrations."""
    diary = [track(u, "Diary Written", text=7) for u in users("diary", number, 30)]
    unread = [track(u, "Product Viewed") | {"context": {"consent": {"categoryPreferences": ["a"]}}}
              for u in users("unread", number, 30)]
    names = dict.fromkeys((f"destination-{n}" for n in range(200)), False)
    wide = [_ordered(u) | {"integrations": names} for u in users("wide", number, 30)]
    footfall.send([*diary, *unread, *wide])


def _visitors_become_known(footfall: Installation, number: str) -> None:
    """Some refuse analytics; the desk looks one of them up."""
    came = list(users("visitor", number, 30))
    footfall.send([track("", "Product Viewed") | {
        "userId": None, "anonymousId": u, "messageId": f"{u}-seen-{time.time_ns()}"} for u in came])
    footfall.send([{"type": "identify", "userId": f"known-{u}", "anonymousId": u,
                    "traits": {"plan": "free"}, "messageId": f"{u}-known",
                    "context": {"consent": {"categoryPreferences": {"analytics": False}}}}
                   for u in came])
    footfall.look_up([f"user_id:known-{u}" for u in came])


def _others_write_in_transactions(footfall: Installation, number: str) -> None:
    item = track(f"transacted-{number}", "Product Viewed")
    footfall.put_in_a_transaction(item)
    footfall.send([item])  # what comes next shows that nothing else is missing


def _the_log_is_away(footfall: Installation, number: str) -> None:
    """Until the spool is full."""
    port = footfall.away.port
    for n, status in enumerate((200, 200, 503)):
        batch = [track(u, "Page Read", text="x" * 30_000)
                 for u in users(f"spooled-{n}", number, 100)]
        assert status == footfall.status("POST", "/v1/batch", {"batch": batch}, port=port)
        time.sleep(0.6)


def _a_disk_is_damaged(footfall: Installation, _number: str) -> None:
    footfall.away.damage()


def _the_log_is_back(footfall: Installation, _number: str) -> None:
    footfall.away.log_is_back()


def _a_swap_does_not_end(footfall: Installation, _number: str) -> None:
    footfall.begin_a_swap()


def _a_worker_joins(footfall: Installation, _number: str) -> None:
    footfall.second_worker()


def _a_worker_is_killed(footfall: Installation, _number: str) -> None:
    """And one that had been replaced long ago has written once more."""
    footfall.put_stale_rows()
    footfall.kill_worker()


def _added(user: str, age_s: float = 0.0) -> Item:
    return track(user, "Product Added", age_s, product_id="p1", price="9.90", currency="EUR",
                 quantity=1)


def _ordered(user: str) -> Item:
    return track(user, "Order Completed", order_id=f"o-{user}", total="9.90", currency="EUR")


#: In the order in which they are played.
SCENARIOS: dict[str, Scenario] = {
    "people look around": _people_look_around,
    "more come than before": _more_come_than_before,
    "an app is released badly": _an_app_is_released_badly,
    "visitors become known": _visitors_become_known,
    "others write in transactions": _others_write_in_transactions,
    "items have no name": _items_have_no_name,
    "a key is wrong": _a_key_is_wrong,
    "an app sends twice": _an_app_sends_twice,
    "carts are left": _carts_are_left,
    "carts come back": _carts_come_back,
    "orders are refunded": _orders_are_refunded,
    "payments fail": _payments_fail,
    "accounts are tried out": _accounts_are_tried_out,
    "customers come every day": _customers_come_every_day,
    "a phone was offline": _a_phone_was_offline,
    "somebody listens": _somebody_listens,
    "a receiver is down": _a_receiver_is_down,
    "a receiver is slow": _a_receiver_is_slow,
    "the view is away": _the_view_is_away,
    "a trigger comes again": _a_trigger_comes_again,
    "triggers are sent again": _triggers_are_sent_again,
    "delivery was away for too long": _delivery_was_away_for_too_long,
    "a certificate is renewed": _a_certificate_is_renewed,
    "a key is replaced": _a_key_is_replaced,
    "a history is imported": _a_history_is_imported,
    "the log is away": _the_log_is_away,
    "a disk is damaged": _a_disk_is_damaged,
    "the log is back": _the_log_is_back,
    "newcomers rush in": _newcomers_rush_in,
    "a worker joins": _a_worker_joins,
    "a worker is killed": _a_worker_is_killed,
    "a rebuild's swap does not end": _a_swap_does_not_end,
}
#: Played once: what they move is there before.
ONCE = {"a key is replaced", "delivery was away for too long", "newcomers rush in",
        "a worker joins", "a worker is killed", "the log is away", "a disk is damaged",
        "the log is back", "more come than before", "others write in transactions",
        "a rebuild's swap does not end"}

#: Played at once: nothing that went before moves what they move.
AT_ONCE = {"others write in transactions", "a disk is damaged", "the log is back",
           "a rebuild's swap does not end"}

CASES = (
    Case("Accepted", "people look around", {"source": "web"}, by=10),
    Case("Processed", "people look around", {"type": "track"}, by=10),
    # Since it grows by itself, any fall is one.
    Case("Clock behind", "people look around", {"job": "worker"}, how="falls"),
    *(Case("In this period", scenario, by=10, query=n) for n, scenario in enumerate((
        "people look around", "people look around", "items have no name", "people look around",
        "carts are left", "carts are left", "carts are left", "orders are refunded"))),
    # What takes time does not keep to periods of a few seconds.
    *(Case(panel, "more come than before", how="other" if n in LATER else "rises", by=0.5, query=n)
      for n in range(8)
      for panel in ("Change against the period before", "Change against $compared before")),
    Case("Items without an outcome", "newcomers rush in", by=10),
    Case("Accepted and not yet applied", "newcomers rush in", by=100),
    Case("Received", "people look around", {"source": "web"}, by=10),
    Case("Sent again, or not acknowledged", "an app sends twice", by=10, query=0),
    Case("Sent again, or not acknowledged", "the log is away", by=10, query=1),
    Case("Against the tracking plan", "an app is released badly", {"event": "Diary Written"}, by=1),
    Case("Violations written", "an app is released badly", {"source": "web"}),
    Case("Requests in flight", "newcomers rush in", by=1),
    Case("Bytes in flight", "newcomers rush in", by=10_000),
    Case("Unsent", "newcomers rush in", by=10),
    Case("Spool", "the log is away", by=1_000_000),
    Case("Spooled and sent on", "the log is away", by=10, query=0),
    Case("Spooled and sent on", "the log is back", by=10, query=1),
    Case("Lost from spools", "a disk is damaged", {"reason": "damaged"}, by=1),
    Case("What became of deliveries", "carts are left", {"status": "sent"}, by=25),
    Case("Customers asked for", "visitors become known", by=1),
    Case("Collector", "people look around"),
    Case("To the customer's state", "people look around"),
    Case("Checkpoint", "people look around"),
    Case("Customers of each partition", "people look around", {"partition": "0"}, by=10),
    Case("Processed by each worker", "people look around", by=10, worker=0),
    Case("View written", "people look around", by=10),
    Case("North star", "carts come back", {"event": "Order Completed"}, by=25),
    Case("North star, changed", "more come than before", by=0.5),
    Case("North star by the hour", "carts come back", {"event": "Order Completed"}, by=25),
    Case("Orders of sessions", "orders are refunded", by=0.5),
    *(Case("Way to an order", scenario, by=25, query=n) for n, scenario in enumerate((
        "people look around", "carts are left", "orders are refunded", "orders are refunded"))),
    Case("Way to an order by the hour", "people look around", {"step": "product_viewed"}, by=150),
    Case("First orders", "orders are refunded", by=25),
    Case("Engaged customers", "customers come every day", {"level": "medium"}, by=10),
    Case("Recovered revenue", "carts come back", {"currency": "EUR"}, by=250),
    Case("Recovered revenue by the hour", "carts come back", {"currency": "EUR"}, by=250),
    Case("Left in carts", "carts are left", {"currency": "EUR"}, by=250),
    Case("Recovered carts", "carts come back", by=0.5),
    Case("Identities", "visitors become known", {"level": "pointer"}, by=25),
    Case("Identified and merged", "visitors become known", {"name": "customer_identified"}, by=25),
    Case("Came to a level of engagement", "customers come every day", {"level": "medium"}, by=9),
    Case("Sessions and silence", "people look around", {"name": "session_started"}, by=150),
    Case("Carts now", "carts are left", {"level": "open"}, by=10),
    Case("Carts now", "carts are left", {"level": "abandoned"}, by=30),
    Case("Carts now", "carts come back", {"level": "recovered"}, by=30),
    Case("Came to a level of risk", "accounts are tried out", {"level": "high"}, by=9),
    Case("Told", "carts are left", {"name": "cart_abandoned"}, by=25),
    Case("Kept out by consent", "visitors become known", {"what": "profile"}, by=1),
    Case("Unreadable consents", "an app is released badly", by=1),
    Case("Cut by limits", "an app is released badly", {"table": "integrations"}, by=1),
    Case("Held", "a rebuild's swap does not end", {"partition": "0"}, by=1),
    Case("Partitions of each process", "a worker joins", by=1, worker=1),
    Case("Lag of each partition", "newcomers rush in", {"job": "worker"}, by=100),
    Case("Outbox", "newcomers rush in", {"job": "worker"}, by=100),
    Case("Stale records", "a worker is killed", by=1, worker=0),
    Case("Offsets without a record", "others write in transactions", {"job": "worker"}, by=0.9),
    Case("CPU", "newcomers rush in", {"job": "worker"}, by=0.05),
    Case("Running since", "a worker is killed", by=1000, worker=0),
    Case("View behind", "people look around", query=0),
    *(Case("View behind", "the view is away", by=1, query=n) for n in (1, 2)),
    Case("View waiting", "the view is away", by=10),
    Case("View away", "the view is away", by=1),
    Case("View failures", "the view is away", by=0.9),
    Case("View walks", "the view is away", {"reason": "interrupted"}, by=0.9),
    Case("Index of triggers", "carts are left", {"outcome": "written"}, by=1),
    Case("Jobs", "triggers are sent again", by=1),
    Case("Progress of jobs", "triggers are sent again", how="differs"),
    Case("Jobs' reports", "triggers are sent again", by=1000),
    Case("Written", "people look around", {"topic": "footfall-customers-changelog"}, by=1000),
    Case("Customers", "people look around", by=200),
    Case("Rejected", "items have no name", {"stage": "collector", "reason": "field_missing"}),
    Case("Refused requests", "a key is wrong"),
    Case("Duplicates", "an app sends twice", {"kind": "message_id"}, by=10),
    Case("Processed", "a history is imported", {"type": "$import"}, by=1),
    Case("Muted by imports", "a history is imported", {"name": "cart_abandoned"}, by=1),
    Case("Triggers", "carts are left", {"name": "cart_abandoned"}, by=1),
    Case("Carts", "carts are left", {"name": "cart_abandoned"}, by=25),
    Case("Money in carts", "carts are left", {"trigger": "cart_abandoned", "currency": "EUR"},
         by=250),
    Case("Acceptance to trigger", "carts are left"),
    Case("Acceptance to destination", "carts are left", by=0.001),
    Case("Ticks and settling", "carts are left", query=0),
    Case("Carts", "carts come back", {"name": "cart_recovered"}, by=25),
    Case("Money in carts", "carts come back", {"trigger": "cart_recovered", "currency": "EUR"},
         by=250),
    Case("Orders", "orders are refunded", {"name": "order_completed_first"}, by=25),
    Case("Orders", "orders are refunded", {"name": "order_refunded"}, by=25),
    Case("Risk", "payments fail", {"level": "elevated"}, by=10),
    Case("Risk", "accounts are tried out", {"level": "high"}, by=10),
    Case("Triggers", "accounts are tried out", {"name": "risk_level_changed"}),
    Case("Engagement", "customers come every day", {"level": "medium"}, by=10),
    Case("Age on arrival", "a phone was offline", by=HOUR_S),
    Case("Late events", "a phone was offline", {"type": "track"}, by=1),
    Case("Ticks and settling", "a phone was offline", {"table": "cart"}, query=1),
    Case("Streams", "somebody listens", by=1),
    Case("Sent to streams", "somebody listens", {"event": "trigger"}, by=1),
    Case("Streams that ended", "somebody listens", {"reason": "client"}, by=0.9),
    Case("Kept from streams", "somebody listens", {"reason": "unreadable"}),
    Case("Sent", "carts are left", {"destination": "crm"}, by=1),
    Case("To the destination", "carts are left", {"destination": "crm"}, by=0.001),
    Case("Suppressed and held", "carts are left",
         {"destination": "mail", "status": "suppressed", "reason": "consent_unknown"}, by=1),
    Case("Failed attempts", "orders are refunded", {"destination": "desk", "reason": "status"},
         by=1),
    Case("Dead", "orders are refunded", {"destination": "desk", "reason": "retries_exhausted"},
         by=25),
    Case("Waiting", "a receiver is down", {"destination": "crm"}, by=25),
    Case("Destination", "a receiver is down", {"destination": "crm"}, by=1),
    Case("In flight", "a receiver is slow", {"destination": "crm"}, by=5),
    Case("Attempt", "a receiver is slow", {"destination": "crm"}, by=1),
    Case("Stale views", "the view is away", {"destination": "mail"}),
    Case("Repeated triggers", "a trigger comes again", by=0.9),
    Case("Resent", "triggers are sent again", {"destination": "crm", "status": "sent"}, by=1),
    Case("Missed triggers", "delivery was away for too long", by=25),
    Case("Certificates", "a certificate is renewed",
         {"certificate": "kafka_ca", "destination": "partner", "copy": "on_disk"}, by=40 * DAY_S),
    Case("Age of keys", "a key is replaced", {"key": "redis_url"}, how="falls", by=200 * DAY_S),
    Case("Archived", "newcomers rush in", by=100),
    Case("Archived bytes", "newcomers rush in", {"format": "parquet"}, by=1000),
    Case("Archive lag", "newcomers rush in", by=100),
    Case("Lag", "newcomers rush in", {"job": "worker"}, by=100),
    Case("Memory", "newcomers rush in", {"job": "worker"}, by=2_000_000),
    Case("Up", "a worker joins", {"job": "worker"}, by=1),
    Case("Rebalances", "a worker joins", {"job": "worker"}, by=0.9),
    Case("Recovery", "a worker is killed", how="differs", worker=0),
    Case("Recovered", "a worker is killed", by=1000, worker=0),
)
#: Panels that must not move while people only look around: a change is its scenario's.
UNMOVED = (
    "Against the tracking plan", "Violations written",
    "Lost from spools", "Spool", "Kept out by consent", "Unreadable consents",
    "Cut by limits", "Identified and merged", "Recovered revenue", "First orders",
    "Held", "Stale records", "Running since", "Came to a level of risk", "Rejected",
    "Refused requests", "Duplicates", "Muted by imports", "Carts", "Money in carts",
    "Orders", "Risk", "Up", "Rebalances", "Recovered", "Streams", "Streams that ended",
    "Kept from streams", "Failed attempts", "Dead", "Destination", "Repeated triggers",
    "Missed triggers", "Resent", "Certificates")

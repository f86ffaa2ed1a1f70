"""What happens in the shop for each panel of the dashboard, by name, and what the panel then shows.

A panel without a case fails the test. Every scenario has customers of its own in each round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple

from tests.deploy.installation import Installation, Item

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
NEWCOMERS = 20_000

Scenario = Callable[[Installation, str], None]


class Case(NamedTuple):
    """A panel shows more (`rises`) or less (`falls`) than before in a series with these labels, by
    `by` or more; `differs`: something else than before, above 0. `worker` is that worker's address.
    """

    panel: str
    scenario: str
    labels: Mapping[str, str] = MappingProxyType({})
    how: Literal["rises", "falls", "differs"] = "rises"
    by: float = 0.0
    worker: int | None = None


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


def _newcomers_rush_in(footfall: Installation, number: str) -> None:
    footfall.send([track(u, "Product Viewed", product_id="p1", category="shoes")
                   for u in users("newcomer", number, NEWCOMERS)])


def _carts_are_left(footfall: Installation, number: str) -> None:
    footfall.send([_added(u) for u in users("left", number, 30)])


def _carts_come_back(footfall: Installation, number: str) -> None:
    came = list(users("back", number, 30))
    footfall.send([_added(u) for u in came])
    time.sleep(4)
    footfall.send([_ordered(u) for u in came])


def _orders_are_refunded(footfall: Installation, number: str) -> None:
    buyers = list(users("buyer", number, 30))
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
    with footfall.listening():
        footfall.send([_added(u) for u in users("listened", number, 30)])
        footfall.put_broken_trigger()
        time.sleep(4)


def _a_receiver_is_down(footfall: Installation, number: str) -> None:
    was = footfall.receiver.answer
    footfall.receiver.answer = lambda *_: 500
    footfall.send([_added(u) for u in users("down", number, 30)])
    time.sleep(6)
    footfall.receiver.answer = was


def _a_receiver_is_slow(footfall: Installation, number: str) -> None:
    footfall.receiver.takes_s["crm"] = 1.5
    footfall.send([_added(u) for u in users("slow", number, 30)])
    time.sleep(6)
    footfall.receiver.takes_s.clear()


def _the_view_is_away(footfall: Installation, number: str) -> None:
    footfall.redis.pause()
    footfall.send([_added(u) for u in users("unseen", number, 30)])
    time.sleep(6)
    footfall.redis.resume()


def _a_trigger_comes_again(footfall: Installation, _number: str) -> None:
    footfall.tell_again()


def _triggers_are_sent_again(footfall: Installation, _number: str) -> None:
    footfall.resend("cart_abandoned", "crm")


def _delivery_was_away_for_too_long(footfall: Installation, number: str) -> None:
    footfall.stop_delivery()
    footfall.send([_added(u) for u in users("missed", number, 30)])
    time.sleep(4)
    footfall.expire_triggers()
    footfall.start_delivery()


def _a_certificate_is_renewed(footfall: Installation, number: str) -> None:
    footfall.renew_certificate(days=100 + 50 * int(number))


def _a_key_is_replaced(footfall: Installation, _number: str) -> None:
    footfall.replace_key()


def _a_history_is_imported(footfall: Installation, number: str) -> None:
    footfall.put_imports([_added(u, age_s=400 * DAY_S) for u in users("history", number, 50)])


def _a_worker_joins(footfall: Installation, _number: str) -> None:
    footfall.second_worker()


def _a_worker_is_killed(footfall: Installation, _number: str) -> None:
    footfall.kill_worker()


def _added(user: str, age_s: float = 0.0) -> Item:
    return track(user, "Product Added", age_s, product_id="p1", price="9.90", currency="EUR",
                 quantity=1)


def _ordered(user: str) -> Item:
    return track(user, "Order Completed", order_id=f"o-{user}", total="9.90", currency="EUR")


#: In the order in which they are played.
SCENARIOS: dict[str, Scenario] = {
    "people look around": _people_look_around,
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
    "newcomers rush in": _newcomers_rush_in,
    "a worker joins": _a_worker_joins,
    "a worker is killed": _a_worker_is_killed,
}
#: Played once: what they move is there before.
ONCE = {"a key is replaced", "delivery was away for too long", "newcomers rush in",
        "a worker joins", "a worker is killed"}

CASES = (
    Case("Accepted", "people look around", {"source": "web"}, by=10),
    Case("Processed", "people look around", {"type": "track"}, by=10),
    Case("Clock behind", "people look around", {"job": "worker"}, how="falls", by=1),
    Case("Collector", "people look around"),
    Case("To the customer's state", "people look around"),
    Case("Checkpoint", "people look around"),
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
    Case("To the trigger", "carts are left"),
    Case("Ticks and settling", "carts are left"),
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
    Case("Ticks and settling", "a phone was offline", {"table": "cart"}),
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
UNMOVED = ("Rejected", "Refused requests", "Duplicates", "Muted by imports", "Carts",
           "Money in carts", "Orders", "Risk", "Up", "Rebalances", "Recovered", "Streams",
           "Streams that ended", "Kept from streams", "Failed attempts", "Dead", "Destination",
           "Repeated triggers", "Missed triggers", "Resent", "Certificates")

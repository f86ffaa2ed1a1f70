"""Rules: what they act on, what keeps them from firing, and what passes by them."""

from __future__ import annotations

import msgspec
import pytest

from footfall import tables
from footfall.errors import ConfigError
from footfall.tables import rules
from footfall.tables.config import Config
from footfall.tables.rules_told import WAITS_MAX, RulesFacts
from tests.tables import events
from tests.tables.logs import ANNA, BERT, START
from tests.tables.ruled import DAY, HOUR, MINUTE, SECOND, Shop, counts, key_of, ordered, rule

VIEWED = {"call": "track", "event": "Product Viewed"}


def test_a_rule_acts_on_an_interaction_whose_condition_holds() -> None:
    shop = Shop([ordered("big_order", **{
        "if": {"field": "event.properties.total", "at_least": 50},
        "data": {"total": "event.properties.total", "coupon": "event.properties.coupon"}})])
    shop.did(1, "order_completed", total="49.99")
    cause = shop.did(2, "Order Completed", total="50.00")
    shop.did(3, "Product Viewed", total="500")

    told, = shop.told("big_order")
    assert {"total": "50.00", "coupon": None} == told["data"]
    assert {"call": "track", "event": "Order Completed", "message_id": cause} == (
        told["evidence"]["on"])
    condition, = told["evidence"]["conditions"]
    assert condition == {"condition": {"field": "event.properties.total", "at_least": 50},
                         "value": "50.00", "holds": True}
    assert START + 2 == told["occurred_at"] == told["emitted_at"]


def test_a_rule_acts_on_a_trigger_of_another_rule_and_of_a_table() -> None:
    shop = Shop([
        ordered("first"),
        rule("second", {"trigger": "first"}),
        rule("third", {"trigger": "second"}, **{
            "if": {"field": "trigger.evidence.version", "equals": 1}}),
        rule("came", {"trigger": "session_started"}, data={"number": "trigger.data.number"})])
    shop.did(1, "Order Completed")

    assert ["came", "first", "second", "third"] == [n for n, _ in shop.fired()][-4:]
    assert {"number": "1"} == shop.told("came")[0]["data"]


def test_a_wait_is_ended_by_an_event_and_begins_anew() -> None:
    shop = Shop([rule("thinking", VIEWED, wait="30m",
                      unless={"call": "track", "event": "Order Completed"})])
    shop.did(0, "Product Viewed")
    shop.did(10 * MINUTE, "Product Viewed")
    shop.did(20 * MINUTE, "Order Completed")
    shop.passed(2 * HOUR)
    assert not shop.fired("thinking")

    shop.did(3 * HOUR, "Product Viewed")
    shop.passed(4 * HOUR)
    told, = shop.told("thinking")
    assert START + 3 * HOUR + 30 * MINUTE == told["occurred_at"]
    assert told["emitted_at"] - told["occurred_at"] <= 2 * SECOND
    shop.passed(9 * HOUR)
    assert 1 == len(shop.told("thinking"))


def test_an_event_that_comes_late_still_ends_the_wait_that_it_lies_in() -> None:
    shop = Shop([rule("thinking", VIEWED, wait="30m",
                      unless={"call": "track", "event": "Order Completed"})])
    shop.did(5 * MINUTE, "Order Completed")
    shop.did(6 * MINUTE, "Product Viewed", late=4 * MINUTE)
    shop.passed(HOUR)
    assert not shop.fired("thinking")


def test_waits_are_told_apart_by_key() -> None:
    ended = {"call": "track", "event": "Order Completed"}
    shop = Shop([rule("left", VIEWED, wait="10m", unless=ended,
                      key="event.properties.product_id")])
    for at, product in enumerate(["a", "b", "c"]):
        shop.did(at, "Product Viewed", product_id=product)
    shop.did(MINUTE, "Order Completed", product_id="b")
    shop.passed(HOUR)
    assert ["a", "c"] == [told["data"]["key"] for told in shop.told("left")]

    shop.did(2 * HOUR, "Product Viewed", product_id="a")
    shop.did(2 * HOUR + 1, "Order Completed")
    shop.passed(3 * HOUR)
    assert 2 == len(shop.told("left"))


def test_still_is_judged_when_the_wait_is_over() -> None:
    shop = Shop([rule("idle", VIEWED, wait="10m", still=counts("Product Viewed", less=3))])
    shop.did(0, "Product Viewed")
    shop.passed(HOUR)
    for at in range(3):
        shop.did(2 * HOUR + at, "Product Viewed")
    shop.passed(3 * HOUR)
    assert 1 == len(shop.told("idle"))
    outcome, = shop.row("rules").outcomes
    assert (2, 1, "3") == (outcome.why, outcome.condition, outcome.found)


def test_a_window_becomes_true_and_false_by_itself() -> None:
    condition = counts("Product Viewed", "1h", at_least=2)
    shop = Shop([rule("busy", {"when": condition}),
                 rule("calm", {"when": condition, "becomes": False})])
    shop.did(0, "Product Viewed")
    shop.did(MINUTE, "Product Viewed")
    shop.did(2 * MINUTE, "Product Viewed")
    assert [("busy", MINUTE)] == shop.fired("busy")
    shop.passed(3 * HOUR)

    told, = shop.told("calm")
    # The bucket of START and the one after it have left the hour: one event is left.
    assert (START // MINUTE + 62) * MINUTE == told["occurred_at"]
    assert "time" == told["evidence"]["on"]["because"]
    assert told["emitted_at"] - told["occurred_at"] <= 2 * SECOND
    for at in (4 * HOUR, 4 * HOUR + 1):
        shop.did(at, "Product Viewed")
    assert 2 == len(shop.told("busy"))


def test_segments_are_entered_and_left_and_acted_on() -> None:
    vip = {"name": "vip", "version": 3, "if": counts("Order Completed", "24h", at_least=2)}
    shop = Shop([rule("welcome", {"enters": "vip"}), rule("goodbye", {"leaves": "vip"}),
                 ordered("gift", **{"if": {"segment": "vip"}})], [vip])
    shop.did(0, "Order Completed")
    shop.did(HOUR, "Order Completed")
    assert ["segment_entered", "gift", "welcome"] == [n for n, _ in shop.fired()][-3:]
    shop.passed(3 * DAY)
    assert ["segment_left", "goodbye"] == [n for n, _ in shop.fired()][-2:]
    left, = shop.told("segment_left")
    assert ("vip", 3) == (left["data"]["segment"], left["data"]["version"])
    assert not shop.row("segments").memberships[0].holds


def test_a_configuration_holds_from_the_next_step() -> None:
    quiet = {"name": "quiet", "version": 1, "if": counts("Order Completed", "ever", equals=0)}
    shop = Shop([], [])
    shop.did(0, "Product Viewed")
    shop.configure(MINUTE, [], [quiet])
    assert not shop.fired("segment_entered")
    shop.did(HOUR, "Product Viewed")
    shop.did(HOUR, "Product Viewed", BERT)
    assert 2 == len(shop.fired("segment_entered"))
    shop.did(2 * HOUR, "Order Completed")
    assert 1 == len(shop.fired("segment_left"))
    shop.configure(3 * HOUR, [], [])
    shop.did(4 * HOUR, "Product Viewed")
    assert () == shop.row("segments").memberships or shop.row("segments").config == 2


def test_once_cooldown_expires_and_group() -> None:
    shop = Shop([
        ordered("once_a_shop", once=True, key="event.properties.shop"),
        ordered("seldom", cooldown="1h"),
        ordered("fresh", expires="10m"),
        ordered("best", group="offers", priority=90, **{
            "if": {"field": "event.properties.total", "greater": 100}}),
        ordered("good", group="offers")])
    shop.did(0, "Order Completed", shop="a", total=10)
    shop.did(1, "Order Completed", shop="a", total=200, late=30 * MINUTE)
    shop.did(2 * HOUR, "Order Completed", shop="b", total=10)

    assert [0, 2 * HOUR] == [at for _, at in shop.fired("once_a_shop")]
    assert [0, 2 * HOUR] == [at for _, at in shop.fired("seldom")]
    assert [0, 2 * HOUR] == [at for _, at in shop.fired("fresh")]
    assert [1] == [at for _, at in shop.fired("best")]
    assert [0, 2 * HOUR] == [at for _, at in shop.fired("good")]


def test_a_rule_has_a_start_and_an_end() -> None:
    shop = Shop([ordered("sale", starts_at="2023-11-14T22:13:21Z", ends_at="2023-11-14T22:13:22Z")])
    for at in (0, SECOND, 2 * SECOND):  # START is 2023-11-14T22:13:20Z
        shop.did(at, "Order Completed")
    assert [SECOND] == [at for _, at in shop.fired("sale")]


def test_a_part_of_the_customers_is_held_out_for_good() -> None:
    shop = Shop([ordered("offer", holdout_percent=30), rule("after", {"trigger": "offer"})])
    keys = [key_of(f"user {n}") for n in range(200)]
    for round_ in range(2):
        for n, key in enumerate(keys):
            shop.did(round_ * HOUR + n, "Order Completed", key)
    buckets = {told["customer_key"]: told["evidence"]["holdout"]["bucket"]
               for told in shop.told("offer")}
    assert 200 == len(buckets)
    assert 40 <= sum(bucket < 30 for bucket in buckets.values()) <= 80
    after = {told["customer_key"] for told in shop.told("after")}
    assert after == {key for key, bucket in buckets.items() if bucket >= 30}


def test_what_did_not_fire_is_remembered_with_why() -> None:
    shop = Shop([ordered("big_order", **{"if": {"all": [
        {"field": "event.properties.currency", "equals": "EUR"},
        {"field": "event.properties.total", "at_least": 50}]}})])
    shop.did(0, "Order Completed", currency="EUR", total=20)
    outcome, = shop.row("rules").outcomes
    assert (1, 3, "20") == (outcome.why, outcome.condition, outcome.found)
    before = shop.row("rules")
    shop.did(SECOND, "Order Completed", currency="EUR", total=21)
    assert before is shop.row("rules")
    shop.did(2 * MINUTE, "Order Completed", currency="EUR", total=22)
    assert "22" == shop.row("rules").outcomes[0].found


def test_rows_that_join_tell_nothing_twice_and_waits_go_on() -> None:
    """A visitor is seen to be a known customer: told once stays told, and a wait goes on there."""
    shop = Shop([
        ordered("only_once", once=True),
        rule("thinking", VIEWED, wait="30m",
             unless={"call": "track", "event": "Order Completed"})], partitions=2)
    visitor, anna = {"anonymousId": "a browser"}, {"userId": "anna"}
    shop.sent(0, visitor, "Order Completed")
    shop.sent(1, anna, "Order Completed")
    shop.sent(MINUTE, visitor, "Product Viewed")
    shop.sent(2 * MINUTE, visitor | anna, "", call="identify")
    shop.sent(3 * MINUTE, anna, "Order Completed", late=2 * MINUTE + SECOND)
    assert 2 == len(shop.fired("only_once"))
    shop.passed(HOUR)
    told, = shop.told("thinking")
    assert START + 31 * MINUTE == told["occurred_at"]
    assert "anna" == told["ids"]["user_id"]

    shop.sent(2 * HOUR, visitor | anna, "Product Viewed")
    shop.sent(2 * HOUR + MINUTE, visitor, "Order Completed")
    shop.passed(3 * HOUR)
    assert 1 == len(shop.told("thinking"))
    assert 2 == len(shop.fired("only_once"))


def test_a_segment_that_asks_for_another_changes_with_it() -> None:
    """Also where it is declared before that one, and where time alone changes both."""
    buyers = {"name": "buyers", "version": 1, "if": counts("Order Completed", "24h", at_least=1)}
    others = {"name": "others", "version": 1, "if": {"none": [{"segment": "buyers"}]}}
    shop = Shop([rule("lost", {"enters": "others"})], [others, buyers])
    shop.did(0, "Product Viewed")
    shop.did(HOUR, "Order Completed")
    shop.passed(3 * DAY)

    told = [(one["name"], one["data"]["segment"]) for one in shop.log.triggers()
            if one["name"].startswith("segment")]
    assert [("segment_entered", "others"), ("segment_entered", "buyers"),
            ("segment_left", "others"), ("segment_left", "buyers"),
            ("segment_entered", "others")] == told
    assert [0, (START + 25 * HOUR) // (15 * MINUTE) * 15 * MINUTE + 15 * MINUTE - START] == [
        one["occurred_at"] - START for one in shop.told("lost")]


def test_segments_that_ask_for_each_other_are_refused() -> None:
    one, two = ({"name": name, "version": 1, "if": {"any": [{"segment": other}]}}
                for name, other in (("one", "two"), ("two", "one")))
    with pytest.raises(ConfigError, match=r"segments.*'one' asks for itself, by way of one, two"):
        Config(tables.ALL, 1, msgspec.json.encode({"segments": {"definitions": [one, two]}}))


def test_a_rule_whose_instant_has_come_sees_segments_of_that_instant() -> None:
    """Segment and count fall at once: at no instant is the one true and the other false."""
    active = {"name": "active", "version": 1, "if": counts("Product Viewed", at_least=1)}
    shop = Shop([rule("odd", {"when": {"all": [
        {"segment": "active"}, counts("Product Viewed", less=1)]}})], [active])
    shop.did(0, "Product Viewed")
    shop.passed(3 * HOUR)
    assert ["segment_entered", "segment_left"] == [
        name for name, _ in shop.fired() if name.startswith("segment")]
    assert not shop.fired("odd")


def test_a_timer_after_another_configuration_looks_at_everything() -> None:
    """What another configuration changed is told at the customer's next step, a timer's too; what
    it no longer has is forgotten.
    """
    seldom = counts("Order Completed", "1h", at_least=1)
    first = [rule("fell", {"when": seldom, "becomes": False}),
             rule("gone", {"when": seldom, "becomes": False})]
    often = {"name": "often", "version": 1, "if": seldom}
    shop = Shop(first, [often])
    shop.did(0, "Order Completed")
    never = {"name": "never", "version": 1,
             "if": {"of": "count", "over": {"call": "track"}, "window": "ever", "equals": 0}}
    shop.configure(MINUTE, [first[0]], [often, never])
    shop.passed(3 * HOUR)
    assert 1 == len(shop.fired("fell"))
    assert not shop.fired("gone") and not shop.log.rejected()
    entered = [one["data"]["segment"] for one in shop.told("segment_entered")]
    assert ["often", "never"] == entered


def test_a_wait_of_a_rule_that_no_longer_waits_or_is_gone_is_none() -> None:
    shop = Shop([rule("thinking", VIEWED, wait="30m"), rule("gone", VIEWED, wait="30m")])
    shop.did(0, "Product Viewed")
    shop.configure(MINUTE, [rule("thinking", VIEWED)])
    shop.passed(2 * HOUR)
    assert not shop.fired("thinking") and not shop.fired("gone") and not shop.log.rejected()
    shop.did(3 * HOUR, "Product Viewed")
    assert [3 * HOUR] == [at for _, at in shop.fired("thinking")]
    assert () == shop.row("rules").waits


def test_what_begins_a_wait_does_not_end_it() -> None:
    """Any event ends the wait: any other one."""
    shop = Shop([rule("silent", VIEWED, wait="30m", unless={})])
    shop.did(0, "Product Viewed")
    shop.did(10 * MINUTE, "Product Viewed")
    shop.passed(HOUR)
    assert [START + 40 * MINUTE] == [told["occurred_at"] for told in shop.told("silent")]
    shop.did(2 * HOUR, "Product Viewed")
    shop.did(2 * HOUR + MINUTE, "Order Completed")
    shop.passed(4 * HOUR)
    assert 1 == len(shop.fired("silent"))


def test_a_key_is_the_same_text_where_it_begins_and_where_it_ends_a_wait() -> None:
    """A number, true, a text: each ends the wait that it began."""
    shop = Shop([rule("left", VIEWED, wait="10m", key="event.properties.product_id",
                      unless={"call": "track", "event": "Order Completed"})])
    for n, product in enumerate([7, 7.5, True, "7.50", 1e3]):
        shop.did(n * HOUR, "Product Viewed", product_id=product)
        shop.did(n * HOUR + MINUTE, "Order Completed", product_id=product)
    shop.passed(9 * HOUR)
    assert not shop.fired("left")


def test_a_rule_that_ended_while_it_waited_does_not_fire() -> None:
    """START is 2023-11-14T22:13:20Z."""
    shop = Shop([rule("sale", VIEWED, wait="30m", ends_at="2023-11-14T22:40:00Z")])
    shop.did(0, "Product Viewed")
    shop.passed(HOUR)
    assert not shop.fired("sale")
    outcome, = shop.row("rules").outcomes
    assert 6 == outcome.why


def test_a_rule_and_a_segment_that_come_back_tell_causes_of_their_own() -> None:
    """What they had told before they were taken out is not told again, and hides nothing."""
    when = {"when": counts("Order Completed", at_least=1)}
    buyers = {"name": "buyers", "version": 1, "if": when["when"]}
    shop = Shop([rule("busy", when)], [buyers])
    for n in range(3):
        at = n * DAY
        shop.configure(at, [rule("busy", when)], [buyers])
        shop.did(at + MINUTE, "Order Completed")
        shop.passed(at + 3 * HOUR)
        shop.configure(at + 4 * HOUR, [rule("other", when)], [{**buyers, "name": "others"}])
        shop.did(at + 5 * HOUR, "Product Viewed")
    assert [n * DAY + MINUTE for n in range(3)] == [at for _, at in shop.fired("busy")]
    assert 3 == len([told for told in shop.told("segment_entered")
                     if told["data"]["segment"] == "buyers"])


def test_a_condition_that_flips_within_a_millisecond_waits_for_its_last_state() -> None:
    """A batch of a broker has one append time."""
    on = {"of": "last", "over": {"call": "track", "event": "Set"}, "value": "properties.v",
          "equals": "on"}
    shop = Shop([rule("stays_on", {"when": on}, wait="10m")])
    for value in ("on", "off", "on"):
        shop.did(0, "Set", v=value)
    shop.passed(30 * MINUTE)
    for n, value in enumerate(("on", "off", "on", "off")):
        shop.did(HOUR + n // 4, "Set", v=value)
    shop.passed(2 * HOUR)
    told, = shop.told("stays_on")
    assert 0 <= told["occurred_at"] - START - 10 * MINUTE <= 2


def test_what_ended_falls_out_before_what_still_waits() -> None:
    """And what waits falls out where there is too much of it: the oldest, with why."""
    shop = Shop([rule("waits", VIEWED, wait="1d"),
                 rule("keyed", VIEWED, wait="1d", key="event.properties.product_id",
                      unless={"call": "track", "event": "Order Completed"})])
    shop.did(0, "Product Viewed", product_id="p")
    for n in range(2 * WAITS_MAX):
        shop.did(MINUTE + n, "Order Completed", product_id=f"q{n}")
    assert WAITS_MAX == len(shop.row("rules").waits)
    shop.passed(2 * DAY)
    assert ["p"] == [told["data"]["key"] for told in shop.told("keyed")]
    assert 1 == len(shop.told("waits"))

    for n in range(2 * WAITS_MAX):
        shop.did(3 * DAY + n, "Product Viewed", product_id=f"q{n}")
    assert {13} == {outcome.why for outcome in shop.row("rules").outcomes}
    shop.passed(5 * DAY)
    kept = [told["data"]["key"] for told in shop.told("keyed")[1:]]
    assert [f"q{n}" for n in range(WAITS_MAX + 1, 2 * WAITS_MAX)] == kept
    assert 2 == len(shop.told("waits"))


def test_a_trigger_stays_small_whatever_is_sent() -> None:
    """One that no broker takes would stop the partition for good."""
    every = {"all": [{"field": "event.properties.v", "exists": True}] * 40}
    data = {f"d{n}": "event.properties.v" for n in range(20)}
    holds = {"all": [{"of": "unique_list", "over": {"call": "track"}, "value": "properties.v",
                      "exists": True}] * 40}
    shop = Shop([ordered("big", **{"if": every, "data": data}), rule("known", {"when": holds})],
                [{"name": "big_too", "version": 1, "if": holds}])
    shop.did(0, "Order Completed", v="\x01" * 5_000)
    shop.did(1, "Order Completed", v=["\x01" * 200] * 150)
    shop.did(2, "Order Completed", v=[f"{n}" + "\x01" * 100 for n in range(50)])
    told = [one for one in shop.log.triggers() if one["name"] in ("big", "known")]
    assert 4 == len(told)
    assert max(len(output.value) for _, output in shop.log.sent) < 900_000
    assert 200 == len(told[0]["data"]["d0"])


def test_rules_see_of_an_event_what_consent_lets_tables_see() -> None:
    """A sensitive field that is kept out is no field, whatever its type."""
    ip = {"field": "event.context.ip", "exists": True}
    shop = Shop([ordered("ip", **{"if": ip}), ordered("all")], consent={
        "gate": {"sensitive": "fraud"}})
    for n, sent in enumerate(("192.0.2.1", ["192.0.2.1"], 7)):
        made = events.plain(START + n, f"m{n}", {
            "context": {"ip": sent, "locale": "de"}, "properties": {"card": {"brand": "visa"}}})
        made["event"] = "Order Completed"
        shop.log.append(ANNA, made, START + n)
    shop.log.run()
    assert not shop.fired("ip")
    assert 3 == len(shop.fired("all"))


def test_an_outage_is_not_taken_for_silence_nor_for_a_window_that_fell() -> None:
    """Nothing is read for 40 minutes; then comes what happened meanwhile (law 4)."""
    seen = counts("Product Viewed", "1h", at_least=1)
    shop = Shop([rule("silent", VIEWED, wait="30m", unless={"call": "track", "event": "Order"}),
                 rule("calm", {"when": seen, "becomes": False}), ordered("other")],
                [{"name": "seen", "version": 1, "if": seen}])
    shop.did(0, "Product Viewed")
    shop.did(40 * MINUTE, "Order Completed")
    shop.did(40 * MINUTE + 3 * SECOND, "Order", late=25 * MINUTE)
    shop.passed(50 * MINUTE)
    assert not shop.fired("silent")

    shop.did(90 * MINUTE, "Order Completed")
    shop.did(90 * MINUTE + 9 * SECOND, "Product Viewed", late=45 * MINUTE)
    shop.did(90 * MINUTE + 18 * SECOND, "Order", late=30 * MINUTE)
    shop.passed(100 * MINUTE)
    assert not shop.fired("silent") and not shop.fired("calm")
    assert not shop.fired("segment_left")
    shop.passed(3 * HOUR)
    # The view of minute 45 leaves the hour at the end of its bucket.
    edge = (START + 45 * MINUTE + 9 * SECOND) // MINUTE * MINUTE + 61 * MINUTE
    for name in ("calm", "segment_left"):
        told, = shop.told(name)
        assert (edge, edge + 500) == (told["occurred_at"], told["emitted_at"])
    assert not shop.fired("silent")


def test_what_an_outage_hid_is_told_once_it_has_settled() -> None:
    """With the instant at which it was due."""
    shop = Shop([rule("silent", VIEWED, wait="30m")])
    shop.did(0, "Product Viewed")
    shop.log.tick(START + 40 * MINUTE)
    shop.log.run()
    assert not shop.fired("silent")
    shop.passed(41 * MINUTE)
    told, = shop.told("silent")
    assert (START + 30 * MINUTE, START + 40 * MINUTE + 10 * SECOND) == (
        told["occurred_at"], told["emitted_at"])


def test_a_wait_that_begins_and_is_over_while_its_cause_settled_is_told() -> None:
    """It begins with an instant of long ago: also where it follows a segment or another rule."""
    seen = counts("Product Viewed", "1h", at_least=1)
    shop = Shop([rule("calm", {"when": seen, "becomes": False}, wait="5s"),
                 rule("left", {"leaves": "seen"}, wait="5s"),
                 rule("after", {"trigger": "left"}, wait="1s")],
                [{"name": "seen", "version": 1, "if": seen}])
    shop.did(0, "Product Viewed")
    shop.log.tick(START + 2 * HOUR)
    shop.log.run()
    shop.passed(3 * HOUR)
    assert not shop.log.rejected()
    assert [1, 1, 1] == [len(shop.fired(name)) for name in ("calm", "left", "after")]


def test_a_late_event_does_not_end_the_wait_of_a_condition_that_began_after_it() -> None:
    shop = Shop([rule("calm", {"when": counts("Product Viewed", "1h", at_least=1)}, wait="10m",
                      unless={})])
    shop.did(0, "Product Viewed", late=10)
    shop.did(MINUTE, "Order Completed", late=2 * MINUTE)
    shop.passed(HOUR)
    assert [START + 10 * MINUTE] == [told["occurred_at"] for told in shop.told("calm")]
    shop.did(2 * HOUR, "Product Viewed")
    shop.did(2 * HOUR + MINUTE, "Order Completed")
    shop.passed(4 * HOUR)
    assert 1 == len(shop.told("calm"))


def test_a_wait_that_is_over_at_the_instant_at_which_it_begins_anew_is_told() -> None:
    """Both by time alone: the segments are left one wait after the other."""
    shop = Shop([rule("gone", {"trigger": "segment_left"}, wait="1h")], [
        {"name": "once", "version": 1, "if": counts("Product Viewed", "1h", equals=1)},
        {"name": "ever", "version": 1, "if": counts("Order Completed", "1h", at_least=1)}])
    shop.did(0, "Product Viewed")
    shop.did(HOUR, "Order Completed")
    shop.passed(9 * HOUR)
    left = [told["occurred_at"] for told in shop.told("segment_left")]
    assert left[0] + HOUR == left[1]
    assert [at + HOUR for at in left] == [told["occurred_at"] for told in shop.told("gone")] or (
        [left[0] + HOUR] == [told["occurred_at"] for told in shop.told("gone")])


def test_what_waits_is_shown_less_what_an_event_without_key_has_ended() -> None:
    shop = Shop([rule("left", VIEWED, wait="10m", key="event.properties.product_id",
                      unless={"call": "track", "event": "Order Completed"})])
    shop.did(0, "Product Viewed", product_id="a")
    told = shop.row("rules")
    config = shop.log.fold_of(ANNA).config.sections["rules"]
    assert ["a"] == [wait["key"] for wait in rules.view(RulesFacts(), told, 0, config)["waits"]]
    shop.did(MINUTE, "Order Completed")
    told = shop.row("rules")
    assert [] == rules.view(RulesFacts(), told, 0, config)["waits"]

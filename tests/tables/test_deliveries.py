"""Outcomes of deliveries in the log: who sees them, what rules make of them, where loops end."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall import tables
from footfall.errors import ConfigError
from footfall.events.interaction import Interaction
from footfall.events.outcomes import DEPTH_MAX, NAMES, OUTCOMES
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import DeliveryPayload, Outcome
from footfall.tables import rules, timeline
from footfall.tables.config import Config
from footfall.tables.row import RowCodec
from footfall.tables.rules_told import RulesFacts, RulesTold, Wait
from footfall.view.trigger import trigger
from tests.events.records import a_trigger
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, KEYS, RESERVED, START
from tests.tables.ruled import DAY, HOUR, MINUTE, Shop, counts, ordered, rule
from tests.tables.unmerging import unmerge

PASSIVE: tuple[Outcome, ...] = ("sent", "dead", "suppressed", "delivered", "bounced", "complained")
ON_DEAD = {"call": "delivery", "event": "delivery_dead"}
BROWSER = KEYS.of("anonymous_id", "a1")
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def payload(outcome: Outcome = "dead", trigger_id: str = "t1", **said: Any) -> DeliveryPayload:
    return msgspec.structs.replace(DeliveryPayload(
        outcome, "crm", "email", "email", "ads", "cart_abandoned", trigger_id, "gone"), **said)


def told(log: Log, at: int, said: DeliveryPayload, key: bytes = ANNA, late: int = 0) -> None:
    """An outcome is appended at an instant (ms after START), `late` after it came out."""
    log.append(key, RESERVED.delivery(key, said, START + at - late), START + at)
    log.run()


def delivered(shop: Shop, at: int, trigger: dict[str, Any], outcome: Outcome = "dead") -> None:
    """What delivery makes of a trigger."""
    told(shop.log, at, payload(outcome, trigger["trigger_id"], trigger=trigger["name"],
                               depth=trigger["depth"]))


def everything_but(log: Log, *names: str, key: bytes = ANNA) -> dict[str, bytes]:
    """The rows of a customer, as they are stored, but for some tables."""
    return {t.name: _encode((row.facts, row.told)) for t in tables.ALL
            if t.name not in names and (row := log.fold_of(key).row(key, t.name)) is not None}


def seen(log: Log, key: bytes = ANNA) -> list[tuple[str, str, str, str]]:
    return [(one.type, one.event, one.channel, one.source)
            for one in timeline.interactions(log.facts(key, "timeline"))]


# -- tables ------------------------------------------------------------------------------------


def test_the_timeline_shows_what_became_of_a_delivery() -> None:
    shop = Shop([])
    shop.did(0, "Product Viewed")
    told(shop.log, 1, payload("opened"))
    assert ("delivery", "delivery_opened", "email", "crm") == seen(shop.log)[0]


@pytest.mark.parametrize("outcome", PASSIVE)
def test_what_is_done_to_a_customer_moves_no_table_of_activity(outcome: Outcome) -> None:
    """Nor any timer: carts, silence, dormancy and falling scores are told as if it had not been."""
    def shop(*outcomes: Outcome) -> Shop:
        made = Shop([])
        made.did(0, "Product Viewed")
        made.log.append(ANNA, events.added(START + 5, "c1"), START + 5)
        for at in (10 * MINUTE, 45 * MINUTE, 20 * DAY, 60 * DAY):
            made.passed(at)
            for n, said in enumerate(outcomes):
                told(made.log, at + n, payload(said, f"{at}-{n}"))
        return made
    plain, with_outcomes = shop(), shop(outcome, outcome)

    assert 2 + 8 == len(seen(with_outcomes.log))
    assert everything_but(plain.log, "timeline") == everything_but(with_outcomes.log, "timeline")
    assert {"cart_abandoned", "customer_dormant"} < {name for name, _at in plain.fired()}
    assert plain.fired() == with_outcomes.fired()


@pytest.mark.parametrize("outcome", ["opened", "clicked"])
def test_who_opens_or_clicks_is_there(outcome: Outcome) -> None:
    shop = Shop([])
    shop.did(0, "Product Viewed")
    told(shop.log, HOUR, payload(outcome))
    assert START + HOUR == shop.log.facts(ANNA, "engagement").last
    assert 2 == len(shop.fired("session_started"))


def test_tracked_events_of_providers_are_no_activity_either() -> None:
    """They are seen all the same: a complaint still withdraws consent."""
    shop = Shop([])
    shop.did(0, "Product Viewed")
    before = everything_but(shop.log, "timeline")
    shop.did(HOUR, "Email Delivered")
    shop.did(HOUR, "email_bounced")
    assert before == everything_but(shop.log, "timeline")
    shop.did(HOUR, "Email Marked as Spam")
    assert before == everything_but(shop.log, "timeline", "consent")
    assert "consent" in everything_but(shop.log, "timeline")
    shop.did(HOUR, "Email Opened")
    assert START + HOUR == shop.log.facts(ANNA, "engagement").last


def test_a_repeat_is_recognised() -> None:
    """Delivery writes again what it does not know to be written."""
    shop = Shop([rule("alarm", ON_DEAD)])
    for at in range(3):
        told(shop.log, at, payload())
    told(shop.log, 5, payload(trigger_id="t2"))
    assert (2, 2) == (len(seen(shop.log)), len(shop.told("alarm")))
    assert 2 == shop.log.count("repeat", "message_id")


def test_who_has_not_the_secret_writes_none() -> None:
    """Poison, put away; nothing is stepped."""
    log = Log(tables.ALL)
    forged = Reserved(b"another secret of others").delivery(ANNA, payload("opened"), START)
    log.append(ANNA, forged, START)
    log.run()
    assert ["reserved_forged"] == [one["reason"] for one in log.rejected()]
    assert {} == log.records()


def test_one_that_came_ahead_of_its_time_counts_at_its_append_time() -> None:
    """The skew rule of every interaction; late ones are counted as such."""
    shop = Shop([])
    told(shop.log, 0, payload("clicked"), late=-DAY)
    assert START == shop.log.facts(ANNA, "engagement").last
    told(shop.log, HOUR, payload("clicked", "t2"), late=MINUTE)
    assert 1 == shop.log.count("late", "$delivery")
    assert 2 == shop.log.count("processed", "$delivery")


def test_at_a_pointer_it_goes_on_to_the_owner() -> None:
    """The trigger was told of the browser, who has meanwhile become known."""
    shop = Shop([rule("alarm", ON_DEAD, data={"why": "event.properties.reason"})], partitions=3)
    shop.sent(0, {"anonymousId": "a1"}, "Product Viewed")
    shop.sent(1, {"userId": "anna", "anonymousId": "a1"}, "Product Viewed")
    told(shop.log, 2, payload(depth=1), BROWSER)

    alarm, = shop.told("alarm")
    assert (ANNA.decode(), {"why": "gone"}, 2) == (
        alarm["customer_key"], alarm["data"], alarm["depth"])
    assert "delivery_dead" == seen(shop.log)[0][1]
    assert [] == shop.log.rejected()
    told(shop.log, 3, payload(depth=1), BROWSER)
    assert 1 == len(shop.told("alarm"))


def test_at_an_unmerge_outcomes_go_with_the_key_that_they_came_to() -> None:
    """Folded again they are what they were: only what somebody did moves tables of activity."""
    log = Log(tables.ALL, 3)
    ids = {"userId": "anna", "anonymousId": "a1"}
    log.append(BROWSER, events.plain(START, "m1", {"anonymousId": "a1"}), START)
    log.append(ANNA, events.plain(START + 1, "m2", ids), START + 1)
    log.run()
    told(log, 2, payload("opened", "t1"), BROWSER)
    told(log, HOUR, payload("dead", "t2"), BROWSER)
    told(log, HOUR, payload("dead", "t3"))
    unmerge(log, ANNA, BROWSER)
    log.run()

    assert ["delivery_dead", ""] == [name for _type, name, *_place in seen(log)]
    assert ["delivery_dead", "delivery_opened", ""] == [
        name for _type, name, *_place in seen(log, BROWSER)]
    assert (START + 1, START + 2) == (
        log.facts(ANNA, "engagement").last, log.facts(BROWSER, "engagement").last)
    assert [] == log.rejected()
    assert log.records() == log.fold_again().records()


_happenings = st.lists(
    st.tuples(st.integers(0, 3 * HOUR), st.sampled_from([*OUTCOMES, "", ""])), max_size=12)


@settings(deadline=None, max_examples=60)
@given(happenings=_happenings, data=st.data())
def test_facts_do_not_know_order_nor_split(happenings: list[tuple[int, Any]], data: st.DataObject
                                           ) -> None:
    """Outcomes and visits over a user and their browser, in any order of arrival (law 3)."""
    def log_of(order: list[int], whose: list[bool]) -> Log:
        log = Log(tables.ALL, 2)
        for n in order:
            at, outcome = happenings[n]
            key = BROWSER if whose[n] else ANNA
            event: Interaction
            if outcome:
                event = RESERVED.delivery(key, payload(outcome, f"t{n}"), START + at)
            else:
                event = events.plain(START + at, f"m{n}")
            log.append(key, event, START + 4 * HOUR)
        ids = {"userId": "anna", "anonymousId": "a1"}
        log.append(ANNA, events.plain(START + 4 * HOUR, "last", ids), START + 4 * HOUR)
        return log.run()
    count = len(happenings)
    order = data.draw(st.permutations(range(count)))
    whose = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    one, other = log_of(list(range(count)), [False] * count), log_of(order, whose)

    for name in ("timeline", "engagement", "risk", "cart", "orders"):
        assert _encode(one.facts(ANNA, name)) == _encode(other.facts(ANNA, name)), name
    assert other.records() == other.fold_again().records()
    without = Log(tables.ALL, 2)
    for n, (at, outcome) in enumerate(happenings):
        if outcome in ("", "opened", "clicked"):
            event = events.plain(START + at, f"m{n}") if not outcome else (
                RESERVED.delivery(ANNA, payload(outcome, f"t{n}"), START + at))
            without.append(ANNA, event, START + 4 * HOUR)
    without.append(ANNA, events.plain(START + 4 * HOUR, "last", {
        "userId": "anna", "anonymousId": "a1"}), START + 4 * HOUR)
    without.run()
    assert _encode(without.facts(ANNA, "engagement")) == _encode(other.facts(ANNA, "engagement"))
    assert _encode(without.facts(ANNA, "risk")) == _encode(other.facts(ANNA, "risk"))


# -- rules -------------------------------------------------------------------------------------


def test_a_rule_acts_on_an_outcome_and_asks_for_its_fields() -> None:
    names = ("outcome", "destination", "channel", "medium", "purpose", "trigger", "reason")
    shop = Shop([rule("alarm", ON_DEAD, **{
        "if": {"all": [{"field": "event.properties.destination", "equals": "crm"},
                       {"field": "event.type", "equals": "delivery"},
                       {"field": "event.channel", "equals": "email"}]},
        "data": {name: f"event.properties.{name}" for name in names}})])
    told(shop.log, 1, payload(destination="other"))
    told(shop.log, 2, payload("sent"))
    told(shop.log, 3, payload())

    alarm, = shop.told("alarm")
    assert {"outcome": "dead", "destination": "crm", "channel": "email", "medium": "email",
            "purpose": "ads", "trigger": "cart_abandoned", "reason": "gone"} == alarm["data"]
    assert ("delivery", "delivery_dead") == (
        alarm["evidence"]["on"]["call"], alarm["evidence"]["on"]["event"])
    assert (1, b"") == (alarm["depth"], alarm["integrations"])


def test_outcomes_are_counted_where_they_are_asked_for_and_nowhere_else() -> None:
    """`{}` is what customers do; what becomes of deliveries must be named."""
    clicks = {"of": "count", "over": {"call": "delivery", "event": "delivery_clicked"},
              "at_least": 2}
    shop = Shop([rule("fan", {"when": clicks}), rule("busy", {"when": counts("", at_least=2)})])
    told(shop.log, 1, payload("clicked", "t1"))
    assert not shop.fired("fan")
    told(shop.log, 2, payload("clicked", "t2"))
    assert (1, 0) == (len(shop.told("fan")), len(shop.told("busy")))
    assert 1 == shop.told("fan")[0]["depth"]


def test_an_outcome_ends_a_wait_that_names_it_and_no_other() -> None:
    opened = {"call": "delivery", "event": "delivery_opened"}
    shop = Shop([ordered("remind", wait="1h", unless=opened), ordered("always", wait="1h",
                                                                     unless={})])
    shop.did(0, "Order Completed")
    told(shop.log, MINUTE, payload("sent"))
    told(shop.log, 2 * MINUTE, payload("opened"))
    shop.passed(2 * HOUR)
    assert (0, 1) == (len(shop.told("remind")), len(shop.told("always")))


@pytest.mark.parametrize("on", [
    {"call": "delivery", "event": "delivery_lost"}, {"call": "delivery", "event": "dead"}])
def test_the_name_of_no_outcome_is_refused(on: dict[str, str]) -> None:
    for section in ({"rules": {"definitions": [rule("alarm", on)]}}, {"computed": {"definitions": [
            {"name": "t", "version": 1, "of": "count", "over": on}]}}):
        with pytest.raises(ConfigError, match="is nothing that becomes of a delivery") as error:
            Config(tables.ALL, 1, json.dumps(section).encode())
        assert all(name in str(error.value) for name in NAMES)


def test_the_gate_keeps_tables_out_and_no_field_of_an_outcome() -> None:
    """Nothing of it is personal; what a table must not see of the customer it does not see here."""
    gate = {"gate": {"personal": "analytics", "timeline": "analytics"}}
    shop = Shop([rule("alarm", ON_DEAD, data={"why": "event.properties.reason"})], consent=gate)
    told(shop.log, 1, payload())
    assert {"why": "gone"} == shop.told("alarm")[0]["data"]
    assert shop.log.facts(ANNA, "timeline") is None


# -- depth -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [None, "10m"])
def test_a_ring_through_deliveries_ends(wait: str | None) -> None:
    """A rule on the death of its own trigger's delivery, at once or after a wait."""
    more = {} if wait is None else {"wait": wait}
    shop = Shop([ordered("thanks"), rule("again", ON_DEAD, **more)])
    shop.did(0, "Order Completed")
    trigger, = shop.told("thanks")
    depths = [trigger["depth"]]
    at = 0
    while True:
        at += HOUR
        # At the last one delivery sends no more: it says so, and that is an outcome, too.
        delivered(shop, at, trigger)
        shop.passed(at + 30 * MINUTE)
        if len(shop.told("again")) < len(depths):
            break
        trigger = shop.told("again")[-1]
        depths.append(trigger["depth"])
        assert len(depths) < 20

    assert list(range(DEPTH_MAX + 1)) == depths
    why = [one for one in shop.row("rules").outcomes if one.why == 17]
    assert 1 == len(why)


def test_depth_goes_along_from_rule_to_rule() -> None:
    """Over triggers, waits and segments; other events begin anew."""
    failed = {"name": "failed", "version": 1, "if": {
        "of": "count", "over": ON_DEAD, "at_least": 1}}
    shop = Shop([rule("alarm", ON_DEAD), rule("later", {"trigger": "alarm"}, wait="10m"),
                 rule("last", {"trigger": "later"}), rule("lost", {"enters": "failed"}),
                 ordered("thanks")], [failed])
    told(shop.log, 0, payload(depth=2))
    shop.did(1, "Order Completed")
    shop.passed(HOUR)
    depths = {one["name"]: one["depth"] for one in shop.log.triggers()}
    assert {"alarm": 3, "later": 3, "last": 3, "lost": 3, "segment_entered": 3, "thanks": 0} == {
        name: depths[name] for name in ("alarm", "later", "last", "lost", "segment_entered",
                                        "thanks")}


def test_waits_of_before_have_no_depth() -> None:
    """Rows as version 1 of the table wrote them."""
    table = rules.TABLE
    wait = (7, "key", 1, 2, 3, "cause")
    facts, upgraded = RowCodec(table, msgspec.msgpack.Encoder()).read(
        msgspec.Raw(msgspec.msgpack.encode((1, [], [0, [], [wait], [], []]))))
    assert (RulesFacts(), RulesTold(waits=(Wait(*wait, depth=0),))) == (facts, upgraded)


def test_a_wait_keeps_its_depth_where_customers_join() -> None:
    shop = Shop([rule("alarm", ON_DEAD, wait="1h")], partitions=3)
    shop.sent(0, {"anonymousId": "a1"}, "Product Viewed")
    told(shop.log, 1, payload(depth=1), BROWSER)
    shop.sent(MINUTE, {"userId": "anna", "anonymousId": "a1"}, "Product Viewed")
    shop.passed(2 * HOUR)
    alarm, = shop.told("alarm")
    assert (ANNA.decode(), 2) == (alarm["customer_key"], alarm["depth"])


# -- integrations ------------------------------------------------------------------------------


def test_triggers_carry_what_their_event_allows() -> None:
    """Those of tables and rules, told at once; not what time tells, nor what another event does."""
    shop = Shop([ordered("thanks"), rule("more", {"trigger": "thanks"}),
                 ordered("later", wait="1h"), ordered("next", wait="2h")])
    event = events.plain(START, "own", {"integrations": {"All": False, "crm": {"x": 1}}})
    event["event"] = "Order Completed"
    shop.log.append(ANNA, event, START)
    shop.passed(90 * MINUTE)
    shop.did(100 * MINUTE, "Product Viewed")
    shop.passed(3 * HOUR)
    told_at_once = {"session_started", "engagement_level_changed", "thanks", "more"}
    assert [(name, b'{"All":false,"crm":true}') for name in sorted(told_at_once)] == sorted(
        (one["name"], one["integrations"]) for one in shop.log.triggers()
        if one["emitted_at"] == START)
    rest = [one for one in shop.log.triggers() if one["emitted_at"] > START]
    assert {b""} == {one["integrations"] for one in rest}
    assert {"later", "next", "session_started"} <= {one["name"] for one in rest}


def test_the_document_shows_depth_and_integrations_where_there_are_any() -> None:
    """All other triggers are shown as they always were."""
    plain = trigger(a_trigger())
    assert set() == {"depth", "integrations"} & set(plain)
    more = trigger(a_trigger(depth=2, integrations=b'{"All":false}'))
    assert {**plain, "depth": 2, "integrations": msgspec.Raw(b'{"All":false}')} == more


def test_what_is_too_long_is_counted() -> None:
    shop = Shop([ordered("thanks")])
    event = events.plain(START, "m1", {"integrations": {
        f"destination-{n:050}": False for n in range(40)}})
    event["event"] = "Order Completed"
    shop.log.append(ANNA, event, START)
    shop.log.run()
    assert b'{"All":false}' == shop.told("thanks")[0]["integrations"]
    assert 1 == shop.log.count("limited", "integrations")

"""When a level of risk is told, what is a signal, and how much is kept."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from footfall.errors import ConfigError
from footfall.events import commerce
from footfall.events.interaction import Interaction
from footfall.tables import risk, risk_row, risk_score, risk_signals
from footfall.tables.config import Config
from footfall.tables.risk_facts import SEEN_MAX, VALUES_MAX, first_seen
from footfall.tables.risk_row import RiskConfig, RiskFacts
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, START

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
CONFIG = RiskConfig()


def said(name: str, at: int, message_id: str, **item: Any) -> Interaction:
    event = events.plain(at, message_id, item)
    event["event"] = name
    event["commerce"] = commerce.read(name, item.get("properties"))
    return event


def failures(n: int, at: int = START, first: int = 0) -> list[Interaction]:
    return [said("Payment Failed", at + k, f"f{first + k}") for k in range(n)]


def facts_of(*happened: Interaction) -> RiskFacts:
    facts = RiskFacts()
    for event in happened:
        facts = risk.TABLE.observe(facts, event, event["event_time"])
    return facts


def points(facts: RiskFacts, at: int) -> dict[str, int]:
    """Factors that give points."""
    return {f.name: f.points for f in risk_score.scored(facts, at // MINUTE, CONFIG) if f.points}


def log_of(*happened: Interaction) -> Log:
    log = Log([risk.TABLE])
    for event in happened:
        log.append(ANNA, event, event["event_time"])
    return log


def told_by(log: Log) -> list[tuple[str, str, int]]:
    return [(t["data"]["level"], t["data"]["previous"], t["occurred_at"])
            for t in log.run().triggers()]


def wake(log: Log, until: int) -> Log:
    """A tick for each timer."""
    while (record := log.run().fold_of(ANNA).records.peek(ANNA)) is not None:
        at = record.next_wake()
        if not at or at >= until:
            break
        log.tick(at + 1)
    return log


# -- levels --------------------------------------------------------------------------------------


def test_a_burst_of_failed_payments_is_told_with_its_factors() -> None:
    """At the event that reaches the threshold, with all nine factors."""
    log = log_of(*failures(5))
    (told,) = log.run().triggers()

    assert ("risk_level_changed", START + 4) == (told["name"], told["occurred_at"])
    data, evidence = told["data"], told["evidence"]
    assert ("elevated", "low", 40) == (data["level"], data["previous"], data["score"])
    assert [f.name for f in risk_score.FACTORS] == [f["name"] for f in data["factors"]]
    assert {"name": "failed_payments", "points": 40, "value": "5"} in data["factors"]
    assert {"name": "velocity", "points": 0, "value": "5"} in data["factors"]
    assert ("event", 40, 30, 70, 55) == (evidence["because"], *(
        evidence[k] for k in ("elevated_from", "elevated_until", "high_from", "high_until")))


def test_two_levels_at_once_are_one_trigger() -> None:
    """From low to high, where one event brings both."""
    both = [*failures(4), *(said("Login Failed", START + 9, f"l{n}") for n in range(9))]
    both.append(said("Payment Failed", START + 10, "x", context={"device": {"id": "d"}}))
    log = log_of(*both)
    levels = [(t["data"]["previous"], t["data"]["level"]) for t in log.run().triggers()]
    assert [("low", "elevated"), ("elevated", "high")] == levels

    facts, told = facts_of(*both), risk_row.RiskTold()
    announced = risk.announce(told, facts, START + 10, CONFIG, None)
    assert [("low", "high")] == [(t.data["previous"], t.data["level"])
                                 for t in announced.triggers]


def test_time_alone_lowers_the_level() -> None:
    """No event comes: the level falls at the minute in which the score does, once, told in time."""
    log = wake(log_of(*failures(5)), START + 3 * DAY)
    rise, fall = log.triggers()
    config_score = risk_score.total(risk_score.scored(
        facts_of(*failures(5)), fall["occurred_at"] // MINUTE, CONFIG))

    assert ("low", "elevated", "time") == (
        fall["data"]["level"], fall["data"]["previous"], fall["evidence"]["because"])
    assert 29 == fall["data"]["score"] == config_score
    assert 0 < fall["emitted_at"] - fall["occurred_at"] <= 1_000
    assert HOUR < fall["occurred_at"] - rise["occurred_at"] < 6 * HOUR
    assert log.outputs() == log.fold_again().outputs()


def test_a_few_wakes_are_enough() -> None:
    """Without further events one timer a level."""
    log = log_of(*failures(5))
    ticks = len(log.entries[0])
    wake(log, START + 3 * DAY)
    assert 1 == len(log.entries[0]) - ticks


def test_a_score_between_the_thresholds_tells_nothing() -> None:
    """Up at 40, down below 30: what wavers between tells nothing, in either direction."""
    log = log_of(*failures(5))
    for n in range(6):  # about 38 to 40 points, for hours
        at = START + (n + 1) * 2 * HOUR
        wake(log, at)
        for event in failures(1, at, 10 + n):
            log.append(ANNA, event, at)
    assert [("elevated", "low", START + 4)] == told_by(log)
    low = log_of(*failures(4))
    assert [] == told_by(wake(low, START + DAY))


def test_only_a_timer_tells_a_fall() -> None:
    """An event long after does not: its answer is the deadline, past, and no trigger."""
    facts, told = facts_of(*failures(5)), risk_row.RiskTold(1, START + 4)
    announced = risk.announce(told, facts, START + 9 * DAY, CONFIG, None)

    assert () == announced.triggers
    assert announced.due is not None and START + HOUR < announced.due < START + DAY
    fired = risk.announce(announced.told, facts, START + 9 * DAY, CONFIG, announced.due)
    assert [announced.due] == [t.occurred_at for t in fired.triggers]
    assert fired.due is None


def test_repeats_and_late_events_tell_nothing_twice() -> None:
    """One messageId is one failure; a late one that changes no level is silent."""
    log = log_of(*failures(5), *failures(5))
    late = said("Payment Failed", START - HOUR, "late")
    log.append(ANNA, late, START + 20)
    assert [("elevated", "low", START + 4)] == told_by(log)


def test_identities_that_join_keep_the_higher_level_and_tell_it_once() -> None:
    """What one of them told is not told again; what both make together is."""
    rows = []
    for n in range(2):
        facts = facts_of(*failures(5, START + n, 10 * n))
        announced = risk.announce(risk_row.RiskTold(), facts, START + 9, CONFIG, None)
        rows.append((facts, announced.told))
    (facts, told), (more, other) = rows
    quiet = facts_of(said("Product Viewed", START, "v"))
    alone = risk.announce(risk.merge_told(risk_row.RiskTold(), told),
                          risk.TABLE.merge_facts(quiet, facts), START + 10, CONFIG, None)
    assert ((), 1) == (alone.triggers, alone.told.level)
    assert alone.due is not None
    both = risk.announce(risk.merge_told(told, other), risk.TABLE.merge_facts(facts, more),
                         START + 10, CONFIG, None)
    assert ((), 1) == (both.triggers, both.told.level)  # the factor is full: 40 points, no more


def test_thresholds_and_weights_are_configuration() -> None:
    """They hold from the next step on; facts do not know them."""
    log = log_of(*failures(5))
    log.config(START + 10, 1, risk={"failed_payments_points": 80, "high_until": 35})
    log.append(ANNA, said("Product Viewed", START + 11, "v"), START + 11)
    log.append(BERT, said("Product Viewed", START + 11, "v"), START + 11)
    assert [("elevated", "low", START + 4), ("high", "elevated", START + 11)] == told_by(log)
    assert facts_of(*failures(5), said("Product Viewed", START + 11, "v")) == log.facts(
        ANNA, "risk")


@pytest.mark.parametrize("section", [
    {"elevated_from": 80}, {"elevated_until": 41}, {"high_until": 71}, {"high_until": 29},
    {"high_from": 101}, {"velocity_points": -1}, {"weight": 1}])
def test_thresholds_that_contradict_each_other_are_refused(section: dict[str, int]) -> None:
    """Before they are applied."""
    with pytest.raises(ConfigError):
        Config([risk.TABLE], 1, json.dumps({"risk": section}).encode())


# -- signals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), [
    ("Payment Failed", risk_signals.FAILED_PAYMENT), ("paymentFailed", risk_signals.FAILED_PAYMENT),
    ("failed_payment", risk_signals.FAILED_PAYMENT), ("Login Failed", risk_signals.FAILED_LOGIN),
    ("Failed Signed In", risk_signals.FAILED_LOGIN), ("Completed Order", risk_signals.ORDER),
    ("Coupon Removed", None), ("Payment", None), ("", None)])
def test_names_of_signals(name: str, kind: int | None) -> None:
    """Any case, blanks or underscores, either word first."""
    assert kind == risk_signals.kind_of(name)


def test_a_page_of_that_name_is_no_signal() -> None:
    """Only a tracked event is."""
    event = said("Payment Failed", START, "a")
    event["type"] = "page"
    assert () == facts_of(event).happened


@pytest.mark.parametrize(("one", "other", "same"), [
    ("192.0.2.1", "192.0.2.254", True), ("192.0.2.1", "192.0.3.1", False),
    ("2001:db8:1::1", "2001:db8:1:ffff::2", True), ("2001:db8:1::1", "2001:db8:2::1", False),
    ("::ffff:192.0.2.1", "192.0.2.9", True)])
def test_networks(one: str, other: str, same: bool) -> None:
    """/24 of IPv4, /48 of IPv6; an IPv4 address in IPv6 is one of IPv4."""
    assert same == (risk_signals.network_of(one) == risk_signals.network_of(other))


@pytest.mark.parametrize("ip", ["", "nowhere", "192.0.2", "1" * 999])
def test_what_is_no_address_is_no_network(ip: str) -> None:
    """And no failure."""
    assert b"" == facts_of(said("x", START, "a", context={"ip": ip})).networks


def test_a_device_of_a_later_day_is_new_and_one_of_the_first_is_not() -> None:
    """Devices of the first day are the customer's own; a known one never is new again."""
    def seen(device: str, at: int) -> Interaction:
        return said("x", at, f"{device}{at}", context={"device": {"id": device}})

    first = [seen("d1", START), seen("d2", START + HOUR)]
    assert {} == points(facts_of(*first), START + HOUR)
    later = facts_of(*first, seen("d3", START + 3 * DAY), seen("d1", START + 3 * DAY))
    assert {"new_device": 10} == points(later, START + 3 * DAY)
    assert {} == points(later, START + 10 * DAY)


def test_an_order_far_above_ones_own() -> None:
    """Ten times the median of three or more in its currency; two are no history."""
    def order(n: int, total: str, currency: str = "EUR") -> Interaction:
        return said("Order Completed", START + n, f"m{n}", properties={
            "order_id": f"o{n}", "total": total, "currency": currency})

    usual = [order(1, "20"), order(2, "30"), order(3, "1000", "USD")]
    assert {} == points(facts_of(*usual, order(5, "900")), START)
    usual.append(order(4, "25"))
    assert {"order_above_history": 20} == points(facts_of(*usual, order(5, "250")), START)
    assert {} == points(facts_of(*usual, order(5, "75")), START)
    twice = order(6, "250") | {"message_id": "again"}
    both = facts_of(*usual, order(6, "250"), twice)
    assert 5 == len(both.values)


def test_cards_and_coupons_are_counted_by_what_they_are() -> None:
    """The same one again is not another."""
    def paid(n: int) -> Interaction:
        return said("Payment Info Entered", START, f"c{n}",
                    properties={"card_fingerprint": f"card{n % 5}"})

    def tried(n: int, **properties: Any) -> Interaction:
        return said("Coupon Denied", START, f"k{n}", properties=properties)

    assert {"many_cards": 30} == points(facts_of(*map(paid, range(15))), START)
    assert {} == points(facts_of(paid(0), paid(1), paid(5), paid(6)), START)
    assert {} == points(facts_of(*(tried(n, coupon_id="X") for n in range(30))), START)
    assert {"many_coupons": 15} == points(facts_of(*map(tried, range(10))), START)


# -- limits --------------------------------------------------------------------------------------


def size(value: Any) -> int:
    return len(msgspec.msgpack.encode(value))


def test_fifty_ordinary_events_take_little() -> None:
    """One device, three networks; facts and told together."""
    happened = [said("Product Viewed", START + n * 40_000, f"m{n}", anonymousId="a1",
                     context={"ip": f"192.0.{n // 17}.7"}) for n in range(50)]
    facts = facts_of(*happened)
    told = risk.announce(risk_row.RiskTold(), facts, START + 50 * 40_000, CONFIG, None).told
    assert size((facts, told)) <= 100


def test_what_is_kept_of_devices_is_the_first_and_those_named_last() -> None:
    """In any order of arrival; it says that a limit was reached."""
    happened = [said("x", START + n * DAY, f"m{n}", anonymousId=f"a{n}") for n in range(40)]
    facts = facts_of(*happened)

    assert facts.cut and risk.TABLE.limited is not None and risk.TABLE.limited(facts)
    assert SEEN_MAX == len(first_seen(facts.devices))
    assert facts.devices == facts_of(*reversed(happened)).devices
    assert [START // MINUTE, (START + 25 * DAY) // MINUTE] == first_seen(facts.devices)[:2]


def test_facts_stay_small_whatever_comes() -> None:
    """A year of every signal, thousands of devices, networks, cards and coupons."""
    names = list(risk_signals.NAMES)
    happened = []
    for n in range(6_000):
        happened.append(said(
            names[n % len(names)], START + n * 97 * MINUTE, f"m{n}", anonymousId=f"a{n}" * 60,
            context={"ip": f"10.{n // 250 % 250}.{n % 250}.1"},
            properties={"order_id": f"o{n}" * 90, "total": "9" * 18, "currency": "EUR",
                        "card_fingerprint": f"c{n}", "coupon_code": f"k{n}"}))
    facts = facts_of(*happened)
    assert VALUES_MAX == len(facts.values)
    assert size(facts) < 3_000
    assert facts.minute == happened[-1]["event_time"] // MINUTE


def test_an_event_before_time_is_no_failure() -> None:
    """What was written into the log directly may have any time."""
    assert 1 == sum(facts_of(said("x", -5, "a", anonymousId="a")).counts)


def test_a_burst_of_events_alone() -> None:
    """Velocity: 300 events in one minute score in full, and are gone ten minutes later."""
    facts = facts_of(*(said("x", START, f"m{n}") for n in range(300)))
    assert {"velocity": 25} == points(facts, START)
    assert {"velocity": 9} == points(facts, START + 5 * MINUTE)
    assert {} == points(facts, START + 8 * MINUTE)

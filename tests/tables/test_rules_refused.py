"""Bad rules are refused with their place; odd content of events fits nothing and stops nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from footfall import tables
from footfall.errors import ConfigError
from footfall.tables.config import Config
from footfall.tables.rules_told import ONCE_MAX, OUTCOMES_MAX
from tests.tables.logs import START
from tests.tables.ruled import MINUTE, Shop, counts, ordered, rule

PAGE = {"call": "page"}
FIELD = {"field": "event.properties.total", "greater": 1}


def nested(depth: int) -> dict[str, Any]:
    condition: dict[str, Any] = FIELD
    for _ in range(depth):
        condition = {"any": [condition]}
    return condition


@pytest.mark.parametrize(("said", "where", "because"), [
    ({"if": {"any": [FIELD] * 10_000}}, "", "10001 conditions; at most 50"),
    ({"if": nested(7)}, "", "nested 8 deep; at most 6"),
    ({"if": {"all": []}}, "if", "at least one condition"),
    ({"if": {"field": "event.properties.a", "equals": "x" * 1_000_000}}, "if.equals", "1 to 500"),
    ({"if": {"cel": "x" * 1_000_000}}, "if.cel", "length <= 1000"),
    ({"description": "d" * 1_000_000}, "description", "length <= 500"),
    ({"if": {"field": "engagement.levl", "equals": "high"}}, "if.field", "no field"),
    ({"if": {"field": "engagment.level", "equals": "high"}}, "if.field", "begins with"),
    ({"if": {"field": "engagement.level", "equals": "hihg"}}, "if.equals", "never 'hihg'"),
    ({"if": {"field": "engagement.level", "greater": 3}}, "if.greater", "is a text"),
    ({"if": {"field": "orders.count", "equals": "many"}}, "if.equals", "is not a number"),
    ({"if": {"field": "orders.count", "greater": "NaN"}}, "if.greater", "finite"),
    ({"if": {"field": "orders.count", "greater": 10**30}}, "if.greater", "18 digits"),
    ({"if": {"field": "orders.count", "greater": 1, "less": 5}}, "if", "this one has 2"),
    ({"if": {"field": "orders.count"}}, "if", "this one has 0"),
    ({"if": {"field": "orders.last_at", "older_than": "7 days"}}, "if.older_than", "regex"),
    ({"if": {"field": "orders.last_at", "older_than": "2000d"}}, "if.older_than", "366 days"),
    ({"if": {"of": "count", "over": {}, "greater": 1, "window": "90d"}}, "if.window", "1h, 24h"),
    ({"if": {"of": "sum", "over": {}, "greater": 1}}, "if.value", "needs the path"),
    ({"if": {"segment": "nobody"}}, "if.segment", "no segment 'nobody'"),
    ({"if": {"field": "trigger.data.x", "exists": True}}, "if.field", "a trigger"),
    ({"on": {"trigger": "cart_abandond"}}, "on.trigger", "nobody tells"),
    ({"on": {"trigger": "a_rule"}}, "on.trigger", "act on each other"),
    ({"on": {"enters": "nobody"}}, "on.enters", "no segment"),
    ({"on": {**PAGE, "trigger": "cart_abandoned"}}, "on", "one of"),
    ({"on": {"call": "identify", "event": "x"}}, "on.event", "needs a call that has names"),
    ({"on": {"schedule": {"at": "25:00"}}}, "on.schedule.at", "regex"),
    ({"on": {"schedule": {"at": "09:00", "zone": "Europe/Atlantis"}}}, "on.schedule.zone", "zone"),
    ({"on": {"schedule": {"at": "09:00"}}, "wait": "1h"}, "wait", "does not go with a schedule"),
    ({"wait": "0s"}, "wait", "regex"),
    ({"unless": PAGE}, "unless", "goes with wait"),
    ({"key": "event.properties.a"}, "key", "goes with once or wait"),
    ({"holdout_percent": 100}, "holdout_percent", "<= 99"),
    ({"priority": "high"}, "priority", "int"),
    ({"starts_at": "tomorrow"}, "", "no instant"),
    ({"starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-11-01T00:00:00Z"}, "ends_at",
     "not after"),
    ({"name": "cart_abandoned"}, "name", "a table's trigger"),
    ({"name": "A Rule"}, "name", "regex"),
    ({"data": {f"n{n}": "event.name" for n in range(21)}}, "data", "at most 20"),
    ({"data": {"x": "event.properties"}}, "data.x", "no path"),
    ({"then": "email"}, "then", "unknown field"),
])
def test_a_bad_rule_is_refused_with_its_place(said: dict[str, Any], where: str, because: str
                                              ) -> None:
    document = {"rules": {"definitions": [rule("fine", PAGE), {**rule("a_rule", PAGE), **said}]}}
    with pytest.raises(ConfigError) as refused:
        Config(tables.ALL, 1, json.dumps(document).encode())
    assert because in str(refused.value)
    assert ("rules", "definitions", 1) == refused.value.path[:3]
    found = ".".join(str(one) for one in refused.value.path[3:])
    assert found.startswith(where) or where in str(refused.value)
    assert len(str(refused.value)) < 2_000_000


def test_chains_and_rings_are_refused() -> None:
    chain = [rule("r0", PAGE), *(rule(f"r{n}", {"trigger": f"r{n - 1}"}) for n in range(1, 6))]
    with pytest.raises(ConfigError, match="chain of more than 5"):
        Config(tables.ALL, 1, json.dumps({"rules": {"definitions": chain}}).encode())
    Config(tables.ALL, 1, json.dumps({"rules": {"definitions": chain[:-1]}}).encode())


ODD = [None, True, "", "x" * 30_000, "NaN", "1e400", 10**40, -0.0, [], {}, [[[[1]]]],
       {"a": {"b": {}}}, ["1", 2, None, {"c": 3}], "٣", "\u0000", "5" * 60]


def test_odd_content_fits_nothing_and_stops_nothing() -> None:
    """Every operator over every odd value: the events are all applied and no step fails."""
    path = {"field": "event.properties.odd"}
    conditions = [
        {**path, "equals": "x"}, {**path, "not_equals": 7}, {**path, "in": [1, "a", True]},
        {**path, "greater": 3}, {**path, "at_least": "2.5"}, {**path, "less": 0},
        {**path, "at_most": -1}, {**path, "exists": True}, {**path, "contains": "5"},
        {"cel": "event.properties.odd / 0.0 > 1.0 || event.properties.odd.contains('x')"},
        {"of": "sum", "over": PAGE, "value": "properties.odd", "window": "1h", "greater": 5},
        {"of": "unique_list", "over": PAGE, "value": "properties.odd", "contains": "x"}]
    shop = Shop([rule(f"r{n}", PAGE, **{"if": condition}, data={"odd": "event.properties.odd"})
                 for n, condition in enumerate(conditions)])
    for at, odd in enumerate(ODD):
        shop.did(at, "", call="page", odd=odd)
    assert not shop.log.rejected()
    assert len(ODD) == shop.log.count("processed", "page")
    assert shop.log.outputs() == shop.log.fold_again().outputs()


def test_of_more_keys_than_are_kept_the_oldest_may_fire_again() -> None:
    shop = Shop([ordered("once", once=True, key="event.properties.order_id")])
    for n in range(ONCE_MAX + 1):
        shop.did(n, "Order Completed", order_id=n)
    shop.did(ONCE_MAX + 1, "Order Completed", order_id=1)
    assert ONCE_MAX + 1 == len(shop.told("once"))
    shop.did(ONCE_MAX + 2, "Order Completed", order_id=0)
    assert ONCE_MAX + 2 == len(shop.told("once"))


def test_of_more_rules_than_outcomes_are_kept_the_first_stay_for_their_minute() -> None:
    failing = {"if": {"field": "event.properties.total", "greater": 5}}
    shop = Shop([rule(f"r{n}", PAGE, **failing) for n in range(OUTCOMES_MAX + 10)])
    shop.did(0, "", call="page", total=1)
    before = shop.row("rules")
    assert OUTCOMES_MAX == len(before.outcomes)
    shop.did(1, "", call="page", total=1)
    assert before is shop.row("rules")
    shop.did(2 * MINUTE, "", call="page", total=1)
    assert {START + 2 * MINUTE} == {one.at for one in shop.row("rules").outcomes}


def test_what_rules_count_has_the_limit_of_computed_traits() -> None:
    many = [rule(f"r{n}", PAGE, **{"if": counts(f"Event {n}", "7d", at_least=2)})
            for n in range(60)]
    with pytest.raises(ConfigError, match="at most 40000"):
        Config(tables.ALL, 1, json.dumps({"rules": {"definitions": many}}).encode())

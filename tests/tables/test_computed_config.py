"""What definitions of computed traits may say: at each limit, one above it, and what is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from footfall import tables
from footfall.errors import ConfigError
from footfall.tables.computed_limits import (
    DEFINITIONS_MAX,
    ROW_BYTES_MAX,
    bytes_max,
    check_change,
    key_of,
)
from footfall.tables.computed_row import CONDITION_DEPTH_MAX, CONDITIONS_MAX, IN_MAX
from footfall.tables.config import Config, canonical, check_changes
from tests.tables.traits import definition

TRAIT: dict[str, Any] = {"name": "t", "version": 1, "of": "count", "over": {}}


def read(*definitions: dict[str, Any]) -> Config:
    content = json.dumps({"computed": {"definitions": definitions}}).encode()
    return Config(tables.ALL, 1, content)


def refused(*definitions: dict[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        read(*definitions)
    return error.value


def where(condition: Any) -> dict[str, Any]:
    return {**TRAIT, "over": {"where": condition}}


def nested(depth: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"path": "channel", "exists": True}
    for _ in range(depth - 1):
        condition = {"all": [condition]}
    return condition


ONE = {"path": "channel", "equals": "web"}


@pytest.mark.parametrize(("trait", "path", "said"), [
    ({**TRAIT, "windw": "1h"}, ("windw",), ["windw", "known keys: name, version, of, over"]),
    ({**TRAIT, "of": "median"}, ("of",), ["'median'", "one of average, count"]),
    ({**TRAIT, "window": "2h"}, ("window",), ["'2h'", "one of 1h, 24h, 30d, 7d, ever"]),
    ({**TRAIT, "name": "T"}, ("name",), ["'T'", "matching"]),
    ({**TRAIT, "name": "t" * 51}, ("name",), ["matching"]),
    ({**TRAIT, "name": "t\n"}, ("name",), ["matching"]),
    ({**TRAIT, "version": 0}, ("version",), ["= 0", ">= 1"]),
    ({**TRAIT, "version": 1_000_001}, ("version",), ["1000001", "<= 1000000"]),
    ({**TRAIT, "value": "properties.x"}, ("value",), ["count has no value"]),
    ({**TRAIT, "of": "sum"}, ("value",), ["sum needs the path"]),
    ({**TRAIT, "of": "sum", "value": "total"}, ("value",), ["'total' is no path"]),
    ({**TRAIT, "of": "sum", "value": "properties"}, ("value",), ["is no path"]),
    ({**TRAIT, "of": "sum", "value": "properties..x"}, ("value",), ["is no path"]),
    ({**TRAIT, "of": "sum", "value": "properties.x[0]"}, ("value",), ["is no path"]),
    ({**TRAIT, "of": "sum", "value": "properties" + ".x" * 9}, ("value",), ["1 to 8 names"]),
    ({**TRAIT, "of": "sum", "value": "properties." + "x" * 190}, ("value",), ["201", "most 200"]),
    ({**TRAIT, "values_max": 5}, ("values_max",), ["only for most_frequent, unique_list"]),
    ({**TRAIT, "of": "unique_list", "value": "channel", "values_max": 101}, ("values_max",),
     ["101", "<= 100"]),
    ({**TRAIT, "over": {"event": "x"}}, ("over", "event"), ["track, page, screen"]),
    ({**TRAIT, "over": {"call": "identify", "event": "x"}}, ("over", "event"), ["needs a call"]),
    ({**TRAIT, "over": {"call": "track", "event": ""}}, ("over", "event"), ["length >= 1"]),
    ({**TRAIT, "over": {"call": "buy"}}, ("over", "call"), ["'buy'", "alias, delivery, group"]),
    (where({}), ("over", "where"), ["one of equals", "says 0"]),
    (where({**ONE, "less": 1}), ("over", "where"), ["says 2"]),
    (where({"equals": 1}), ("over", "where", "path"), ["needs a path"]),
    (where({"path": "channel", "all": [ONE]}), ("over", "where", "path"), ["has no path"]),
    (where({"any": []}), ("over", "where", "any"), ["is empty"]),
    (where({"path": "channel", "like": "x"}), ("over", "where", "like"), ["known keys: path"]),
    (where({"path": "channel", "greater": "x"}), ("over", "where", "greater"), ["not a number"]),
    (where({"path": "channel", "less": 10**18}), ("over", "where", "less"), ["18 digits"]),
    (where({"path": "channel", "exists": "yes"}), ("over", "where", "exists"), ["'yes'", "bool"]),
    (where({"path": "channel", "in": []}), ("over", "where", "in"), ["has 0 values; 1 to 50"]),
    (where({"path": "channel", "in": ["x"] * (IN_MAX + 1)}), ("over", "where", "in"), ["51"]),
    (where({"path": "channel", "contains": ""}), ("over", "where", "contains"), ["1 to 500"]),
    (where({"path": "channel", "equals": "x" * 501}), ("over", "where", "equals"), ["501"]),
    (where({"all": [ONE] * CONDITIONS_MAX}), ("over", "where"), ["21 conditions; at most 20"]),
    (where(nested(CONDITION_DEPTH_MAX + 1)), ("over", "where"), ["nested 5 deep; at most 4"]),
    (where({"any": [ONE, {"all": [ONE, {"path": "x"}]}]}),
     ("over", "where", "any", 1, "all", 1), ["says 0"]),
])
def test_error_names_path_value_and_limit(trait: dict[str, Any], path: tuple[str | int, ...],
                                          said: list[str]) -> None:
    """Whoever wrote it can mend it from the message alone."""
    error = refused(TRAIT, {**trait, "name": trait["name"] if trait["name"] != "t" else "u"})
    assert ("computed", "definitions", 1, *path) == error.path, str(error)
    assert [] == [part for part in ("[computed] definitions[1]", *said) if part not in str(error)]


@pytest.mark.parametrize("trait", [
    {**TRAIT, "name": "t" * 50}, {**TRAIT, "version": 1_000_000},
    {**TRAIT, "of": "sum", "value": "properties" + ".x" * 8},
    {**TRAIT, "of": "sum", "value": "properties." + "x" * 189},
    {**TRAIT, "of": "sum", "value": "properties.order id"},
    {**TRAIT, "of": "unique_list", "value": "channel", "values_max": 100},
    {**TRAIT, "over": {"call": "page", "event": "x" * 500}},
    where({"path": "channel", "in": ["x"] * IN_MAX}),
    where({"path": "channel", "equals": "x" * 500}), where({"path": "channel", "equals": False}),
    where({"path": "channel", "greater": "999999999999999999.5"}),
    where({"all": [ONE] * (CONDITIONS_MAX - 1)}), where(nested(CONDITION_DEPTH_MAX)),
])
def test_what_is_at_a_limit_is_taken(trait: dict[str, Any]) -> None:
    """And comes back from the log as it was given."""
    config = read(trait)
    again = canonical(tables.ALL, config.content)
    assert config.sections["computed"] == Config(tables.ALL, 2, again).sections["computed"]
    assert again == canonical(tables.ALL, again)


def test_definitions_have_a_number_at_most() -> None:
    """At the limit they fit, of those that keep little."""
    many = [{**TRAIT, "name": f"t{n}"} for n in range(DEFINITIONS_MAX + 1)]
    assert DEFINITIONS_MAX == len(read(*many[1:]).sections["computed"].definitions)
    error = refused(*many)
    assert "has 51 definitions; at most 50" in str(error)
    assert ("computed", "definitions", 50) == error.path


def test_a_name_and_version_stand_once() -> None:
    read(TRAIT, {**TRAIT, "version": 2})
    error = refused(TRAIT, {**TRAIT, "version": 2}, {**TRAIT, "window": "1h"})
    assert "'t' has version 1 twice" in str(error)
    assert ("computed", "definitions", 2, "version") == error.path


def test_a_row_has_bytes_at_most() -> None:
    """What all definitions could keep is known when they are declared."""
    one = definition("t", "sum", window="30d")
    fitting = ROW_BYTES_MAX // bytes_max(one)
    assert fitting == 51
    large = [{"name": f"t{n}", "version": 1, "of": "unique_list", "value": "channel", "over": {}}
             for n in range(4)]
    read(*large[:3])
    error = refused(*large)
    assert "may take 42932 bytes; at most 40000" in str(error)
    assert ("computed", "definitions", 3) == error.path


def test_a_definition_under_a_version_in_force_stays_what_it_is() -> None:
    """A new one may come, an old one go; another meaning needs another version."""
    before = [definition("a", "count"), definition("b", "count")]
    check_change(before, [definition("b", "count"), definition("c", "count")])
    check_change(before, [definition("a", "count", version=2, window="1h")])
    old, new = (json.dumps({"computed": {"definitions": [TRAIT, {**TRAIT, "name": "u", **more}]}})
                .encode() for more in ({}, {"window": "1h"}))
    check_changes(tables.ALL, old, old)
    with pytest.raises(ConfigError, match=r"'u' differs from its version 1 in force: give it "
                                          r"version 2") as error:
        check_changes(tables.ALL, old, new)
    assert ("computed", "definitions", 1, "version") == error.value.path


def test_the_key_of_a_definition_is_for_good() -> None:
    """Facts are kept under it: other code must find them, and none of another meaning."""
    trait = definition("orders_30d", "count", window="30d",
                       over={"call": "track", "event": "Order Completed"})
    assert "6d273c3b3bfc7644" == key_of(trait).hex()
    assert key_of(definition("t", "count")) == key_of(definition("t", "count", window="ever"))
    keys = {key_of(definition("t", "count", **more)) for more in (
        {}, {"version": 2}, {"window": "1h"}, {"over": {"call": "page"}},
        {"over": {"where": {"path": "channel", "equals": 1}}},
        {"over": {"where": {"path": "channel", "equals": "1"}}},
        {"over": {"where": {"path": "channel", "equals": True}}})}
    assert 7 == len(keys)

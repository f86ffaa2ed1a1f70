"""Computed traits: definitions that come and go, values that fall, limits at and past their end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from footfall import tables
from footfall.events.amount import ONE
from footfall.events.interaction import Interaction
from footfall.tables import computed, computed_facts, computed_reading
from footfall.tables.computed_filter import VALUES_MAX, paths_of
from footfall.tables.computed_limits import KINDS, WINDOWS, bytes_max, key_of
from footfall.tables.computed_row import (
    OF_VALUES,
    ComputedConfig,
    ComputedFacts,
    Definition,
)
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, START
from tests.tables.traits import configured, definition, hostile, spread

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def said(value: Any, at: int = START, message_id: str = "m", **more: Any) -> Interaction:
    """A tracked event with one property, `value`."""
    made = events.plain(at, message_id, {"properties": {"value": value}})
    made.update(more)  # type: ignore[typeddict-item]
    return made


def observed(config: ComputedConfig, happenings: Iterable[Interaction],
             facts: ComputedFacts | None = None) -> ComputedFacts:
    assert computed.TABLE.bind is not None
    wants, observe = computed.TABLE.bind(config)
    facts = facts or ComputedFacts()
    for event in happenings:
        if wants(event):
            facts = observe(facts, event, event["event_time"])
    return facts


def value(config: ComputedConfig, *happenings: Interaction, now: int = START) -> Any:
    """Of the first definition."""
    return computed_reading.value(observed(config, happenings), config.definitions[0], now)


# -- what a value is -------------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "values", "expected"), [
    ("sum", [1, "2.5", -0.25], 3_250_000_000),
    ("sum", [], 0),
    ("average", [1, 2, 2], 1_666_666_667),
    ("average", [], None),
    ("min", [3, "-1.5", 2], -1_500_000_000),
    ("max", [3, "-1.5", 2], 3 * ONE),
    ("first", ["b", "a"], "b"),
    ("last", ["b", 1.50], "1.5"),
    ("most_frequent", ["b", "a", "b", "a", "c"], "a"),
    ("unique_list", ["b", True, "a", "b", 7], ("7", "a", "b", "true")),
    ("distinct_count", ["b", True, "a", "b", 7], 4),
    ("sum", [[1, 2], [[3]]], 6 * ONE),
    ("last", [["x", "y"]], "y"),
    ("first", [["x", "y"]], "x"),
])
def test_an_aggregate_of_values(of: str, values: list[Any], expected: Any) -> None:
    """Exact; numbers may come as numerals, arrays are passed through."""
    made = [said(v, START + n) for n, v in enumerate(values)]
    assert expected == value(configured(definition("t", of)), *made)


def test_first_and_last_go_by_event_time() -> None:
    """Not by when they came; of one millisecond the messageId decides."""
    made = [said("late", START + 5), said("early", START), said("b", START + 9, "m2"),
            said("a", START + 9, "m1")]
    assert "early" == value(configured(definition("t", "first")), *made)
    assert "b" == value(configured(definition("t", "last")), *made)
    assert "b" == value(configured(definition("t", "last")), *reversed(made))


def test_time_since_counts_from_the_event() -> None:
    made = [said(1, START), said(1, START + HOUR)]
    for of, since in (("time_since_first", START), ("time_since_last", START + HOUR)):
        trait = definition("t", of)
        facts = observed(configured(trait), made)
        assert 3 * HOUR - (since - START) == computed_reading.value(facts, trait, START + 3 * HOUR)
        assert since == computed_reading.counted_from(facts, trait, START + 3 * HOUR)
        assert computed_reading.changes_at(facts, trait, START) is None


@pytest.mark.parametrize(("window", "whole", "unit"), [
    ("1h", 60, MINUTE), ("24h", 96, 15 * MINUTE), ("7d", 168, HOUR), ("30d", 30, DAY)])
def test_a_window_falls_without_events(window: str, whole: int, unit: int) -> None:
    """At the exact instant that `changes_at` names: a whole window after the end of its bucket."""
    trait = definition("t", "count", window=window)
    facts = observed(configured(trait), [said(1, START), said(1, START + unit)])
    falls_at = (START // unit + whole + 1) * unit
    assert falls_at == computed_reading.changes_at(facts, trait, START + unit)
    assert 2 == computed_reading.value(facts, trait, falls_at - 1)
    assert 1 == computed_reading.value(facts, trait, falls_at)
    assert falls_at + unit == computed_reading.changes_at(facts, trait, falls_at)
    assert 0 == computed_reading.value(facts, trait, falls_at + unit)
    assert computed_reading.changes_at(facts, trait, falls_at + unit) is None


def test_names_of_events_are_matched_like_those_of_commerce() -> None:
    """Any case, blanks or underscores; version 1 names of e-commerce events."""
    over = {"call": "track", "event": "Order Completed"}
    config = configured(definition("t", "count", over=over))
    names = ("Order Completed", "order_completed", "Completed Order", "Order  completed", "Order",
             "")
    assert [1, 1, 1, 1, 0, 0] == [value(config, said(1, event=name)) for name in names]
    assert 0 == value(config, said(1, event="Order Completed", type="page"))


@pytest.mark.parametrize("personal", [b"", b"[]", b"null", b"{", b'{"properties":[]}', b"\xff",
                                      b'{"properties":{"value":1e99999999999999999999}}'])
def test_what_cannot_be_read_has_no_values(personal: bytes) -> None:
    """It never fails a step; an event still counts."""
    made = {**said(1), "personal": personal}
    config = configured(definition("t", "sum"), definition("n", "count"))
    facts = observed(config, [made])  # type: ignore[list-item]
    assert [0, 1] == [computed_reading.value(facts, one, START) for one in config.definitions]


def test_another_member_of_another_kind_hides_nothing() -> None:
    config = configured(definition("t", "sum"), definition("c", "last", value="context.page.path"))
    made = events.plain(START, "m", {"properties": {"value": 2}, "context": "none"})
    assert 2 * ONE == value(config, made)


def test_values_that_cannot_be_read_are_counted() -> None:
    """Each, and those past the most that one event may have."""
    trait = definition("t", "sum")
    facts = observed(configured(trait), [said("x"), said([1, {}, 10**18]), said(None),
                                         said([1] * VALUES_MAX), said([1] * (VALUES_MAX + 2))])
    assert 1 + 2 + 2 == computed_reading.skipped(facts, trait)
    assert (1 + 2 * VALUES_MAX) * ONE == computed_reading.value(facts, trait, START)


def test_the_channel_is_a_value_too() -> None:
    config = configured(definition("t", "most_frequent", value="channel"))
    assert "web" == value(config, said(1, channel="web"), said(1, channel="web"), said(1))


# -- definitions that come and go ------------------------------------------------------------------

COUNT = definition("visits", "count")


def test_without_definitions_no_row_is_made() -> None:
    """And no event is looked at."""
    log = Log([computed.TABLE])
    log.append(ANNA, said(1), START)
    log.run()
    assert log.facts(ANNA, "computed") is None
    assert computed.TABLE.bind is not None
    assert not computed.TABLE.bind(ComputedConfig()).wants(said(1))


def test_an_event_that_counts_for_nothing_makes_no_row() -> None:
    log = Log([computed.TABLE])
    log.config(START, 1, computed=_document(definition("t", "count", over={"call": "page"})))
    log.append(ANNA, said(1), START)
    assert log.run().facts(ANNA, "computed") is None


def test_another_version_begins_anew() -> None:
    """From the customer's next event on, and the old one is dropped with it."""
    second = definition("visits", "count", version=2)
    log = Log([computed.TABLE])
    for number, trait in enumerate((COUNT, second), 1):
        log.config(START, number, computed=_document(trait))
        for n in range(3):
            log.append(ANNA, said(1, message_id=f"{number}-{n}"), START)
    facts = log.run().facts(ANNA, "computed")
    assert [key_of(second)] == [entry[:8] for entry in facts.entries]
    assert 3 == computed_reading.value(facts, second, START)
    assert 0 == computed_reading.value(facts, COUNT, START)


def test_two_versions_may_be_declared_at_once() -> None:
    """So that readers can move from one to the other."""
    second = definition("visits", "count", version=2, over={"call": "page"})
    facts = observed(configured(COUNT, second), [said(1), said(1, type="page", message_id="n")])
    assert [2, 1] == [computed_reading.value(facts, one, START) for one in (COUNT, second)]


def test_a_definition_that_changes_under_its_version_begins_anew_too() -> None:
    """Facts of two meanings are never mixed, whoever forgot the version."""
    other = definition("visits", "count", over={"call": "track"})
    facts = observed(configured(other), [said(1)], observed(configured(COUNT), [said(1)] * 5))
    assert 1 == computed_reading.value(facts, other, START)
    assert 1 == len(facts.entries)


def test_what_is_no_longer_declared_goes_with_the_next_event() -> None:
    """Also with one that counts for others alone; until then nobody reads it."""
    pages = definition("pages", "count", over={"call": "page"})
    facts = observed(configured(COUNT, pages), [said(1)])
    assert facts is observed(configured(pages), [said(1)], facts)
    assert {"traits": 1} == {"traits": len(_view(facts, pages)["traits"])}
    facts = observed(configured(pages), [said(1, type="page")], facts)
    assert [key_of(pages)] == [entry[:8] for entry in facts.entries]


def test_identities_under_two_configurations_join() -> None:
    """What only one of them knows comes along."""
    other = definition("pages", "count", over={"call": "page"})
    a = observed(configured(COUNT), [said(1)])
    b = observed(configured(COUNT, other), [said(1, type="page")])
    both = computed_facts.merge(a, b)
    assert [2, 1] == [computed_reading.value(both, one, START) for one in (COUNT, other)]


def test_too_much_of_what_is_no_longer_declared_is_cut_and_marked() -> None:
    """Rows of many configurations, merged without an event between them, stay within the limit."""
    def lists(n: int) -> ComputedFacts:
        return observed(configured(definition("t", "unique_list", version=n)),
                        hostile(spread(START, START + DAY, 120)))
    facts = lists(1)
    for n in range(2, 5):
        facts = computed_facts.merge(facts, lists(n))
    assert facts.cut and computed_facts.is_limited(facts)
    assert sum(map(len, facts.entries)) <= 40_000
    assert 3 == len(facts.entries)


def test_the_configuration_of_the_log_folds_to_the_same() -> None:
    """Half of the log under one set of definitions, half under another."""
    log = Log(tables.ALL)
    log.config(START, 1, computed=_document(COUNT, definition("t", "distinct_count", window="1h")))
    for n in range(20):
        log.append(ANNA if n % 2 else BERT, said(n % 7, START + n * MINUTE, f"m{n}"),
                   START + n * MINUTE)
    log.config(START + HOUR, 2, computed=_document(COUNT))
    for n in range(20, 30):
        log.append(ANNA, said(n, START + HOUR, f"m{n}"), START + HOUR)
    assert log.run().records() == log.fold_again().records()
    assert 20 == computed_reading.value(log.facts(ANNA, "computed"), COUNT, START + HOUR)


# -- the view ------------------------------------------------------------------------------------


def test_view_shows_every_declared_trait() -> None:
    """Amounts as decimal text, spans in ms, and what was skipped or cut."""
    config = [definition("spent", "sum"), definition("last_seen", "time_since_last"),
              definition("seen", "unique_list", values_max=1), definition("never", "max", version=3,
                                                                          value="traits.x")]
    facts = observed(configured(*config), [said(1.5), said("x", message_id="n")])
    shown = _view(facts, *config, now=START + 5)
    common = {"version": 1, "window": "ever", "limited": False, "skipped": 0}
    assert {"limited": True, "traits": [
        {**common, "name": "spent", "of": "sum", "value": "1.5", "skipped": 1},
        {**common, "name": "last_seen", "of": "time_since_last", "value": 5,
         "since": "2023-11-14T22:13:20.000Z"},
        {**common, "name": "seen", "of": "unique_list", "value": ["1.5"], "limited": True},
        {**common, "name": "never", "version": 3, "of": "max", "value": None},
    ]} == shown


def _view(facts: ComputedFacts, *traits: Definition, now: int = START) -> Any:
    return computed.view(facts, computed.TABLE.told(), now, configured(*traits))


def _document(*traits: Definition) -> dict[str, Any]:
    import msgspec

    return {"definitions": msgspec.to_builtins(traits)}


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("of", KINDS)
def test_a_definition_keeps_no_more_than_is_said_when_it_is_declared(of: str, window: str) -> None:
    """Values in every bucket, the longest and the largest, counted up to 2^33."""
    path = "properties.amount" if of in ("sum", "average", "min", "max") else "properties.value"
    trait = definition("t", of, window=window, **({"value": path} if of in OF_VALUES else {}))
    end = START // DAY * DAY + DAY - 1
    instants = sorted({at for span in (30 * DAY, 7 * DAY, DAY, HOUR)
                       for at in spread(end - span, end, 300)})
    facts = observed(configured(trait), hostile(instants))
    for _ in range(0 if of == "distinct_count" else 33):
        facts = computed_facts.merge(facts, facts)
    (entry,) = facts.entries
    assert len(entry) <= bytes_max(trait)
    if of not in ("min", "distinct_count", "most_frequent"):
        assert len(entry) >= bytes_max(trait) * 0.7 - 20


@pytest.mark.parametrize("window", ["ever", "30d"])
def test_a_list_keeps_the_values_seen_last(window: str) -> None:
    """At the limit nothing is marked; one above the oldest goes, of one day the last by name."""
    trait = definition("t", "unique_list", window=window, values_max=3)
    made = [said("old", START - 2 * DAY), said("a", START), said("b", START)]
    facts = observed(configured(trait), made)
    assert (("a", "b", "old"), False) == (
        computed_reading.value(facts, trait, START), computed_facts.is_limited(facts))
    facts = observed(configured(trait), [said("c", START), said("d", START)], facts)
    assert (("a", "b", "c"), True) == (
        computed_reading.value(facts, trait, START), computed_reading.is_limited(facts, trait))


def test_counts_keep_the_most_frequent_values() -> None:
    """At the limit nothing is marked; one above the least frequent goes, the last by name."""
    trait = definition("t", "most_frequent", values_max=3)
    facts = observed(configured(trait), [said(v) for v in ["a", "b", "b", "c"]])
    assert not computed_facts.is_limited(facts)
    facts = observed(configured(trait), [said("d")], facts)
    assert ("b", True) == (
        computed_reading.value(facts, trait, START), computed_facts.is_limited(facts))
    facts = observed(configured(trait), [said(v) for v in ["d", "d", "d"]], facts)
    assert "d" == computed_reading.value(facts, trait, START)


def test_long_texts_are_cut_at_a_character() -> None:
    """At the limit they are whole."""
    config = configured(definition("t", "last"))
    assert "ä" * 50 == value(config, said("ä" * 50))
    assert "ä" * 50 == value(config, said("ä" * 51))
    assert "x" + "ä" * 49 == value(config, said("x" + "ä" * 50))
    assert "9" * 90 == value(config, said(int("9" * 90)))


def test_paths_of_a_definition() -> None:
    """Its value's and those of all its conditions: all that is read of an item."""
    trait = definition("t", "sum", value="properties.total", over={"where": {"all": [
        {"path": "channel", "equals": "web"},
        {"any": [{"path": "context.page.path", "contains": "/x"},
                 {"path": "properties.a", "exists": True}]}]}})
    assert {"properties.total", "channel", "context.page.path", "properties.a"} == set(
        paths_of(trait))

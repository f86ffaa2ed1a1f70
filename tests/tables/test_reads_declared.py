"""What computed traits, segments and rules read stands in the configuration that declares them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall import tables
from footfall.events.admit import CALLS
from footfall.tables.computed_filter import Filter, paths_of
from footfall.tables.config import Config
from footfall.tables.reads import declared_fields, paths_read, read_fields
from footfall.tables.spec import Reads
from tests.events.records import an_interaction

TOTAL = {"path": "properties.total", "greater": 40}
ORDERED = {"call": "track", "event": "Order Completed", "where": {"any": [
    TOTAL, {"all": [{"path": "context.page.url", "exists": True},
                    {"path": "channel", "equals": "web"}]}]}}
DOCUMENT: dict[str, Any] = {
    "computed": {"definitions": [
        {"name": "brands", "version": 1, "of": "unique_list", "value": "properties.products.brand",
         "over": ORDERED},
        {"name": "seen_of", "version": 1, "of": "last", "value": "properties.ref",
         "over": {"call": "page", "event": "Home"}},
        {"name": "library", "version": 1, "of": "last", "value": "context.library.name",
         "over": {}},
        {"name": "seats", "version": 1, "of": "max", "value": "traits.seats",
         "over": {"call": "group"}},
        {"name": "pages", "version": 1, "of": "count", "over": {"call": "page"}}]},
    "segments": {"definitions": [
        {"name": "searching", "version": 1, "if": {"any": [
            {"of": "count", "over": {"call": "track", "event": "Searched", "where": {
                "path": "properties.query", "contains": "x"}}, "at_least": 2},
            {"field": "profile.traits.plan", "equals": "pro"}]}}]},
    "rules": {"definitions": [
        {"name": "viewed", "version": 1, "on": {"call": "track", "event": "Product Viewed"},
         "if": {"all": [
             {"field": "event.properties.price", "greater": 10},
             {"field": "event.name", "exists": True},
             {"cel": "event.properties.stock < 5.0 && event.properties.tags.exists(t, t == 'a')"},
             {"of": "sum", "over": {"call": "screen", "event": "Till"}, "value": "properties.paid",
              "greater": 1}]},
         "wait": "1h", "key": "event.properties.product_id",
         "unless": {"call": "track", "event": "added product",
                    "where": {"path": "properties.quantity", "greater": 0}}},
        {"name": "asked", "version": 1, "on": {"call": "track", "event": "Asked"},
         "data": {"what": "event.properties.topic", "plan": "profile.traits.plan"}},
        {"name": "quiet", "version": 1, "on": {"trigger": "asked"}, "wait": "1d",
         "key": "trigger.data.what", "unless": {"where": {
             "path": "context.campaign.name", "exists": True}}},
        {"name": "left", "version": 1, "ends_at": "2020-01-01T00:00:00Z", "on": {"when": {
            "of": "count", "at_least": 1, "over": {"call": "track", "event": "Left", "where": {
                "path": "properties.why", "equals": "bored"}}}}},
        {"name": "never", "version": 1, "on": {"call": "track", "event": "_"},
         "if": {"field": "event.properties.nothing", "exists": True}}]}}
#: Of every item.
ALWAYS = {"context.library.name", "context.campaign.name"}
NAMES = st.sampled_from([
    "Order Completed", "completed_order", "ORDERCOMPLETED", "Product Added", "added product",
    "product viewed", "Viewed Product", "Searched", "asked", "Left", "Home", "h o m e", "Till",
    "_", " ", "", "Anything"])


def config(document: dict[str, Any]) -> Config:
    return Config(tables.ALL, 1, msgspec.json.encode(document))


IN_FORCE = config(DOCUMENT)


@pytest.mark.parametrize(("call", "event", "paths"), [
    ("track", "Completed Order", {"properties.products.brand", "properties.total",
                                  "context.page.url"}),
    ("track", "product viewed", {"properties.price", "properties.stock", "properties.tags",
                                 "properties.product_id"}),
    ("track", "Viewed Product", set()),
    ("track", "Product Added", {"properties.quantity", "properties.product_id"}),
    ("track", "searched", {"properties.query"}),
    ("track", "Asked", {"properties.topic"}),
    ("track", "Left", {"properties.why"}),
    ("track", "_", set()), ("track", "Home", set()), ("track", "Till", set()),
    ("page", "HOME", {"properties.ref"}), ("page", "Order Completed", set()), ("page", "", set()),
    ("page", None, {"properties.ref"}),
    ("screen", "Till", {"properties.paid"}),
    ("group", "", {"traits.seats"}), ("identify", "", set()), ("alias", "", set()),
])
def test_what_is_declared_is_read_of_its_events(call: str, event: str | None, paths: set[str]
                                                ) -> None:
    """Names in any spelling that the engine takes; None: of events of any name."""
    assert ALWAYS | paths == paths_read(declared_fields(IN_FORCE), call, event)


@given(st.sampled_from(sorted(CALLS)), NAMES)
def test_it_is_what_the_engine_looks_at(call: str, name: str) -> None:
    """The filter of computed traits and the index of rules are asked for one event."""
    event = an_interaction(type=call, event=name)
    counted = IN_FORCE.bound["computed"].definitions
    looked_at = {path for n, _test in Filter(counted).candidates(event)
                 for path in paths_of(counted[n])}
    entry = IN_FORCE.book.entry(event)
    looked_at |= set() if entry is None else entry.paths.places.keys()
    assert looked_at - {"channel"} == paths_read(declared_fields(IN_FORCE), call, name)


def test_definitions_count_without_rules() -> None:
    """Then the table's own are all that is counted; nothing declared reads nothing."""
    found = declared_fields(config({"computed": DOCUMENT["computed"]}))
    assert {"properties.ref", "context.library.name"} == paths_read(found, "page", "Home")
    assert () == declared_fields(config({}))
    assert read_fields() == read_fields(config({}))


def test_tables_are_read_beside_what_is_declared() -> None:
    """And a name alone still means a tracked event."""
    paths = paths_read(read_fields(IN_FORCE), "track", "Order Completed")
    assert {"properties.products.brand", "properties.order_id", "context.consent"} <= paths
    named = [Reads(frozenset({"properties.a"}), frozenset({"home"}))]
    assert frozenset() == paths_read(named, "page", "Home") == paths_read(named, "page", None)
    for event in (None, "HOME"):
        assert {"properties.a"} == paths_read(named, "track", event)

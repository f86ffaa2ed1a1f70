"""`footfall plan unused`: what is collected and read by nobody, and what is never collected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from footfall.admin import config
from footfall.admin.config_log import NONE, ConfigLog, version_of
from footfall.admin.scan import Span, newest
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.codec import Codecs
from footfall.events.field_names import DIGITS_MAX, HIDDEN, NAME_CHARS_MAX, shown
from footfall.events.plan import Plan
from footfall.events.plan_rule import Document, rule_of
from footfall.events.reserved import Reserved
from footfall.events.topics import INTERACTIONS
from footfall.query import collected
from footfall.query.collected import EVERY, Collected, Event
from footfall.query.unused import as_json, declared_paths, never_collected, unused
from footfall.tables.reads import is_read, paths_read, read_fields
from footfall.tables.spec import Reads
from tests.events.records import an_interaction
from tests.tables.logs import KEYS, START

CODECS = Codecs()
NEEDED = {"class": "public", "purpose": "necessary"}
PLAN: list[dict[str, Any]] = [
    {"event": "Product Viewed", "version": "1", "schema": {"properties": {
        "sku": {"class": "internal", "purpose": "necessary"},
        "search": {"class": "personal", "purpose": "Marketing"}}}},
    {"event": "Product Viewed", "version": "2", "schema": {"properties": {
        "search": {"class": "personal", "purpose": "Analytics"},
        "by": {**NEEDED, "properties": {"shop": NEEDED, "clerk": NEEDED}},
        "gone_20261125": NEEDED}}},
    {"call": "page", "event": "Home", "schema": {"properties": {"ref": NEEDED}}},
    {"event": "Never Sent", "schema": {"properties": {"x": NEEDED}}},
    {"call": "identify", "schema": {"properties": {"email": NEEDED, "plan": NEEDED}}},
]
CANARY = "canary"
SECRET = "a system secret of the tests"
#: Read what nobody else does: of all views, and of one page that the plan names.
DECLARED: dict[str, Any] = {
    "computed": {"definitions": [
        {"name": "searched", "version": 1, "of": "last", "value": "properties.search",
         "over": {"call": "track", "event": "product_viewed"}}]},
    "rules": {"definitions": [
        {"name": "referred", "version": 1, "on": {"call": "page", "event": "Home"},
         "if": {"field": "event.properties.ref", "exists": True}}]}}


def plan() -> Plan:
    return Plan(rule_of(Document(**document)) for document in PLAN)


def items(**more: Any) -> list[dict[str, Any]]:
    viewed = {"type": "track", "event": "Product Viewed", "userId": "u"}
    return [
        {**viewed, "properties": {"search": CANARY, "by": {"shop": CANARY}, "none": None},
         "context": {"ip": "192.0.2.1", "library": {"name": CANARY},
                     "traits": {"email": CANARY, "plan": CANARY}}},
        {**viewed, "properties": {"search": CANARY, "price": 1, f"ann@{CANARY}.example": 1}},
        {"type": "track", "event": "Order Completed", "userId": "u", "properties": {
            "order_id": CANARY, "total": 5, "shipping": 2, "products": [
                {"product_id": CANARY, "price": 1, "brand": CANARY}, {"brand": CANARY}]}},
        {"type": "page", "name": "Home", "userId": "u", "properties": {"ref": CANARY}},
        {"type": "page", "name": f"{CANARY} title", "userId": "u", "properties": {"ref": CANARY}},
        {"type": "identify", "userId": "u", "traits": {"plan": CANARY}},
        {"type": "group", "userId": "u", "groupId": "g", "traits": {"seats": CANARY}},
    ]


def gathered(sent: list[dict[str, Any]], with_: Plan | None, at: int = START) -> Collected:
    made = Collected(with_, {*declared_paths(with_), *(p for r in read_fields() for p in r.paths)})
    for n, item in enumerate(sent):
        outcome = admit(json.dumps(item).encode(), 0, Arrival("web", START, "r"), KEYS)
        assert not isinstance(outcome, Rejected), outcome
        made.add(outcome.event, at + n)
    return made


def rows(made: Collected, with_: Plan | None = None) -> dict[tuple[str, str, str], Any]:
    return {(*row.event, row.path): row for row in unused(made.events, read_fields(), with_)}


def test_fields_that_nobody_reads_are_found() -> None:
    """By event: a total is read of an order and not of a view, traits of an identify and not of a
    group; context is gathered for all.
    """
    found = rows(gathered(items(), plan()), plan())
    assert {
        ("track", "Product Viewed", "properties.search"),
        ("track", "Product Viewed", "properties.by.shop"),
        ("track", "Product Viewed", "properties.price"),
        ("track", "Product Viewed", "properties.*"),
        ("track", "Order Completed", "properties.shipping"),
        ("track", "Order Completed", "properties.products.brand"),
        ("page", "Home", "properties.ref"), ("page", "", "properties.ref"),
        ("group", "", "traits.seats"), (*EVERY, "context.library.name"),
    } == found.keys()
    search = found["track", "Product Viewed", "properties.search"]
    assert {"call": "track", "event": "Product Viewed", "field": "properties.search",
            "class": "personal", "purpose": "Analytics", "items": 2, "count": 2, "share": 1.0
            } == as_json(search)
    assert START + 1 == search.use.last
    assert 1 == found["track", "Order Completed", "properties.products.brand"].use.count
    assert CANARY not in str(found)


def test_what_is_declared_and_never_collected() -> None:
    """Also of an event that never came; an object was collected where anything in it was; traits
    in the context of other calls count.
    """
    made = gathered(items(), plan())
    assert [
        (Event("track", "Never Sent"), "properties.x"),
        (Event("track", "Product Viewed"), "properties.sku"),
        (Event("track", "Product Viewed"), "properties.by.clerk"),
        (Event("track", "Product Viewed"), "properties.gone_20261125"),
    ] == [(row.event, row.path) for row in never_collected(made.events, plan())]
    sent = [*items(), {**items()[0], "properties": {"gone_20261125": 1}}]
    left = [row.path for row in never_collected(gathered(sent, plan()).events, plan())]
    assert "properties.gone_20261125" not in left, "names that the plan declares are known"
    assert [] == never_collected(made.events, None)


def test_every_field_that_a_table_reads_is_read() -> None:
    """And what lies in an object that is read whole, or holds what is read; nothing else."""
    order = paths_read(read_fields(), "track", "order_completed")
    for path in ("properties.total", "properties.products.price", "properties.products",
                 "context.device", "context.consent.categoryPreferences.Ads", "context.ip"):
        assert is_read(path, order), path
    for path in ("properties.tot", "properties.total_2", "properties.products.brand", "context.x",
                 "context.protocols.sourceId", "traits.email"):
        assert not is_read(path, order), path
    page = paths_read(read_fields(), "page", "Order Completed")
    assert not is_read("properties.total", page)


def test_events_of_many_names_are_read_where_any_of_them_is(monkeypatch: Any) -> None:
    """Pages that the plan does not name, and what is past the limits, are gathered together: what
    is read of an event among them is no field to stop sending. Of other calls it stays one.
    """
    reads = [Reads(frozenset({"properties.ref"}), frozenset({"home"}), frozenset({"page"}))]
    made = gathered(items(), None)
    assert "properties.ref" not in {row.path for row in unused(made.events, reads, None)}
    elsewhere = [reads[0]._replace(calls=frozenset({"screen"}))]
    assert [("page", "")] == [row.event for row in unused(made.events, elsewhere, None)
                              if row.path == "properties.ref"]
    monkeypatch.setattr(collected, "EVENTS_MAX", len(made.events) - 2)
    found = rows(gathered(items(), None))
    assert ("track", HIDDEN, "properties.shipping") in found
    assert ("track", HIDDEN, "properties.order_id") not in found


def test_what_cannot_be_looked_into_is_counted() -> None:
    made = Collected(None, ())
    made.add(an_interaction(key_id="k1"), START)
    made.add(an_interaction(personal=b"{"), START)
    made.add(an_interaction(personal=b"7"), START)
    made.add(an_interaction(type="$tick"), START)
    made.add(an_interaction(type="violation"), START)
    made.add(an_interaction(personal=b'{"properties":[1],"traits":"x","context":null}'), START)
    assert (1, 2) == (made.encrypted, made.unreadable)
    assert {} == rows(made)


def test_limits(monkeypatch: Any) -> None:
    """Past them `*` stands for the rest, and what the plan declares is still told apart."""
    monkeypatch.setattr(collected, "FIELDS_MAX", 5)
    monkeypatch.setattr(collected, "EVENTS_MAX", 20)
    names = [chr(97 + n) * 3 for n in range(20)]
    sent: list[dict[str, Any]] = [
        {"type": "track", "event": "Product Viewed", "userId": "u",
         "properties": {**dict.fromkeys(names, 1), "gone_20261125": 1}}]
    sent += [{"type": "track", "event": name, "userId": "u", "properties": {"a": 1}}
             for name in names]
    made = gathered(sent, plan())
    fields = made.events[Event("track", "Product Viewed")].fields
    assert len(fields) <= 7
    assert {"properties.*", "properties.gone_20261125"} <= fields.keys()
    assert len(made.events) <= 21
    rest = made.events[Event("track", HIDDEN)]
    assert len(names) == rest.count + sum(Event("track", name) in made.events for name in names)


@pytest.mark.parametrize("name", ["price", "productId", "cart_total", "Cart Total", "utm-2024",
                                  "$value", "größe", "_id", "a" * NAME_CHARS_MAX])
def test_names_of_properties_are_shown(name: str) -> None:
    assert name == shown(name)


@pytest.mark.parametrize("name", [
    "", "ann@example.org", "+49 170 1234567", "4111111111111111", "a" * (NAME_CHARS_MAX + 1),
    "a.b", "user_" + "7" * (DIGITS_MAX + 1), "https://x", "2026-11-25", "0f8fad5b-d9cb", "a\nb",
    "1x", " x", "$", "DE89 3704 0044"])
def test_names_that_may_be_values_are_not(name: str) -> None:
    assert HIDDEN == shown(name)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8), st.integers(1, 20_000))
def test_the_newest_records_of_every_partition_are_read(sizes: list[int], most: int) -> None:
    """At most so many, and all where there are no more."""
    spans = {p: Span(100, 100 + size) for p, size in enumerate(sizes)}
    kept = newest(spans, most)
    total = sum(s.end - s.low for s in kept.values())
    assert total <= most
    assert total >= min(sum(sizes), most) - len(sizes)
    assert all(kept[p].end == s.end and s.low <= kept[p].low <= s.end for p, s in spans.items())


# -- the program -------------------------------------------------------------------------------


def footfall(bootstrap: str, folder: Path, *arguments: str, secret: str = SECRET
             ) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "footfall", "plan", "unused", *arguments], cwd=folder, text=True,
        capture_output=True, timeout=60, check=False,
        env={**os.environ, "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": bootstrap, **(
            {"FOOTFALL_SYSTEM_SECRET": secret} if secret else {})})


@pytest.mark.kafka
def test_on_a_broker(footfall_topics: str, tmp_path: Path) -> None:
    """The log of all partitions, poison counted; as text and as JSON, without a single value."""
    folder = tmp_path / "plan"
    folder.mkdir()
    for n, document in enumerate(PLAN):
        (folder / f"{n}.json").write_text(json.dumps(document))
    producer = Producer({"bootstrap.servers": footfall_topics, "linger.ms": 0})
    before = round(time.time() * 1000)
    for n, item in enumerate(items() * 10):
        outcome = admit(json.dumps(item).encode(), 0, Arrival("web", START, "r"), KEYS)
        assert not isinstance(outcome, Rejected)
        producer.produce(INTERACTIONS, CODECS.interaction.encode(outcome.event), outcome.key, n % 4)
    producer.produce(INTERACTIONS, b"poison", b"x", 0)
    assert 0 == producer.flush(20)

    ran = footfall(footfall_topics, tmp_path, str(folder), "--json")
    assert 0 == ran.returncode, ran.stderr
    document = json.loads(ran.stdout)
    assert (71, True, {"poison": 1, "encrypted": 0, "unreadable": 0}) == tuple(
        document[name] for name in ("records", "is_whole", "not_looked_into"))
    found = {(row["call"], row["event"], row["field"]): row for row in document["unused"]}
    assert found.keys() == rows(gathered(items(), plan())).keys()
    search = found["track", "Product Viewed", "properties.search"]
    assert (20, 20, 1.0, "personal", "Analytics") == tuple(
        search[name] for name in ("items", "count", "share", "class", "purpose"))
    assert search["last_seen"] >= time.strftime("%Y-%m-%dT", time.gmtime(before / 1000))
    assert "properties.x" in {row["field"] for row in document["never_collected"]}

    text = footfall(footfall_topics, tmp_path, str(folder))
    assert (0, 0) == (text.returncode, (text.stdout + text.stderr + ran.stdout).count(CANARY))
    assert "properties.search  20  100.0%  last 2" in text.stdout
    assert "declared, never collected:" in text.stdout

    assert "0 computed traits, 0 segments, 0 rules" in text.stdout

    part = json.loads(footfall(footfall_topics, tmp_path, "--records-max", "8", "--json").stdout)
    assert (True, False, []) == (part["records"] <= 8, part["is_whole"], part["never_collected"])


@pytest.mark.kafka
def test_what_the_configuration_reads_is_not_listed(footfall_topics: str, tmp_path: Path) -> None:
    """That in force, or that of files; where there is none to read, what tables do not read is
    listed and the reason is given.
    """
    producer = Producer({"bootstrap.servers": footfall_topics, "linger.ms": 0})
    for item in items():
        outcome = admit(json.dumps(item).encode(), 0, Arrival("web", START, "r"), KEYS)
        assert not isinstance(outcome, Rejected)
        producer.produce(INTERACTIONS, CODECS.interaction.encode(outcome.event), outcome.key)
    assert 0 == producer.flush(20)
    search, ref = ("track", "properties.search"), ("page", "properties.ref")

    def listed(*arguments: str, **more: str) -> tuple[set[tuple[str, str]], dict[str, Any]]:
        ran = footfall(footfall_topics, tmp_path, "--json", *arguments, **more)
        assert 0 == ran.returncode, ran.stderr
        document = json.loads(ran.stdout)
        return ({(row["call"], row["field"]) for row in document["unused"]} & {search, ref},
                document["configuration"])

    none = {"computed": 0, "segments": 0, "rules": 0}
    assert ({search, ref}, {"version": NONE.label, "files": [], **none, "error": None}) == listed()

    for section, value in DECLARED.items():
        (tmp_path / f"{section}.json").write_text(json.dumps({section: value}))
    files = ["computed.json", "rules.json"]
    both = {**none, "computed": 1, "rules": 1}
    assert (set(), {"version": None, "files": files, **both, "error": None}) == listed(
        "--config", files[0], "--config", files[1])
    assert {ref} == listed("--config", files[0])[0]

    label = config.apply(footfall_topics, SECRET.encode(), DECLARED)
    assert (set(), {"version": label, "files": [], **both, "error": None}) == listed()
    assert f"configuration {label} in force: 1 computed traits" in footfall(
        footfall_topics, tmp_path).stdout

    found, said = listed(secret="")
    assert ({search, ref}, None, None) == (found, said["version"], said["rules"])
    assert "FOOTFALL_SYSTEM_SECRET" in said["error"]
    text = footfall(footfall_topics, tmp_path, secret="").stdout
    assert "the configuration was not read" in text
    assert "collected, and read by no table;" in text
    text = footfall(footfall_topics, tmp_path, secret="the system secret of others").stdout
    assert "no configuration was applied under this system_secret: 0 computed traits" in text

    log = ConfigLog(footfall_topics, Reserved(SECRET.encode()), CODECS)
    log.write(version_of(9, b'{"of_tomorrow":{}}'), range(4))
    found, said = listed()
    assert ({search, ref}, None) == (found, said["version"])
    assert "unknown section 'of_tomorrow'" in said["error"]


def test_files_that_cannot_be_applied_are_refused(tmp_path: Path) -> None:
    """With the place of the key, before the broker is asked."""
    (tmp_path / "rules.yaml").write_text("rules:\n  definitions:\n  - name: x\n")
    ran = footfall("127.0.0.1:1", tmp_path, "--config", "rules.yaml")
    assert 1 == ran.returncode
    assert "rules.yaml:3" in ran.stderr


@pytest.mark.kafka
def test_an_empty_log(footfall_topics: str, tmp_path: Path) -> None:
    ran = footfall(footfall_topics, tmp_path)
    assert (0, True) == (ran.returncode, "everything that is collected is read" in ran.stdout)
    assert 2 == footfall(footfall_topics, tmp_path, "--days", "0").returncode

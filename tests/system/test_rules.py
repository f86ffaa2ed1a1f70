"""Rules and segments that time alone decides, on a real broker and through `kill -9`."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from footfall.admin import config
from footfall.events.topics import TRIGGERS
from tests.system import exactness
from tests.system.shop import Loader
from tests.system.topics import State, read_all, until
from tests.system.workers import KILLED, START_S_MAX, SYSTEM_SECRET, Workers
from tests.tables import events
from tests.tables.logs import CODECS, KEYS

pytestmark = pytest.mark.kafka

#: One that passes while no worker lives, one that comes after another has taken over.
SPANS_S = (4, 25)
#: How long after the later of its instant and the worker being ready a trigger may be sent.
SOON_MS = 10_000
#: Nothing more is told.
SILENCE_S = 2.0
ANNA, BERT = (KEYS.of("user_id", name) for name in ("anna", "bert"))
VIEWED = {"call": "track", "event": "Product Viewed"}
ORDERED = {"call": "track", "event": "Order Completed"}


def _since(**operator: str) -> dict[str, Any]:
    return {"of": "time_since_last", "over": VIEWED, **operator}


def document() -> dict[str, Any]:
    """Of each span a silence, a condition that becomes true and one that becomes false, a segment
    that is entered and one that is left.
    """
    rules: list[dict[str, Any]] = []
    segments: list[dict[str, Any]] = []
    for span in (f"{seconds}s" for seconds in SPANS_S):
        rules += [
            {"name": f"silent_{span}", "on": VIEWED, "wait": span, "unless": ORDERED},
            {"name": f"old_{span}", "on": {"when": _since(older_than=span)}},
            {"name": f"stale_{span}", "on": {"when": _since(newer_than=span), "becomes": False}},
            {"name": f"gone_{span}", "on": {"leaves": f"fresh_{span}"}}]
        segments += [{"name": f"fresh_{span}", "if": _since(newer_than=span)},
                     {"name": f"dull_{span}", "if": _since(older_than=span)}]
    return {
        # A worker that comes back is late: here that is no outage.
        "clock": {"late_s": 300.0},
        "rules": {"definitions": [{**one, "version": 1} for one in rules]},
        "segments": {"definitions": [{**one, "version": 1} for one in segments]}}


def put(loader: Loader, key: bytes, name: str) -> int:
    """An event of now; when it happened."""
    now = time.time_ns() // 1_000_000
    event = events.plain(now, f"{name} {now}")
    event["event"] = name
    loader.put(key, CODECS.interaction.encode(event))
    loader.flush()
    return now


def test_time_alone_tells_once_and_soon_through_kills(
        footfall_topics: str, workers: Workers) -> None:
    """No further event comes. Killed before the first instants, which pass meanwhile, and again
    before the second ones.
    """
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), document())
    loader, state = Loader(footfall_topics), State(footfall_topics)
    worker = workers.start("w1").until_ready()
    viewed = {ANNA: put(loader, ANNA, "Product Viewed"), BERT: put(loader, BERT, "Product Viewed")}
    put(loader, BERT, "Order Completed")
    worker.until(state.covered, START_S_MAX, "the events are applied")
    worker.kill()
    until(lambda: _now() > max(viewed.values()) + (SPANS_S[0] + 1) * 1_000, START_S_MAX)

    worker = workers.start("w1").until_ready()
    ready = _now()
    worker.until(lambda: len(_told(footfall_topics)) >= 4 + 11, START_S_MAX, "the first instants")
    _check(footfall_topics, viewed, SPANS_S[0], ready)
    worker.kill()
    worker = workers.start("w1").until_ready()
    ready = _now()
    worker.until(lambda: len(_told(footfall_topics)) >= 4 + 22, SPANS_S[1] + START_S_MAX,
                 "the second instants")
    _check(footfall_topics, viewed, SPANS_S[1], ready)

    worker.until(state.covered, START_S_MAX, "all is applied")
    time.sleep(SILENCE_S)
    worker.until(state.covered, START_S_MAX, "all is applied")
    assert 4 + 22 == len(_told(footfall_topics))
    assert 0 == worker.stop()
    exactness.check(footfall_topics, carts=False)
    assert [KILLED, KILLED, 0] == workers.exits


def _check(bootstrap: str, viewed: dict[bytes, int], span_s: int, ready: int) -> None:
    """All that a span tells: each at its instant, for whom it is, sent soon."""
    span = f"{span_s}s"
    expected = {(name, key) for key in viewed for name in (
        f"old_{span}", f"stale_{span}", f"gone_{span}", f"left fresh_{span}",
        f"entered dull_{span}")} | {(f"silent_{span}", ANNA)}
    found = {}
    for name, key, occurred_at, sent_at in _told(bootstrap):
        if name.endswith(f"_{span}") and not name.startswith("entered fresh"):
            assert (name, key) not in found
            found[name, key] = occurred_at
            assert viewed[key] + span_s * 1_000 == occurred_at, name
            assert occurred_at <= sent_at <= max(occurred_at, ready) + SOON_MS, name
    assert expected == found.keys()


def _told(bootstrap: str) -> list[tuple[str, bytes, int, int]]:
    """(name, customer, when it happened, when it was first sent) of ours, each trigger once."""
    found: dict[str, tuple[str, bytes, int, int]] = {}
    for entry in read_all(bootstrap, TRIGGERS):
        one = CODECS.trigger.decode(entry.value)
        name, data = one["name"], json.loads(one["data"])
        if name.startswith("segment_"):
            name = f"{name.removeprefix('segment_')} {data['segment']}"
        elif not name.endswith(tuple(f"_{seconds}s" for seconds in SPANS_S)):
            continue
        said = (name, one["customer_key"].encode(), one["occurred_at"], entry.timestamp)
        found.setdefault(one["trigger_id"], said)
    return list(found.values())


def _now() -> int:
    return time.time_ns() // 1_000_000

"""Triggers of an imported history: those that workers would have told as it happened."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from footfall import tables
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.interaction import Interaction
from footfall.events.reserved_row import ConfigPayload
from footfall.replay.imports.told_since import DisorderError, Told, Under, id_of, told_since
from footfall.tables.outputs import TRIGGER
from footfall.testing.log import Log
from tests.replay.test_together import INSTALLATION, START_MS, item

DAY_MS = 86_400_000
CONFIGURATION = ConfigPayload(3, b'{"cart":{"idle_s":600.0},"rules":{"definitions":['
                              b'{"name":"left","version":1,"on":{"trigger":"cart_abandoned"},'
                              b'"wait":"1h"}]}}')


def history(seed: int, calls: int = 150) -> list[tuple[bytes, Interaction]]:
    """Rows of a few people over some weeks, no two at one instant."""
    dice = random.Random(seed)
    rows, at = [], START_MS
    for n in range(calls):
        at += dice.choice([1, 50, 40_000, 2_000_000, DAY_MS])
        admitted = admit(msgspec.json.encode(item(dice, n)), n, Arrival("file", at, "file"),
                         INSTALLATION.keys)
        assert not isinstance(admitted, Rejected), admitted
        rows.append((admitted.key, admitted.event))
    return rows


def under(since_ms: int, until_ms: int, run: str = "r1") -> Under:
    return Under(run, since_ms, until_ms, INSTALLATION.codecs, INSTALLATION.keys,
                 INSTALLATION.reserved, CONFIGURATION)


def as_it_happened(rows: list[tuple[bytes, Interaction]], until_ms: int) -> list[dict[str, Any]]:
    """What a worker told, to whom each row came in its time, with ticks as they were due."""
    log = Log(tables.ALL, 1, INSTALLATION, START_MS)
    log.config(START_MS, CONFIGURATION)
    log.run()

    def passes(until: int) -> None:
        while (due := log.workers[0].fold.next_timer(until)) is not None:
            log.tick(max(due + 1, log.now))
            log.run()

    for key, event in rows:
        passes(event["event_time"])
        log.append(key, event, event["event_time"])
        log.run()
    passes(until_ms)
    return [dict(INSTALLATION.codecs.trigger.decode(one.value)) for _partition, one in log.sent
            if one.kind == TRIGGER]


def decoded(told: list[Told]) -> list[dict[str, Any]]:
    return [dict(INSTALLATION.codecs.trigger.decode(one.value)) for one in told]


@pytest.mark.parametrize("seed", range(4))
def test_they_are_those_that_a_worker_would_have_told(seed: int) -> None:
    """In the same order, each under an id of the run, with the same content; people join, too."""
    rows = history(seed)
    until = rows[-1][1]["event_time"] + 90 * DAY_MS
    expected = as_it_happened(rows, until)
    told = list(told_since(rows, under(0, until)))
    assert [{**one, "trigger_id": id_of("r1", one["trigger_id"])} for one in expected] == (
        decoded(told))
    assert {"cart_abandoned", "left", "customer_dormant", "customer_identified"} <= {
        one["name"] for one in expected}
    assert [one["customer_key"].encode() for one in expected] == [one.key for one in told]


def test_only_what_happened_since_is_given() -> None:
    """By when it occurred; the history before it counts all the same, and all is counted."""
    rows = history(1)
    until = rows[-1][1]["event_time"] + 90 * DAY_MS
    everything = decoded(list(told_since(rows, under(0, until))))
    since = sorted(one["occurred_at"] for one in everything)[len(everything) // 2]
    counts: Counter[str] = Counter()
    told = decoded(list(told_since(rows, under(since, until), counts)))
    assert [one for one in everything if one["occurred_at"] >= since] == told
    assert (len(rows), len(told), len(everything) - len(told)) == (
        counts["rows"], counts["told"], counts["before"])


def test_ids_belong_to_the_run() -> None:
    """Again under its name they are the same, under another none is, nor any worker's."""
    rows = history(2)
    until = rows[-1][1]["event_time"] + DAY_MS
    ids = [{one["trigger_id"] for one in decoded(list(told_since(rows, under(0, until, run))))}
           for run in ("r1", "r1", "r2")]
    workers = {one["trigger_id"] for one in as_it_happened(rows, until)}
    assert ids[0] == ids[1]
    assert ids[0].isdisjoint(ids[2])
    assert workers.isdisjoint(ids[0] | ids[2])
    assert len(workers) == len(ids[0]) == len(ids[2])


def test_rows_out_of_order_are_refused() -> None:
    """The clock would hide a silence that there was."""
    rows = history(3, 20)
    with pytest.raises(DisorderError, match="sort rows by event time"):
        list(told_since(rows[::-1], under(0, START_MS + DAY_MS)))


def test_no_rows_tell_nothing() -> None:
    """Not even a schedule: there is nobody."""
    assert [] == list(told_since([], under(0, START_MS)))

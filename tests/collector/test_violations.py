"""Violations of the tracking plan in the log: what is told, how often, and that none is lost."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession

from footfall.collector import plan_folder, violations
from footfall.collector.violations import KINDS_MAX, NAMES_MAX, Violations
from footfall.errors import Found
from footfall.events.codec import Codecs
from footfall.events.customer_key import is_customer_key
from footfall.events.interaction import VIOLATION, VIOLATION_KEY
from footfall.events.topics import INTERACTIONS
from footfall.telemetry import PLAN, PLAN_EVENTS
from tests.collector import program
from tests.collector.edge import CODECS, NOW, WAIT_S_MAX, MemorySink, post, serving, until
from tests.collector.test_ledger import metrics_of

NEEDED = {"class": "public", "purpose": "necessary"}
CANARY = "canary"
FOUND = Found("violated", "track", "Viewed", "1", "properties.sku", "type", "omitted")


def folder(tmp_path: Path, violation: str = "omit") -> Path:
    """A strict plan of one event."""
    (tmp_path / "viewed.json").write_text(json.dumps({
        "event": "Viewed", "version": "3", "violation": violation, "undeclared": "omit",
        "schema": {"required": ["id"], "properties": {
            "id": {"type": "string", **NEEDED}, "price": {"type": "number", **NEEDED},
            "search": {"class": "personal", "purpose": "Analytics"}}}}))
    return tmp_path


def item(n: int = 0, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Viewed", "userId": f"user-{n}", "messageId": f"m-{n}",
            "properties": properties}


def said(sink: MemorySink) -> list[dict[str, Any]]:
    """The properties of every violation, and that its envelope is as it should be."""
    found = []
    for outgoing in sink.sent:
        for record in outgoing.interactions:
            event = CODECS.interaction.decode(record["value"])
            if event["type"] == VIOLATION:
                assert VIOLATION_KEY == record["key"]
                assert not is_customer_key(record["key"])
                assert (NOW, None, None) == (event["event_time"], event["commerce"],
                                             event["system"])
                found.append({**json.loads(event["personal"])["properties"],
                              "source": event["source"]})
    return found


async def told(sink: MemorySink, n: int) -> list[dict[str, Any]]:
    await until(lambda: len(said(sink)) >= n)
    return said(sink)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told last must be told, though the machine stands still for as long as it may take.
    """
    monkeypatch.setattr(violations, "LAST_S_MAX", WAIT_S_MAX)


async def test_a_violation_is_a_record_that_says_where_and_what(tmp_path: Path) -> None:
    """Soon, without waiting for others, and without any value or name that may be one."""
    sink = MemorySink()
    async with serving(sink, plan=plan_folder.read(folder(tmp_path))) as client:
        assert 200 == (await post(client, "/v1/track", item(
            7, id="A", price=CANARY, **{"ann@canary.example": 1})))[0]
        records = await told(sink, 2)
    common = {"eventName": "Viewed", "eventType": "track", "eventVersion": "3", "source": "web",
              "eventMessageID": "m-7", "violationAction": "omitted", "count": 1}
    assert [{**common, "violationType": "type", "violationField": "properties.price"},
            {**common, "violationType": "undeclared", "violationField": "properties.*"}
            ] == sorted(records, key=lambda r: r["violationType"])
    assert CANARY not in str(sink.sent)


@pytest.mark.parametrize("violation", ["allow", "omit", "reject"])
async def test_every_violation_is_in_the_count_and_in_the_log(tmp_path: Path, violation: str
                                                              ) -> None:
    """Whatever is done about it; many of one kind are one record now and one at the end."""
    def counts() -> float:
        return sum(PLAN.labels(f, "track", "Viewed")._value.get()
                   for f in ("violated", "undeclared"))
    sink, before = MemorySink(), counts()
    events_before = PLAN_EVENTS.labels("web")._value.get()
    async with serving(sink, plan=plan_folder.read(folder(tmp_path, violation))) as client:
        for start in range(0, 1000, 100):
            await post(client, "/v1/batch", {"batch": [
                item(n, price="x", more=1) for n in range(start, start + 100)]})
            if not start:
                first = len(await told(sink, 2 if violation == "reject" else 3))
    records = said(sink)
    done = {"allow": "allowed", "omit": "omitted", "reject": "rejected"}[violation]
    expected = Counter({("properties.price", "type", done): 1000,
                        ("properties.id", "required", "allowed" if done != "rejected" else done):
                            1000})
    if violation != "reject":  # nothing is taken out of what is rejected
        expected["properties.more", "undeclared", "omitted"] = 1000
    found: Counter[tuple[str, ...]] = Counter()
    for r in records:
        found[r["violationField"], r["violationType"], r["violationAction"]] += r["count"]
    assert (expected, expected.total()) == (found, counts() - before)
    assert 2 * first == len(records) == PLAN_EVENTS.labels("web")._value.get() - events_before
    ids = [CODECS.interaction.decode(r["value"])["message_id"]
           for o in sink.sent for r in o.interactions if r["key"] == VIOLATION_KEY]
    assert len(ids) == len(set(ids))


async def test_what_consent_does_not_cover_is_no_violation(tmp_path: Path) -> None:
    sink = MemorySink()
    async with serving(sink, plan=plan_folder.read(folder(tmp_path))) as client:
        await post(client, "/v1/track", {**item(id="A", search="x"), "context": {
            "consent": {"categoryPreferences": {"Analytics": False}}}})
        await post(client, "/v1/track", item(id="A"))
    assert [] == said(sink)


async def test_of_what_was_not_acknowledged_nothing_is_told(tmp_path: Path) -> None:
    """Nor of a copy of what is in the log already."""
    sink = MemorySink()
    async with serving(sink, plan=plan_folder.read(folder(tmp_path))) as client:
        sink.error = "away"
        assert 503 == (await post(client, "/v1/track", item(price=1)))[0]
        sink.error = ""
        for status in ("accepted", "duplicate", "duplicate"):
            assert status == (await post(client, "/v1/track", item(price=1)))[1]["status"]
    assert [1] == [r["count"] for r in said(sink)]


@asynccontextmanager
async def gathering(sink: MemorySink, **options: Any) -> AsyncIterator[Violations]:
    made = Violations(sink, CODECS.interaction, lambda: NOW, **options)
    running = made.while_running(None)  # type: ignore[arg-type]
    await anext(running)
    yield made
    with pytest.raises(StopAsyncIteration):
        await anext(running)


async def test_one_kind_is_told_once_an_interval(monkeypatch: Any) -> None:
    """With how many there were since; a kind that was silent that long is told at once again."""
    monkeypatch.setattr(violations, "LOOK_S", 0.01)
    now = [1_000.0]
    monkeypatch.setattr(violations, "time", SimpleNamespace(monotonic=lambda: now[0]))
    sink = MemorySink()
    async with gathering(sink, interval_s=1) as gathered:
        gathered.add("web", [FOUND], "m1")
        assert [1] == [r["count"] for r in await told(sink, 1)]
        now[0] = 1_000.5
        for _ in range(30):
            gathered.add("web", [FOUND], "m2")
            await asyncio.sleep(0.002)
        assert [1] == [r["count"] for r in said(sink)]
        now[0] = 1_001.0
        assert [1, 30] == [r["count"] for r in await told(sink, 2)]
        now[0] = 1_002.0
        await until(lambda: not any(gathered._kinds.values()))  # what is silent is forgotten
        gathered.add("web", [FOUND], "m3")
        assert [1, 30, 1] == [r["count"] for r in await told(sink, 3)]


async def test_while_the_log_is_away_they_are_gathered(monkeypatch: Any, caplog: Any) -> None:
    """And where it does not come back the log file says how many were not told."""
    monkeypatch.setattr(violations, "LOOK_S", 0.01)
    sink = MemorySink()
    async with gathering(sink) as gathered:
        sink.error = "away"
        gathered.add("web", [FOUND, FOUND])
        await asyncio.sleep(0.1)
        gathered.add("web", [FOUND])
        sink.error = ""
        assert [3] == [r["count"] for r in await told(sink, 1)]
        gathered.add("web", [FOUND])
        sink.error = "away for good"
    assert [1] == [record.events for record in caplog.records]


async def test_what_comes_while_a_record_is_sent_is_told_later(monkeypatch: Any) -> None:
    monkeypatch.setattr(violations, "LOOK_S", 0.01)
    sink = MemorySink()
    async with gathering(sink) as gathered:
        sink.gate.clear()
        gathered.add("web", [FOUND])
        await until(lambda: sink.waiting)
        gathered.add("web", [FOUND, FOUND])
        sink.gate.set()
        await told(sink, 1)
    assert [1, 2] == [r["count"] for r in said(sink)]


async def test_limits_lose_no_count() -> None:
    """An app that uses values for names, or is wrong in more ways than are told apart; its
    neighbours keep their names.
    """
    sink = MemorySink()
    async with gathering(sink) as gathered:
        for n in range(5 * NAMES_MAX):
            name = chr(97 + n // 26) + chr(97 + n % 26)
            gathered.add("web", [FOUND._replace(finding="undeclared", rule="undeclared",
                                                field=f"properties.{name}")])
        for n in range(2 * KINDS_MAX):
            gathered.add("web", [FOUND._replace(event=f"e{n}")])
        gathered.add("app", [FOUND])
    records = said(sink)
    web = [r for r in records if r["source"] == "web"]
    assert 5 * NAMES_MAX + 2 * KINDS_MAX == sum(r["count"] for r in web)
    assert len(web) <= KINDS_MAX + 2
    names = [r for r in web if r["violationType"] == "undeclared"]
    assert (NAMES_MAX + 1, 4 * NAMES_MAX) == (
        len(names), next(r["count"] for r in names if r["violationField"] == "*"))
    assert ["properties.sku"] == [r["violationField"] for r in records if r["source"] == "app"]


@pytest.mark.kafka
async def test_the_log_grows_by_what_is_accepted_and_by_the_violations_told(
    footfall_topics: str, tmp_path: Path
) -> None:
    """The collector as a program: what SIGTERM leaves behind is exact."""
    codecs, plan = Codecs(), folder(tmp_path)
    with program.running(footfall_topics, tmp_path, plan_dir=plan) as (process, url):
        async with ClientSession(headers=program.AUTH) as http:
            await program.until_status(http, url + "/readyz", 200)
            for start in range(0, 500, 50):
                status, answer = await program.post(http, url + "/v1/batch", {"batch": [
                    item(n, id="A", **({"price": "x"} if n % 2 else {"price": 1}))
                    for n in range(start, start + 50)]})
                assert (200, 50) == (status, answer["accepted"])
                async with asyncio.timeout(30):
                    while not (await metrics_of(http, url)).get("plan_events"):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
            counted = await metrics_of(http, url)
        process.send_signal(signal.SIGTERM)
        assert 0 == await asyncio.to_thread(process.wait, 30)
    events = [codecs.interaction.decode(value)
              for _, _, value in program.read_all(footfall_topics, INTERACTIONS)]
    told_ = [json.loads(e["personal"])["properties"] for e in events if e["type"] == VIOLATION]
    assert (1, 250, 250) == (counted["plan_events"], counted["plan"],
                             sum(r["count"] for r in told_))
    assert 2 == len(told_)
    shown = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "footfall", "tail", "interactions",
                         "--from-beginning", "--idle-exit", "1"],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=90,
        env={**os.environ, "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": footfall_topics})
    assert sorted(r["count"] for r in told_) == sorted(map(int, re.findall(
        r"violation  Viewed  web  (\d+) x properties\.price type, omitted", shown.stdout)))
    assert 500 + len(told_) == len(events)

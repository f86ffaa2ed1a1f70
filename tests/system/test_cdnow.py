"""Real orders through real programs: CDNOW over HTTP, collector, Kafka, worker, against pandas.

Days are scaled to hours, so that the eighteen months lie in the last 23 days. Posted by several
connections at once, each purchase once and every seventh batch twice, as an SDK does after a lost
answer; so what the log holds is out of order and has repeats.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest
from aiohttp import ClientSession

from footfall import tables
from footfall.events.topics import INTERACTIONS, REJECTED, TRIGGERS
from footfall.tables import orders
from footfall.tables.record import RecordCodec
from footfall.up.ports import HOST, free_port
from tests.collector.test_kafka import until_status
from tests.system.test_log import metric
from tests.system.topics import State, Tail, read_all
from tests.system.workers import Workers
from tests.tables import cdnow
from tests.tables.logs import CODECS, KEYS

pytestmark = pytest.mark.kafka

HOUR = 3_600_000
BATCH = 500
REPEATED = 7
CONNECTIONS = 4
WRITE_KEY = "wk_cdnow"
API_KEY = "an api key for tests"
#: Customers who are asked for at the worker, beside those whom the limit on orders touched.
ASKED = 400
APPLIED_S_MAX = 240.0
#: A worker that stands still in a crowd of tests is not what is tested here.
SESSION_S = 30
SHOWN = ("count", "first_at", "last_at", "intervals", "by_currency", "limited")


def items(frame: pd.DataFrame, start: int) -> list[dict[str, Any]]:
    """Tracking calls, oldest purchase first."""
    rows = frame.sort_values("day", kind="stable")
    return [
        {"type": "track", "event": "Order Completed", "userId": customer,
         "messageId": f"cdnow-{n}", "timestamp": start + int(day) * HOUR,
         "properties": {"order_id": f"order-{n}", "total": value, "currency": cdnow.CURRENCY}}
        for n, customer, day, value in zip(
            rows.index, rows["customer_id"], rows["day"], rows["dollar_value"], strict=True)
    ]


def batches(calls: Sequence[dict[str, Any]]) -> list[bytes]:
    """Bodies, with those that are sent twice."""
    found = []
    for n, at in enumerate(range(0, len(calls), BATCH)):
        body = json.dumps({"batch": calls[at : at + BATCH]}).encode()
        found += [body] * (2 if n % REPEATED == 0 else 1)
    return found


async def post(url: str, bodies: Iterable[bytes]) -> int:
    """Post all, several at a time; how many items the collector accepted."""
    waiting = iter(bodies)

    async def connection(session: ClientSession) -> int:
        accepted = 0
        for body in waiting:
            async with session.post(f"{url}/v1/batch", data=body) as answer:
                assert 200 == answer.status, await answer.text()
                said = await answer.json()
                assert 0 == said["rejected"], said
                accepted += said["accepted"]
        return accepted

    async with ClientSession(headers={"Authorization": f"Bearer {WRITE_KEY}"}) as session:
        await until_status(session, f"{url}/readyz", 200)
        return sum(await asyncio.gather(*(connection(session) for _ in range(CONNECTIONS))))


async def shown(url: str, names: Iterable[str]) -> dict[str, Any]:
    """Customer -> the orders of the worker's answer."""
    found = {}
    async with ClientSession(headers={"Authorization": f"Bearer {API_KEY}"}) as session:
        for name in names:
            key = KEYS.of("user_id", name).decode()
            async with session.get(f"{url}/customers/{key}") as answer:
                assert 200 == answer.status, await answer.text()
                view = (await answer.json())["tables"]["orders"]
            found[name] = {field: view[field] for field in SHOWN}
    return found


def as_shown(made: cdnow.Orders) -> dict[str, Any]:
    """What the worker must say of a customer: decimal text, RFC 3339, quotients half-even."""
    spans = made.interval_count
    money = {}
    for currency, (count, cents) in made.value.items():
        dollars = Fraction(cents, 100)
        money[currency] = {
            "orders": count, "value": decimal(dollars), "average": decimal(dollars / count),
            "refunds": 0, "refunded": "0", "refund_share": "0" if dollars else None}
    return {
        "count": made.count,
        "first_at": instant(made.first),
        "last_at": instant(made.last),
        "intervals": {"count": spans, "last_ms": made.interval_last,
                      "mean_ms": round(Fraction(made.interval_sum, spans)) if spans else None},
        "by_currency": money,
        "limited": made.limited,
    }


def decimal(value: Fraction) -> str:
    """With as many of 18 places as it has."""
    whole, rest = divmod(round(value * 10**18), 10**18)
    return f"{whole}.{rest:018}".rstrip("0").rstrip(".")


def instant(at: int) -> str:
    """UTC, with milliseconds."""
    return pd.Timestamp(at, unit="ms").isoformat(timespec="milliseconds") + "Z"


def in_changelog(state: State, names: Iterable[str]) -> dict[str, cdnow.Orders]:
    """Customer -> orders, read by the product's own codec."""
    codec = RecordCodec(tables.ALL)
    records = {key: value for store in state.records.values() for key, value in store.items()}
    keys = {name: KEYS.of("user_id", name) for name in names}
    assert set(keys.values()) == records.keys()
    found = {name: codec.decode(records[key]).rows["orders"] for name, key in keys.items()}
    return {name: cdnow.held(codec.row(orders.TABLE, row).facts) for name, row in found.items()}


def test_every_customers_orders_are_those_of_pandas(
        footfall_topics: str, workers: Workers) -> None:
    """Count, money, first, last and intervals: of all 23,570 in the changelog, of hundreds at the
    worker; each first order told once.
    """
    frame = cdnow.read()
    start = time.time_ns() // 1_000_000 - (cdnow.DAYS + 1) * HOUR
    expected = cdnow.expected(frame, start, HOUR)
    bodies = batches(items(frame, start))
    http_port, worker_port = free_port(), free_port()
    collector = workers.start(program=("-m", "footfall", "collector"), http_port=http_port,
                              write_keys=f"web:{WRITE_KEY}")
    worker = workers.start(metrics_port=worker_port, api_key=API_KEY, session_timeout_s=SESSION_S)
    worker.until_ready()
    accepted = asyncio.run(post(f"http://{HOST}:{http_port}", bodies))
    assert accepted > cdnow.ROWS

    state = State(footfall_topics)
    ends = Tail(footfall_topics, INTERACTIONS).ends()
    worker.until(lambda: all(state.offsets().get(p, 0) >= end for p, end in ends.items()),
                 APPLIED_S_MAX, "applied")
    assert cdnow.ROWS == metric(worker_port, 'footfall_processed_total{type="track"}')
    assert cdnow.ROWS == metric(worker_port, "footfall_late_events_total")
    assert accepted - cdnow.ROWS == metric(worker_port, "footfall_duplicates_total")
    some = {name: made for n, (name, made) in enumerate(expected.items())
            if n % (cdnow.CUSTOMERS // ASKED) == 0 or made.limited}
    seen = asyncio.run(shown(f"http://{HOST}:{worker_port}", some))
    assert {name: as_shown(made) for name, made in some.items()} == seen
    assert (0, 0) == (collector.stop(), worker.stop())

    state.update()
    assert expected == in_changelog(state, expected)
    told = [CODECS.trigger.decode(entry.value) for entry in read_all(footfall_topics, TRIGGERS)]
    first = [t["customer_key"] for t in told if t["name"] == "order_completed_first"]
    assert sorted(KEYS.of("user_id", name).decode() for name in expected) == sorted(first)
    assert [] == read_all(footfall_topics, REJECTED)

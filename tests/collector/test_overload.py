"""Rates and room: what is refused, when it ends, and that accepted requests do not suffer."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector
from hypothesis import given
from hypothesis import strategies as st

from footfall.collector import rates, room
from footfall.collector.answers import RequestError
from footfall.collector.auth import WriteKeys
from footfall.collector.limits import Limits
from footfall.collector.rates import Buckets, buckets_of, network_of
from footfall.collector.room import Room
from footfall.telemetry import REFUSED
from tests.collector.edge import AUTH, WAIT_S_MAX, MemorySink, basic, post, serving, until
from tests.collector.program import AUTH as AUTH_BEARER
from tests.collector.program import running, until_status

PAGE = {"type": "page", "userId": "u1"}


# -- rates ---------------------------------------------------------------------------------------


def test_a_bucket_lets_a_second_of_its_rate_through_and_then_its_rate() -> None:
    buckets = Buckets(10)
    for _ in range(10):
        assert 0 == buckets.wait_s("a", 100.0)
        buckets.pay("a", 1, 100.0)
    assert pytest.approx(0.1) == buckets.wait_s("a", 100.0)
    assert 0 == buckets.wait_s("b", 100.0)
    assert pytest.approx(0.05) == buckets.wait_s("a", 100.05)
    assert 0 == buckets.wait_s("a", 100.11)


def test_a_batch_is_paid_whole_and_into_debt() -> None:
    """One that is larger than the bucket is let in, and makes its client wait for as long."""
    buckets = Buckets(100)
    buckets.pay("a", 2_500, 0.0)
    assert pytest.approx(24.01) == buckets.wait_s("a", 0.0)
    assert 0 == buckets.wait_s("a", 24.02)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), max_size=60), st.integers(1, 40))
def test_over_any_stretch_no_more_than_the_rate_gets_in(
    asked: list[tuple[float, int]], per_s: int
) -> None:
    """Beyond one bucket and one request, whatever the times and sizes."""
    buckets, now, taken, largest = Buckets(per_s), 0.0, 0, 0
    for gap, items in asked:
        now += gap
        if buckets.wait_s("a", now) == 0:
            buckets.pay("a", items, now)
            taken, largest = taken + items, max(largest, items)
    assert taken <= per_s * (now + 1) + largest


def test_the_table_of_buckets_is_bounded() -> None:
    """The one longest unused goes; a clock that stands still or steps back gives nothing away."""
    buckets = Buckets(1, buckets_max=3)
    for n in range(10):
        buckets.pay(str(n), 5, 50.0)
    assert 3 == len(buckets)
    assert buckets.wait_s("9", 50.0) > 0
    assert buckets.wait_s("9", 40.0) > 0
    assert 0 == buckets.wait_s("0", 50.0)


def test_the_bucket_longest_unused_goes_first() -> None:
    """Not the one that was made first."""
    buckets = Buckets(1, buckets_max=3)
    for name in ("a", "b", "c", "a", "d"):
        buckets.pay(name, 5, 50.0)
    assert [False, True, False, False] == [buckets.wait_s(n, 50.0) == 0 for n in "abcd"]


def test_no_rate_means_no_buckets() -> None:
    assert buckets_of(0) is None
    assert isinstance(buckets_of(0.5), Buckets)


@pytest.mark.parametrize(("one", "other", "is_shared"), [
    ("1.2.3.4", "1.2.3.4", True), ("1.2.3.4", "1.2.3.5", False),
    ("2001:db8::1", "2001:db8::ffff:1", True), ("2001:db8::1", "2001:db8:0:1::1", False),
    ("::ffff:1.2.3.4", "1.2.3.4", True), ("x" * 70, "x" * 80, True)])
def test_whose_bucket_an_address_shares(one: str, other: str, is_shared: bool) -> None:
    assert is_shared == (network_of(one) == network_of(other))


async def test_a_source_over_its_rate_is_told_how_long_to_wait(monkeypatch: Any) -> None:
    """And no other source is: each has its own bucket."""
    now = [1000.0]
    monkeypatch.setattr("footfall.collector.ingest.time.monotonic", lambda: now[0])
    sink = MemorySink()
    keys = WriteKeys({"web": "wk_web wk_next", "app": "wk_app"})
    async with serving(sink, keys, limits=Limits(source_items_per_s=10)) as client:
        assert 200 == (await post(client, "/v1/batch", {"batch": [PAGE] * 40}))[0]
        for key in ("wk_web", "wk_next"):
            status, answer, response = await post(client, "/v1/page", PAGE, **basic(key))
            assert (429, "source_rate_limited") == (status, answer["code"])
            assert "4" == response.headers["Retry-After"]
        assert 200 == (await post(client, "/v1/page", PAGE, **basic("wk_app")))[0]
        now[0] += 4
        assert 200 == (await post(client, "/v1/page", PAGE))[0]
    assert 42 == len(sink.events())


async def test_an_address_over_its_rate_is_refused_before_its_body_is_read(monkeypatch: Any
                                                                           ) -> None:
    """Attempts with wrong keys count as well, so keys cannot be tried without end."""
    monkeypatch.setattr("footfall.collector.ingest.time.monotonic", lambda: 1000.0)
    counter = REFUSED.labels("address_rate_limited")
    before = counter._value.get()
    async with serving(MemorySink(), limits=Limits(address_items_per_s=5), proxies=1) as client:
        for expected in (401, 401, 401, 401, 401, 429):
            status, answer, response = await post(client, "/v1/page", b"{", **{
                **basic("guess"), "X-Forwarded-For": "1.2.3.4"})
            assert expected == status, answer
        assert "1" == response.headers["Retry-After"]
        async with client.get("/v1/projects/guess/settings",
                              headers={"X-Forwarded-For": "1.2.3.4"}) as asked:
            assert 429 == asked.status
        status, _, _ = await post(client, "/v1/batch", {"batch": [PAGE] * 5},
                                  **{"X-Forwarded-For": "5.6.7.8"})
        assert 200 == status
        status, _, _ = await post(client, "/v1/page", PAGE, **{"X-Forwarded-For": "5.6.7.8"})
        assert 429 == status
        async with client.get("/healthz", headers={"X-Forwarded-For": "1.2.3.4"}) as asked:
            assert 200 == asked.status
    assert 3 == counter._value.get() - before


# -- room ----------------------------------------------------------------------------------------


async def test_requests_beyond_the_room_get_503_at_once_and_it_recovers_by_itself() -> None:
    """At the limit and one above."""
    sink = MemorySink()
    sink.gate.clear()
    async with serving(sink, limits=Limits(in_flight_requests_max=3)) as client:
        waiting = [asyncio.create_task(post(client, "/v1/page", PAGE)) for _ in range(3)]
        await until(lambda: sink.waiting == 3)
        for _ in range(3):
            async with asyncio.timeout(WAIT_S_MAX):  # at once: the others wait for the gate
                status, answer, response = await post(client, "/v1/page", PAGE)
            assert (503, "overloaded") == (status, answer["code"])
            assert int(response.headers["Retry-After"]) > 0
        sink.gate.set()
        assert [200] * 3 == [(await task)[0] for task in waiting]
        assert 200 == (await post(client, "/v1/page", PAGE))[0]


@pytest.mark.parametrize(("items", "status"), [(60, 200), (61, 503)])
async def test_items_beyond_the_room_get_503(items: int, status: int) -> None:
    """At the limit and one above; a batch larger than the limit is taken when it comes alone."""
    sink = MemorySink()
    sink.gate.clear()
    async with serving(sink, limits=Limits(in_flight_items_max=100)) as client:
        first = asyncio.create_task(post(client, "/v1/batch", {"batch": [PAGE] * 40}))
        await until(lambda: sink.waiting)
        second = asyncio.create_task(post(client, "/v1/batch", {"batch": [PAGE] * items}))
        await until(lambda: second.done() or sink.waiting == 2)
        sink.gate.set()
        assert [200, status] == [(await first)[0], (await second)[0]]
        assert 200 == (await post(client, "/v1/batch", {"batch": [PAGE] * 200}))[0]


@pytest.mark.parametrize(("size", "status"), [(600, 200), (601, 503)])
async def test_bytes_beyond_the_room_get_503(size: int, status: int) -> None:
    """Unpacked ones, while they come; packed small is no way round."""
    sink = MemorySink()
    sink.gate.clear()
    async with serving(sink, limits=Limits(in_flight_bytes_max=1000)) as client:
        first = asyncio.create_task(post(client, "/v1/page", json.dumps(PAGE).encode().ljust(400)))
        await until(lambda: sink.waiting)
        body = gzip.compress(json.dumps(PAGE).encode().ljust(size))
        second = asyncio.create_task(post(client, "/v1/page", body, **{"Content-Encoding": "gzip"}))
        await until(lambda: second.done() or sink.waiting == 2)
        sink.gate.set()
        assert [200, status] == [(await first)[0], (await second)[0]]
        assert 200 == (await post(client, "/v1/page", json.dumps(PAGE).encode().ljust(5000)))[0]


async def test_slow_bodies_do_not_keep_others_out(monkeypatch: Any) -> None:
    """They take none of the places of requests that are worked on; and are bounded themselves."""
    monkeypatch.setattr(room, "READING_MAX", 5)
    head = (b"POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\nAuthorization: "
            + AUTH["Authorization"].encode() + b"\r\n\r\n{")
    async with serving(MemorySink(), limits=Limits(in_flight_requests_max=1)) as client:
        writers, held = [], client.collector._ingest._room
        for _ in range(4):
            _, writer = await asyncio.open_connection(client.host, client.port)
            writer.write(head)
            writers.append(writer)
        await until(lambda: held.reading == 4)
        assert 200 == (await post(client, "/v1/page", PAGE))[0]
        _, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(head)
        writers.append(writer)
        await until(lambda: held.reading == 5)
        assert 503 == (await post(client, "/v1/page", PAGE))[0]
        for writer in writers:
            writer.close()
        await until(lambda: held.reading == 0)
        assert 200 == (await post(client, "/v1/page", PAGE))[0]


@given(st.lists(st.tuples(st.sampled_from(["begin", "take", "read", "end"]), st.integers(0, 9),
                          st.integers(1, 400)), max_size=80))
def test_the_room_is_never_exceeded_and_always_given_back(steps: list[tuple[str, int, int]]
                                                          ) -> None:
    limits = Limits(in_flight_requests_max=3, in_flight_items_max=900, in_flight_bytes_max=1000)
    made = Room(limits)
    open_: dict[int, Any] = {}
    for what, n, count in steps:
        try:
            if what == "begin" and n not in open_:
                context = made.body()
                open_[n] = [context, context.__enter__(), False]
            elif what == "take" and n in open_:
                open_[n][1].take(count)
            elif what == "read" and n in open_ and not open_[n][2]:
                open_[n][1].is_read(count)
                open_[n][2] = True
            elif what == "end" and n in open_:
                open_.pop(n)[0].__exit__(None, None, None)
        except RequestError as error:
            assert 503 == error.status
        assert made.requests <= 3
        assert made.items <= 900
        assert made.held_bytes <= 1000
        assert len(open_) == made.requests + made.reading
    for context, _, _ in open_.values():
        context.__exit__(None, None, None)
    assert (0, 0, 0, 0) == (made.requests, made.reading, made.items, made.held_bytes)


async def test_every_refusal_is_counted_by_its_code() -> None:
    before = {code: REFUSED.labels(code)._value.get() for code in ("overloaded", "log_unavailable")}
    sink = MemorySink()
    async with serving(sink, limits=Limits(in_flight_requests_max=1)) as client:
        sink.gate.clear()
        waiting = asyncio.create_task(post(client, "/v1/page", PAGE))
        await until(lambda: sink.waiting)
        await post(client, "/v1/page", PAGE)
        sink.error = "away"
        sink.gate.set()
        assert 503 == (await waiting)[0]
    assert {"overloaded": 1, "log_unavailable": 1} == {
        code: REFUSED.labels(code)._value.get() - n for code, n in before.items()}


def test_the_bounds_that_the_documents_state() -> None:
    assert (10_000, 2_000) == (rates.BUCKETS_MAX, room.READING_MAX)


# -- all of it, on a real broker -----------------------------------------------------------------


def memory_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.mark.kafka
async def test_under_more_than_it_can_take_it_sheds_stays_quick_and_recovers(
    footfall_topics: str, tmp_path: Path
) -> None:
    """Senders that never wait: some get 503, memory stays, and those that are taken are quick."""
    body = json.dumps({"batch": [{**PAGE, "pad": "x" * 200}] * 100}).encode()
    taken: list[float] = []
    shed = [0]

    async def sender(http: ClientSession, url: str, until: float) -> None:
        while time.monotonic() < until or (
                (len(taken) <= 50 or shed[0] <= 10) and time.monotonic() < until + WAIT_S_MAX):
            started = time.monotonic()
            async with http.post(url + "/v1/batch", data=body) as answer:
                await answer.read()
            assert answer.status in (200, 503)
            if answer.status == 200:
                taken.append(time.monotonic() - started)
            else:
                shed[0] += 1
                assert int(answer.headers["Retry-After"]) > 0

    with running(footfall_topics, tmp_path, in_flight_items_max=1000) as (process, url):
        async with ClientSession(headers=AUTH_BEARER, connector=TCPConnector(limit=0)) as http:
            await until_status(http, url + "/readyz", 200)
            before = memory_mb(process.pid)
            until = time.monotonic() + 3
            await asyncio.gather(*(sender(http, url, until) for _ in range(100)))
            assert memory_mb(process.pid) - before < 100
            started = time.monotonic()
            async with http.post(url + "/v1/batch", data=body) as answer:
                assert 200 == answer.status
            assert time.monotonic() - started < 5
    assert shed[0] > 10
    assert len(taken) > 50
    assert max(taken) < 6

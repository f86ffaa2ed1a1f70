"""The served view: what a GET takes, how old it is, what writing it costs, and that it is right.

    read    GET /v1/customers at 1,000 a second (open loop: each from when it was due, so a queue
            counts) against one collector that has one core for itself; loader and Redis the other
    stale   whole chain on Kafka at half of what it sustains: from a new customer's HTTP 200 to its
            entry in Redis, 10 times a second
    cost    a worker over the same log with and without a view, in turns: CPU us an event
    equal   after that: the document of every customer, as served and as the changelog has it

Needs redis-server. `--only read,stale,cost,equal` picks; N customers (100,000) of EACH events (5).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import redis
from confluent_kafka import Producer
from customers import encoded, keys, samples
from figures import console, show, spread, verdict
from lab import Lab
from latency import PARTITIONS, Chain, _get, _percentiles, _process
from tests.system.served import differences
from tests.system.topics import State

from footfall.admin.topics import ensure
from footfall.events import topics
from footfall.stream.partition import partition_of
from footfall.tables.stored import PartitionState
from footfall.up.ports import HOST, free_port
from footfall.view import entry
from footfall.view.store import Store

PARTS = ("read", "stale", "cost", "equal")
API_KEY = "bench-api-key"
GETS_A_SECOND = 1_000
READ_S = 20
CONNECTIONS = 40
READ_CUSTOMERS = 4_000
READ_P99_MS = 5
STALE_P99_MS = 500
PROBES_A_SECOND = 10
PROBE_S = 0.005
EVENTS_EACH = int(os.environ.get("EACH", "5"))
READY_S_MAX = 60


def run(lab: Lab, n: int, rounds: int, only: set[str]) -> dict[str, Any]:
    """The parts that are asked for, in order."""
    n = min(n, 100_000)
    wanted = [part for part in PARTS if not only or part in only]
    found: dict[str, Any] = {}
    with _redis(lab) as url:
        if "read" in wanted:
            found["read"] = _read(lab, url)
        if "stale" in wanted:
            found["stale"] = _stale(lab, url, 20 * rounds)
        if "cost" in wanted or "equal" in wanted:
            found |= _cost(lab, url, n, rounds if "cost" in wanted else 0, "equal" in wanted)
    return found


@contextlib.contextmanager
def _redis(lab: Lab) -> Iterator[str]:
    server = shutil.which("redis-server")
    if server is None:
        raise RuntimeError("redis-server is needed: Debian's package redis-server")
    port = free_port()
    child = subprocess.Popen([server, "--port", str(port), "--bind", HOST, "--save", "", "--dir",
                              str(lab.folder)], stdout=subprocess.DEVNULL)
    try:
        yield f"redis://{HOST}:{port}"
    finally:
        child.terminate()
        child.wait()


def _until(what: Any, seconds_max: float = READY_S_MAX) -> None:
    deadline = time.monotonic() + seconds_max
    while True:
        with contextlib.suppress(OSError):
            if what():
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"not in {seconds_max:g} s")
        time.sleep(0.05)


# -- reading -----------------------------------------------------------------------------------


async def _fill(url: str) -> list[bytes]:
    """Customers of 51 events each; their keys."""
    fold = samples(READ_CUSTOMERS)
    store = Store(url)
    await store.begin()
    parts: dict[int, list[tuple[bytes, bytes]]] = {}
    for key, record in fold.store.items():
        number = partition_of(key, PARTITIONS)
        parts.setdefault(number, []).append((key, entry.encode(0, number, record)))
    state = PartitionState(fold.next_offset, fold.clock)
    for number, entries in parts.items():
        for at in range(0, len(entries), 500):
            await store.put(entries[at : at + 500])
        said = entry.mark(0, state, int(time.time() * 1000), 0)
        await store.mark([(number, b"", entry.encode_mark(said))])
    await store.close()
    sizes = [len(record) for record in fold.store.values()]
    console.print(f"{len(sizes):,} customers, {sum(sizes) / len(sizes):,.0f} bytes each")
    return list(fold.store)


def _read(lab: Lab, url: str) -> dict[str, Any]:
    asyncio.run(_fill(url))
    ensure(lab.bootstrap, PARTITIONS, 1)
    port = free_port()
    with _process(lab, "collector", http_port=port, redis_url=url, api_key=API_KEY,
                  partitions=PARTITIONS) as _none:
        _until(lambda: _get(f"http://{HOST}:{port}/readyz"))
        child = _pid_of(port)
        os.sched_setaffinity(child, {0})
        os.sched_setaffinity(0, {1})
        try:
            asyncio.run(_ask_all(port, 3))
            before = _cpu_s(child)
            took = asyncio.run(_ask_all(port, READ_S))
            cpu_us = (_cpu_s(child) - before) / len(took) * 1e6
        finally:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
    p50, p99 = _percentiles(took)
    show(f"GET /v1/customers: {len(took):,} at {GETS_A_SECOND:,}/s on one core, all tables",
         ("", "p50 ms", "p99 ms", "goal", "most", "CPU us"),
         [("from when it was due", f"{p50:.2f}", f"{p99:.2f}",
           verdict(p99, READ_P99_MS, at_least=False), f"{max(took):.1f}", f"{cpu_us:.0f}")])
    return {"p50_ms": p50, "p99_ms": p99, "max_ms": max(took), "cpu_us": cpu_us}


async def _ask_all(port: int, seconds: float) -> list[float]:
    """Milliseconds of each, from when it was due."""
    dice = random.Random(3)
    queue: asyncio.Queue[float | None] = asyncio.Queue()
    took: list[float] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        while (due := await queue.get()) is not None:
            user = f"user-{dice.randrange(READ_CUSTOMERS):08}"
            writer.write(f"GET /v1/customers/user_id:{user} HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
                         f"Authorization: Bearer {API_KEY}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            took.append((time.monotonic() - due) * 1000)
        writer.close()

    tasks = [asyncio.create_task(connection()) for _ in range(CONNECTIONS)]
    due = time.monotonic()
    end = due + seconds
    while due < end:
        now = time.monotonic()
        while due <= now:
            queue.put_nowait(due)
            due += 1 / GETS_A_SECOND
        await asyncio.sleep(max(due - time.monotonic(), 0))
    for _ in tasks:
        queue.put_nowait(None)
    await asyncio.gather(*tasks)
    return took


def _pid_of(port: int) -> int:
    """Of the process that listens there: it says so itself."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
            inode = f"socket:[{fields[9]}]"
            for folder in Path("/proc").glob("[0-9]*/fd/*"):
                with contextlib.suppress(OSError):
                    if os.readlink(folder) == inode:  # noqa: PTH115
                        return int(folder.parts[2])
    raise RuntimeError("nobody listens")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- staleness ---------------------------------------------------------------------------------


def _stale(lab: Lab, url: str, seconds: float) -> dict[str, Any]:
    ensure(lab.bootstrap, PARTITIONS, 1)
    ports = {"http": free_port(), "metrics": free_port()}
    with _process(lab, "collector", http_port=ports["http"], partitions=PARTITIONS), \
            _process(lab, "worker", partitions=PARTITIONS, metrics_port=ports["metrics"],
                     redis_url=url):
        chain = Chain(lab, ports)
        chain.wait_ready()
        given = float(os.environ.get("RATE", "0"))
        rate = given or asyncio.run(chain.ramp())[0] / 2
        took = asyncio.run(_probe(chain, url, rate, seconds))
        told = [line for line in _get(chain.metrics).splitlines()
                if line.startswith(("footfall_view_staleness", "footfall_view_written_total",
                                    "footfall_view_walks", "footfall_checkpoint_seconds_"))]
    p50, p99 = _percentiles(took)
    show(f"from HTTP 200 to the served view, ms: {len(took)} probes at {rate:,.0f} events/s",
         ("p50", "p99", "goal", "most"),
         [(f"{p50:.0f}", f"{p99:.0f}", verdict(p99, STALE_P99_MS, at_least=False),
           f"{max(took):.0f}")])
    return {"rate": rate, "p50_ms": p50, "p99_ms": p99, "max_ms": max(took), "metrics": told}


async def _probe(chain: Chain, url: str, rate: float, seconds: float) -> list[float]:
    import aiohttp
    from redis.asyncio import Redis

    view: Any = Redis.from_url(url)
    took: list[float] = []

    async def one(session: aiohttp.ClientSession, name: str) -> None:
        await chain._post(session, name, "Product Added", int(time.time() * 1000))
        began = time.monotonic()
        key = entry.key_of(keys.of("user_id", name))
        while not await view.exists(key):  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(PROBE_S)
        took.append((time.monotonic() - began) * 1000)

    async with aiohttp.ClientSession(headers=chain.headers) as session:
        loading = asyncio.create_task(chain.load(rate, seconds + 6))
        await asyncio.sleep(3)
        probes = []
        for n in range(int(PROBES_A_SECOND * seconds)):
            probes.append(asyncio.create_task(one(session, f"probe-{time.time_ns()}-{n}")))
            await asyncio.sleep(1 / PROBES_A_SECOND)
        await asyncio.gather(*probes)
        await loading
    await view.aclose()
    return took


# -- cost and equality -------------------------------------------------------------------------


def _load(lab: Lab, n: int) -> int:
    """A log of n customers, so many events each, everybody mixed; how many records."""
    dice = random.Random(11)
    at = int(time.time() * 1000)
    producer = Producer({"bootstrap.servers": lab.bootstrap, "linger.ms": 20,
                         "queue.buffering.max.messages": 1_000_000})
    everybody = list(range(n))
    for _ in range(EVENTS_EACH):
        dice.shuffle(everybody)
        for customer in everybody:
            key, value = encoded(dice, customer, at)
            while True:
                try:
                    producer.produce(topics.INTERACTIONS, value, key, partition_of(key, PARTITIONS))
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)
    producer.flush()
    return n * EVENTS_EACH


def _cost(lab: Lab, url: str, n: int, rounds: int, is_compared: bool) -> dict[str, Any]:
    lab.forget("footfall")
    time.sleep(2)
    ensure(lab.bootstrap, PARTITIONS, 1)
    count = _load(lab, n)
    found: dict[str, Any] = {"customers": n, "events": count, "without": [], "with": []}
    for _ in range(rounds):
        for name in ("without", "with"):
            found[name].append(_fold(lab, url if name == "with" else "", count))
            console.print(f"{name} a view: {found[name][-1]}")
    if rounds:
        rows = [(name, spread([1e6 * f["cpu_s"] / count for f in found[name]]),
                 spread([count / f["took_s"] for f in found[name]]))
                for name in ("without", "with")]
        show(f"{count:,} events of {n:,} customers, {rounds} rounds",
             ("view", "CPU us an event", "events/s"), rows)
    if is_compared:
        if not rounds:
            _fold(lab, url, count)
        state = State(lab.bootstrap)
        state.update()
        began = time.monotonic()
        wrong = asyncio.run(differences(url, state.records, state.partitions))
        total = sum(map(len, state.records.values()))
        console.print(f"{total:,} customers compared in {time.monotonic() - began:.0f} s: "
                      f"{len(wrong)} differ")
        found["compared"], found["differ"] = total, len(wrong)
    return found


def _fold(lab: Lab, url: str, count: int) -> dict[str, float]:
    """A worker over the whole log, from nothing; until all is durable and in the view."""
    lab.forget(topics.CHANGELOG)
    time.sleep(2)
    ensure(lab.bootstrap, PARTITIONS, 1)
    with contextlib.suppress(Exception):
        lab.admin.delete_consumer_groups([topics.APP_ID])[topics.APP_ID].result()
    if url:
        redis.Redis.from_url(url).flushall()
    port = free_port()
    settings = {"redis_url": url} if url else {}
    began = time.monotonic()
    with _process(lab, "worker", partitions=PARTITIONS, metrics_port=port, **settings):
        state = State(lab.bootstrap)
        _until(lambda: _applied(port) >= count, 240)
        applied_s = time.monotonic() - began
        _until(state.covered, 60)
        if url:
            _until(lambda: b'"view":"current"' in _get(
                f"http://{HOST}:{port}/readyz").encode(), 60)
        text = _get(f"http://{HOST}:{port}/metrics")
        cpu_s = next(float(x.split()[1]) for x in text.splitlines()
                     if x.startswith("process_cpu_seconds_total"))
        state.close()
    return {"cpu_s": cpu_s, "took_s": applied_s}


def _applied(port: int) -> float:
    return sum(float(line.rsplit(" ", 1)[1])
               for line in _get(f"http://{HOST}:{port}/metrics").splitlines()
               if line.startswith('footfall_processed_total{type="') and "$" not in line)

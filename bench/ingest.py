"""The collector alone on real Kafka: events a CPU-second in batches, single requests against the
same HTTP server with an empty handler, and the time from request to 200 at a steady 1,000 a second.

Loader, broker and collector share this machine; so throughput is told by the collector's own CPU
time, which depends little on what the others take. The empty server is aiohttp as the collector
runs it, with a handler that looks at nothing and answers `{}`; both are measured in turn.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp
from figures import show, verdict
from lab import WRITE_KEY, Lab

from footfall.admin.topics import ensure
from footfall.up.ports import HOST, free_port

PARTITIONS = 4
#: In batches, and in single requests: enough to keep the server busy while it waits for the log.
CONNECTIONS = {100: 8, 1: 64}
BATCH = 100
BATCHES = 600
SINGLES = 5_000
STEADY_PER_S = 1_000
STEADY_S = 10
READY_S_MAX = 60
GOALS = {"events_cpu_s": 30_000, "share_of_empty": 0.60, "p99_ms": 25}
AUTH = {"Authorization": "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode()}

_EMPTY = """
import sys
from aiohttp import web
async def answer(request): return web.Response(body=b"{}", content_type="application/json")
app = web.Application()
app.router.add_post("/v1/track", answer)
app.router.add_get("/readyz", answer)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""


def run(lab: Lab, _n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """Interleaved rounds of batches, singles and the empty handler; then the steady load."""
    ensure(lab.bootstrap, PARTITIONS, 1)
    port, bare = free_port(), free_port()
    found: dict[str, list[float]] = {"batches": [], "singles": [], "empty": []}
    with _child([sys.executable, "-m", "footfall", "collector"], lab.footfall(http_port=port),
                lab.folder, port) as ours, \
            _child([sys.executable, "-c", _EMPTY, str(bare)], lab.environment(), lab.folder,
                   bare) as empty:
        for _ in range(rounds):
            found["batches"].append(_rate(ours, port, "/v1/batch", BATCHES, BATCH))
            found["singles"].append(_rate(ours, port, "/v1/track", SINGLES, 1))
            found["empty"].append(_rate(empty, bare, "/v1/track", SINGLES, 1))
        latencies = asyncio.run(_steady(port))
    batches, singles, bare_rate = (median(found[k]) for k in ("batches", "singles", "empty"))
    p50, p99 = (quantiles(latencies, n=100)[cut] * 1000 for cut in (49, 98))
    share = singles / bare_rate
    show(f"ingest: the collector on Kafka, {rounds} rounds",
         ("what", "found", "goal"), [
             (f"events a CPU-second, batches of {BATCH}", f"{batches:,.0f}",
              verdict(batches, GOALS["events_cpu_s"], at_least=True)),
             ("single requests a CPU-second", f"{singles:,.0f}", ""),
             ("the same of an empty handler", f"{bare_rate:,.0f}", ""),
             ("share of the empty handler", f"{share:.2f}",
              verdict(share, GOALS["share_of_empty"], at_least=True)),
             (f"request to 200 at {STEADY_PER_S:,}/s, p50, ms", f"{p50:.1f}", ""),
             (f"request to 200 at {STEADY_PER_S:,}/s, p99, ms", f"{p99:.1f}",
              verdict(p99, GOALS["p99_ms"], at_least=False))])
    return {**found, "share_of_empty": share, "p50_ms": p50, "p99_ms": p99}


def _item(n: int) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "userId": f"user-{n % 5000}",
            "messageId": f"{os.getpid()}-{time.monotonic_ns()}-{n}",
            "timestamp": "2026-11-23T10:00:00.123Z",
            "properties": {"sku": "A-1", "price": 12.5, "category": "shoes",
                           "url": "https://shop.example/p/1"},
            "context": {"library": {"name": "bench", "version": "1"}}}


def _rate(child: subprocess.Popen[bytes], port: int, path: str, requests: int, items: int) -> float:
    """Items a CPU-second of the process."""
    bodies = [json.dumps(_item(n) if items == 1 else
                         {"batch": [_item(n * items + m) for m in range(items)]}).encode()
              for n in range(requests)]
    before = _cpu_s(child.pid)
    asyncio.run(_load(f"http://{HOST}:{port}{path}", bodies, CONNECTIONS[items]))
    return requests * items / (_cpu_s(child.pid) - before)


async def _load(url: str, bodies: list[bytes], connections: int) -> None:
    waiting = iter(bodies)

    async def sender(http: aiohttp.ClientSession) -> None:
        for body in waiting:
            async with http.post(url, data=body) as answer:
                await answer.read()
            assert answer.status == 200, answer.status

    async with aiohttp.ClientSession(headers=AUTH) as http:
        await asyncio.gather(*(sender(http) for _ in range(connections)))


async def _steady(port: int) -> list[float]:
    """Seconds from when each request was due to its 200: lateness of the loader counts as well."""
    url, found = f"http://{HOST}:{port}/v1/track", []
    bodies = [json.dumps(_item(n)).encode() for n in range(STEADY_PER_S * STEADY_S)]

    async def one(http: aiohttp.ClientSession, body: bytes, due: float) -> None:
        async with http.post(url, data=body) as answer:
            await answer.read()
        assert answer.status == 200, answer.status
        found.append(time.perf_counter() - due)

    async with aiohttp.ClientSession(headers=AUTH) as http, asyncio.TaskGroup() as tasks:
        start = time.perf_counter() + 0.1
        for n, body in enumerate(bodies):
            due = start + n / STEADY_PER_S
            if (ahead := due - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            tasks.create_task(one(http, body, due))
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _child(command: list[str], environment: dict[str, str], folder: Path, port: int
           ) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"ingest-{port}.log").open("wb") as out:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out,
                                 stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_S_MAX
        while not _is_ready(port):
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"a server did not start: {folder}/ingest-{port}.log")
            time.sleep(0.1)
        yield child
    finally:
        child.terminate()
        child.wait(20)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 405
    except OSError:
        return False

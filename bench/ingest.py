"""The collector alone on real Kafka: events a CPU-second in batches, single requests against the
same HTTP server with an empty handler, and the time from request to 200 at a steady 1,000 a second.

Loader, broker and collector share this machine; so throughput is told by the collector's own CPU
time, which depends little on what the others take. Two empty servers are measured in turn with it:
the collector's own connections and shortcut with a call that looks at nothing and answers `{}`,
which the goal is about, and aiohttp as its documentation shows it, with a router and a response.
At the steady rate the first of them tells what loader and machine take of the time.
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
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp
from figures import ratio_text, ratios, show, spread, verdict
from lab import WRITE_KEY, Lab

from footfall.admin.topics import ensure
from footfall.up.ports import HOST, free_port

PARTITIONS = 4
#: In batches, and in single requests: enough to keep the server busy while it waits for the log.
CONNECTIONS = {100: 8, 1: 64}
BATCH = 100
BATCHES = 600
SINGLES = 10_000
STEADY_PER_S = 1_000
STEADY_S = 10
READY_S_MAX = 60
GOALS = {"events_cpu_s": 30_000, "share_of_empty": 0.60, "p99_ms": 25}
AUTH = {"Authorization": "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode()}

_EMPTY = """
import asyncio, gc, sys, uvloop
from aiohttp import web
from footfall.collector import command, shortcut
from footfall.collector.answers import Answer
from footfall.collector.request_ids import RequestIds
from footfall.collector.serving import Runner
async def call(request): return Answer(200, b"{}")
async def ready(request): return web.Response()
async def serve():
    app = web.Application()
    app.router.add_get("/readyz", ready)
    app[shortcut.KEY] = shortcut.Shortcuts({"/v1/track": call}, lambda: False, RequestIds())
    runner = Runner(app)
    await runner.setup()
    await runner.listen("127.0.0.1", int(sys.argv[1]))
    gc.freeze()
    gc.set_threshold(*command.GARBAGE_THRESHOLDS)
    await asyncio.Event().wait()
asyncio.Runner(loop_factory=uvloop.new_event_loop).run(serve())
"""
_AIOHTTP = """
import sys
from aiohttp import web
async def answer(request): return web.Response(body=b"{}", content_type="application/json")
app = web.Application()
app.router.add_post("/v1/track", answer)
app.router.add_get("/readyz", answer)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""


def run(lab: Lab, _n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """Interleaved rounds of batches, singles and the empty servers; then the steady load."""
    ensure(lab.bootstrap, PARTITIONS, 1)
    ports = {name: free_port() for name in ("collector", "empty", "aiohttp")}
    commands = {"collector": ["-m", "footfall", "collector"],
                "empty": ["-c", _EMPTY, str(ports["empty"])],
                "aiohttp": ["-c", _AIOHTTP, str(ports["aiohttp"])]}
    rates: dict[str, list[float]] = {"batches": [], **{name: [] for name in ports}}
    waits: dict[str, list[tuple[float, float]]] = {"collector": [], "empty": []}
    with ExitStack() as running:
        children = {name: running.enter_context(serving(
            [sys.executable, *command], lab.footfall(http_port=ports[name]), lab.folder,
            ports[name])) for name, command in commands.items()}
        for _ in range(rounds):
            rates["batches"].append(_rate(children["collector"], ports["collector"], "/v1/batch",
                                          BATCHES, BATCH))
            for name, port in ports.items():
                rates[name].append(_rate(children[name], port, "/v1/track", SINGLES, 1))
        for _ in range(rounds):
            for name, found in waits.items():
                cuts = quantiles(asyncio.run(_steady(ports[name])), n=100)
                found.append((cuts[49] * 1000, cuts[98] * 1000))
    _show(rates, waits, rounds)
    return {**rates, "waits_ms": waits}


def _show(rates: dict[str, list[float]], waits: dict[str, list[tuple[float, float]]], rounds: int
          ) -> None:
    share = ratios(rates["collector"], rates["empty"])
    p99 = median(high for _low, high in waits["collector"])
    show(f"ingest: the collector on Kafka, {rounds} rounds", ("what", "found", "goal"), [
        (f"events a CPU-second, batches of {BATCH}", spread(rates["batches"]),
         verdict(median(rates["batches"]), GOALS["events_cpu_s"], at_least=True)),
        ("single requests a CPU-second", spread(rates["collector"]), ""),
        ("the same of an empty call", spread(rates["empty"]), ""),
        ("the same of aiohttp with an empty handler", spread(rates["aiohttp"]), ""),
        ("share of the empty call", ratio_text(share),
         verdict(median(share), GOALS["share_of_empty"], at_least=True)),
        ("share of aiohttp", ratio_text(ratios(rates["collector"], rates["aiohttp"])), "")])
    show(f"from request to 200 at {STEADY_PER_S:,}/s, ms", ("of", "p50", "p99", "goal"), [
        ("the collector", ratio_text([low for low, _high in waits["collector"]]),
         ratio_text([high for _low, high in waits["collector"]]),
         verdict(p99, GOALS["p99_ms"], at_least=False)),
        ("an empty call", ratio_text([low for low, _high in waits["empty"]]),
         ratio_text([high for _low, high in waits["empty"]]), "")])


def item(n: int) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "userId": f"user-{n % 5000}",
            "messageId": f"{os.getpid()}-{time.monotonic_ns()}-{n}",
            "timestamp": "2026-11-23T10:00:00.123Z",
            "properties": {"sku": "A-1", "price": 12.5, "category": "shoes",
                           "url": "https://shop.example/p/1"},
            "context": {"library": {"name": "bench", "version": "1"}}}


def _rate(child: subprocess.Popen[bytes], port: int, path: str, requests: int, items: int) -> float:
    """Items a CPU-second of the process."""
    bodies = [json.dumps(item(n) if items == 1 else
                         {"batch": [item(n * items + m) for m in range(items)]}).encode()
              for n in range(requests)]
    before = _cpu_s(child.pid)
    asyncio.run(load(f"http://{HOST}:{port}{path}", bodies, CONNECTIONS[items]))
    return requests * items / (_cpu_s(child.pid) - before)


async def load(url: str, bodies: Iterable[bytes], connections: int) -> None:
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
    bodies = [json.dumps(item(n)).encode() for n in range(STEADY_PER_S * STEADY_S)]

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
def serving(command: list[str], environment: dict[str, str], folder: Path, port: int
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

"""What `track()` costs the host app: of our SDK, of its spool, and of segment-analytics-python.

Each contender is a process of its own that sends to a server that answers at once; the server is
another process. Two loads: flat out (n calls one after the other: the sender works beside, so wall
time holds what it takes of the interpreter) and paced (a sleep of 1 ms before each call: caches and
CPU have gone cold, which costs any code several times what it costs warm). CPU is that of the
calling thread alone; the goal of 10 us is on it, flat out.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab import Lab

GOAL_US = 10
CALLS_MAX = 100_000
PACED_CALLS = 5_000
PACE_S = 0.001
CONTENDERS = ("footfall", "footfall with a spool", "segment-analytics-python")
PROPERTIES = {"product_id": "p1", "name": "Walking boots", "category": "shoes", "price": "129.90",
              "quantity": 1, "currency": "EUR", "cart_id": "c-4711"}


def run(lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """All in turns."""
    from figures import console, show, spread, verdict
    from lab import run_json

    n = min(n, CALLS_MAX)
    results: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    environment = lab.environment(PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    with subprocess.Popen([sys.executable, __file__, "server"], env=environment,
                          stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            for number in range(rounds):
                for name in CONTENDERS[:: -1 if number % 2 else 1]:
                    found = run_json([sys.executable, __file__, name, url, str(n)], environment,
                                     lab.folder / name.replace(" ", "-"))
                    results[name].append(found)
                    console.print(f"round {number + 1}: {name}: {found['cpu_us']:.1f} us CPU a "
                                  f"call, paced p50 {found['paced_p50_us']:.1f} us")
        finally:
            server.terminate()
    columns = ("cpu_us", "wall_us", "paced_cpu_us", "paced_p50_us", "paced_p99_us")
    rows = []
    for name, rows_of in results.items():
        cpu = median(r["cpu_us"] for r in rows_of)
        rows.append((name, *(spread([r[c] for r in rows_of]) for c in columns),
                     verdict(cpu, GOAL_US, at_least=False)))
    show(f"track(), us a call: {n:,} flat out, {PACED_CALLS:,} paced, {rounds} rounds",
         ("SDK", "CPU flat out", "wall flat out", "CPU paced", "p50 paced", "p99 paced", "goal"),
         rows)
    return {"calls": n, "results": results}


def client_of(name: str, url: str, calls: int, spool: str) -> Any:
    """A client of a contender that nothing is dropped by."""
    if name == "segment-analytics-python":
        from segment.analytics.client import Client as Segment

        return Segment("k", host=url, max_queue_size=calls)
    from footfall import Client

    return Client("k", url, max_queue_size=calls, spool=spool if name != "footfall" else None)


def measure(name: str, url: str, calls: int) -> dict[str, float]:
    """Both loads in this process."""
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        client = client_of(name, url, calls, folder)
        for _ in range(1_000):
            client.track("warm", "up", PROPERTIES)
        client.flush()
        cpu, wall = time.thread_time(), time.perf_counter()
        for at in range(calls - 1):
            client.track(f"user-{at}", "Product Added", PROPERTIES)
        found = {"cpu_us": (time.thread_time() - cpu) / calls * 1e6,
                 "wall_us": (time.perf_counter() - wall) / calls * 1e6}
        client.flush(120) if name.startswith("footfall") else client.flush()
        spent, took = 0.0, []
        for at in range(PACED_CALLS):
            time.sleep(PACE_S)
            cpu, wall = time.thread_time(), time.perf_counter()
            client.track(f"user-{at}", "Product Added", PROPERTIES)
            took.append((time.perf_counter() - wall) * 1e6)
            spent += time.thread_time() - cpu
        cuts = quantiles(took, n=100)
        found |= {"paced_cpu_us": spent / PACED_CALLS * 1e6, "paced_p50_us": cuts[49],
                  "paced_p99_us": cuts[98]}
        client.flush()
        if name.startswith("footfall"):
            counts = client.counts()
            assert counts.accepted == 1_000 + calls - 1 + PACED_CALLS, counts
            client.close()
    return found


async def serve() -> None:
    """Takes any request and says yes."""
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"success":true}'

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                await reader.readexactly(size)
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1_000_000)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "server":
        asyncio.run(serve())
    else:
        print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))))

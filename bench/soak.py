"""Ten minutes of the collector at a moderate rate: does its memory stay where it is?

Single calls, batches, packed ones, bad items, bad bodies and wrong keys, at a fixed rate. Before
that as many items as it remembers for `duplicate` are sent, so that this memory is full. Its
resident memory is read each few seconds; told are the slope, by least squares, and the medians of
the first and the last minute. Loader, broker and collector together keep below half a core, so it
may run beside other work: it measures no speed. SOAK_S makes it shorter, for a try.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
import time
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

import aiohttp
from figures import show, verdict
from ingest import AUTH, PARTITIONS, item, load, serving
from lab import Lab

from footfall.admin.topics import ensure
from footfall.collector.acknowledged import GENERATION_MAX
from footfall.up.ports import HOST, free_port

SECONDS = int(os.environ.get("SOAK_S", "600"))
SAMPLE_S = 5
#: So long the first and the last median are taken over.
EDGE_S = 60
BATCH = 50
WARM_BATCH = 1_000
#: Of the last minute's median over the first's. What it remembers for `duplicate` comes and goes by
#: generations, which moves it by 3 %.
GROWTH_MAX = 1.05

Call = tuple[str, bytes, dict[str, str], int]


def run(lab: Lab, _n: int, _rounds: int, _only: set[str]) -> dict[str, Any]:
    """Fill what it remembers, then load and look."""
    ensure(lab.bootstrap, PARTITIONS, 1)
    port = free_port()
    with serving([sys.executable, "-m", "footfall", "collector"], lab.footfall(http_port=port),
                 lab.folder, port) as child:
        bodies = (json.dumps(_batch(n, WARM_BATCH)).encode()
                  for n in range(0, 2 * GENERATION_MAX + WARM_BATCH, WARM_BATCH))
        asyncio.run(load(f"http://{HOST}:{port}/v1/batch", bodies, 2))
        samples, sent = asyncio.run(_soak(port, child.pid))
    slope = linear_regression([at / 60 for at, _mb in samples], [mb for _at, mb in samples]).slope
    first = median(mb for at, mb in samples if at <= EDGE_S)
    last = median(mb for at, mb in samples if at >= samples[-1][0] - EDGE_S)
    show(f"soak: {SECONDS} s, {sent:,} requests, {len(samples)} samples", ("what", "found", "goal"),
         [("resident memory, median of the first minute, MB", f"{first:.1f}", ""),
          ("of the last", f"{last:.1f}", ""),
          ("last over first", f"{last / first:.3f}",
           verdict(last / first, GROWTH_MAX, at_least=False)),
          ("slope, MB a minute", f"{slope:+.3f}", "")])
    return {"mb": samples, "slope_mb_min": slope, "first_mb": first, "last_mb": last, "sent": sent}


def _batch(n: int, items: int) -> dict[str, Any]:
    return {"batch": [item(n + m) for m in range(items)]}


def _second(n: int) -> list[Call]:
    """What is sent in one second: path, body, headers, and the status it must have."""
    bad = {**item(n), "timestamp": "no time"}
    calls: list[Call] = [("track", json.dumps(item(n + m)).encode(), AUTH, 200) for m in range(20)]
    calls += [("batch", json.dumps(_batch(n, BATCH)).encode(), AUTH, 200)] * 2
    calls += [
        ("batch", gzip.compress(json.dumps(_batch(n, BATCH)).encode()),
         {**AUTH, "Content-Encoding": "gzip"}, 200),
        ("batch", json.dumps({"batch": [item(n), bad, 1, "x"]}).encode(), AUTH, 200),
        ("track", json.dumps(bad).encode(), AUTH, 400),
        ("track", b'{"cut off', AUTH, 400),
        ("track", json.dumps(item(n)).encode(), {"Authorization": "Basic bm8="}, 401),
        ("batch", b" " * (4 * 1024 * 1024 + 64 * 1024 + 1), AUTH, 413),
    ]
    return calls


async def _soak(port: int, pid: int) -> tuple[list[tuple[float, float]], int]:
    """(Second, megabytes) of each sample, and how many requests were answered as they must."""
    samples: list[tuple[float, float]] = []
    sent = 0
    start = time.monotonic()
    async with aiohttp.ClientSession() as http:
        for second in range(SECONDS):
            for path, body, headers, status in _second(second * 1000):
                async with http.post(f"http://{HOST}:{port}/v1/{path}", data=body, headers=headers
                                     ) as answer:
                    await answer.read()
                assert status == answer.status, (path, status, answer.status)
                sent += 1
            if second % SAMPLE_S == 0:
                samples.append((time.monotonic() - start, _resident_mb(pid)))
            await asyncio.sleep(max(0.0, start + second + 1 - time.monotonic()))
    return samples, sent


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

"""Streams of triggers over HTTP: STREAMS (500) at one collector, what each costs, how late it is.

    open      memory of the collector with none and with all of them, and CPU while nothing comes
    deliver   a trigger now and then, until the last of all has it: from its producing to each one
    burst     many at once: how many events a second one core writes
    nobody    to clients that read nothing: what they cost before they are cut, and how late that
              makes another's answer (`GET /metrics`)

A collector as it is shipped, on a Kafka of its own; it has one core, loader and broker the other.
`--only open,deliver,burst,nobody` picks. A round is some 25 s.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from confluent_kafka import Producer
from figures import show, verdict
from lab import Lab
from latency import PARTITIONS, _get, _percentiles, _process
from tests.events.records import a_trigger

from footfall.admin.topics import ensure
from footfall.events import topics
from footfall.events.codec import Codecs
from footfall.up.ports import HOST, free_port
from view import _cpu_s, _pid_of, _until

PARTS = ("open", "deliver", "burst", "nobody")
STREAMS = int(os.environ.get("STREAMS", "500"))
API_KEY = "bench-api-key"
#: A stream that waits for nothing: buffers of a connection, the task, its queue.
STREAM_KIB = 100
DELIVERED_P99_MS = 500
IDLE_S = 5
TRIGGERS_A_SECOND = 10
DELIVER_S = 10
BURST = 2_000
WAIT_S_MAX = 60
#: What may wait for a client, and what its transport holds besides.
DEAF = 4_000
DEAF_KIB = 256 + 128
_MARK = b"event: trigger"


class Stream(asyncio.Protocol):
    """One client: counts what comes, and notes when."""

    def __init__(self, of: Streams) -> None:
        self._of = of
        self._is_open = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.transport.write(
            f"GET /v1/triggers/stream HTTP/1.1\r\nHost: {HOST}\r\n"
            f"Authorization: Bearer {API_KEY}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        if not self._is_open:
            assert data.startswith(b"HTTP/1.1 200"), data[:200]
            self._is_open = True
            self._of.opened += 1
        data = self._rest + data
        count = data.count(_MARK)
        self._rest = data[-len(_MARK) + 1:]  # one may be cut in two
        if count:
            self._of.got += count
            self._of.took.append(time.monotonic() - self._of.sent_at)


class Streams:
    """All clients, the producer, and the process that serves them."""

    def __init__(self, lab: Lab, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid
        self.opened = self.got = 0
        self.sent_at = 0.0
        self.took: list[float] = []
        self.clients: list[Stream] = []
        self._number = 0
        self._codec = Codecs().trigger
        self._producer = Producer({"bootstrap.servers": lab.bootstrap, "linger.ms": 0})

    async def open(self, count: int, *, is_deaf: bool = False) -> None:
        wanted = self.opened + count
        loop = asyncio.get_running_loop()
        for _ in range(count):
            made = socket.socket()
            if is_deaf:  # else the kernel reads for it
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            made.setblocking(False)
            await loop.sock_connect(made, (HOST, self.port))
            _transport, client = await loop.create_connection(lambda: Stream(self), sock=made)
            self.clients.append(client)
        await self.until(lambda: self.opened == wanted)

    async def close(self) -> None:
        for client in self.clients:
            client.transport.abort()
        self.clients.clear()
        await self.until(lambda: "footfall_subscribers 0.0" in _get(
            f"http://{HOST}:{self.port}/metrics"))

    def send(self, count: int) -> None:
        self.sent_at = time.monotonic()
        for _ in range(count):
            self._number += 1
            record = a_trigger(trigger_id=f"{time.time_ns():016x}{self._number:016x}")
            self._producer.produce(topics.TRIGGERS, self._codec.encode(record),
                                   partition=self._number % PARTITIONS)
        self._producer.flush()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def metrics(self) -> tuple[float, str]:
        """How long another has waited for its answer, and the answer."""
        asked = time.monotonic()
        text = await asyncio.to_thread(_get, f"http://{HOST}:{self.port}/metrics")
        return time.monotonic() - asked, text

    def rss_kib(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def run(lab: Lab, _n: int, rounds: int, only: set[str]) -> dict[str, Any]:
    """The parts that are asked for, in order."""
    wanted = [part for part in PARTS if not only or part in only]
    ensure(lab.bootstrap, PARTITIONS, 1)
    port = free_port()
    with _process(lab, "collector", http_port=port, api_key=API_KEY, partitions=PARTITIONS,
                  subscribers_max=STREAMS, subscribers_of_key_max=STREAMS):
        _until(lambda: _get(f"http://{HOST}:{port}/readyz"))
        pid = _pid_of(port)
        os.sched_setaffinity(pid, {0})
        os.sched_setaffinity(0, {1})
        try:
            return asyncio.run(_run(Streams(lab, port, pid), rounds, wanted))
        finally:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))


async def _run(streams: Streams, rounds: int, wanted: list[str]) -> dict[str, Any]:
    await streams.open(1)  # the shared reading begins with the first
    streams.send(10)
    await streams.until(lambda: streams.got == 10)
    await streams.close()
    found: dict[str, Any] = {"streams": STREAMS}
    before = streams.rss_kib()
    await streams.open(STREAMS)
    if "open" in wanted:
        found["open"] = await _open(streams, before)
    if "deliver" in wanted:
        found["deliver"] = [await _deliver(streams) for _ in range(rounds)]
        p50, p99 = (sorted(one[name] for one in found["deliver"])[rounds // 2]
                    for name in ("p50_ms", "p99_ms"))
        all50, all99 = (sorted(one[name] for one in found["deliver"])[rounds // 2]
                        for name in ("all_p50_ms", "all_p99_ms"))
        cpu = sorted(one["cpu_ms"] for one in found["deliver"])[rounds // 2]
        show(f"{TRIGGERS_A_SECOND} triggers a second to {STREAMS} streams, {rounds} rounds",
             ("from producing it", "p50 ms", "p99 ms", "goal", "CPU ms a trigger"),
             [("to each", f"{p50:.0f}", f"{p99:.0f}", "", ""),
              ("to the last of all", f"{all50:.0f}", f"{all99:.0f}",
               verdict(all99, DELIVERED_P99_MS, at_least=False), f"{cpu:.1f}")])
    if "burst" in wanted:
        found["burst"] = await _burst(streams)
    await streams.close()
    if "nobody" in wanted:
        found["nobody"] = await _nobody(streams)
    return found


async def _open(streams: Streams, before: float) -> dict[str, Any]:
    each = (streams.rss_kib() - before) / STREAMS
    cpu = _cpu_s(streams.pid)
    await asyncio.sleep(IDLE_S)
    idle = (_cpu_s(streams.pid) - cpu) / IDLE_S * 100
    show(f"{STREAMS} streams, nothing comes", ("collector", "with none MiB", "a stream KiB", "goal",
                                               "CPU %"),
         [("", f"{before / 1024:.0f}", f"{each:.0f}",
           verdict(each, STREAM_KIB, at_least=False), f"{idle:.1f}")])
    return {"none_kib": before, "stream_kib": each, "idle_cpu_percent": idle}


async def _deliver(streams: Streams) -> dict[str, Any]:
    each: list[float] = []
    last: list[float] = []
    cpu = _cpu_s(streams.pid)
    count = TRIGGERS_A_SECOND * DELIVER_S
    for _ in range(count):
        streams.took, wanted = [], streams.got + STREAMS
        streams.send(1)
        await streams.until(lambda wanted=wanted: streams.got >= wanted)
        each += streams.took
        last.append(max(streams.took))
        await asyncio.sleep(max(0.0, streams.sent_at + 1 / TRIGGERS_A_SECOND - time.monotonic()))
    p50, p99 = _percentiles([1000 * one for one in each])
    all50, all99 = _percentiles([1000 * one for one in last])
    return {"p50_ms": p50, "p99_ms": p99, "all_p50_ms": all50, "all_p99_ms": all99,
            "cpu_ms": (_cpu_s(streams.pid) - cpu) / count * 1000}


async def _burst(streams: Streams) -> dict[str, Any]:
    wanted, cpu, began = streams.got + BURST * STREAMS, _cpu_s(streams.pid), time.monotonic()
    before = streams.rss_kib()
    streams.send(BURST)
    most, answered = before, []
    while streams.got < wanted:
        answered.append((await streams.metrics())[0])
        await asyncio.sleep(0.02)
        most = max(most, streams.rss_kib())
        assert time.monotonic() < began + WAIT_S_MAX
    took, used = time.monotonic() - began, _cpu_s(streams.pid) - cpu
    events, late = BURST * STREAMS, 1000 * max(answered)
    show(f"{BURST:,} triggers at once",
         ("events", "s", "events/s", "CPU us an event", "more MiB", "another's answer, at most ms"),
         [(f"{events:,}", f"{took:.1f}", f"{events / took:,.0f}", f"{used / events * 1e6:.1f}",
           f"{(most - before) / 1024:.0f}", f"{late:.0f}")])
    return {"events": events, "took_s": took, "cpu_us": used / events * 1e6,
            "more_kib": most - before, "answered_ms": late}


async def _nobody(streams: Streams) -> dict[str, Any]:
    before = streams.rss_kib()
    await streams.open(STREAMS, is_deaf=True)
    for client in streams.clients:
        client.transport.pause_reading()
    most, answered = before, []
    deadline = time.monotonic() + 30
    is_cut, sent = False, 0
    while not is_cut and time.monotonic() < deadline:
        if sent < DEAF:
            streams.send(100)
            sent += 100
        took, text = await streams.metrics()
        answered.append(took)
        most = max(most, streams.rss_kib())
        is_cut = "footfall_subscribers 0.0" in text
    each, late = (most - before) / STREAMS, 1000 * max(answered)
    show(f"{sent:,} triggers to {STREAMS} clients that read nothing",
         ("", "a stream KiB at most", "goal", "cut", "another's answer, at most ms"),
         [("", f"{each:.0f}", verdict(each, DEAF_KIB, at_least=False),
           "all" if is_cut else "not all", f"{late:.0f}")])
    return {"stream_kib": each, "are_cut": is_cut, "answered_ms": late}

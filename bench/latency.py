"""The whole chain on real Kafka: HTTP POST -> collector -> log -> worker -> trigger in Kafka.

First a ramp finds the rate that the chain sustains; then, at half of it, probes are measured: an
order of a customer whose cart was abandoned, which tells `cart_recovered` at once. From the moment
its HTTP 200 is read to the trigger's append (the broker's own time, in whole milliseconds). A probe
that arrives in the log before its 200 is read may even give less than nothing; then it counts as 0.
Loader, collector, broker and worker share this machine.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import quantiles
from typing import Any

import aiohttp
from confluent_kafka import Consumer, TopicPartition
from customers import codecs, keys
from figures import console, show, verdict
from lab import LOG_TIME, WRITE_KEY, Lab

from footfall.admin.topics import ensure
from footfall.events import topics
from footfall.up.ports import HOST, free_port

PARTITIONS = 4
GOALS_MS = (50, 250)
RAMP_START = 2_000
RAMP_FACTOR = 1.3
RAMP_STEP_S = 8
#: Sustained: so much of what was offered is taken, and the worker lags by no more seconds.
TAKEN_MIN = 0.95
LAG_S_MAX = 1.0
BATCH = 50
CONNECTIONS = 8
CUSTOMERS = 20_000
PROBES_A_SECOND = 10
#: A cart that was left 40 minutes ago is told once its deadline has settled.
LEFT_MS = 40 * 60_000
SETTLED_S = 14
READY_S_MAX = 60


def run(lab: Lab, _n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """Ramp, then measure for 20 s a round."""
    # As shipped, but that the broker says when it appended a trigger.
    lab.create(topics.TRIGGERS, partitions=PARTITIONS, config=LOG_TIME)
    ensure(lab.bootstrap, PARTITIONS, 1)
    ports = {"http": free_port(), "metrics": free_port()}
    with _process(lab, "collector", http_port=ports["http"]), \
            _process(lab, "worker", partitions=PARTITIONS, metrics_port=ports["metrics"]):
        chain = Chain(lab, ports)
        chain.wait_ready()
        sustained, steps = asyncio.run(chain.ramp())
        found = asyncio.run(chain.measure(sustained / 2, 20 * rounds))
    rows = []
    for name in ("http_200", "sent", "append"):
        p50, p99 = _percentiles(found[name])
        goals = ([verdict(p, g, at_least=False) for p, g in zip((p50, p99), GOALS_MS, strict=True)]
                 if name == "http_200" else ["", ""])
        rows.append((_NAMES[name], f"{p50:.0f}", goals[0], f"{p99:.0f}", goals[1],
                     f"{max(found[name]):.0f}"))
    show(f"latency, ms: {len(found['append'])} probes at {sustained / 2:,.0f} events/s, half of the"
         f" {sustained:,.0f} that the chain sustains here",
         ("to the trigger's append, from", "p50", "goal", "p99", "goal", "most"), rows)
    return {"sustained": sustained, "steps": steps, "load": sustained / 2, "lost": found["lost"],
            **{name: _percentiles(found[name]) for name in _NAMES},
            "probes": len(found["append"])}


_NAMES = {"http_200": "HTTP 200", "sent": "the request", "append": "the order's append"}


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own, on loopback
        text: str = answer.read().decode()
        return text


def _percentiles(values: list[float]) -> tuple[float, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]


@contextmanager
def _process(lab: Lab, command: str, **settings: Any) -> Iterator[None]:
    with (lab.folder / f"{command}.log").open("wb") as out:
        child = subprocess.Popen([sys.executable, "-m", "footfall", command], cwd=lab.folder,
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 env=lab.footfall(**settings))
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


class Chain:
    """The running processes, and what is sent through them."""

    def __init__(self, lab: Lab, ports: dict[str, int]) -> None:
        self.lab = lab
        self.url = f"http://{HOST}:{ports['http']}"
        self.metrics = f"http://{HOST}:{ports['metrics']}/metrics"
        self.port = ports["http"]
        self.dice = random.Random(5)
        self.number = 0
        #: What each probe's items carry as their context.
        self.context: dict[str, Any] = {}
        token = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}"}
        self._head = "\r\n".join((
            "POST /v1/batch HTTP/1.1", f"Host: {HOST}:{self.port}", f"Authorization: Basic {token}",
            "Content-Type: application/json", "Content-Length: %d", "", ""))

    def wait_ready(self) -> None:
        """Until collector and worker do their work."""
        deadline = time.monotonic() + READY_S_MAX
        while True:
            try:
                _get(f"{self.url}/readyz")
                if b'"message":"ready"' in (self.lab.folder / "worker.log").read_bytes():
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError("the chain did not get ready:\n" + "\n".join(
                    (self.lab.folder / f"{n}.log").read_text(errors="replace")[-1000:]
                    for n in ("collector", "worker")))
            time.sleep(0.1)

    # -- load ----------------------------------------------------------------------------------

    def _batch(self) -> bytes:
        """One request: events as in bench/customers.py, from a template, for the loader's sake."""
        at = int(time.time() * 1000)
        items = []
        for _ in range(BATCH):
            self.number += 1
            customer = int(CUSTOMERS * self.dice.random())
            items.append(_ITEMS[self.number % len(_ITEMS)] % (self.number, customer, at, customer))
        body = '{"batch":[' + ",".join(items) + "]}"
        return (self._head % len(body) + body).encode()

    async def load(self, rate: float, seconds: float) -> int:
        """Offer so many events a second; how many were acknowledged in that time."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(CONNECTIONS)
        taken = 0

        async def connection() -> None:
            nonlocal taken
            reader, writer = await asyncio.open_connection(HOST, self.port)
            try:
                while True:
                    writer.write(await queue.get())
                    head = await reader.readuntil(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 200"), head
                    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                    await reader.readexactly(length)
                    taken += BATCH
            finally:
                writer.close()

        senders = [asyncio.create_task(connection()) for _ in range(CONNECTIONS)]
        began = time.monotonic()
        due = began
        while (now := time.monotonic()) < began + seconds:
            if now < due:
                await asyncio.sleep(due - now)
            await queue.put(self._batch())
            due += BATCH / rate
        for sender in senders:
            sender.cancel()
        for outcome in await asyncio.gather(*senders, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        return taken

    async def ramp(self) -> tuple[float, list[dict[str, float]]]:
        """The highest rate that was taken and followed, and each step."""
        rate, best, steps = float(RAMP_START), 0.0, []
        await self.load(RAMP_START, 3)
        while True:
            taken = await self.load(rate, RAMP_STEP_S) / RAMP_STEP_S
            lag = await asyncio.to_thread(self._lag) / rate
            steps.append({"offered": rate, "taken": taken, "lag_s": lag})
            console.print(f"offered {rate:,.0f} events/s: {taken:,.0f} taken, "
                          f"the worker lags {lag:.2f} s")
            if taken < TAKEN_MIN * rate or lag > LAG_S_MAX:
                break
            best = taken
            rate *= RAMP_FACTOR
        for _ in range(READY_S_MAX):
            if await asyncio.to_thread(self._lag) < rate / 100:
                break
            await asyncio.sleep(1)
        return best, steps

    def _lag(self) -> int:
        """Records in the log that the worker has not applied, as of its last checkpoint."""
        consumer = Consumer({"bootstrap.servers": self.lab.bootstrap, "group.id": "bench-lag"})
        ends = sum(consumer.get_watermark_offsets(TopicPartition(topics.INTERACTIONS, p))[1]
                   for p in range(PARTITIONS))
        consumer.close()
        lines = _get(self.metrics).splitlines()
        applied = sum(float(line.rsplit(" ", 1)[1]) for line in lines
                      if line.startswith(("footfall_processed_total", "footfall_duplicates_total")))
        return max(ends - int(applied), 0)

    # -- probes --------------------------------------------------------------------------------

    async def measure(self, rate: float, seconds: float) -> dict[str, Any]:
        """Probes while the load runs; milliseconds by what they are counted from."""
        count = int(PROBES_A_SECOND * seconds)
        names = [f"probe-{time.time_ns()}-{n}" for n in range(count)]
        consumer = Consumer({"bootstrap.servers": self.lab.bootstrap, "group.id": "bench-probes",
                             "enable.auto.commit": False})
        starts = [TopicPartition(topics.TRIGGERS, p) for p in range(PARTITIONS)]
        for tp in starts:
            tp.offset = consumer.get_watermark_offsets(tp)[1]
        log_starts = [TopicPartition(topics.INTERACTIONS, p) for p in range(PARTITIONS)]
        for tp in log_starts:
            tp.offset = consumer.get_watermark_offsets(tp)[1]
        async with aiohttp.ClientSession(headers=self.headers) as session:
            loading = asyncio.create_task(self.load(rate, seconds + SETTLED_S + 5))
            left = int(time.time() * 1000) - LEFT_MS
            for name in names:
                await self._post(session, name, "Product Added", left)
            await asyncio.sleep(SETTLED_S)
            times = {}
            due = time.monotonic()
            for name in names:
                await asyncio.sleep(max(due - time.monotonic(), 0))
                due += 1 / PROBES_A_SECOND
                sent = time.time() * 1000
                await self._post(session, name, "Order Completed", int(sent))
                times[keys.of("user_id", name)] = (sent, time.time() * 1000)
            await loading
        return await asyncio.to_thread(self._collect, consumer, starts, log_starts, times)

    async def _post(self, session: aiohttp.ClientSession, name: str, event: str, at: int) -> None:
        product = {"product_id": "p1", "price": "12.50", "quantity": 1}
        properties: dict[str, Any] = product | {"currency": "EUR"}
        if event == "Order Completed":
            properties = {"order_id": name, "total": "12.50", "currency": "EUR",
                          "products": [product]}
        body = {"event": event, "userId": name, "messageId": f"{name}-{event[:1]}",
                "timestamp": at, "properties": properties, "context": self.context}
        async with session.post(f"{self.url}/v1/track", json=body) as answer:
            await answer.read()
            assert answer.status == 200, answer.status

    def _collect(self, consumer: Consumer, starts: list[TopicPartition],
                 log_starts: list[TopicPartition], times: dict[bytes, tuple[float, float]]
                 ) -> dict[str, Any]:
        triggers = {m.key(): m.timestamp()[1] for m in _read(consumer, starts)
                    if codecs.trigger.decode(m.value())["name"] == "cart_recovered"}
        orders: dict[bytes, int] = {}
        for message in _read(consumer, log_starts):
            if message.key() in times:
                orders[message.key()] = message.timestamp()[1]  # the last one is the order
        consumer.close()
        found: dict[str, Any] = {name: [] for name in _NAMES}
        for key, (sent, answered) in times.items():
            if key in triggers:
                found["http_200"].append(max(triggers[key] - answered, 0.0))
                found["sent"].append(triggers[key] - sent)
                found["append"].append(float(triggers[key] - orders[key]))
        found["lost"] = len(times) - len(found["append"])
        return found


def _read(consumer: Consumer, starts: list[TopicPartition]) -> Iterator[Any]:
    """All that lies in the topic from there on."""
    ends = {tp.partition: consumer.get_watermark_offsets(
        TopicPartition(tp.topic, tp.partition))[1] for tp in starts}
    left = {tp.partition for tp in starts if tp.offset < ends[tp.partition]}
    consumer.assign([tp for tp in starts if tp.partition in left])
    while left:
        for message in consumer.consume(5000, 5.0):
            if message.error() is None:
                yield message
                if message.offset() >= ends[message.partition()] - 1:
                    left.discard(message.partition())


def _items() -> list[str]:
    from customers import item

    dice = random.Random(9)
    made = []
    for _ in range(200):
        one = item(dice, 0, 0)
        one.setdefault("context", {})["ip"] = "10.1.2.3"
        one.pop("timestamp")
        one.pop("anonymousId")
        text = json.dumps(one | {"messageId": "@M", "timestamp": "@T", "userId": "@U",
                                 "anonymousId": "@A"}).replace("%", "%%")
        # In the order of the template's arguments: JSON keeps that of the dictionary.
        text = text.replace('"@M"', '"bench-message-%015d"').replace('"@T"', "%d")
        made.append(text.replace('"@U"', '"user-%08d"').replace('"@A"', '"7f3c%08x-5a1e-4d0b"'))
    return made


_ITEMS = _items()

"""A worker that comes back when every customer's cart has long been left: all timers at once.

The records are those of `recovery.py`, filled three hours ago; then nobody wrote and no worker ran.
Each deadline settles, then all fire. Measured from "ready" until the last trigger is out and the
offset behind it committed: how long the worker did not answer, whether it kept its partitions, what
it took. One that ends is started again, as a supervisor would.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Consumer, TopicPartition
from customers import codecs
from figures import console, ratio_text, show
from lab import Lab
from recovery import PARTITIONS, write

from footfall.admin.topics import ensure
from footfall.events import topics
from footfall.up.ports import free_port

AGO_MS = 3 * 3_600_000
DONE_S_MAX = 900
ASK_S = 0.05
TOLD = "cart_abandoned"


def run(lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """`n` customers, left anew for each round."""
    found = []
    for number in range(rounds):
        lab.forget("footfall")
        time.sleep(2)
        ensure(lab.bootstrap, PARTITIONS, 1)
        write(lab, n, AGO_MS)
        found.append(_round(lab, n, lab.folder / f"worker-{number}.log"))
        console.print(f"round {number + 1}: {found[-1]}")

    def column(name: str) -> str:
        return ratio_text([f[name] for f in found])

    show(f"outage: {n:,} customers whose carts were left, {rounds} rounds",
         ("what", "median (lowest-highest)"),
         [("ready to the last trigger committed, s", column("done_s")),
          ("longest time without an answer, s", column("silent_s")),
          ("workers that ended", column("ended")),
          ("assignments", column("assigned")),
          ("triggers in the topic for one", column("repeats")),
          ("CPU, s", column("cpu_s")),
          ("resident memory at its highest, MB", column("rss_max_mb"))])
    return {"customers": n, "rounds": found}


class Worker:
    """A worker, and a thread that asks it whether it is alive."""

    def __init__(self, lab: Lab, log: Path, **more: object) -> None:
        self.log = log
        self.port = free_port()
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "footfall", "worker"], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, cwd=lab.folder, env=lab.footfall(
                    partitions=PARTITIONS, metrics_port=self.port, **more))
        self.silent_s = self.rss_max_mb = self.cpu_s = 0.0
        self.assigned = 0
        self._ends = False
        self._asking = threading.Thread(target=self._ask)

    def until_ready(self) -> None:
        """Wait until it has taken up work; from then on it is asked."""
        said = self.log.read_bytes().count(b'"message":"ready"')
        while self.log.read_bytes().count(b'"message":"ready"') == said:
            if self.process.poll() is not None:
                raise RuntimeError(f"ended: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        self._asking.start()

    def end(self) -> int:
        """SIGTERM; the exit code."""
        self.look()
        self._ends = True
        self.process.terminate()
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._asking.join()
        return code

    def look(self) -> None:
        """Take its memory and CPU time down, while it lives."""
        with contextlib.suppress(OSError, KeyError, ProcessLookupError):
            memory = dict(line.split(":", 1) for line in
                          Path(f"/proc/{self.process.pid}/status").read_text().splitlines())
            self.rss_max_mb = int(memory["VmHWM"].split()[0]) / 1024
            times = Path(f"/proc/{self.process.pid}/stat").read_text().split()[13:15]
            self.cpu_s = sum(map(int, times)) / 100

    def _ask(self) -> None:
        while self.process.poll() is None and not self._ends:
            began = time.monotonic()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=300).read()
                self.silent_s = max(self.silent_s, time.monotonic() - began)
            self.look()
            time.sleep(ASK_S)


def _round(lab: Lab, n: int, log: Path) -> dict[str, float]:
    workers: list[Worker] = []
    began = 0.0
    while True:
        worker = Worker(lab, log)
        workers.append(worker)
        worker.until_ready()
        began = began or time.monotonic()
        while worker.process.poll() is None and time.monotonic() - began < DONE_S_MAX:
            if told(lab) >= n and covered(lab):
                break
            time.sleep(0.5)
        else:
            if time.monotonic() - began < DONE_S_MAX:
                console.print(f"ended: {worker.process.returncode}: {log.read_bytes()[-300:]!r}")
                continue
        break
    done_s = time.monotonic() - began
    console.print(f"exit code {workers[-1].end()}")
    ids = trigger_ids(lab)
    assert len(set(ids)) == n, (len(set(ids)), n)
    return {"done_s": done_s, "silent_s": max(w.silent_s for w in workers),
            "ended": len(workers) - 1, "assigned": log.read_bytes().count(b'"message":"ready"'),
            "repeats": len(ids) / n, "cpu_s": sum(w.cpu_s for w in workers),
            "rss_max_mb": max(w.rss_max_mb for w in workers)}


def told(lab: Lab) -> int:
    """Records in the topic of triggers."""
    return sum(_ends(lab, topics.TRIGGERS).values())


def covered(lab: Lab) -> bool:
    """Whether the workers' group has committed all of the log, a tick of late aside."""
    async def ask() -> dict[int, int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=lab.bootstrap)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(topics.APP_ID, partitions=[
                aiokafka.TopicPartition(topics.INTERACTIONS, p) for p in range(PARTITIONS)])
        finally:
            await admin.close()
        return {tp.partition: at.offset for tp, at in found.items()}

    ends = _ends(lab, topics.INTERACTIONS)
    return asyncio.run(ask()) == ends


def trigger_ids(lab: Lab) -> list[str]:
    """Of each trigger about a left cart."""
    consumer = Consumer({"bootstrap.servers": lab.bootstrap, "group.id": "bench-outage"})
    ends = _ends(lab, topics.TRIGGERS)
    consumer.assign([TopicPartition(topics.TRIGGERS, p, 0) for p in ends])
    found = []
    left = sum(ends.values())
    while left > 0:
        for message in consumer.consume(10_000, 1.0):
            if message.error() is None:
                left -= 1
                trigger = codecs.trigger.decode(message.value())
                if trigger["name"] == TOLD:
                    found.append(trigger["trigger_id"])
    consumer.close()
    return found


def _ends(lab: Lab, topic: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": lab.bootstrap, "group.id": "bench-ends"})
    try:
        return {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1]
                for p in range(PARTITIONS)}
    finally:
        consumer.close()

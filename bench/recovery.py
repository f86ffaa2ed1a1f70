"""Start of a worker that finds a million customers: from the process's start to "ready".

The records are of realistic customers after 50 events, many with a timer, written straight to the
changelog as a worker would have left them; the worker is `footfall worker` itself.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from customers import Entry, encoded, keys, new_fold, samples
from figures import console, ratio_text, show, verdict
from lab import Lab

from footfall.admin.topics import ensure
from footfall.events import topics
from footfall.tables.record import header
from footfall.tables.stored import PARTITION_KEY, PartitionState

GOAL_S = 10
PARTITIONS = 4
SAMPLES = 1_000
#: Of the log: the records' watermarks must not lie beyond its end.
LOGGED = 10
READY_S_MAX = 300
_RECOVERED = re.compile(rb"recovered \d+ partitions, (\d+) customers, in ([0-9.]+) s")


def run(lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """`n` records; the worker is started once a round."""
    ensure(lab.bootstrap, PARTITIONS, 1)
    written = write(lab, n)
    starts = []
    for number in range(rounds):
        found = _start(lab, n, lab.folder / f"worker-{number}.log")
        starts.append(found)
        console.print(f"round {number + 1}: ready after {found['ready_s']:.1f} s, recovery "
                      f"{found['recovery_s']:.1f} s, {found['rss_mb']:.0f} MB")

    def column(name: str) -> list[float]:
        return [s[name] for s in starts]

    recovery = median(column("recovery_s"))
    show(f"recovery: {n:,} customers, {written['bytes']:.0f} bytes each, "
         f"{written['timers'] * 100:.0f} % with a timer, {rounds} starts",
         ("what", "median (lowest-highest)", "goal"),
         [("start of the process to ready, s", ratio_text(column("ready_s")), ""),
          ("recovery itself, s", ratio_text(column("recovery_s")),
           verdict(recovery, GOAL_S, at_least=False)),
          ("customers a second", f"{n / recovery:,.0f}", ""),
          ("resident memory when ready, MB", ratio_text(column("rss_mb")), ""),
          ("at its highest, MB", ratio_text(column("rss_max_mb")), "")])
    return {"customers": n, **written, "starts": starts}


def write(lab: Lab, n: int, ago_ms: int = 0) -> dict[str, float]:
    """A changelog of `n` customers as a worker left it, `ago_ms` before now; their size."""
    fold = samples(SAMPLES, ago_ms)
    values = []
    timers = 0
    for data in fold.store.values():
        wake_at = header(data)[1]
        timers += wake_at > 0
        # Far behind the log's end in the copy, but within it.
        values.append(data[:1] + (LOGGED - 1).to_bytes(8, "big") + data[9:])
    console.print(f"writing {n:,} records ...")
    producer = Producer({"bootstrap.servers": lab.bootstrap, "partitioner": "murmur2_random",
                         "linger.ms": 50, "queue.buffering.max.kbytes": 256 * 1024})

    def produce(topic: str, value: bytes, **more: Any) -> None:
        while True:
            try:
                producer.produce(topic, value, **more)
                return
            except BufferError:
                producer.poll(0.1)

    dice = random.Random(3)
    for partition in range(PARTITIONS):
        for at in range(LOGGED):
            key, value = encoded(dice, at, int(time.time() * 1000))
            produce(topics.INTERACTIONS, value, key=key, partition=partition)
    producer.flush()
    for at in range(n):
        produce(topics.CHANGELOG, values[at % SAMPLES], key=keys.of("user_id", f"user-{at:08}"))
        if not at % 1000:
            producer.poll(0)
    for partition, state in _states(lab).items():
        produce(topics.CHANGELOG, state.encode(), key=PARTITION_KEY, partition=partition)
    producer.flush()
    return {"bytes": sum(map(len, values)) / len(values), "timers": timers / len(values)}


def _states(lab: Lab) -> dict[int, PartitionState]:
    """Of each partition: its log has been read to the end."""
    consumer = Consumer({"bootstrap.servers": lab.bootstrap, "group.id": "bench-recovery"})
    consumer.assign([TopicPartition(topics.INTERACTIONS, p, LOGGED - 1)
                     for p in range(PARTITIONS)])
    found: dict[int, PartitionState] = {}
    deadline = time.monotonic() + 30
    while len(found) < PARTITIONS and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        fold = new_fold()
        fold.apply(Entry(message.offset(), message.timestamp()[1], message.key(), message.value()))
        found[message.partition()] = fold.state()
    consumer.close()
    assert len(found) == PARTITIONS
    return found


def _start(lab: Lab, n: int, log: Path) -> dict[str, float]:
    began = time.monotonic()
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "footfall", "worker"], stdin=subprocess.DEVNULL, stdout=out,
            stderr=out, env=lab.footfall(partitions=PARTITIONS), cwd=lab.folder)
    try:
        while b'"message":"ready"' not in log.read_bytes():
            if worker.poll() is not None or time.monotonic() - began > READY_S_MAX:
                raise RuntimeError("the worker did not get ready:\n"
                                   + log.read_text(errors="replace")[-2000:])
            time.sleep(0.02)
        ready_s = time.monotonic() - began
        recovered = _RECOVERED.search(log.read_bytes())
        assert recovered is not None
        assert int(recovered[1]) == n
        memory = dict(line.split(":", 1) for line in
                      Path(f"/proc/{worker.pid}/status").read_text().splitlines())
        cpu = sum(map(int, Path(f"/proc/{worker.pid}/stat").read_text().split()[13:15])) / 100
        return {"ready_s": ready_s, "recovery_s": float(recovered[2]), "cpu_s": cpu,
                "rss_mb": int(memory["VmRSS"].split()[0]) / 1024,
                "rss_max_mb": int(memory["VmHWM"].split()[0]) / 1024}
    finally:
        worker.terminate()
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()

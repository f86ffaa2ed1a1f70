"""What one delivery costs: from a trigger in Kafka to a webhook that was answered, and the account.

A backlog of triggers of as many customers goes to a receiver of another process that answers
at once: read, routed, its intent recorded and acknowledged, sent, its outcome recorded, both read
back and folded, checkpointed. CPU is that of the delivery process alone, over the time in which all
but the first and last tenth were sent. `python bench/run.py delivery`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from confluent_kafka import KafkaException, Producer
from customers import codecs
from figures import console, show, spread, verdict
from lab import SYSTEM_SECRET, Lab

from footfall.admin.topics import ensure
from footfall.events import topics
from footfall.events.reserved import Reserved
from footfall.stream.partition import partition_of
from footfall.tables.outputs import Outputs
from footfall.tables.spec import Trigger
from footfall.up.ports import HOST, free_port

PARTITIONS = 4
TRIGGERS_MAX = 40_000
GOAL_A_SECOND = 2_000
READY_S_MAX = 60
ALL_SENT_S_MAX = 240
_SENT = 'footfall_deliveries_total{destination="hook",reason="",status="sent"}'


def run(lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """A process of its own each round, over topics made anew."""
    n = min(n, TRIGGERS_MAX)
    found: list[dict[str, float]] = []
    with subprocess.Popen([sys.executable, Path(__file__).with_name("webhook.py"), "receiver"],
                          env=lab.environment(), stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        url = receiver.stdout.readline().strip()
        try:
            for number in range(rounds):
                begin_anew(lab)
                tell(lab, n, number)
                found.append(_deliver(lab, url, n))
        finally:
            receiver.terminate()
    cpu = [one["cpu_us"] for one in found]
    rates = [1e6 / us for us in cpu]
    show(f"{n:,} webhooks from triggers in Kafka, {rounds} rounds",
         ("CPU us each", "a CPU second", "goal", "a second here"),
         [(spread(cpu), spread(rates), verdict(median(rates), GOAL_A_SECOND, at_least=True),
           spread([one["a_second"] for one in found]))])
    console.print()
    return {"triggers": n, "rounds": found}


def begin_anew(lab: Lab) -> None:
    """Empty topics, and a group that has read nothing."""
    lab.delete(topics.TRIGGERS, topics.DELIVERIES, topics.DELIVERY_CHANGELOG)
    with contextlib.suppress(KafkaException):  # there is none yet
        lab.admin.delete_consumer_groups([topics.DELIVERY_APP_ID])[
            topics.DELIVERY_APP_ID].result()
    time.sleep(1)
    ensure(lab.bootstrap, PARTITIONS, 1)


def tell(lab: Lab, n: int, number: int, a_second: float = 0) -> dict[str, float]:
    """The triggers, as workers write them, as fast as it goes or so many a second: trigger_id ->
    when (monotonic clock, s).
    """
    producer = Producer({"bootstrap.servers": lab.bootstrap, "acks": "all",
                         "linger.ms": 1 if a_second else 20})
    outputs = Outputs(codecs, Reserved(SYSTEM_SECRET.encode()), topics.INTERACTIONS, 0)
    lines = [{"product_id": f"sku-{i}", "quantity": "1", "price": "19.90"} for i in range(4)]
    told: dict[str, float] = {}
    due = time.monotonic()
    for i in range(n):
        key = f"user_id:{i:022x}".encode()
        at = time.time_ns() // 1_000_000
        trigger = Trigger("cart_abandoned", (number, i), at,
                          {"cart_id": f"cart-{i}", "value": {"EUR": "79.60"}, "lines": lines},
                          {"deadline": at, "idle_s": 1800})
        output = outputs.trigger(key, trigger, {"user_id": f"u{i}"}, at, "1:bench")
        if a_second:
            due += 1 / a_second
            producer.poll(max(due - time.monotonic(), 0))
            time.sleep(max(due - time.monotonic(), 0))
            told[codecs.trigger.decode(output.value)["trigger_id"]] = time.monotonic()
        producer.produce(topics.TRIGGERS, output.value, key, partition_of(key, PARTITIONS))
        if a_second or i % 1_000 == 0:
            producer.poll(0)
    producer.flush(60)
    return told


@contextlib.contextmanager
def delivering(lab: Lab, routes: str, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A delivery process with these routes, ready."""
    file = lab.folder / "routes.yaml"
    file.write_text(routes)
    environment = {**lab.footfall(partitions=PARTITIONS, routes=file, delivery_from="earliest",
                                  delivery_allow=HOST, **settings),
                   "HOOK": "whsec_" + "AAAA" * 8}
    log = lab.folder / f"delivery-{time.monotonic_ns()}.log"
    with log.open("wb") as out, subprocess.Popen([sys.executable, "-m", "footfall", "delivery"],
                                                 env=environment, stdout=out, stderr=out) as child:
        try:
            deadline = time.monotonic() + READY_S_MAX
            while b'"message":"ready"' not in log.read_bytes():
                if time.monotonic() > deadline or child.poll() is not None:
                    raise RuntimeError(f"delivery: {log.read_text()[-1000:]}")
                time.sleep(0.02)
            yield child
        finally:
            child.terminate()


def _deliver(lab: Lab, url: str, n: int) -> dict[str, float]:
    routes = f"""
destinations: {{hook: {{channel: webhook, url: "{url}", secret_env: HOOK, purpose: necessary}}}}
routes: [{{triggers: ["*"], to: [hook]}}]
"""
    port = free_port()
    with delivering(lab, routes, metrics_port=port) as process:
        return _measured(process.pid, port, n)


def _measured(pid: int, port: int, n: int) -> dict[str, float]:
    deadline = time.monotonic() + ALL_SENT_S_MAX
    seen: list[tuple[float, float, float]] = []
    while not seen or seen[-1][0] < 0.98 * n:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{seen[-1:]} of {n} were sent in {ALL_SENT_S_MAX} s")
        time.sleep(0.25)
        seen.append((_sent(port), time.monotonic(), _cpu_s(pid)))
    begin = next(one for one in seen if one[0] >= 0.1 * n)
    end = next(one for one in seen if one[0] >= 0.9 * n)
    count = end[0] - begin[0]
    return {"cpu_us": (end[2] - begin[2]) / count * 1e6, "a_second": count / (end[1] - begin[1])}


def _sent(port: int) -> float:
    return metric(port, _SENT)


def metric(port: int, begins: str) -> float:
    """Of the metrics of a process the first that begins so; 0 while there is none."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return 0.0
    return next((float(line.rpartition(" ")[2]) for line in text.splitlines()
                 if line.startswith(begins)), 0.0)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

"""The chain to its end: from the HTTP 200 of an interaction to the webhook that it causes.

As bench/latency.py, whose load, ramp and probes these are, with a served view, a delivery process
and a receiver of another process: collector, worker, Redis, delivery and receiver all run while the
ramp finds what is sustained. Each probe's trigger goes to two webhooks: one that is necessary, and
one that needs the customer's consent and so waits until the view knows what the trigger knew.
RATE=1000 measures at that many events a second, without a ramp.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from confluent_kafka import Consumer
from figures import show, verdict
from lab import LOG_TIME, Lab
from latency import PARTITIONS, Chain, _percentiles, _process
from receiver import Came, receiving

from delivery import delivering
from footfall.admin.topics import ensure
from footfall.events import topics
from footfall.up.ports import free_port
from view import _redis

GOALS_MS = (100, 500)
ROUND_S = 20
PURPOSES = ("necessary", "marketing")


class WholeChain(Chain):
    """Remembers when each probe was answered; its probes carry consent."""

    def __init__(self, lab: Lab, ports: dict[str, int]) -> None:
        super().__init__(lab, ports)
        self.context = {"consent": {"categoryPreferences": {PURPOSES[1]: True}}}
        self.times: dict[bytes, tuple[float, float]] = {}

    def _collect(self, consumer: Consumer, starts: Any, log_starts: Any,
                 times: dict[bytes, tuple[float, float]]) -> dict[str, Any]:
        self.times = times
        return super()._collect(consumer, starts, log_starts, times)


def run(lab: Lab, _n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """Ramp, then measure for 20 s a round."""
    lab.create(topics.TRIGGERS, partitions=PARTITIONS, config=LOG_TIME)
    ensure(lab.bootstrap, PARTITIONS, 1)
    ports = {"http": free_port(), "metrics": free_port()}
    with _redis(lab) as redis_url, receiving(lab) as receiver, \
            _process(lab, "collector", http_port=ports["http"]), \
            _process(lab, "worker", partitions=PARTITIONS, metrics_port=ports["metrics"],
                     redis_url=redis_url), \
            delivering(lab, _routes(receiver.url("")), redis_url=redis_url):
        chain = WholeChain(lab, ports)
        chain.wait_ready()
        rate = float(os.environ.get("RATE", "0"))
        sustained, steps = (0.0, []) if rate else asyncio.run(chain.ramp())
        rate = rate or sustained / 2
        appended = asyncio.run(chain.measure(rate, ROUND_S * rounds))
        time.sleep(1)
        came = receiver.end()
    wall_less_monotonic = time.time() - time.monotonic()
    found = {purpose: _took(chain.times, [one for one in came if one.path == purpose],
                            wall_less_monotonic) for purpose in PURPOSES}
    found["the trigger's append"] = appended["http_200"]
    half_of = f", half of the {sustained:,.0f} that it sustains here" if sustained else ""
    show(f"chain, ms: {len(chain.times)} probes at {rate:,.0f} events/s{half_of}",
         ("from HTTP 200 to", "came", "p50", "goal", "p99", "goal", "most"),
         [_line(name, took) for name, took in found.items()])
    return {"sustained": sustained, "steps": steps, "load": rate, "probes": len(chain.times),
            **{name: [*_percentiles(took), max(took), len(took)] for name, took in found.items()}}


def _routes(url: str) -> str:
    hooks = "\n".join(f'  {purpose}: {{channel: webhook, url: "{url}{purpose}", secret_env: HOOK,'
                      f' purpose: {purpose}}}' for purpose in PURPOSES)
    return f"destinations:\n{hooks}\nroutes: [{{triggers: [cart_recovered], to: " \
           f"[{', '.join(PURPOSES)}]}}]\n"


def _took(times: dict[bytes, tuple[float, float]], came: list[Came], wall_less_monotonic: float
          ) -> list[float]:
    """Milliseconds from a probe's 200 to the first time its webhook came."""
    first: dict[str, float] = {}
    for one in came:
        first.setdefault(one.customer_key, (one.at + wall_less_monotonic) * 1000)
    return [max(first[key.decode()] - answered, 0.0) for key, (_sent, answered) in times.items()
            if key.decode() in first]


def _line(name: str, took: list[float]) -> tuple[str, ...]:
    p50, p99 = _percentiles(took)
    goals = [verdict(p, g, at_least=False) if name in PURPOSES else ""
             for p, g in zip((p50, p99), GOALS_MS, strict=True)]
    return (name, f"{len(took)}", f"{p50:.0f}", goals[0], f"{p99:.0f}", goals[1],
            f"{max(took):.0f}")

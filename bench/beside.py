"""What a rebuild that is held to a rate does to those who are live: the latency of triggers while
it runs beside the worker, against the same load without it, in turns.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from statistics import median
from typing import Any

from figures import console, ratio_text, ratios, show, spread, verdict
from lab import LOG_TIME, Lab
from latency import PARTITIONS, Chain, _percentiles, _process

from footfall.admin.topics import ensure
from footfall.events import topics
from footfall.up.ports import free_port

#: Events a second that come meanwhile, and records a second that are folded again beside.
LIVE_A_S = 1_000
REBUILT_A_S = 1_500
WARM_S = 60
MEASURED_S = 20
#: p99 with the rebuild against p99 without it.
GOAL = 1.5


def run(lab: Lab, _n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """Alone, then beside, each round."""
    lab.create(topics.TRIGGERS, partitions=PARTITIONS, config=LOG_TIME)
    ensure(lab.bootstrap, PARTITIONS, 1)
    ports = {"http": free_port(), "metrics": free_port()}
    found: dict[str, list[tuple[float, float]]] = {"alone": [], "beside a rebuild": []}
    with _process(lab, "collector", http_port=ports["http"]), \
            _process(lab, "worker", partitions=PARTITIONS, metrics_port=ports["metrics"]):
        chain = Chain(lab, ports)
        chain.wait_ready()
        asyncio.run(chain.load(LIVE_A_S, WARM_S))
        for number in range(rounds):
            found["alone"].append(_measured(chain))
            rebuild = _replay(lab, "rebuild", "--no-cutover", "--yes", "--rate", str(REBUILT_A_S))
            found["beside a rebuild"].append(_measured(chain))
            assert rebuild.poll() is None, "the rebuild was at its end before the measurement"
            rebuild.kill()
            rebuild.wait()
            assert _replay(lab, "abandon", "--yes").wait(60) == 0
            console.print(f"round {number + 1}: " + ", ".join(
                f"{name}: p50 {of[-1][0]:.0f} ms, p99 {of[-1][1]:.0f} ms"
                for name, of in found.items()))

    def column(name: str, at: int) -> list[float]:
        return [one[at] for one in found[name]]

    compared = ratios(column("beside a rebuild", 1), column("alone", 1))
    show(f"HTTP 200 to the trigger's append, {LIVE_A_S:,} events/s, a rebuild at {REBUILT_A_S:,} "
         f"records/s, {rounds} rounds", ("", "p50, ms", "p99, ms", "p99 / alone", "goal"),
         [(name, spread(column(name, 0)), spread(column(name, 1)),
           ratio_text(compared) if name != "alone" else "",
           verdict(median(compared), GOAL, at_least=False) if name != "alone" else "")
          for name in found])
    return {"found": found, "ratios": compared}


def _measured(chain: Chain) -> tuple[float, float]:
    return _percentiles(asyncio.run(chain.measure(LIVE_A_S, MEASURED_S))["http_200"])


def _replay(lab: Lab, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "footfall", "replay", *arguments],
                            cwd=lab.folder, env=lab.footfall(), stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

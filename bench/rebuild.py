"""A rebuild against the worker that made the state: the same topic and table, in the same run."""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

from figures import console, ratio_text, ratios, show, spread, verdict
from lab import HERE, Lab, run_json
from throughput import TOPIC, preload

#: Of the worker's events per CPU-second.
GOAL = 0.8
CONTENDERS = {"worker": "footfall_.py", "rebuild": "rebuild_.py"}


def run(lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """Both in turns, the other one first each time."""
    preload(lab, n)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
    for number in range(rounds):
        for name in list(CONTENDERS)[:: 1 if number % 2 else -1]:
            found = run_json([sys.executable, str(HERE / CONTENDERS[name])],
                             lab.environment(TOPIC=TOPIC, N=n), lab.folder / f"round-{number}")
            results[name].append(found)
            console.print(f"round {number + 1}: {name}: {found['events_s']:,} events/s, "
                          f"{found['events_cpu_s']:,} events/CPU-s")
        lab.forget("bench-footfall-")
        lab.forget("bench-rebuild-")

    def column(name: str, what: str) -> list[float]:
        return [r[what] for r in results[name]]

    compared = ratios(column("rebuild", "events_cpu_s"), column("worker", "events_cpu_s"))
    show(f"rebuild: {n:,} events, {rounds} rounds, median (lowest-highest)",
         ("what", "events/s", "events/CPU-s", "rebuild / worker", "goal"),
         [(name, spread(column(name, "events_s")), spread(column(name, "events_cpu_s")),
           ratio_text(compared) if name == "rebuild" else "",
           verdict(median(compared), GOAL, at_least=True) if name == "rebuild" else "")
          for name in CONTENDERS])
    return {"events": n, "rounds": rounds, "results": results}

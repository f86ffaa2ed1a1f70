"""What if, two folds of one log, against the rebuild, one fold of it: CPU time of each in turns,
all shipped tables. And what looking for unmerges costs before a rebuild.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

from figures import console, ratio_text, ratios, show, spread, verdict
from lab import HERE, Lab, run_json
from past import preload

#: Of the rebuild's records per CPU-second: two folds, each nearly as fast.
GOAL = 0.4
CONTENDERS = ("rebuild", "what if", "one fold", "unmerges")


def run(lab: Lab, n: int, rounds: int, only: set[str]) -> dict[str, Any]:
    """All in turns, another one first each time."""
    records = preload(lab, n)
    wanted = [c for c in CONTENDERS if not only or c in only or c == "rebuild"]
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
    for number in range(rounds):
        first = number % len(wanted)
        for name in wanted[first:] + wanted[:first]:
            found = run_json([sys.executable, str(HERE / "past_.py")],
                             lab.environment(N=records, HOW=name), lab.folder / name)
            results[name].append(found)
            console.print(f"round {number + 1}: {name}: {found['events_cpu_s']:,} records/CPU-s")
        lab.forget("bench-rebuild-")

    cpu = {name: [r["events_cpu_s"] for r in results[name]] for name in wanted}
    rows = []
    for name in wanted:
        compared = ratios(cpu[name], cpu["rebuild"])
        rows.append((name, spread([r["events_s"] for r in results[name]]), spread(cpu[name]),
                     ratio_text(compared), verdict(median(compared), GOAL, at_least=True)
                     if name == "what if" else ""))
    show(f"the past of {n:,} interactions, {records:,} records, {rounds} rounds, "
         "median (lowest-highest)",
         ("job", "records/s", "records/CPU-s", "of rebuild", "goal"), rows)
    return {"interactions": n, "records": records, "rounds": rounds, "results": results}

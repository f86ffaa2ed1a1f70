"""Footfall and its comparators on one topic, in interleaved rounds (comparators/README.md)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median
from typing import Any, NamedTuple

from figures import console, ratio_text, ratios, show, spread, verdict
from lab import COMPARATORS, HERE, LOG_TIME, Lab, comparators_python, kstreams_command, run_json

TOPIC = "bench.events"
PARTITIONS = 4


class Contender(NamedTuple):
    """A program that folds N events of the topic; `goal`: ours / its events per CPU-second."""

    name: str
    command: list[str]
    goal: float | None = None
    more: dict[str, str] = {}  # noqa: RUF012 - never changed


def contenders(lab: Lab) -> list[Contender]:
    """All of them, ours first."""
    python = comparators_python()
    schema = lab.folder / "schema.json"
    sys.path.insert(0, str(COMPARATORS))
    import common

    schema.write_text(json.dumps(common.SCHEMA))

    def script(name: str, *arguments: str) -> list[str]:
        return [python, str(COMPARATORS / f"{name}.py"), *arguments]

    return [
        Contender("footfall", [sys.executable, str(HERE / "footfall_.py")]),
        Contender("kafka streams", kstreams_command(schema), 1.2),
        Contender("bytewax", script("bytewax_"), 1.5),
        Contender("quix streams", script("quix_"), 1.5),
        Contender("faust as documented", script("faust_naive", "worker", "-l", "warn",
                                                "--without-web"), 30,
                  {"STORE": "memory://", "MAXS": "20"}),
        Contender("python, no durability", script("limit")),
    ]


def preload(lab: Lab, n: int) -> None:
    """The topic with N events."""
    lab.create(TOPIC, partitions=PARTITIONS, config=LOG_TIME)
    lab.create("bench.triggers", partitions=PARTITIONS)
    console.print(f"preloading {n:,} events ...")
    subprocess.run([sys.executable, str(COMPARATORS / "common.py")], check=True,
                   env=lab.environment(TOPIC=TOPIC, N=n), stdout=subprocess.DEVNULL)


def run(lab: Lab, n: int, rounds: int, only: set[str]) -> dict[str, Any]:
    """Measure; each round runs all, beginning with another one each time."""
    wanted = [c for c in contenders(lab) if not only or c.name in only or c.name == "footfall"]
    preload(lab, n)
    results: dict[str, list[dict[str, Any]]] = {c.name: [] for c in wanted}
    for number in range(rounds):
        first = number % len(wanted)
        for contender in wanted[first:] + wanted[:first]:
            folder = lab.folder / f"round-{number}"
            found = run_json(contender.command,
                             lab.environment(TOPIC=TOPIC, N=n, **contender.more), folder)
            found["load"] = round(os.getloadavg()[0], 2)
            results[contender.name].append(found)
            console.print(f"round {number + 1}: {contender.name}: {found['events_s']:,} events/s, "
                          f"{found['events_cpu_s']:,} events/CPU-s")
        for prefix in ("bench-footfall-", "ks1", "fn1", "changelog__"):
            lab.forget(prefix)
    _show(wanted, results, n, rounds)
    return {"events": n, "rounds": rounds, "results": results}


def _show(wanted: list[Contender], results: dict[str, list[dict[str, Any]]], n: int,
          rounds: int) -> None:
    def column(name: str, what: str) -> list[float]:
        return [r[what] for r in results[name]]

    rows = []
    ours = column("footfall", "events_cpu_s")
    for contender in wanted:
        each = column(contender.name, "events_cpu_s")
        compared = ratios(ours, each)
        goal = "" if contender.goal is None else verdict(median(compared), contender.goal,
                                                         at_least=True)
        rows.append((contender.name, spread(column(contender.name, "events_s")), spread(each),
                     "" if contender.name == "footfall" else ratio_text(compared), goal))
    show(f"throughput: {n:,} events, {rounds} rounds, median (lowest-highest)",
         ("contender", "events/s", "events/CPU-s", "footfall / it", "goal"), rows)

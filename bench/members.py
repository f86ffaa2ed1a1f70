"""Workers that join, leave, are restarted and killed under a steady load on real Kafka: how long a
partition stands idle, and whether anything is lost or counted twice.

What happens is a list (`_actions`), one thing after the other, all as shipped: session timeout,
checkpoints, tables. `members_load.py` says how idle is measured and what is recounted.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figures import console, ratio_text, show, verdict
from lab import LOG_TIME, SYSTEM_SECRET, Lab
from members_load import CONFIG, EVENTS_A_SECOND, Load, Phase, check, phases_of, told_of
from recovery import write

from footfall.admin import config
from footfall.admin.topics import ensure
from footfall.events import topics

PARTITIONS = 6
#: Customers that the workers hold: a tenth of what is asked for (N).
HELD_SHARE = 10
#: From an action that has ended to the next one.
PAUSE_S = 5.0
#: Over the session timeout as shipped (10 s).
GONE_S = 18.0
READY_S_MAX = 90
GOALS_S = {"kill": 15, "planned": 3}


def run(lab: Lab, n: int, rounds: int, only: set[str]) -> dict[str, Any]:
    """Each round once with static members (FOOTFALL_WORKER_ID) and once without."""
    held = n // HELD_SHARE
    found: dict[str, list[dict[str, Phase]]] = {"static": [], "dynamic": []}
    exact: list[dict[str, int]] = []
    for number in range(rounds):
        for kind, made in found.items():
            if only and kind not in only:
                continue
            phases, seen = _round(lab, held, kind, lab.folder / f"{kind}-{number}")
            made.append(phases)
            exact.append(seen)
            console.print(f"round {number + 1}, {kind}: {seen}; idle, s: " + ", ".join(
                f"{name} {phase.idle_s:.2f}" for name, phase in phases.items()))
    for kind, made in found.items():
        if made:
            _show(kind, held, made)
    total = {name: sum(seen[name] for seen in exact) for name in exact[0]}
    console.print(f"all rounds: {total}")
    return {"customers": held, "found": {kind: [
        {name: phase._asdict() for name, phase in phases.items()} for phases in made]
        for kind, made in found.items()}, "exact": exact}


def _show(kind: str, held: int, made: list[dict[str, Phase]]) -> None:
    rows = []
    for name in made[0]:
        idle = [phases[name].idle_s for phases in made]
        goal = GOALS_S["kill" if "kill" in name else "planned"]
        rows.append((name, ratio_text(idle), verdict(max(idle), goal, at_least=False),
                     ratio_text([phases[name].least_s for phases in made]),
                     ratio_text([phases[name].waited_s for phases in made])))
    show(f"members, {kind}: {PARTITIONS} partitions, {held:,} customers, {EVENTS_A_SECOND} "
         f"events/s, {len(made)} rounds; s, median (least-most)",
         ("what happens", "idle, of the partition that stood longest", "goal, of the most",
          "idle, of the one that stood shortest", "longest wait of a record"), rows)


# -- one round ---------------------------------------------------------------------------------


def _round(lab: Lab, held: int, kind: str, folder: Path
           ) -> tuple[dict[str, Phase], dict[str, int]]:
    lab.forget("footfall")
    time.sleep(2)
    # As shipped, but that the broker says when it appended a trigger.
    lab.create(topics.TRIGGERS, partitions=PARTITIONS, config=LOG_TIME)
    ensure(lab.bootstrap, PARTITIONS, 1)
    write(lab, held, partitions=PARTITIONS)
    config.apply(lab.bootstrap, SYSTEM_SECRET.encode(), CONFIG)
    folder.mkdir()
    fleet, load = Fleet(lab, folder, static=kind == "static"), Load(lab)
    try:
        fleet.start(0).ready()
        load.start()
        marks = list(_actions(fleet))
        load.end()
        told = told_of(lab, load, PARTITIONS)
        fleet.end()
    finally:
        fleet.kill_all()
    return phases_of(load, told, marks), check(load, told)


def _actions(fleet: Fleet) -> Iterator[tuple[str, float]]:
    """What happens, one after the other: its name, and when it began (ms)."""
    yield "nothing", _now()
    time.sleep(2 * PAUSE_S)
    yield "1 -> 3, both at once", _now()
    for one in [fleet.start(1), fleet.start(2)]:
        one.ready()
    time.sleep(PAUSE_S)
    for number in range(3):
        yield f"restart of worker {number + 1} of 3", _now()
        fleet.of[number].stop()
        fleet.start(number).ready()
        time.sleep(PAUSE_S)
    yield "kill -9 of one of 3, started again at once", _now()
    fleet.of[1].kill()
    fleet.start(1).ready()
    time.sleep(GONE_S)
    yield "kill -9 of one of 3, not started again", _now()
    fleet.of[2].kill()
    time.sleep(GONE_S)
    yield "2 -> 3", _now()
    fleet.start(2).ready()
    time.sleep(PAUSE_S)
    yield "3 -> 2", _now()
    fleet.of[1].stop()
    time.sleep(PAUSE_S)
    yield "2 -> 1", _now()
    fleet.of[2].stop()
    time.sleep(PAUSE_S)
    yield "restart of the only one", _now()
    fleet.of[0].stop()
    fleet.start(0).ready()
    time.sleep(PAUSE_S)


def _now() -> float:
    return time.time() * 1000


class Worker:
    """One worker process."""

    def __init__(self, lab: Lab, log: Path, worker_id: str) -> None:
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "footfall", "worker"], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, cwd=lab.folder,
                env=lab.footfall(partitions=PARTITIONS, worker_id=worker_id))

    def ready(self) -> None:
        """Wait until it has taken up work."""
        deadline = time.monotonic() + READY_S_MAX
        while b'"message":"ready"' not in self._log.read_bytes():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("a worker did not get ready:\n"
                                   + self._log.read_text(errors="replace")[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._process.terminate()
        if self._process.wait(60) != 0:
            raise RuntimeError("a worker did not stop:\n"
                               + self._log.read_text(errors="replace")[-2000:])

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()


class Fleet:
    """The workers of a round, by number."""

    def __init__(self, lab: Lab, folder: Path, *, static: bool) -> None:
        self._lab = lab
        self._folder = folder
        self._static = static
        self._all: list[Worker] = []
        self.of: dict[int, Worker] = {}

    def start(self, number: int) -> Worker:
        """Start one; where it is static its id is that of its number."""
        log = self._folder / f"{len(self._all)}-worker-{number}.log"
        self.of[number] = Worker(self._lab, log, f"w{number}" if self._static else "")
        self._all.append(self.of[number])
        return self.of[number]

    def end(self) -> None:
        """Stop the one that is left."""
        self.of[0].stop()

    def kill_all(self) -> None:
        """Nothing stays behind."""
        for worker in self._all:
            worker.kill()

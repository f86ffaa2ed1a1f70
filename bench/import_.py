"""What importing a row of Parquet costs, to its record acknowledged by Kafka, and that memory stays
flat: files of a tenth of the rows and of all of them.

CPU is all of the process: reading, row ids, admitting, the MAC, encoding, librdkafka's threads.
What Python takes to start (an import of no rows worth naming) is taken off, and printed.
`python bench/run.py import_`.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from figures import show, spread, verdict
from lab import Lab

from footfall.admin.scan import Scanner
from footfall.admin.topics import ensure
from footfall.events import admit
from footfall.events.topics import INTERACTIONS

PARTITIONS = 4
GOAL_A_CPU_S = 40_000
#: The larger file's memory against the smaller one's.
GOAL_GROWTH = 1.2
START_ROWS = 10
LOOK_S = 0.05
MAPPING = """
call:
  type: track
  event: Order Completed
  userId: {column: customer}
  messageId: {column: order_id}
  timestamp: {column: at}
  properties:
    order_id: {column: order_id}
    total: {column: total, as: number}
    currency: {column: currency}
    items: {column: items, as: integer}
"""


def run(lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """The two files in turn, into one log."""
    ensure(lab.bootstrap, PARTITIONS, 1)
    mapping = lab.folder / "orders.yaml"
    mapping.write_text(MAPPING)
    sizes = (START_ROWS, n // 10, n)
    files = {rows: written(lab.folder / f"orders-{rows}.parquet", rows) for rows in sizes}
    found: dict[int, list[tuple[float, int]]] = {rows: [] for rows in sizes}
    for _ in range(rounds):
        for rows in sizes:
            before = held(lab)
            found[rows].append(imported(lab, files[rows], mapping))
            assert rows == held(lab) - before, f"of {rows} rows {held(lab) - before} are in the log"
    start_s = median(cpu_s for cpu_s, _rss in found[START_ROWS])
    rates = {rows: [rows / (cpu_s - start_s) for cpu_s, _rss in found[rows]] for rows in sizes[1:]}
    memory = {rows: median(rss for _cpu_s, rss in found[rows]) / 1024 for rows in sizes}
    how = "interpreted" if str(admit.__file__).endswith(".py") else "compiled"
    show(f"import of Parquet, {how}, {rounds} rounds; {start_s:.2f} s of CPU to start",
         ("what", "found", "goal"), [
        *((f"rows a CPU-second, of {rows:,}", spread(rates[rows]),
           verdict(median(rates[rows]), GOAL_A_CPU_S, at_least=True)) for rows in rates),
        *((f"peak memory, MiB, of {rows:,}", f"{mib:.0f}", "") for rows, mib in memory.items()),
        ("the last against the one before", f"{memory[n] / memory[n // 10]:.2f}",
         verdict(memory[n] / memory[n // 10], GOAL_GROWTH, at_least=False))])
    return {"rates": rates, "memory_mib": memory, "start_s": start_s, "how": how}


def written(path: Path, rows: int) -> Path:
    """Orders of a fifth as many customers, as a shop's warehouse would give them."""
    chance = random.Random(1)
    pq.write_table(pa.table({
        "order_id": [f"o-{n}" for n in range(rows)],
        "customer": [f"user-{chance.randrange(rows // 5 + 1)}" for _ in range(rows)],
        "at": pa.array([1_600_000_000_000 + n * 1000 for n in range(rows)],
                       pa.timestamp("ms", "UTC")),
        "total": [chance.randrange(100, 100_000) / 100 for _ in range(rows)],
        "items": [chance.randrange(1, 9) for _ in range(rows)],
        "currency": ["EUR"] * rows}), path, row_group_size=100_000)
    return path


def imported(lab: Lab, file: Path, mapping: Path) -> tuple[float, int]:
    """CPU-seconds and peak KiB of one import."""
    peak_kib = 0
    with (lab.folder / "import.log").open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "footfall", "import", str(file), "--mapping", str(mapping),
             "--yes", "--from-start"], env=lab.footfall(), cwd=lab.folder, stdout=out, stderr=out)
        # Not by wait4: what it calls the peak is ours at the fork, if that was more.
        while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            peak_kib = max(peak_kib, _peak_kib(child.pid))
            time.sleep(LOOK_S)
        _pid, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, (lab.folder / "import.log").read_text()
    return used.ru_utime + used.ru_stime, peak_kib


def _peak_kib(pid: int) -> int:
    """VmHWM; 0 where it has just ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def held(lab: Lab) -> int:
    """Records in the log."""
    with Scanner(lab.bootstrap) as scanner:
        return sum(span.end - span.low for span in scanner.spans(INTERACTIONS).values())

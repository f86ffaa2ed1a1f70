"""What waits for a destination that is dead: memory of the process, and its start with all that.

The destination accepts and never answers, one at a time, so all triggers but one wait. Resident
memory before and after; then the process is killed and started again on what it left, as a static
member of the group, so that nobody waits for the place of the dead one.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from figures import show
from lab import Lab
from receiver import HANGS, receiving

from delivery import begin_anew, delivering, metric, tell
from footfall.up.ports import free_port

WAITING_MAX = 50_000
ALL_WAIT_S_MAX = 240
SETTLED_S = 3
_RECOVERED = re.compile(r"recovered \d+ partitions, \d+ customers, in ([0-9.]+) s")


def run(lab: Lab, n: int, _rounds: int, _only: set[str]) -> dict[str, Any]:
    """One backlog, one restart."""
    n = min(n, WAITING_MAX)
    begin_anew(lab)
    port = free_port()
    found: dict[str, Any] = {"waiting": n}
    with receiving(lab) as receiver:
        routes = (f'destinations: {{dead: {{channel: webhook, url: "{receiver.url(HANGS)}", '
                  "secret_env: HOOK, purpose: necessary, timeout_s: 120, concurrency_max: 1}}\n"
                  'routes: [{triggers: ["*"], to: [dead]}]\n')
        with delivering(lab, routes, metrics_port=port, worker_id="d1") as process:
            before = _resident(process.pid)
            began = time.monotonic()
            tell(lab, n, 0)
            _until_waiting(port, n)
            found["recorded_s"] = time.monotonic() - began
            time.sleep(SETTLED_S)
            found["bytes_each"] = (_resident(process.pid) - before) / n
            process.kill()
        began = time.monotonic()
        with delivering(lab, routes, metrics_port=port, worker_id="d1") as process:
            found["ready_s"] = time.monotonic() - began
            found["recovery_s"] = _recovery_s(lab)
            _until_waiting(port, n)
            found["again_s"] = time.monotonic() - began
            time.sleep(SETTLED_S)
            found["bytes_each_again"] = (_resident(process.pid) - before) / n
            process.kill()
    show(f"{n:,} deliveries that wait for one destination",
         ("bytes each", "after a restart", "s until recorded", "recovery, s",
          "start to ready, s", "to all known, s"),
         [[f"{found[name]:,.{0 if 'bytes' in name else 1}f}" for name in
           ("bytes_each", "bytes_each_again", "recorded_s", "recovery_s", "ready_s", "again_s")]])
    return found


def _until_waiting(port: int, n: int) -> None:
    deadline = time.monotonic() + ALL_WAIT_S_MAX
    while (waiting := metric(port, "footfall_deliveries_waiting{")) < n - 1:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{waiting:,.0f} of {n:,} wait")
        time.sleep(0.1)


def _recovery_s(lab: Lab) -> float:
    """As the process that was started last says it."""
    newest = max(lab.folder.glob("delivery-*.log"), key=lambda log: log.stat().st_mtime_ns)
    said = _RECOVERED.search(newest.read_text())
    assert said is not None, newest.read_text()[-1000:]
    return float(said[1])


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))

"""Memory of a customer after 50 events each: the real fold and tables, in a process of its own.

Cold records are what a worker holds of all its customers (encoded bytes, key, timer); hot ones, the
`hot_records_max` used last, hold their decoded form beside that.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

from figures import show, verdict
from lab import Lab, run_json

GOAL_BYTES = 1536
CUSTOMERS_MAX = 100_000


def run(lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """`n / 50` customers, at most 100,000, once cold and once hot."""
    customers = min(max(n // 50, 1000), CUSTOMERS_MAX)
    found = {}
    for name, hot in (("cold", 1), ("hot", 10 * CUSTOMERS_MAX)):
        found[name] = run_json([sys.executable, __file__, str(customers), str(hot)],
                               lab.environment(), lab.folder / "memory", 1800)
    cold, hot_ = found["cold"], found["hot"]
    rows = [
        ("resident memory a customer, cold", f"{cold['rss']:,.0f}",
         verdict(cold["rss"], GOAL_BYTES, at_least=False)),
        ("of that the record itself", f"{cold['record']:,.0f}", ""),
        ("of that its key", f"{cold['key']:,.0f}", ""),
        ("resident memory a customer, hot", f"{hot_['rss']:,.0f}", ""),
        ("customers with a timer", f"{cold['timers'] * 100:.0f} %", ""),
    ]
    show(f"memory, bytes: {customers:,} customers, 50 events each, {cold['tables']} tables",
         ("what", "bytes", "goal"), rows)
    return {"customers": customers, **found}


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def child(customers: int, hot_records_max: int) -> None:
    """Print bytes a customer."""
    from customers import fold_all, new_fold, visits

    from footfall.tables import ALL
    from footfall.tables.record import header

    fold_all(new_fold(), visits(100))  # what the first events bring in is not the customers'
    gc.collect()
    before = resident()
    fold = new_fold(hot_records_max=hot_records_max)
    fold_all(fold, visits(customers))
    gc.collect()
    after = resident()
    store = fold.store
    assert len(store) == customers
    print(json.dumps({
        "rss": (after - before) / customers,
        "record": sum(map(len, store.values())) / customers,
        "key": sum(map(len, store)) / customers,
        "timers": sum(header(data)[1] > 0 for data in store.values()) / customers,
        "tables": len(ALL),
    }))


if __name__ == "__main__":
    child(int(sys.argv[1]), int(sys.argv[2]))

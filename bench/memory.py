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
    """`n / 50` customers, at most 100,000; from the difference to half as many."""
    customers = min(max(n // 50, 1000), CUSTOMERS_MAX)
    found = {}
    for name, hot in (("cold", 1), ("hot", 10 * CUSTOMERS_MAX)):
        half, whole = (_both(lab, count, hot) for count in (customers // 2, customers))
        found[name] = whole
        for when in ("folded", "loaded"):
            whole[f"{when}_each"] = (whole[when] - half[when]) / (customers - customers // 2)
    cold, hot_ = found["cold"], found["hot"]
    rows = [
        ("cold, all folded in one process", f"{cold['folded_each']:,.0f}",
         verdict(cold["folded_each"], GOAL_BYTES, at_least=False)),
        ("cold, in a process that has read them", f"{cold['loaded_each']:,.0f}",
         verdict(cold["loaded_each"], GOAL_BYTES, at_least=False)),
        ("of that the record itself", f"{cold['record']:,.0f}", ""),
        ("of that its key", f"{cold['key']:,.0f}", ""),
        ("hot", f"{hot_['folded_each']:,.0f}", ""),
        ("customers with a timer", f"{cold['timers'] * 100:.0f} %", ""),
    ]
    show(f"resident memory a customer: {customers:,} customers, 50 events each, "
         f"{cold['tables']} tables", ("what", "bytes", "goal"), rows)
    return {"customers": customers, **found}


def _both(lab: Lab, customers: int, hot: int) -> dict[str, Any]:
    """Fold in one process, then read what it left in another."""
    folder = lab.folder / "memory"
    dump = folder / "records"
    found = run_json([sys.executable, __file__, str(customers), str(hot), str(dump)],
                     lab.environment(), folder, 3600)
    found |= run_json([sys.executable, __file__, str(dump)], lab.environment(), folder, 600)
    return found


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def child(customers: int, hot_records_max: int, dump: Path) -> None:
    """Print bytes in all, and of a record; leave the records in a file."""
    from customers import fold_all, new_fold, visits

    from footfall.tables import ALL
    from footfall.tables.record import header

    fold_all(new_fold(), visits(100))  # what the first events bring in is not the customers'
    gc.collect()
    before = resident()
    fold = new_fold(hot_records_max=hot_records_max)
    fold_all(fold, visits(customers))
    gc.collect()
    folded = resident() - before
    store = fold.store
    assert len(store) == customers
    with dump.open("wb") as out:
        for key, data in store.items():
            out.write(len(key).to_bytes(2, "big") + len(data).to_bytes(2, "big") + key + data)
    print(json.dumps({
        "folded": folded,
        "record": sum(map(len, store.values())) / customers,
        "key": sum(map(len, store)) / customers,
        "timers": sum(header(data)[1] > 0 for data in store.values()) / customers,
        "tables": len(ALL),
    }))


def load(path: str) -> None:
    """Print the bytes of a process that has read the records, as a worker after its recovery."""
    from customers import fold_all, new_fold, visits

    from footfall.tables.records import Best

    fold_all(new_fold(), visits(100))
    gc.collect()
    before = resident()
    best = Best()
    with Path(path).open("rb") as file:
        while size := file.read(4):
            key = file.read(int.from_bytes(size[:2], "big"))
            best.take([(key, file.read(int.from_bytes(size[2:], "big")))])
    fold = new_fold(best=best)
    print(json.dumps({"loaded": resident() - before, "customers": len(fold.store)}))


if __name__ == "__main__":
    if len(sys.argv) == 2:
        load(sys.argv[1])
    else:
        child(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))

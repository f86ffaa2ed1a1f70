"""The benchmarks: `python bench/run.py [NAME ...]`, or `make bench`. docs/performance.md tells what
each measures and what it gave.

    python bench/run.py                      throughput: side by side with the comparators
    python bench/run.py recovery memory      others by name
    python bench/run.py all --json out.json
    N=100000 ROUNDS=1 python bench/run.py    smaller, for a try

Figures are worth something only on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from figures import console
from lab import lab, machine

from footfall.errors import FootfallError

NAMES = ("throughput", "siv", "recovery", "outage", "memory", "scale", "latency", "ingest", "view",
         "streams", "soak", "sdk", "traits", "links", "rules", "webhook", "delivery",
         "chain", "bulkhead", "backlog", "rebuild", "what_if", "beside", "import_", "archive",
         "members")


def main() -> int:
    """Run what is asked for."""
    asked = argparse.ArgumentParser(description=__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("names", nargs="*", choices=[*NAMES, "all", []], metavar="NAME",
                       help=f"{', '.join(NAMES)} or all; without one: throughput")
    asked.add_argument("--n", type=int, default=int(os.environ.get("N", "1000000")),
                       help="events (or customer records) [N, 1000000]")
    asked.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", "5")),
                       help="interleaved rounds [ROUNDS, 5]")
    asked.add_argument("--only", default="", metavar="A,B",
                       help="throughput: these contenders, and footfall")
    asked.add_argument("--json", type=Path, metavar="FILE", help="write all results here")
    given = asked.parse_args()
    names = given.names or ["throughput"]
    if "all" in names:
        names = list(NAMES)
    only = set(filter(None, given.only.split(",")))
    results: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
    }
    console.print(results["machine"])
    for name in names:
        with lab() as place:
            results[name] = importlib.import_module(name).run(place, given.n, given.rounds, only)
        if given.json:
            given.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FootfallError as error:
        sys.exit(f"bench: {error}")

"""What an import says at its end: rows, what became of them and why, file by file.

Decides that repeats are not the importer's to count: workers know them. Must never show a value.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec

from footfall.replay.imports.planning import Plan
from footfall.replay.imports.run import Run
from footfall.replay.imports.values import rfc_3339

_REPEATS: Final = "rows that were imported before are in the log again; the workers know them"


def report_of(run: Run, plan: Plan, told: Counter[str] | None, *, rejects_path: Path,
              is_whole: bool, as_json: bool) -> dict[str, Any]:
    """The report of a run, for people or for programs."""
    total: Counter[str] = Counter()
    for tally in run.tallies.values():
        total.update(read=tally.rows, imported=tally.imported, not_selected=tally.not_selected,
                     resumed=tally.resumed)
    files = {name: msgspec.to_builtins(tally) for name, tally in run.tallies.items()}
    files |= {name: {"fault": fault.reason} for name, fault in plan.faults.items()
              if name not in files}
    rejected = dict(run.rejects.counts.most_common())
    firsts = [tally.since for tally in run.tallies.values() if tally.since is not None]
    lasts = [tally.until for tally in run.tallies.values() if tally.until is not None]
    found: dict[str, Any] = {
        "run": run.position.run, "complete": is_whole, "rows": total["read"],
        "done by an earlier run": total["resumed"], "imported": total["imported"],
        "not selected": total["not_selected"], "rejected": rejected,
        "first": rfc_3339(min(firsts)) if firsts else None,
        "last": rfc_3339(max(lasts)) if lasts else None,
        "tracking plan": dict(run.admission.found),
        "reject file": str(rejects_path) if rejected else None,
    }
    if plan.formats["archive"]:
        found["no interactions"] = dict(run.passed_over.most_common())
    if told is not None:
        found["triggers"] = dict(told)
    if as_json:
        return {name.replace(" ", "_"): value for name, value in found.items()} | {"files": files}
    return found | {"files": "\n".join(f"{name}: {_line(tally)}" for name, tally in files.items()),
                    "repeats": _REPEATS}


def _line(tally: dict[str, Any]) -> str:
    """What became of a file."""
    parts = [f"{label.replace('_', ' ')} {tally[label]:,}" for label in
             ("rows", "imported", "rejected", "not_selected", "passed_over", "resumed")
             if tally.get(label)]
    if tally.get("fault"):
        parts.append(str(tally["fault"]))
    return ", ".join(parts) or "nothing"

"""What an import would do, found out from the beginning of each file: rows, times, rejects.

Decides how much is looked at, and that no value of a customer is shown unless it was asked for.
Must never write anything.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import msgspec

from footfall.errors import Rejected
from footfall.events.field_names import shown
from footfall.replay.imports.admitting import Admission
from footfall.replay.imports.files import File, Format, format_of, needed, unpacked
from footfall.replay.imports.mapping_row import Mapping as FieldMapping
from footfall.replay.imports.past import Passed
from footfall.replay.imports.reading import logged, reader_of
from footfall.replay.imports.row_ids import row_id
from footfall.replay.imports.rows import Bad, FileFault, Logged, Row, canonical
from footfall.replay.imports.values import rfc_3339

SAMPLE_ROWS: Final = 1_000
SAMPLE_FILES_MAX: Final = 20
ITEMS_SHOWN: Final = 3
#: Shown as they are: they are the shop's words, not its customers'.
_OPEN: Final = frozenset({"type", "event", "timestamp", "properties.currency"})
#: Beside what the sample took: appending, acknowledgements.
_SEND_S: Final = 10e-6


@dataclass(slots=True)
class Plan:
    """What was found. `rows_about`: exactly known of Parquet, and of files read to their end."""

    files: dict[str, tuple[File, Format]] = field(default_factory=dict)
    faults: dict[str, FileFault] = field(default_factory=dict)
    formats: Counter[str] = field(default_factory=Counter)
    file_bytes: int = 0
    rows_about: int = 0
    is_exact: bool = True
    sampled: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    #: Reason -> the first detail.
    details: dict[str, str] = field(default_factory=dict)
    since: int | None = None
    until: int | None = None
    items: list[bytes] = field(default_factory=list)
    took_s: float = 0.0
    #: Of archives: offsets that they do not have; of the sample, what is no interaction, by type.
    lacks: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)

    def seconds_about(self, rate_per_s: float | None) -> float:
        """How long the run would take."""
        each_s = self.took_s / self.sampled + _SEND_S if self.sampled else _SEND_S
        return self.rows_about * max(each_s, 1 / rate_per_s if rate_per_s else 0.0)


def plan_of(files: Sequence[File], form: Format | None, mapping: FieldMapping | None,
            admission: Admission) -> Plan:
    """Look at the files; what cannot be imported at all is among `faults`."""
    plan = Plan()
    sampled_bytes = sampled_rows = 0.0
    for n, file in enumerate(files):
        try:
            known = form or format_of(file)
        except FileFault as fault:
            plan.faults[file.name] = fault
            continue
        plan.file_bytes += max(file.size, 0)
        plan.formats[known] += 1
        plan.files[file.name] = file, known
        if file.part is not None:
            plan.lacks += file.part.lacks
        if n >= SAMPLE_FILES_MAX and file.part is not None:
            plan.rows_about += file.part.file.records
            continue
        if n >= SAMPLE_FILES_MAX and sampled_bytes:
            plan.rows_about += round(file.size * sampled_rows / sampled_bytes)
            plan.is_exact = False
            continue
        try:
            rows = _sample(plan, file, known, mapping, admission)
        except FileFault as fault:
            plan.faults[file.name] = fault
            del plan.files[file.name]
            continue
        plan.rows_about += round(rows)
        if file.part is None:
            sampled_bytes, sampled_rows = sampled_bytes + file.size, sampled_rows + rows
    return plan


def as_shown(plan: Plan, rate_per_s: float | None, *, with_values: bool) -> dict[str, Any]:
    """The plan for people and programs."""
    about = "" if plan.is_exact else "about "
    of_archives: dict[str, Any] = {}
    if plan.formats["archive"]:
        of_archives = {"offsets that the archive lacks": plan.lacks,
                       "no interactions of the sample": dict(plan.passed_over)}
    return {
        "files": len(plan.files), "formats": dict(plan.formats), "bytes": plan.file_bytes,
        "rows": f"{about}{plan.rows_about:,}",
        "first in the sample": "none" if plan.since is None else rfc_3339(plan.since),
        "last in the sample": "none" if plan.until is None else rfc_3339(plan.until),
        "sample": plan.sampled,
        **of_archives,
        "rejected of the sample": {
            reason: f"{count} ({plan.details[reason]})" for reason, count in
            plan.rejected.most_common()},
        "files that cannot be read": {
            name: f"{fault.reason}: {fault.detail}" for name, fault in plan.faults.items()},
        "items": [item_shown(item, with_values=with_values) for item in plan.items],
        "takes about": f"{plan.seconds_about(rate_per_s):,.0f} s",
    }


def item_shown(item: bytes, *, with_values: bool) -> str:
    """An item as JSON; without values only kinds, and names that may be values are hidden, too."""
    return canonical(item if with_values else
                     msgspec.json.encode(_hidden(msgspec.json.decode(item)))).decode()


def _sample(plan: Plan, file: File, form: Format, mapping: FieldMapping | None,
            admission: Admission) -> float:
    """Look at the first rows; how many the file has, as far as that can be told."""
    began = time.perf_counter()
    count, is_whole, share = 0, False, 1.0
    with file.packed() as stream:
        if form == "parquet" or file.part is not None:
            rows = (reader_of(form)(stream, mapping) if file.part is None else
                    logged(stream, file.part, mapping))
            for one in islice(rows, SAMPLE_ROWS):
                count += 1
                _look(plan, one, admission)
            plan.took_s += time.perf_counter() - began
            if file.part is not None:
                return float(file.part.file.records)
            stream.seek(0)
            return float(needed("pyarrow.parquet").read_metadata(stream).num_rows)
        with unpacked(stream) as inner:
            rows = reader_of(form)(inner, mapping)
            try:
                for one in islice(rows, SAMPLE_ROWS):
                    count += 1
                    _look(plan, one, admission)
                is_whole = next(rows, None) is None
            except FileFault as fault:  # the beginning can be imported
                if not count:
                    raise
                plan.faults[file.name] = fault
                is_whole = True
            share = min(1.0, max(stream.tell(), 1) / max(file.size, 1))
    plan.took_s += time.perf_counter() - began
    plan.is_exact = plan.is_exact and is_whole
    return count if is_whole else count / share


def _look(plan: Plan, one: Row | Bad | Logged, admission: Admission) -> None:
    plan.sampled += 1
    if isinstance(one, Bad):
        reason, detail = one.reason, one.detail
    else:
        made = admission.of(one, row_id(_NOBODY, 0))
        if made is None:
            return
        if isinstance(made, Passed):
            plan.passed_over[made.kind] += 1
            return
        if not isinstance(made, Rejected):
            plan.since = made.at if plan.since is None else min(plan.since, made.at)
            plan.until = made.at if plan.until is None else max(plan.until, made.at)
            if len(plan.items) < ITEMS_SHOWN:
                plan.items.append(admission.item(one))
            return
        reason, detail = made.reason, made.detail
    plan.rejected[reason] += 1
    plan.details.setdefault(reason, detail)


def _hidden(value: Any, path: str = "") -> Any:
    if isinstance(value, Mapping):
        below = f"{path}." if path else ""
        return {shown(name): _hidden(inner, below + name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(one, f"{path}.") for one in value]
    if path in _OPEN or value is None or isinstance(value, bool):
        return value
    return "(text)" if isinstance(value, str) else "(number)"


_NOBODY: Final = bytes(16)

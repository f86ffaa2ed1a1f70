"""Files of an import, written by others' libraries, and what the readers make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from footfall.replay.imports import files, reading
from footfall.replay.imports.mapping_reading import mapping_of
from footfall.replay.imports.mapping_row import Mapping
from footfall.replay.imports.rows import Bad, FileFault, Row

MAPPING: dict[str, Any] = {"call": {
    "type": "track", "event": "Order Completed", "userId": {"column": "customer"},
    "timestamp": {"column": "at"},
    "properties": {"total": {"column": "total", "as": "number"}, "currency": "EUR"}}}


def mapping(call: dict[str, Any] | None = None, **more: Any) -> Mapping:
    """The usual mapping, with these fields changed, or left out where None."""
    changed = {**MAPPING["call"], **(call or {})}
    return mapping_of({"call": {name: node for name, node in changed.items() if node is not None},
                       **more})


def rows_of(path: Path, how: Mapping | None = None
            ) -> tuple[list[Row | Bad], FileFault | None]:
    """All rows of a file, and what ended it too early."""
    found: list[Row | Bad] = []
    try:
        (file,) = files.found([str(path)])
        for one in reading.read(file, files.format_of(file), how):
            found.append(one)
    except FileFault as fault:
        return found, fault
    return found, None


def told(path: Path, how: Mapping | None = None) -> list[Any]:
    """Each row as (number, item), or (number, reason); last what ended the file, as a reason."""
    rows, fault = rows_of(path, how)
    made: list[Any] = [(one.number, json.loads(one.item) if isinstance(one, Row) else one.reason)
                       for one in rows]
    return made if fault is None else [*made, fault.reason]

"""One customer as a document for people and programs: every table, with what derives at an instant.

Decides its form (docs/commands.md), the same from a live worker, from the changelog and from the
served view. A table says itself how it reads (`TableSpec.view`); one without a view shows its facts
and told as they are. One table's fault never hides the others. Pure; must never change what it is
given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from footfall.tables.cart_triggers import instant
from footfall.tables.config import Config
from footfall.tables.record import CustomerRecord
from footfall.tables.spec import AnyTable
from footfall.tables.stored import Row
from footfall.view.pointers import owner_of

Document = dict[str, Any]
#: What `include` may name beside the tables.
IDS = "ids"


class Held(NamedTuple):
    """What is held of a customer: its record and decoded rows, and where its partition stands: the
    log's clock in ms, the configuration there, how many log records are not yet in it (None where
    the log's end is not known).
    """

    record: CustomerRecord
    rows: Mapping[str, Row]
    partition: int
    clock: int
    config: Config
    behind_records: int | None


def document(key: bytes, held: Held, tables: Sequence[AnyTable], now: int) -> Document:
    """A customer as of `now` (ms): JSON values only."""
    record, rows = held.record, held.rows
    owner = owner_of(record)
    return {
        "customer_key": key.decode(),
        "owner": None if owner is None else owner.decode(),
        "ids": _ids(rows, tables),
        "as_of": instant(now),
        "clock": instant(held.clock),
        "partition": held.partition,
        "watermark": record.watermark,
        "behind_records": held.behind_records,
        "config_version": held.config.label,
        "timers": {name: {"due": instant(timer.due), "wake_at": instant(timer.wake_at)}
                   for name, timer in sorted(record.timers.items())},
        "tables": {table.name: _shown(table, rows[table.name], now, held.config)
                   for table in tables if table.name in rows},
    }


def included(document: Document, names: Collection[str]) -> Document:
    """The document with these tables alone, and with the identifiers where they are named."""
    shown = {**document,
             "timers": {name: t for name, t in document["timers"].items() if name in names},
             "tables": {name: v for name, v in document["tables"].items() if name in names}}
    if IDS not in names:
        shown.pop("ids", None)
    return shown


def _ids(rows: Mapping[str, Row], tables: Sequence[AnyTable]) -> Mapping[str, str]:
    """Identifier kind -> value, of the table that knows."""
    return next((table.ids(rows[table.name].facts) for table in tables
                 if table.ids is not None and table.name in rows), {})


def _shown(table: AnyTable, row: Row, now: int, config: Config) -> Mapping[str, Any]:
    if table.view is None:
        return {"facts": _plain(row.facts), "told": _plain(row.told)}
    try:
        return table.view(row.facts, row.told, now, config.sections[table.name])
    except Exception as error:  # only its kind: the text may hold what was sent
        return {"view_failed": type(error).__name__}


def _plain(struct: Any) -> dict[str, Any]:
    return {name: msgspec.to_builtins(getattr(struct, name), str_keys=True)
            for name in struct.__struct_fields__}

"""What a received `$handoff` makes of a customer's rows (law 5): both sides' merged and asked anew.

Pure: gives what would change, changes nothing. Decides that every table which has a row is asked,
also one that received nothing (it may know another owner), and how timers of both sides join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from footfall.tables import timers
from footfall.tables.config import Config
from footfall.tables.record import CustomerRecord, RecordCodec
from footfall.tables.spec import Announcement, AnyTable
from footfall.tables.stored import MovedRow, Row, Timer

#: What stepping one table would change: table, its name, its row where it stays as it is, facts,
#: announcement. Nothing is changed until all tables have been stepped.
Staged = tuple[AnyTable, str, Row | None, Any, Announcement[Any]]


def merged(record: CustomerRecord, moved: Mapping[str, MovedRow], tables: Sequence[AnyTable],
           codec: RecordCodec, *, clock: int, config: Config
           ) -> tuple[list[Staged], dict[str, Timer]]:
    """The staged steps of all tables concerned, and the record's timers."""
    staged: list[Staged] = []
    waiting = dict(record.timers)
    for table in tables:
        name = table.name
        part = moved.get(name)
        if part is None and name not in record.rows:
            continue
        ours = codec.row(table, record.rows.get(name))
        facts, told = ours.facts, ours.told
        if part is not None:
            theirs = codec.row(table, part.row)
            facts = table.merge_facts(facts, theirs.facts)
            told = table.merge_told(told, theirs.told)
            timer = timers.merge(waiting.get(name), part.timer)
            if timer is not None:
                waiting[name] = timers.prolong(timer, clock, config)
        said = table.announce(told, facts, clock, config.sections[name], None)
        same = facts is ours.facts and said.told is ours.told
        staged.append((table, name, ours if same else None, facts, said))
    return staged, waiting

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
from footfall.tables.stored import Kept, MovedRow, Timer

#: What stepping one table would change: table, its name, its row (None: it stays as it is), facts,
#: announcement. Nothing is changed until all tables have been stepped.
Staged = tuple[AnyTable, str, Kept | None, Any, Announcement[Any]]


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
        row = record.rows.get(name)
        our_facts, our_told = codec.parts(table, row)
        facts, told = our_facts, our_told
        if part is not None:
            their_facts, their_told = codec.parts(table, part.row)
            facts = table.merge_facts(facts, their_facts)
            told = table.merge_told(told, their_told)
            timer = timers.merge(waiting.get(name), part.timer)
            if timer is not None:
                waiting[name] = timers.prolong(timer, clock, config)
        said = table.announce(told, facts, clock, config.sections[name], None)
        same = row is not None and facts is our_facts and said.told is our_told
        staged.append((table, name, None if same else codec.kept(table, facts, said.told), facts,
                       said))
    return staged, waiting

"""What a received `$handoff` makes of a customer's rows (law 5): both sides' merged and asked anew.

Pure: gives what would change, changes nothing. Decides that every table which has a row is asked,
also one that received nothing (it may know another owner), and how timers of both sides join. And
the reverse: what an unmerge leaves of them, and what goes (`parted`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from footfall.tables import timers
from footfall.tables.config import Config
from footfall.tables.record import CustomerRecord
from footfall.tables.step import Staged, Step
from footfall.tables.stored import Kept, MovedRow, Timer


def merged(record: CustomerRecord, moved: Mapping[str, MovedRow], steps: Sequence[Step], *,
           clock: int, config: Config) -> tuple[list[Staged], dict[str, Timer]]:
    """The staged steps of all tables concerned, and the record's timers."""
    staged: list[Staged] = []
    waiting = dict(record.timers)
    for step in steps:
        table, name = step.table, step.name
        part = moved.get(name)
        if part is None and name not in record.rows:
            continue
        row = record.rows.get(name)
        our_facts, our_told = step.rows.read(row)
        facts, told = our_facts, our_told
        if part is not None:
            their_facts, their_told = step.rows.read(part.row)
            facts = table.merge_facts(facts, their_facts)
            told = table.merge_told(told, their_told)
            timer = timers.merge(waiting.get(name), part.timer)
            if timer is not None:
                waiting[name] = timers.prolong(timer, clock, config)
        said = table.announce(told, facts, clock, step.config, None)
        same = row is not None and facts is our_facts and said.told is our_told
        staged.append((step, None if same else step.rows.make(facts, said.told), facts, said))
    return staged, waiting


def parted(record: CustomerRecord, stay: Mapping[str, Kept], leave: Mapping[str, Kept],
           steps: Sequence[Step], clock: int
           ) -> tuple[list[Staged], dict[str, tuple[Kept, Timer | None]]]:
    """The staged steps of a customer who keeps only a part of its facts, and the rows that leave.
    What was told stays, and goes along: neither side tells it again. A table of which nothing is
    given keeps all of its facts: whoever rebuilt them did not know it.
    """
    staged: list[Staged] = []
    rows: dict[str, tuple[Kept, Timer | None]] = {}
    for step in steps:
        name = step.name
        if name not in record.rows:
            continue
        facts, told = step.rows.read(record.rows[name])
        if name in stay:
            facts = step.rows.read(stay[name])[0]
        if name in leave:
            rows[name] = (step.rows.make(step.rows.read(leave[name])[0], told),
                          record.timers.get(name))
        said = step.table.announce(told, facts, clock, step.config, None)
        staged.append((step, step.rows.make(facts, said.told), facts, said))
    return staged, rows

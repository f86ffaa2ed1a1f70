"""What a received `$handoff` makes of a customer's rows (law 5): both sides' merged and asked anew.

Pure: gives what would change, changes nothing. Decides that every table which has a row and may
tell something is asked, also one that received nothing (it may know another owner), and how timers
of both sides join. A row that comes to where there is none is taken as it is: merged with nothing
it would be the same bytes (tests/tables/test_laws.py). And the reverse: what an unmerge leaves of
them, and what goes (`parted`).
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
        name, rows = step.name, step.rows
        part = moved.get(name)
        row = record.rows.get(name)
        kept: Kept | None
        if part is None:
            if row is None or not step.tells:
                continue
            facts, told = rows.read(row)
            said = step.announce(told, facts, clock, step.config, None)
            kept = None if said.told == told else rows.make(facts, said.told)
        else:
            facts, told = rows.read(part.row)
            if row is not None:
                our_facts, our_told = rows.read(row)
                facts = step.table.merge_facts(our_facts, facts)
                told = step.table.merge_told(our_told, told)
            said = step.announce(told, facts, clock, step.config, None)
            if row is None and said.told == told and rows.is_current(part.row):
                kept = part.row.copy()  # or it would keep all that came with it in memory
            else:
                kept = rows.make(facts, said.told)
            timer = timers.merge(waiting.get(name), part.timer)
            if timer is not None:
                waiting[name] = timers.prolong(timer, clock, config)
        staged.append((step, kept, facts, said))
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
            going = told if step.table.goes_along is None else step.table.goes_along(told)
            rows[name] = (step.rows.make(step.rows.read(leave[name])[0], going),
                          record.timers.get(name))
        said = step.table.announce(told, facts, clock, step.config, None)
        staged.append((step, step.rows.make(facts, said.told), facts, said))
    return staged, rows

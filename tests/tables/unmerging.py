"""`footfall customer unmerge` on a log in memory: the product's own plan and record."""

from __future__ import annotations

from footfall.admin.history import Entry, History, Relations, WidenedError
from footfall.admin.unmerge import Plan, plan, record_of
from tests.tables.log import Log
from tests.tables.logs import CODECS, KEYS, RESERVED


def history(log: Log, *keys: bytes) -> History:
    """All that the log holds by now, folded for these."""
    relations = Relations(CODECS, RESERVED)
    for entries in log.entries:
        for entry in entries:
            relations.take(entry.key, entry.value)
    followed = relations.of(keys)
    while True:
        made = History(followed, dict.fromkeys(range(len(log.entries)), 0), codecs=CODECS,
                       keys=KEYS, reserved=RESERVED, specs=log.specs)
        for number, entries in enumerate(log.entries):
            for entry in entries:
                made.take(number, Entry(*entry))
        try:
            assert made.run()
        except WidenedError as error:
            followed |= relations.of(error.args)
            continue
        owned = {link.key for key in keys for link in made.told(made.root(key)).owned}
        if owned <= followed:
            return made
        followed |= relations.of(owned)


def append(log: Log, wanted: Plan, read: History) -> tuple[int, int]:
    """Write the record of a plan; gives its place."""
    value = record_of(read, wanted, log.now, codecs=CODECS, reserved=RESERVED, specs=log.specs)
    entry = log.append_bytes(wanted.root, value, log.now + 1)
    return log.partition_of(wanted.root), entry.offset


def unmerge(log: Log, one: bytes, other: bytes) -> tuple[Plan, tuple[int, int]]:
    """Plan and write, as of where the log stands."""
    read = history(log, one, other)
    wanted = plan(read, one, other, KEYS)
    return wanted, append(log, wanted, read)

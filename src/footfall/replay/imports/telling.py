"""`--triggers-since`: what an imported history would have told, sent to footfall.triggers.

Decides the order in which the rows are folded (by when they happened, then by row), in a temporary
database on disk, for files are not in it; each row once. Sends only once all rows are in the log.
The fold itself is `told_since.py`; the ids of what it tells carry the run, so that a run that is
gone on with tells the same triggers under the same ids.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from footfall.events.codec import InteractionCodec
from footfall.events.interaction import Interaction
from footfall.events.reserved import Reserved
from footfall.replay.imports.admitting import Ready
from footfall.replay.imports.sending import Reached, Sender
from footfall.replay.imports.told_since import Under, told_since

_CACHE_KIB: Final = 32 * 1024
_CHUNK: Final = 1_000


class History:
    """The imported rows of one run; `close` when done."""

    def __init__(self) -> None:
        # A file of its own that SQLite deletes at once: "" is no name. Sorting goes to disk, too.
        self._database = sqlite3.connect("", isolation_level=None)
        for setting in (f"cache_size = -{_CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE rows (row BLOB PRIMARY KEY, at INTEGER, key BLOB, "
                               "value BLOB) WITHOUT ROWID")

    def close(self) -> None:
        """Forget all."""
        self._database.close()

    def add(self, records: Iterable[Ready]) -> None:
        """Rows, by their ids; one that is there already is the same."""
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?)",
            ((made.row, made.at, made.key, made.value) for made in records))
        self._database.execute("COMMIT")

    def ordered(self, codec: InteractionCodec, reserved: Reserved
                ) -> Iterator[tuple[bytes, Interaction]]:
        """Key and interaction of each, in the order in which they happened."""
        for key, value in self._database.execute("SELECT key, value FROM rows ORDER BY at, row"):
            yield key, reserved.read_import(codec.decode(value), key)[1]


def tell(history: History, under: Under, sender: Sender) -> Counter[str]:
    """Send the triggers, and wait until all are acknowledged; what became of rows and triggers."""
    counts: Counter[str] = Counter()
    nowhere = Reached(0, 0)
    waiting: list[Ready] = []
    rows = history.ordered(under.codecs.interaction, under.reserved)
    for key, value in told_since(rows, under, counts):
        waiting.append(Ready(key, value, 0))
        if len(waiting) == _CHUNK:
            sender.send(waiting, nowhere)
            waiting = []
    sender.send(waiting, nowhere)
    sender.flush()
    return counts

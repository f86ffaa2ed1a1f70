"""The rows of one partition: encoded in `store`, decoded while they are in use or something waits.

Decides which stay decoded, counts what waits, and finds what may be forgotten, a slice at each
snapshot. Must never change what a row says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from footfall.delivery import row as rows_of
from footfall.delivery.row import (
    DESTINATION,
    GOES,
    DestinationRow,
    HealthRow,
    Pending,
    Row,
    SentRow,
    Stored,
)
from footfall.tables.records import Best

HOT_MAX = 20_000
#: Rows looked at for forgetting, at each snapshot.
SWEPT = 2_000


class Rows:
    """`store` maps key to encoded row as of the last snapshot; `best` is what was recovered.
    `counted_as` says of a destination's name with what caps count it together.
    """

    def __init__(self, best: Best, counted_as: Callable[[str], str]) -> None:
        self.store = best.store
        #: Destination -> how many wait, and their bytes.
        self.waiting: Counter[str] = Counter()
        self.waiting_bytes: Counter[str] = Counter()
        #: (customer_key, what a cap counts together) -> attempts that have begun and not ended.
        self._going: Counter[tuple[str, str]] = Counter()
        self._counted_as = counted_as
        self._hot: dict[bytes, Stored] = {}
        self._dirty: set[bytes] = set()
        self._sweep: Iterator[bytes] = iter(())
        for key in best.wakes:
            row = self.destination_row(key)
            for pending in row.pending:
                self.count(key, pending, 1)

    def stored(self, key: bytes) -> Stored:
        """A row with its watermark; a new one where there is none."""
        found = self._hot.get(key)
        if found is None:
            data = self.store.get(key)
            found = Stored(-1, _new(key)) if data is None else rows_of.decode(key, data)
            self._hot[key] = found
        return found

    def put(self, key: bytes, row: Row, watermark: int) -> None:
        """A row was changed by the record at an offset."""
        self._hot[key] = Stored(watermark, row)
        self._dirty.add(key)

    def destination_row(self, key: bytes) -> DestinationRow:
        """One customer's deliveries to a destination. For reading, unless it is `put`."""
        row = self.stored(key).row
        assert isinstance(row, DestinationRow)
        return row

    def sent_row(self, customer_key: str) -> SentRow:
        """What was sent to a customer. For reading."""
        row = self.stored(customer_key.encode()).row
        assert isinstance(row, SentRow)
        return row

    def health(self, destination: str) -> HealthRow:
        """How a destination fares. For reading."""
        row = self.stored(rows_of.health_key(destination)).row
        assert isinstance(row, HealthRow)
        return row

    def count(self, key: bytes, pending: Pending, change: int) -> None:
        """A delivery waits from now on (1), or no more (-1)."""
        customer_key, destination = rows_of.parts(key)
        self.waiting[destination] += change
        self.waiting_bytes[destination] += change * pending.size
        if pending.state == GOES:
            counted = customer_key, self._counted_as(destination)
            self._going[counted] += change
            if not self._going[counted]:
                del self._going[counted]

    def going_as(self, customer_key: str, counted_as: str) -> int:
        """How many attempts to reach a customer have begun and not ended."""
        return self._going.get((customer_key, counted_as), 0)

    def waiting_keys(self) -> list[bytes]:
        """Every row in which something waits."""
        return [key for key, stored in self._hot.items()
                if isinstance(stored.row, DestinationRow) and stored.row.pending]

    def snapshot(self, now: int) -> list[tuple[bytes, bytes | None]]:
        """Encode what changed into the store; gives (key, value) of each, None for one that is
        forgotten. Runs without pause. `now`: the log's clock. Rows of deliveries come last: whether
        a record fitted is known from them alone, so where one is in the changelog, what else the
        same records changed is there before it.
        """
        changed: list[tuple[bytes, bytes | None]] = []
        for key in sorted(self._dirty, key=rows_of.is_row_key):
            data = self.store[key] = rows_of.encode(self._hot[key])
            changed.append((key, data))
        self._dirty = set()
        if len(self._hot) > HOT_MAX:
            self._hot = {key: stored for key, stored in self._hot.items()
                         if isinstance(stored.row, DestinationRow) and stored.row.pending}
        changed += ((key, None) for key in self._forgotten(now))
        return changed

    def _forgotten(self, now: int) -> list[bytes]:
        gone = []
        for _ in range(min(SWEPT, len(self.store))):
            key = next(self._sweep, None)
            if key is None:
                self._sweep = iter(list(self.store))
                break
            data = self.store.get(key)
            if data is not None and rows_of.may_be_forgotten(data, now):
                gone.append(key)
        for key in gone:
            del self.store[key]
            self._hot.pop(key, None)
        return gone


def _new(key: bytes) -> Row:
    if key.startswith(DESTINATION):
        return HealthRow()
    return DestinationRow() if b"|" in key else SentRow()

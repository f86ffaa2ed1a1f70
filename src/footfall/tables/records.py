"""The customer records of one partition: encoded in `store`, decoded while they are in use.

Decides which records stay decoded (those stepped since the checkpoint before last, once there are
more than `hot_max`), and what a checkpoint writes: every changed record, once, though one unit of
the log may step more than may be decoded at a time. Also takes a
changelog in: of each key the record with the highest watermark, not the last one (law 2), because a
stale row of a worker that had been replaced may lie behind the owner's. Must never change what a
record says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from footfall.errors import DecodeError
from footfall.tables.record import CustomerRecord, RecordCodec, header
from footfall.tables.spec import AnyTable
from footfall.tables.stored import INFLIGHT_PREFIX, PARTITION_KEY


class Records:
    """`store` maps customer_key to encoded record as of the last snapshot. `dirty` holds what has
    changed since.
    """

    def __init__(self, tables: Sequence[AnyTable], best: Best,
                 is_key: Callable[[bytes | None], bool], hot_max: int) -> None:
        self.codec = RecordCodec(tables)
        self.store = best.store
        self.dirty: dict[bytes, CustomerRecord] = {}
        self.hot_max = hot_max
        self._is_key = is_key
        self._hot: dict[bytes, CustomerRecord] = {}
        self._cooling: dict[bytes, CustomerRecord] = {}
        #: Encoded since the last snapshot, for the next one.
        self._encoded: dict[bytes, bytes] = {}
        #: How many records have which marks.
        self._marks = best.marks

    def get(self, key: bytes) -> CustomerRecord:
        """The record to be stepped, a new one for a new customer; raises `DecodeError` where `key`
        is no customer_key.
        """
        record = self._hot.get(key)
        return self._load(key) if record is None else record

    def touch(self, key: bytes, record: CustomerRecord) -> None:
        """Let the next snapshot write a record: it has been stepped."""
        if not record.changed:
            record.changed = True
            self.dirty[key] = record

    def peek(self, key: bytes) -> CustomerRecord | None:
        """The record as it stands now; None when there is none. For reading only."""
        record = self._hot.get(key)
        if record is None:
            record = self._cooling.get(key)
        if record is None:
            data = self._encoded.get(key) or self.store.get(key)
            record = None if data is None else self.codec.decode(data)
        return record

    def keys(self) -> list[bytes]:
        """Every customer there is, the last in order first."""
        return sorted({*self.store, *self._encoded, *self.dirty}, reverse=True)

    def snapshot(self) -> list[tuple[bytes, bytes]]:
        """Encode what changed into the store; gives (key, value) of each. Runs without pause."""
        self._encode()
        encoded, self._encoded = self._encoded, {}
        self.store.update(encoded)
        self._cool()
        return list(encoded.items())

    def make_room(self) -> None:
        """Let go of decoded records in the middle of a unit that steps more than may be hot: what
        changed is encoded for the snapshot to come.
        """
        if len(self._hot) > self.hot_max:
            self._encode()
            self._cool()

    def _encode(self) -> None:
        encode = self.codec.encode
        encoded = self._encoded
        for key, record in self.dirty.items():
            record.changed = False
            encoded[key] = encode(record)
            if record.marks != record.counted:
                if record.counted is not None:
                    self._marks[record.counted] -= 1
                self._marks[record.marks] += 1
                record.counted = record.marks
        self.dirty = {}

    def _cool(self) -> None:
        if len(self._hot) > self.hot_max:
            self._cooling, self._hot = self._hot, {}

    def levels(self) -> dict[tuple[str, str], int]:
        """(table, level last announced or "") -> customers, as of the last snapshot."""
        found: dict[tuple[str, str], int] = {}
        for marks, customers in self._marks.items():
            for label in self.codec.levels(marks):
                found[label] = found.get(label, 0) + customers
        return found

    def _load(self, key: bytes) -> CustomerRecord:
        record = self._cooling.pop(key, None)
        if record is None:
            data = self._encoded.get(key) or self.store.get(key)
            if data is not None:
                record = self.codec.decode(data)
            elif self._is_key(key):
                record = CustomerRecord()
            else:
                raise DecodeError("key_invalid", "the Kafka key is not a customer_key")
        self._hot[key] = record
        return record


class Best:
    """What a changelog partition holds, as far as it has been taken in; begins with records that
    are the best already. `stale`: keys whose last record was not the best; `state`: the
    `$partition` record; `inflight`: contents of handoffs on their way (`stored.inflight`). The rest
    is counted on the way, while a record is at hand: `highest` is the highest watermark seen,
    `wakes` the next wake_at of each customer who waits, `marks` says how many records have which.
    """

    def __init__(self, best: dict[bytes, bytes] | None = None) -> None:
        self.store: dict[bytes, bytes] = {}
        self.stale: set[bytes] = set()
        self.state: bytes | None = None
        self.inflight: dict[bytes, bytes] = {}
        self.highest = -1
        self.wakes: dict[bytes, int] = {}
        self.marks: Counter[int] = Counter()
        if best:
            self.take(best.items())

    def take(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take in (key, value) of each record, in their order."""
        store = self.store
        wakes = self.wakes
        marks_of = self.marks
        for key, value in records:
            known = store.get(key)
            if value is None:
                if known is not None:
                    self._remove(key, known)
                else:
                    self.inflight.pop(key, None)
                continue
            if key == PARTITION_KEY:
                if self.state is None or header(value)[0] >= header(self.state)[0]:
                    self.state = value
                continue
            if key.startswith(INFLIGHT_PREFIX):
                self.inflight[key] = value
                continue
            watermark, wake_at, marks = header(value)
            if watermark > self.highest:
                self.highest = watermark
            if known is not None:
                known_watermark, _wake_at, known_marks = header(known)
                if known_watermark > watermark:
                    self.stale.add(key)
                    continue
                self.stale.discard(key)
                marks_of[known_marks] -= 1
            store[key] = value
            marks_of[marks] += 1
            if wake_at:
                wakes[key] = wake_at
            elif known is not None:
                wakes.pop(key, None)

    def _remove(self, key: bytes, known: bytes) -> None:
        """The null that follows a removal, itself a record with a watermark, has come."""
        del self.store[key]
        self.stale.discard(key)
        self.wakes.pop(key, None)
        self.marks[header(known)[2]] -= 1

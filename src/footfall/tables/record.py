"""The customer record: all tables of one customer as one changelog value (law 2).

Marks say in four bits a table, at its `slot`, whether the record has a row of it and which level
was announced last: so levels are counted without decoding. Rows stay as they are stored and are
decoded for a step alone, where their table does not say otherwise: a hundred small objects of a
customer who was here a moment ago would have to come from memory one by one, which takes longer
than decoding (docs/performance.md). Rows of tables marked `personal` travel inside one `personal`
field beside `key_id` (law 6).
Decides the bytes (`stored.py` has their layout) and nothing else: what changes a record is in
`fold.py`. A record of a newer format stops the worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from footfall.errors import StateRefused
from footfall.tables.message_ids import MessageIds
from footfall.tables.spec import AnyTable
from footfall.tables.stored import (
    FORMAT,
    HEADER,
    HEADER_1,
    NEVER,
    Kept,
    MovedRow,
    PartitionState,
    Row,
    Stored,
    Timer,
    Versioned,
)

_MARK_BITS: Final = 4
_MARK: Final = (1 << _MARK_BITS) - 1


class CustomerRecord:
    """A record taken apart; `rows` holds each table's row, in either form."""

    __slots__ = ("changed", "counted", "marks", "message_ids", "rows", "senders", "timers",
                 "watermark")

    def __init__(self) -> None:
        self.watermark = -1
        #: Since it was last encoded.
        self.changed = False
        #: Of `rows` as they are, and as they were last stored (None: they never were).
        self.marks = 0
        self.counted: int | None = None
        self.senders: dict[int, tuple[int, int]] = {}
        self.message_ids = MessageIds()
        self.timers: dict[str, Timer] = {}
        self.rows: dict[str, Kept] = {}

    def next_wake(self) -> int:
        """The earliest wake_at of all timers, or NEVER."""
        earliest = NEVER
        for timer in self.timers.values():
            if not earliest or timer.wake_at < earliest:
                earliest = timer.wake_at
        return earliest


class RecordCodec:
    """Encodes and decodes records and rows for a fixed set of tables."""

    def __init__(self, tables: Sequence[AnyTable]) -> None:
        self._tables = {t.name: t for t in tables}
        #: All others are hidden: also tables that this code, rolled back, does not know.
        self._clear = frozenset(t.name for t in tables if not t.personal)
        self._marked = {
            t.name: (t.slot * _MARK_BITS, t.level, {lv: 2 + n for n, lv in enumerate(t.levels)})
            for t in tables if t.slot is not None
        }
        # order="deterministic": the bytes of a record must not depend on history (law 3).
        self._encoder = msgspec.msgpack.Encoder(order="deterministic")
        self._stored = msgspec.msgpack.Decoder(Stored)
        self._raws = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
        self._moved = msgspec.msgpack.Decoder(dict[str, MovedRow])
        self._rows: dict[str, msgspec.msgpack.Decoder[tuple[int, Any, Any]]] = {
            t.name: msgspec.msgpack.Decoder(tuple[int, t.facts, t.told])  # type: ignore[name-defined]
            for t in tables
        }

    def encode(self, record: CustomerRecord) -> bytes:
        """Changelog value of a record."""
        rows = record.rows
        personal = b""
        for name in rows:
            if name not in self._clear:
                hidden = {n: row for n, row in rows.items() if n not in self._clear}
                rows = {n: row for n, row in rows.items() if n in self._clear}
                personal = self._encoder.encode(hidden)
                break
        memory = record.message_ids
        senders: list[tuple[int, int, int]] = []
        if record.senders:
            # A list: deterministic encoding takes no map whose keys are integers.
            senders = [(p, *last) for p, last in sorted(record.senders.items())]
        head = HEADER.pack(FORMAT, record.watermark, record.next_wake(), record.marks)
        return head + self._encoder.encode(
            (senders, memory.hashes, memory.recent, record.timers, rows, None, personal)
        )

    def put(self, record: CustomerRecord, table: AnyTable, row: Kept, told: Any) -> None:
        """Put a table's row, made by `kept`, into a record, and mark it with the level told."""
        record.rows[table.name] = row
        if table.slot is not None:
            shift, level, codes = self._marked[table.name]
            mark = 1 if level is None else codes.get(level(told), 1)
            record.marks = record.marks & ~(_MARK << shift) | mark << shift

    def take(self, record: CustomerRecord, name: str) -> Kept:
        """Take a table's row out of a record."""
        if name in self._marked:
            record.marks &= ~(_MARK << self._marked[name][0])
        return record.rows.pop(name)

    def levels(self, marks: int) -> list[tuple[str, str]]:
        """(table, level or "") of each row that marks tell of."""
        found = []
        for name, (shift, _level, codes) in self._marked.items():
            mark = marks >> shift & _MARK
            if mark:
                found.append((name, next((lv for lv, code in codes.items() if code == mark), "")))
        return found

    def decode(self, data: bytes) -> CustomerRecord:
        """Inverse of `encode`; rows stay raw."""
        record = CustomerRecord()
        record.watermark, _wake, record.marks = header(data)
        record.counted = record.marks
        stored = self._stored.decode(_body(data))
        record.senders = {p: (offset, n) for p, offset, n in stored.senders}
        record.message_ids = MessageIds(bytearray(stored.ids), stored.recent)
        record.timers = stored.timers
        record.rows = dict(stored.rows)
        if stored.personal:
            record.rows.update(self._raws.decode(stored.personal))
        return record

    def row(self, table: AnyTable, row: Kept | None) -> Row:
        """A table's row for reading: decoded, upgraded, or new."""
        return Row(table.version, *self.parts(table, row))

    def parts(self, table: AnyTable, row: Kept | None) -> tuple[Any, Any]:
        """Facts and told of a row: decoded, upgraded, or new."""
        if row is None:
            return table.facts(), table.told()
        if isinstance(row, Row):
            return row.facts, row.told
        try:
            version, facts, told = self._rows[table.name].decode(row)
        except msgspec.ValidationError:  # of another version, perhaps
            version = _version.decode(row).version
            if version == table.version:
                raise
        if version == table.version:
            return facts, told
        if version > table.version or table.upgrade is None:
            raise StateRefused(
                f"a row of table {table.name!r} has version {version}, this code knows up to "
                f"{table.version}: run the newer Footfall that wrote it"
            )
        _, old_facts, old_told = _parts.decode(row)
        return table.upgrade(version, bytes(old_facts), bytes(old_told))

    def kept(self, table: AnyTable, facts: Any, told: Any) -> Kept:
        """A row to be put into a record; raises what msgspec raises where it cannot be stored."""
        if table.kept_decoded:
            return Row(table.version, facts, told)
        return msgspec.Raw(self._encoder.encode((table.version, facts, told)))

    def pack(self, rows: dict[str, tuple[Kept, Timer | None]]) -> bytes:
        """Rows for a `$handoff`."""
        return self._encoder.encode(rows)

    def unpack(self, data: bytes) -> dict[str, MovedRow]:
        """Rows of a `$handoff`, by table name; raises msgspec.MsgspecError."""
        return self._moved.decode(data)


_version = msgspec.msgpack.Decoder(Versioned)
_parts = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw, msgspec.Raw])
_partition = msgspec.msgpack.Decoder(PartitionState)


def header(data: bytes) -> tuple[int, int, int]:
    """(watermark, next wake_at or NEVER, marks) of a changelog value."""
    if data[0] == FORMAT:
        _format, watermark, wake_at, marks = HEADER.unpack_from(data)
        return watermark, wake_at, marks
    if data[0] == 1:
        _format, watermark, wake_at = HEADER_1.unpack_from(data)
        return watermark, wake_at, 0
    raise StateRefused(
        f"a changelog record has format {data[0]}, this code knows {FORMAT}: "
        "run the newer Footfall that wrote it"
    )


def _body(data: bytes) -> memoryview:
    return memoryview(data)[(HEADER_1 if data[0] == 1 else HEADER).size :]


def decode_partition(data: bytes) -> PartitionState:
    """Inverse of `PartitionState.encode`."""
    header(data)
    return _partition.decode(_body(data))

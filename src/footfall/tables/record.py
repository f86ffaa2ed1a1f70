"""The customer record: all tables of one customer as one changelog value (law 2).

Marks say in four bits a table, at its `slot`, whether the record has a row of it and which level
was announced last: so levels are counted without decoding. Rows stay as they are stored and are
decoded for a step alone, where their table does not say otherwise: a hundred small objects of a
customer who was here a moment ago would have to come from memory one by one, which takes longer
than decoding (docs/performance.md). Rows of tables marked `personal` travel inside one `personal`
field beside `key_id` (law 6).
Decides the bytes (`stored.py` has their layout) and nothing else: what changes a record is in
`fold.py` and its bases. A record of a newer format stops the worker.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from footfall.errors import StateRefused
from footfall.tables.import_ledger import ImportLedger
from footfall.tables.message_ids import MessageIds
from footfall.tables.row import RowCodec
from footfall.tables.spec import AnyTable
from footfall.tables.stored import (
    FORMAT,
    FORMAT_IMPORTS,
    HEADER,
    HEADER_1,
    NEVER,
    Kept,
    MovedRow,
    PartitionState,
    Row,
    Stored,
    Timer,
    unpacked,
)


class CustomerRecord:
    """A record taken apart; `rows` holds each table's row, in either form."""

    __slots__ = ("changed", "counted", "imports", "marks", "message_ids", "rows", "senders",
                 "timers", "watermark")

    def __init__(self) -> None:
        self.watermark = -1
        #: Since it was last encoded.
        self.changed = False
        #: Of `rows` as they are, and as they were last stored (None: they never were).
        self.marks = 0
        self.counted: int | None = None
        self.senders: dict[int, tuple[int, int]] = {}
        self.message_ids = MessageIds()
        #: None: nothing of it came by an import.
        self.imports: ImportLedger | None = None
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
        #: All others are hidden: also tables that this code, rolled back, does not know.
        self._clear = frozenset(t.name for t in tables if not t.personal)
        # order="deterministic": the bytes of a record must not depend on history (law 3).
        self._encoder = msgspec.msgpack.Encoder(order="deterministic")
        self._stored = msgspec.msgpack.Decoder(Stored)
        self._raws = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
        self._moved = msgspec.msgpack.Decoder(dict[str, MovedRow])
        self._sides = msgspec.msgpack.Decoder(
            tuple[dict[str, msgspec.Raw], dict[str, msgspec.Raw]])
        self.rows = {t.name: RowCodec(t, self._encoder) for t in tables}

    def encode(self, record: CustomerRecord) -> bytes:
        """Changelog value of a record."""
        clear: dict[str, Kept] = {}
        hidden: dict[str, Kept] = {}
        for name, row in record.rows.items():
            if name in self._clear:
                clear[name] = row
            else:
                hidden[name] = row
        personal = self._encoder.encode(hidden) if hidden else b""
        memory = record.message_ids
        senders: list[tuple[int, int, int]] = []
        if record.senders:
            # A list: deterministic encoding takes no map whose keys are integers.
            senders = [(p, *last) for p, last in sorted(record.senders.items())]
        body = (senders, memory.hashes, memory.recent, record.timers, clear, None, personal)
        imports = record.imports
        if imports is not None and (imports.rows or imports.muted):
            return HEADER.pack(
                FORMAT_IMPORTS, record.watermark, record.next_wake(), record.marks
            ) + self._encoder.encode((*body, imports.rows, imports.muted))
        head = HEADER.pack(FORMAT, record.watermark, record.next_wake(), record.marks)
        return head + self._encoder.encode(body)

    def take(self, record: CustomerRecord, name: str) -> Kept:
        """Take a table's row out of a record."""
        if name in self.rows:
            record.marks = self.rows[name].unmarked(record.marks)
        return record.rows.pop(name)

    def levels(self, marks: int) -> list[tuple[str, str]]:
        """(table, level or "") of each row that marks tell of."""
        return [(name, level) for name, rows in self.rows.items()
                if (level := rows.level(marks)) is not None]

    def decode(self, data: bytes) -> CustomerRecord:
        """Inverse of `encode`; rows stay raw."""
        record = CustomerRecord()
        record.watermark, _wake, record.marks = header(data)
        record.counted = record.marks
        stored = self._stored.decode(_body(data))
        record.senders = {p: (offset, n) for p, offset, n in stored.senders}
        record.message_ids = MessageIds(bytearray(stored.ids), stored.recent)
        if stored.imported or stored.muted:
            record.imports = ImportLedger(stored.imported, stored.muted)
        record.timers = stored.timers
        record.rows = dict(stored.rows)
        if stored.personal:
            record.rows.update(self._raws.decode(stored.personal))
        return record

    def row(self, table: AnyTable, row: Kept | None) -> Row:
        """A table's row for reading: decoded, upgraded, or new."""
        return Row(table.version, *self.rows[table.name].read(row))

    def pack(self, rows: dict[str, tuple[Kept, Timer | None]]) -> bytes:
        """Rows for a `$handoff`."""
        return self._encoder.encode(rows)

    def unpack(self, data: bytes) -> dict[str, MovedRow]:
        """Rows of a `$handoff`, by table name; raises msgspec.MsgspecError."""
        return self._moved.decode(data)

    def pack_sides(self, stay: dict[str, Kept], leave: dict[str, Kept]) -> bytes:
        """Rows for an `$unmerge`: of the customer who stays, and of those who leave."""
        return self._encoder.encode((stay, leave))

    def unpack_sides(self, data: bytes) -> tuple[dict[str, msgspec.Raw], dict[str, msgspec.Raw]]:
        """Inverse of `pack_sides`; raises msgspec.MsgspecError."""
        return self._sides.decode(data)


_partition = msgspec.msgpack.Decoder(PartitionState)


def header(data: bytes) -> tuple[int, int, int]:
    """(watermark, next wake_at or NEVER, marks) of a changelog value."""
    if FORMAT <= data[0] <= FORMAT_IMPORTS:
        _format, watermark, wake_at, marks = HEADER.unpack_from(data)
        return watermark, wake_at, marks
    if data[0] == 1:
        _format, watermark, wake_at = HEADER_1.unpack_from(data)
        return watermark, wake_at, 0
    raise StateRefused(
        f"a changelog record has format {data[0]}, this code knows {FORMAT_IMPORTS}: "
        "run the newer Footfall that wrote it"
    )


def _body(data: bytes) -> memoryview:
    return memoryview(data)[(HEADER_1 if data[0] == 1 else HEADER).size :]


def decode_partition(data: bytes) -> PartitionState:
    """Inverse of `PartitionState.encode`."""
    header(data)
    state = _partition.decode(_body(data))
    return msgspec.structs.replace(state, config_content=unpacked(state.config_content))

"""A state made anew against the live one, row by row.

Decides what may be compared: a customer whose two records are of the same watermark, or neither of
which lies beyond where the other state has come to; whoever did something meanwhile is counted and
left out. Names tables; customers only by their keys, and so many as are asked for. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from footfall.tables.record import CustomerRecord, RecordCodec, header
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable
from footfall.tables.stored import Kept

#: What a record holds beside its rows. Watermarks, timers, repeats and senders follow from the rows
#: and the log: where code is the same they are equal, too.
REPEATS: Final = "(repeats)"
SENDERS: Final = "(senders)"
IMPORTS: Final = "(imports)"
TIMERS: Final = "(timers)"
WATERMARK: Final = "(watermark)"


class Rows(msgspec.Struct):
    """Of one table, or part of the record: how many rows are the same, and how many are not."""

    equal: int = 0
    differ: int = 0
    only_new: int = 0
    only_live: int = 0
    #: customer_keys of those that are not, the first so many.
    keys: list[str] = []

    @property
    def differs(self) -> int:
        """All that are not the same."""
        return self.differ + self.only_new + self.only_live


class Comparison:
    """Of all partitions, taken in one by one. `shown_max`: keys kept of each table."""

    def __init__(self, tables: Sequence[AnyTable], shown_max: int = 0) -> None:
        self.tables: dict[str, Rows] = {}
        self.compared = 0
        #: Who did something while one of the two was being read.
        self.moved = 0
        self._codec = RecordCodec(tables)
        self._encoder = msgspec.msgpack.Encoder(order="deterministic")
        self._shown_max = shown_max

    def take(self, live: Best, live_next: int, new: Mapping[bytes, bytes], new_next: int) -> None:
        """A partition. `*_next`: the first offset of the log that each does not cover."""
        common = min(live_next, new_next)
        for key, data in new.items():
            self._pair(key, data, live.store.get(key), common)
        for key, data in live.store.items():
            if key not in new:
                self._pair(key, None, data, common)

    @property
    def differing(self) -> list[str]:
        """Tables, and parts of the record, that are not the same."""
        return sorted(name for name, rows in self.tables.items() if rows.differs)

    def shown(self) -> dict[str, Any]:
        """For the report."""
        tables: dict[str, Any] = {}
        for name, rows in sorted(self.tables.items()):
            tables[name] = {"equal": rows.equal, "differ": rows.differ,
                            "only_new": rows.only_new, "only_live": rows.only_live}
            if rows.keys:
                tables[name]["customer_keys"] = rows.keys
        return {"customers_compared": self.compared, "moved_meanwhile": self.moved,
                "differing": self.differing, "tables": tables}

    def _pair(self, key: bytes, new: bytes | None, live: bytes | None, common: int) -> None:
        marks = [header(data)[0] for data in (new, live) if data is not None]
        if not (len(marks) == 2 and marks[0] == marks[1]) and max(marks) >= common:
            self.moved += 1
            return
        self.compared += 1
        ours = None if new is None else self._codec.decode(new)
        if new == live:
            assert ours is not None
            for name in (*ours.rows, *_parts(ours)):
                self._of(name).equal += 1
            return
        theirs = None if live is None else self._codec.decode(live)
        self._rows(key, {} if ours is None else ours.rows, {} if theirs is None else theirs.rows)
        parts = {} if ours is None else _parts(ours)
        others = {} if theirs is None else _parts(theirs)
        for name in parts.keys() | others.keys():
            self._count(name, key, parts.get(name), others.get(name))

    def _rows(self, key: bytes, ours: Mapping[str, Kept], theirs: Mapping[str, Kept]) -> None:
        for name in ours.keys() | theirs.keys():
            mine, other = ours.get(name), theirs.get(name)
            one = None if mine is None else bytes(mine)  # type: ignore[arg-type]
            two = None if other is None else self._current(name, other)
            self._count(name, key, one, two)

    def _current(self, name: str, row: Kept) -> bytes:
        """A live row in this version of its table: it may not have been stepped since."""
        assert isinstance(row, msgspec.Raw)
        codec = self._codec.rows.get(name)
        if codec is None or codec.is_current(row):
            return bytes(row)
        return self._encoder.encode((codec.table.version, *codec.read(row)))

    def _count(self, name: str, key: bytes, new: Any, live: Any) -> None:
        rows = self._of(name)
        if new == live:
            rows.equal += 1
            return
        if live is None:
            rows.only_new += 1
        elif new is None:
            rows.only_live += 1
        else:
            rows.differ += 1
        if len(rows.keys) < self._shown_max:
            rows.keys.append(key.decode(errors="replace"))

    def _of(self, name: str) -> Rows:
        rows = self.tables.get(name)
        if rows is None:
            rows = self.tables[name] = Rows()
        return rows


def _parts(record: CustomerRecord) -> dict[str, Any]:
    memory, imports = record.message_ids, record.imports
    return {WATERMARK: record.watermark, TIMERS: record.timers, SENDERS: record.senders,
            REPEATS: (bytes(memory.hashes), list(memory.recent)),
            IMPORTS: None if imports is None else (bytes(imports.rows), bytes(imports.muted))}

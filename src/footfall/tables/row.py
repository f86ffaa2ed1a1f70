"""One table's rows: between bytes and facts and told, of this version and older ones.

Decides which form a row has between steps (`TableSpec.kept_decoded`) and the table's mark in a
record's header. Must never decide what a row says.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from footfall.errors import StateRefused
from footfall.tables.spec import AnyTable
from footfall.tables.stored import Kept, Row, Versioned

MARK_BITS: Final = 4
MARK: Final = (1 << MARK_BITS) - 1
#: Of a table without a slot.
NEVER_MARKED: Final = -1


class RowCodec:
    """Reads and makes the rows of one table."""

    def __init__(self, table: AnyTable, encoder: msgspec.msgpack.Encoder) -> None:
        self.table = table
        #: Where the table's mark begins.
        self.shift = NEVER_MARKED if table.slot is None else table.slot * MARK_BITS
        self._version = table.version
        self._kept_decoded = table.kept_decoded
        self._level = table.level
        self._codes = {level: 2 + n for n, level in enumerate(table.levels)}
        self._encode = encoder.encode
        row: Any = tuple[int, table.facts, table.told]  # type: ignore[name-defined]
        self._decode = msgspec.msgpack.Decoder(row).decode

    def read(self, row: Kept | None) -> tuple[Any, Any]:
        """Facts and told of a row: decoded, upgraded, or new."""
        if row is None:
            return self.table.facts(), self.table.told()
        if type(row) is Row:
            return row.facts, row.told
        raw: Any = row
        try:
            version, facts, told = self._decode(raw)
        except msgspec.ValidationError:  # of another version, perhaps
            version = _version.decode(raw).version
            if version == self._version:
                raise
        if version == self._version:
            return facts, told
        return self._upgraded(version, raw)

    def is_current(self, row: msgspec.Raw) -> bool:
        """Whether a row is of this version."""
        return _version.decode(row).version == self._version

    def make(self, facts: Any, told: Any) -> Kept:
        """A row to be put into a record; raises what msgspec raises where it cannot be stored."""
        if self._kept_decoded:
            return Row(self._version, facts, told)
        return msgspec.Raw(self._encode((self._version, facts, told)))

    def marked(self, marks: int, told: Any) -> int:
        """A record's marks with a row of this table: 1, or 2 and more for its level."""
        if self.shift == NEVER_MARKED:
            return marks
        mark = 1 if self._level is None else self._codes.get(self._level(told), 1)
        return marks & ~(MARK << self.shift) | mark << self.shift

    def unmarked(self, marks: int) -> int:
        """The same without one."""
        return marks if self.shift == NEVER_MARKED else marks & ~(MARK << self.shift)

    def level(self, marks: int) -> str | None:
        """The level that marks tell of, "" for a row without one; None: there is no row."""
        mark = 0 if self.shift == NEVER_MARKED else marks >> self.shift & MARK
        if not mark:
            return None
        return next((level for level, code in self._codes.items() if code == mark), "")

    def _upgraded(self, version: int, raw: msgspec.Raw) -> tuple[Any, Any]:
        table = self.table
        if version > table.version or table.upgrade is None:
            raise too_new(table, version)
        _, facts, told = _parts.decode(raw)
        return table.upgrade(version, bytes(facts), bytes(told))


def too_new(table: AnyTable, version: int) -> StateRefused:
    """What a row, or a letter, of a newer version is answered with."""
    return StateRefused(f"a row of table {table.name!r} has version {version}, this code knows up "
                        f"to {table.version}: run the newer Footfall that wrote it")


_version = msgspec.msgpack.Decoder(Versioned)
_parts = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw, msgspec.Raw])

"""A record that points at another customer: its identifier was joined to that one's. Pure.

Decides how far pointers are followed. They always point up one fixed order (design.md, section 4),
so they end; what does not end within `HOPS_MAX` is an error of ours and is told, never shown.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from footfall import tables
from footfall.tables.record import CustomerRecord
from footfall.tables.row import RowCodec

#: A pointer that is read is soon shortened to the owner itself.
HOPS_MAX = 8
#: The table whose told says whose a record is (`owner`, b"": its own).
LINKS = "links"
_codec = next((RowCodec(table, msgspec.msgpack.Encoder()) for table in tables.ALL
               if table.name == LINKS), None)


class LoopError(Exception):
    """Pointers lead back, or too far."""


class Passed(NamedTuple):
    """The keys that were passed on the way to the owner."""

    keys: tuple[bytes, ...] = ()

    def by(self, key: bytes, owner: bytes) -> Passed:
        """The way, with one more pointer followed; raises `LoopError`."""
        keys = (*self.keys, key)
        if owner in keys or len(keys) > HOPS_MAX:
            raise LoopError
        return Passed(keys)


def owner_of(record: CustomerRecord) -> bytes | None:
    """Whom a record points at; None where it is the customer's own."""
    row = record.rows.get(LINKS)
    if row is None or _codec is None:
        return None
    _facts, told = _codec.read(row)
    return told.owner or None

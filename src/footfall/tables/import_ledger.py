"""What a customer's record remembers of imports: which rows came, and what is not to be told.

Decides when a row of a file is known: by its id, for good, for the same history may be imported
again years later, when no memory of messageIds knows it. Ids are kept as 8-byte hashes in log
order, exact and bounded: a customer with more rows than that is told so, row by row, instead of
being counted twice at the next run. Must stay with its key, as messageIds do: it is never handed
off. Most customers have none, and their records say nothing of it.

`muted` are causes that an import has added to a timer which waits for live ones, too: when it
fires, they are told to nobody (`fold_timers.py`). They go along where the timer goes.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from footfall.tables.spec import Trigger

HASH_BYTES: Final = 8
#: Rows of one key that can be imported.
ROWS_MAX: Final = 16_384
#: Causes that wait to be told to nobody; of more, the newest.
MUTED_MAX: Final = 256
#: From so many rows on they are looked up in a set instead of one after the other.
_SET_ROWS_MIN: Final = 32


class ImportLedger:
    """`rows`: hashes of the ids of rows, oldest first. `muted`: hashes of causes."""

    __slots__ = ("_known", "muted", "rows")

    def __init__(self, rows: bytes = b"", muted: bytes = b"") -> None:
        self.rows = bytearray(rows)
        self.muted = bytearray(muted)
        self._known: set[bytes] = set()

    def __contains__(self, digest: bytes) -> bool:
        rows = self.rows
        if len(rows) < _SET_ROWS_MIN * HASH_BYTES:
            return _is_in(rows, digest)
        if not self._known:
            self._known = {bytes(rows[at : at + HASH_BYTES])
                           for at in range(0, len(rows), HASH_BYTES)}
        return digest in self._known

    def is_full(self) -> bool:
        """Whether no more rows can be remembered: then no more may be taken."""
        return len(self.rows) >= ROWS_MAX * HASH_BYTES

    def add(self, digest: bytes) -> None:
        """Remember a row."""
        self.rows += digest
        if self._known:
            self._known.add(digest)

    def mute(self, digest: bytes) -> None:
        """Remember a cause that is to be told to nobody."""
        if not _is_in(self.muted, digest):
            self.muted += digest
            if len(self.muted) > MUTED_MAX * HASH_BYTES:
                del self.muted[:HASH_BYTES]

    def unmute(self, digest: bytes) -> bool:
        """Forget a cause that has come; whether it was to be told to nobody."""
        muted = self.muted
        for at in range(0, len(muted), HASH_BYTES):
            if muted[at : at + HASH_BYTES] == digest:
                del muted[at : at + HASH_BYTES]
                return True
        return False


def hashes_of(data: msgspec.Raw) -> list[bytes]:
    """The hashes of causes that a handoff brought; raises msgspec.MsgspecError."""
    hashes = _bytes.decode(data)
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def cause_hash(trigger: Trigger) -> bytes:
    """What a trigger of a customer is recognised by before it is told."""
    cause = msgspec.msgpack.encode((trigger.name, trigger.cause))
    return hashlib.blake2b(cause, digest_size=HASH_BYTES).digest()


_bytes = msgspec.msgpack.Decoder(bytes)


def _is_in(hashes: bytearray, digest: bytes) -> bool:
    at = hashes.find(digest)
    while at >= 0:
        if at % HASH_BYTES == 0:
            return True
        at = hashes.find(digest, at + 1)
    return False

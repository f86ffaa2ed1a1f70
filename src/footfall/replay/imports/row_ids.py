"""The id of a row: what it says, and which of the equal rows of its file it is.

Decides that equal rows of one file are so many interactions, and that the same row in another file,
or in the same file read again, is the same one. How many of each were before is kept in a temporary
database on disk, by 64 bits of the content's hash: memory stays flat, whatever a file holds. Two
contents that share these bits (once in 10^4 files of 10^8 rows) would only be told apart later.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final

ROW_ID_BYTES: Final = 16
_CACHE_KIB: Final = 32 * 1024
_SIGN: Final = 1 << 63
_hash = hashlib.blake2b
_int = int.from_bytes


class RowIds:
    """Ids of the rows of one file, in its order; `close` when done."""

    def __init__(self) -> None:
        # A file of its own that SQLite deletes at once: "" is no name.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode = MEMORY")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE seen (content INTEGER PRIMARY KEY, n INTEGER)")
        #: Whether equal rows were seen: most files have none, and then nothing has to be looked up.
        self._has_repeats = False

    def close(self) -> None:
        """Forget all."""
        self._database.close()

    def of(self, contents: Sequence[bytes]) -> list[bytes]:
        """The ids of the next rows."""
        digests = [_hash(content, digest_size=ROW_ID_BYTES).digest() for content in contents]
        keys = [_int(digest[:8]) - _SIGN for digest in digests]
        added = set(keys)
        if len(added) == len(keys) and not self._has_repeats and self._are_new(added):
            return digests
        self._has_repeats = True
        before = self._counted(keys)
        ids = []
        for digest, key in zip(digests, keys, strict=True):
            n = before.get(key, 0)
            before[key] = n + 1
            ids.append(row_id(digest, n))
        return ids

    def _are_new(self, keys: set[int]) -> bool:
        """Whether none of the contents was there before; if so, all are now."""
        self._database.execute("BEGIN")
        found = self._database.executemany(
            "INSERT OR IGNORE INTO seen VALUES (?, 1)", zip(sorted(keys), strict=True)).rowcount
        self._database.execute("COMMIT" if found == len(keys) else "ROLLBACK")
        return found == len(keys)

    def _counted(self, keys: Sequence[int]) -> dict[int, int]:
        """How many of each content there were before these, which count from now on."""
        added = Counter(keys)
        before = dict(self._database.execute(
            "SELECT content, n FROM seen WHERE content IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(added)),)))
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
            sorted(added.items()))
        self._database.execute("COMMIT")
        return before


def row_id(digest: bytes, n: int) -> bytes:
    """The id of the equal row number `n`, from 0; the first one's is its hash."""
    if not n:
        return digest
    return _hash(digest + n.to_bytes(8), digest_size=ROW_ID_BYTES).digest()

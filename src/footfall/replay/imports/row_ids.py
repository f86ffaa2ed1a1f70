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
from itertools import repeat
from typing import Final

ROW_ID_BYTES: Final = 16
_CACHE_KIB: Final = 32 * 1024
_SIGN: Final = 1 << 63
_hash = hashlib.blake2b
_int = int.from_bytes


class RowIds:
    """Ids of the rows of one file, in its order; `close` when done."""

    def __init__(self) -> None:
        # A file of its own that SQLite deletes at once: "" is no name. What is written is never
        # taken back, and the file ends with this object: one transaction, without a journal.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("CREATE TABLE seen (content INTEGER PRIMARY KEY, chunk, n)")
        self._database.execute("BEGIN")
        self._chunk = 0

    def close(self) -> None:
        """Forget all."""
        self._database.close()

    def of(self, contents: Sequence[bytes]) -> list[bytes]:
        """The ids of the next rows."""
        digests = [_hash(content, digest_size=ROW_ID_BYTES).digest() for content in contents]
        keys = [_int(digest[:8]) - _SIGN for digest in digests]
        distinct = set(keys)
        if self._added(distinct) == len(keys):
            return digests  # no two of them are equal, and none was there before
        before = self._counted(keys, distinct)
        ids = []
        for digest, key in zip(digests, keys, strict=True):
            n = before.get(key, 0)
            before[key] = n + 1
            ids.append(row_id(digest, n))
        return ids

    def _added(self, keys: set[int]) -> int:
        """How many of the contents are new; each of these is now there once."""
        self._chunk += 1
        # In their order: neighbours lie on one page.
        return self._database.executemany(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, 1)", zip(sorted(keys), repeat(self._chunk))
        ).rowcount

    def _counted(self, keys: Sequence[int], distinct: set[int]) -> dict[int, int]:
        """How many of each content there were before these, which count from now on."""
        before = dict(self._database.execute(
            "SELECT content, n FROM seen WHERE chunk < ? "
            "AND content IN (SELECT value FROM json_each(?))",
            (self._chunk, json.dumps(sorted(distinct)))))
        self._database.executemany("UPDATE seen SET n = ? WHERE content = ?", (
            (before.get(key, 0) + n, key) for key, n in Counter(keys).items()))
        return before


def row_id(digest: bytes, n: int) -> bytes:
    """The id of the equal row number `n`, from 0; the first one's is its hash."""
    if not n:
        return digest
    return _hash(digest + n.to_bytes(8), digest_size=ROW_ID_BYTES).digest()

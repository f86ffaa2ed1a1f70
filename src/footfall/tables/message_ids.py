"""Memory of messageIds of one key: how SDK retries are recognised (law 2).

Keeps the newest 256 and, up to 4,096, all of the last hour of the log's clock, in log order, as
8-byte hashes. The hour is kept in half-hour buckets, so that what is kept is never less than an
hour. Must stay with its key: it is never handed off.

A customer who does much has long memory, and reading through it for each event would cost more than
the event. So once a long memory has been asked a few times it gets a filter: a bit for each hash,
which tells of most new ones at once that they are new. It is never stored and changes no answer.
"""

from __future__ import annotations

from typing import Final

HASH_BYTES: Final = 8
KEPT_MIN: Final = 256
KEPT_MAX: Final = 4096
BUCKET_MS: Final = 1_800_000
#: Buckets before the current one that are still "the last hour".
_BUCKETS: Final = 2


#: A memory this long gets a filter, once it has been asked so often.
_FILTERED_BYTES_MIN: Final = 64 * HASH_BYTES
_ASKED_MIN: Final = 16
#: Bits for each hash: one new hash in sixteen finds its bit taken and is looked for.
_FILTER_BITS: Final = 16


class MessageIds:
    """`hashes`: all kept, oldest first. `recent`: bucket, count, bucket, count ... of the last
    hour, ascending; what `hashes` holds beyond their sum is older.
    """

    __slots__ = ("_asked", "_filter", "_room", "hashes", "recent")

    def __init__(self, hashes: bytearray | None = None, recent: list[int] | None = None) -> None:
        self.hashes = bytearray() if hashes is None else hashes
        self.recent = [] if recent is None else recent
        self._filter = bytearray()
        #: Hashes that may still be added before the filter is made anew.
        self._room = 0
        self._asked = 0

    def __contains__(self, digest: bytes) -> bool:
        hashes = self.hashes
        if self._filter:
            slot = self._slot(digest)
            if not self._filter[slot >> 3] >> (slot & 7) & 1:
                return False
        elif len(hashes) >= _FILTERED_BYTES_MIN:
            self._asked += 1
            if self._asked >= _ASKED_MIN:
                self._make_filter()
        at = hashes.find(digest)
        while at >= 0:
            if at % HASH_BYTES == 0:
                return True
            at = hashes.find(digest, at + 1)
        return False

    def add(self, digest: bytes, clock: int) -> None:
        """Remember one more, at the log's clock (ms); forget what the limits no longer keep."""
        hashes = self.hashes
        recent = self.recent
        hashes += digest
        bucket = clock // BUCKET_MS
        if recent and recent[-2] == bucket:
            recent[-1] += 1
        else:
            recent += (bucket, 1)
            while recent[0] < bucket - _BUCKETS:
                del recent[:2]
        if len(hashes) > KEPT_MIN * HASH_BYTES:
            self._forget()
        if self._filter:
            self._room -= 1
            if self._room < 0:
                self._make_filter()
            else:
                slot = self._slot(digest)
                self._filter[slot >> 3] |= 1 << (slot & 7)

    def _slot(self, digest: bytes) -> int:
        """The bit of a hash: its first bytes, as many as the filter has bits for."""
        return (digest[0] | digest[1] << 8 | digest[2] << 16) & (len(self._filter) * 8 - 1)

    def _make_filter(self) -> None:
        """Of all that is kept now, with room for half as many more."""
        kept = len(self.hashes) // HASH_BYTES
        self._room = kept // 2
        bits = 1 << (kept * _FILTER_BITS - 1).bit_length()
        self._filter = bytearray(bits // 8)
        hashes = self.hashes
        for at in range(0, kept * HASH_BYTES, HASH_BYTES):
            slot = self._slot(bytes(hashes[at : at + 3]))
            self._filter[slot >> 3] |= 1 << (slot & 7)

    def _forget(self) -> None:
        total = len(self.hashes) // HASH_BYTES
        hour = sum(self.recent[1::2])
        drop = min(total - KEPT_MIN, total - hour)
        over = total - drop - KEPT_MAX
        if over > 0:
            drop += over
            while over:
                taken = min(over, self.recent[1])
                self.recent[1] -= taken
                over -= taken
                if not self.recent[1]:
                    del self.recent[:2]
        if drop:
            del self.hashes[: drop * HASH_BYTES]

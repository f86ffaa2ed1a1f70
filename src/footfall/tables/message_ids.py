"""Memory of messageIds of one key: how SDK retries are recognised (law 2).

Keeps the newest 256 and, up to 4,096, all of the last hour of the log's clock, in log order, as
8-byte hashes. The hour is kept in half-hour buckets, so that what is kept is never less than an
hour. Must stay with its key: it is never handed off.
"""

from __future__ import annotations

HASH_BYTES = 8
KEPT_MIN = 256
KEPT_MAX = 4096
BUCKET_MS = 1_800_000
#: Buckets before the current one that are still "the last hour".
_BUCKETS = 2


class MessageIds:
    """`hashes`: all kept, oldest first. `recent`: bucket, count, bucket, count ... of the last
    hour, ascending; what `hashes` holds beyond their sum is older.
    """

    __slots__ = ("hashes", "recent")

    def __init__(self, hashes: bytearray | None = None, recent: list[int] | None = None) -> None:
        self.hashes = bytearray() if hashes is None else hashes
        self.recent = [] if recent is None else recent

    def __contains__(self, digest: bytes) -> bool:
        hashes = self.hashes
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

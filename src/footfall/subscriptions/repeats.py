"""Which record repeats a trigger that stands shortly before it in its partition. Pure.

A worker that crashed sends what it had sent since its last checkpoint again, with the same ids,
into the same partition. A repeat is therefore a fact of the log, not of who reads it: whoever looks
back far enough before the place where they begin finds the same ones. Decides how far that is.
Must never grow past the count: what was seen first is forgotten first.
"""

from __future__ import annotations

#: Ids remembered of a whole topic, and of one partition at most.
REMEMBERED_MAX = 4_000
OF_PARTITION_MAX = 1_000


def depth(partitions: int) -> int:
    """Records of a partition in which a repeat is recognised."""
    return max(1, min(OF_PARTITION_MAX, REMEMBERED_MAX // max(1, partitions)))


class Repeats:
    """The newest trigger ids of each partition, in the order of the log."""

    def __init__(self, partitions: int) -> None:
        self._depth = depth(partitions)
        self._seen: list[dict[bytes, None]] = [{} for _ in range(partitions)]

    def is_one(self, partition: int, trigger_id: str) -> bool:
        """Whether this record is a repeat; it is remembered."""
        seen, key = self._seen[partition], trigger_id.encode()[:32]
        if key in seen:
            return True
        seen[key] = None
        if len(seen) > self._depth:
            del seen[next(iter(seen))]
        return False

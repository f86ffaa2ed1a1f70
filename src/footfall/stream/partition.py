"""In which partition a customer's records are: the one rule of every producer (murmur2)."""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a Kafka key in a topic of so many."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)

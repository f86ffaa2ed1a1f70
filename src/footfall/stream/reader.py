"""Reads topics outside the consumer group: changelogs in bulk, ranges of the log.

Decides nothing; recovery and the chain check do. Ends by position against end offset, never by the
last record seen: the tail of a topic may hold no record at all (compaction, control records).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from footfall.kafka.aio import aio

FETCH_BYTES_MAX = 4 << 20
RECORDS_MAX = 50_000
POLL_MS = 1000


class Reader:
    """A consumer without a group."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = AIOKafkaConsumer(
            **aio(bootstrap), enable_auto_commit=False,
            auto_offset_reset="earliest", max_partition_fetch_bytes=FETCH_BYTES_MAX,
            fetch_max_bytes=4 * FETCH_BYTES_MAX, fetch_max_wait_ms=100,
        )

    async def __aenter__(self) -> Reader:
        await self._consumer.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._consumer.stop()

    async def topics(self) -> set[str]:
        """The topics of the cluster."""
        found: set[str] = await self._consumer.topics()
        return found

    async def bounds(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """(first offset, end offset) of each partition."""
        first = await self._consumer.beginning_offsets(tps)
        end = await self._consumer.end_offsets(tps)
        return {tp: (first[tp], end[tp]) for tp in tps}

    async def read(
        self, ranges: dict[TopicPartition, tuple[int, int]]
    ) -> AsyncIterator[tuple[TopicPartition, list[Any]]]:
        """All records with start <= offset < end of each partition, in order, in large lists."""
        left = {tp: bounds for tp, bounds in ranges.items() if bounds[0] < bounds[1]}
        consumer = self._consumer
        consumer.assign(list(left))
        for tp, (start, _end) in left.items():
            consumer.seek(tp, start)
        while left:
            fetched = await consumer.getmany(
                *left, timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            for tp, records in fetched.items():
                end = left[tp][1]
                wanted = records
                if records[-1].offset >= end:
                    wanted = [r for r in records if r.offset < end]
                if wanted:
                    yield tp, wanted
            for tp in list(left):
                if await consumer.position(tp) >= left[tp][1]:
                    del left[tp]

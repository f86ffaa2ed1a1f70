"""Hands Kafka records on as aiokafka's parser made them, without wrapping each once more.

aiokafka copies every parsed record into a data class (about 1 us); nobody here needs topic and
partition on each record. `plain` switches that off for the whole process, so it must only be
called by a worker, whose own consumers all expect it.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import fetcher


class PlainRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetched partition: offset, timestamp, timestamp_type, key, value,
    headers, checksum.
    """

    def _consumer_record(self, _tp: Any, record: Any) -> Any:
        return record


def plain() -> None:
    """Let all consumers of this process give plain records."""
    fetcher.PartitionRecords = PlainRecords

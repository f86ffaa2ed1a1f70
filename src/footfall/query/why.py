"""Finds one trigger: in the index of the served view, else in its topic, the newest part first.

Decides how far back the topic is read, and that each part is twice as long as the one before it: a
trigger of a moment ago is found at once, and no record is passed twice. A beginning of the id that
is long enough to mean no other will do; the index knows whole ids alone. Must never decode what is
not meant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from footfall.admin.scan import Scanner, Span
from footfall.errors import DecodeError
from footfall.events.codec import Codec, TriggerRecord
from footfall.events.topics import TRIGGERS
from footfall.view.store import FAILURES, Store
from footfall.view.why import is_trigger_id

#: Records of a partition in the first part.
PART_RECORDS = 2_000
#: An id stands at the beginning of a record.
_HEAD_BYTES = 64


def in_index(url: str, trigger_id: str) -> bytes | None:
    """The record that the index has; None where it has none or cannot say."""
    if not url or not is_trigger_id(trigger_id):
        return None

    async def read() -> bytes | None:
        store = Store(url)
        try:
            return await store.trigger(trigger_id)
        except FAILURES:
            return None
        finally:
            await store.close()

    return asyncio.run(read())


def of_customer(url: str, customer_key: bytes) -> list[bytes] | None:
    """The records of a customer's triggers in the index; None where that cannot say."""
    if not url:
        return None

    async def read() -> list[bytes] | None:
        store = Store(url)
        try:
            return await store.triggers_of(customer_key)
        except FAILURES:
            return None
        finally:
            await store.close()

    return asyncio.run(read())


def in_topic(scanner: Scanner, spans: Mapping[int, Span], trigger_id: str,
             codec: Codec[TriggerRecord], progress: Callable[[int], None]) -> TriggerRecord | None:
    """The newest trigger with this id, or whose id begins so; None where none of the spans has it.
    `progress` is called with how many records were read.
    """
    wanted = trigger_id.encode()
    for part in parts(spans):
        found: tuple[int, TriggerRecord] | None = None
        for message in scanner.records(TRIGGERS, None, part):
            progress(1)
            record = _meant(message, wanted, codec)
            if record is not None and (found is None or record["emitted_at"] >= found[0]):
                found = record["emitted_at"], record
        if found is not None:
            return found[1]
    return None


def parts(spans: Mapping[int, Span], records: int = PART_RECORDS) -> Iterator[dict[int, Span]]:
    """All of the spans in parts, the newest first, each twice as long as the one before it."""
    ends = {p: span.end for p, span in spans.items() if span.low < span.end}
    while ends:
        part = {p: Span(max(spans[p].low, end - records), end) for p, end in ends.items()}
        yield part
        ends = {p: span.low for p, span in part.items() if span.low > spans[p].low}
        records *= 2


def _meant(message: Any, wanted: bytes, codec: Codec[TriggerRecord]) -> TriggerRecord | None:
    value = message.value()
    if value is None or wanted not in value[:_HEAD_BYTES]:
        return None
    try:
        record = codec.decode(value)
    except DecodeError:
        return None
    return record if record["trigger_id"].startswith(wanted.decode()) else None

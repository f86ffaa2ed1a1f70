"""Fills the index of triggers again from their topic, as far back as the index goes.

Decides nothing of what stays: the index cuts by age and by customer itself, and the same trigger
again changes nothing, so this may run while workers write. What is no trigger is passed over.
"""

from __future__ import annotations

from itertools import islice

from footfall.admin.scan import Scanner
from footfall.errors import DecodeError
from footfall.events.codec import Codec, TriggerRecord
from footfall.events.topics import TRIGGERS
from footfall.view.store import TRIGGER_AGE_MS_MAX, Indexed, Store

#: Written in one go.
PUT_TRIGGERS = 200


async def reindex(scanner: Scanner, store: Store, codec: Codec[TriggerRecord], now: int) -> int:
    """How many were put in, as of `now` (ms). The store has a session."""
    spans = scanner.since(TRIGGERS, scanner.spans(TRIGGERS), now - TRIGGER_AGE_MS_MAX)
    messages = scanner.records(TRIGGERS, None, spans)
    put = 0
    while some := list(islice(messages, PUT_TRIGGERS)):
        found = [one for message in some
                 if (one := _indexed(message.value(), codec)) is not None]
        put += await store.index(found, now)
    return put


def _indexed(record: bytes | None, codec: Codec[TriggerRecord]) -> Indexed | None:
    try:
        said = codec.decode(record)
    except DecodeError:
        return None
    assert record is not None
    return Indexed(said["trigger_id"], said["customer_key"].encode(), said["emitted_at"], record)

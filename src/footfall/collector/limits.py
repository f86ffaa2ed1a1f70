"""How much of anything the collector takes: one record, filled from settings once."""

from __future__ import annotations

from typing import NamedTuple

from footfall.events.admit import BATCH_ITEMS_MAX
from footfall.events.arrival import ITEM_BYTES_MAX
from footfall.settings import Settings

#: RudderStack's Python SDK fills a batch to 4 MiB and then sends the event that went over it; on a
#: 413 it drops the whole of it. All other SDKs stay below 500 KiB.
BODY_BYTES_MAX = 4 * 1024 * 1024 + 64 * 1024


class Limits(NamedTuple):
    """Sizes of a request, rates of a client, and room for all of them together."""

    body_bytes_max: int = BODY_BYTES_MAX
    item_bytes_max: int = ITEM_BYTES_MAX
    batch_items_max: int = BATCH_ITEMS_MAX
    #: Items a second; 0: no limit of its own.
    source_items_per_s: float = 0
    address_items_per_s: float = 0
    in_flight_requests_max: int = 500
    in_flight_items_max: int = 20_000
    in_flight_bytes_max: int = 32 * 1024 * 1024


def of(settings: Settings) -> Limits:
    """The limits that settings state, under the same names."""
    return Limits(**{name: getattr(settings, name) for name in Limits._fields})

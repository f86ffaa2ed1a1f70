"""From a row to the record of the log that imports it: admitted as the collector admits an item.

Decides that what a collector would refuse is refused here, under the same codes, and that an item
without a messageId is named by its row, so that a second run names it alike. `Admission.of` gives
what can be appended, what was refused, or None for what the selection does not mean.
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import NamedTuple

from footfall.admin.history import Entry
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival, Planned
from footfall.events.codec import InteractionCodec
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ImportPayload
from footfall.replay.imports.rows import Row
from footfall.replay.selected import Selection


class Given(NamedTuple):
    """What holds for every row of a run."""

    run: str
    source: str
    now: int
    item_bytes_max: int
    plan: Planned | None
    selection: Selection | None


class Ready(NamedTuple):
    """A record to append. `at`: when it happened, in milliseconds."""

    key: bytes
    value: bytes
    at: int


class Admission:
    """Makes records under the secrets of one installation."""

    def __init__(self, given: Given, keys: CustomerKeys, reserved: Reserved,
                 codec: InteractionCodec) -> None:
        self._given = given
        self._keys = keys
        self._reserved = reserved
        self._codec = codec
        # Of no item that anybody wrote: it tells those that came without a messageId.
        unnamed = secrets.token_hex(16)
        self._unnamed = f"{unnamed}-0"
        self._arrival = Arrival(given.source, given.now, unnamed, plan=given.plan, is_history=True,
                                item_bytes_max=given.item_bytes_max)
        #: What the tracking plan found, by finding.
        self.found: Counter[str] = Counter()

    def of(self, row: Row, row_id: bytes) -> Ready | Rejected | None:
        """The record of a row."""
        admitted = admit(row.item, 0, self._arrival, self._keys)
        if admitted.found:
            self.found.update(f"{one.finding} ({one.done})" for one in admitted.found)
        if isinstance(admitted, Rejected):
            return admitted
        key, event, _found = admitted
        if event["message_id"] == self._unnamed:
            event["message_id"] = f"import-{row_id.hex()}"
        given = self._given
        if given.selection is not None and not given.selection.matches(
                0, Entry(0, event["event_time"], key, None), event):
            return None
        record = self._reserved.imported(key, event, ImportPayload(given.run, row_id), given.now)
        return Ready(key, self._codec.encode(record), event["event_time"])

"""From a row to the record of the log that imports it: admitted as the collector admits an item.

Decides that what a collector would refuse is refused here, under the same codes, and that an item
without a messageId is named by its row, so that a second run names it alike. A record of an archive
was admitted once, and is not judged again (`past.py`). `Admission.of` gives what can be appended,
what was refused, what is no interaction, or None for what the selection does not mean.
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
from footfall.events.interaction import Interaction
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ImportPayload
from footfall.replay.imports.past import Known, Passed, Past, shown
from footfall.replay.imports.rows import Logged, Row
from footfall.replay.selected import Selection


class Given(NamedTuple):
    """What holds for every row of a run."""

    run: str
    source: str
    now: int
    item_bytes_max: int
    plan: Planned | None
    selection: Selection | None
    #: Of records of an archive, only what was appended there then (ms) or later.
    appended_since: int = 0


class Ready(NamedTuple):
    """A record to append. `at`: when it happened, in milliseconds; `row`: what it is known by."""

    key: bytes
    value: bytes
    at: int
    row: bytes = b""


class Admission:
    """Makes records under the secrets of one installation."""

    def __init__(self, given: Given, keys: CustomerKeys, reserved: Reserved,
                 codec: InteractionCodec, past: Past | None = None) -> None:
        self._given = given
        self._keys = keys
        self._reserved = reserved
        self._codec = codec
        # Of no item that anybody wrote: it tells those that came without a messageId.
        unnamed = secrets.token_hex(16)
        self._unnamed = f"{unnamed}-0"
        self._arrival = Arrival(given.source, given.now, unnamed, plan=given.plan, is_history=True,
                                item_bytes_max=given.item_bytes_max)
        #: How records of an archive are read.
        self.past = past or Past(codec, keys, reserved)
        #: What the tracking plan found, by finding.
        self.found: Counter[str] = Counter()

    def of(self, row: Row | Logged, row_id: bytes) -> Ready | Rejected | Passed | None:
        """The record of a row; `row_id` is that of one that has none of its own."""
        given = self._given
        if isinstance(row, Logged):
            if row.appended_at < given.appended_since:
                return None
            known = self.past.of(row)
            if not isinstance(known, Known):
                return known
            payload = ImportPayload(given.run, known.row, logged=known.is_logged)
            return self._ready(known.key, known.seen, known.kept, payload)
        admitted = admit(row.item, 0, self._arrival, self._keys)
        if admitted.found:
            self.found.update(f"{one.finding} ({one.done})" for one in admitted.found)
        if isinstance(admitted, Rejected):
            return admitted
        key, event, _found = admitted
        if event["message_id"] == self._unnamed:
            event["message_id"] = f"import-{row_id.hex()}"
        return self._ready(key, event, event, ImportPayload(given.run, row_id))

    def item(self, row: Row | Logged) -> bytes:
        """A row of which a record can be made, as JSON."""
        if isinstance(row, Row):
            return row.item
        known = self.past.of(row)
        assert isinstance(known, Known)
        return shown(known)

    def _ready(self, key: bytes, seen: Interaction, kept: Interaction, payload: ImportPayload
               ) -> Ready | None:
        """The record of an interaction, where the selection means it."""
        selection = self._given.selection
        if selection is not None and not selection.matches(
                0, Entry(0, seen["event_time"], key, None), seen):
            return None
        record = self._reserved.imported(key, kept, payload, self._given.now)
        return Ready(key, self._codec.encode(record), kept["event_time"], payload.row)

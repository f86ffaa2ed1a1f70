"""What is said of the items of one request, and what `admit` makes of each.

Records only, and apart from `admit`, which is compiled: mypyc would change them (setup.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from footfall.errors import Found
from footfall.events.interaction import Interaction

ITEM_BYTES_MAX = 32 * 1024

Raws = dict[str, msgspec.Raw]


class Planned(Protocol):
    """A tracking plan (`events/plan.py`), which the collector alone needs."""

    def apply(self, call: str, event: str, members: Raws, context: Any, body: Any) -> list[Found]:
        """Takes out of `members` what may not be kept; raises `FieldError` to reject the item."""


class Arrival(NamedTuple):
    """What holds for all items of one request. `call` is "" where each item has its own type."""

    source: str
    received_at: int
    #: Of a random source; with the item's number it names items that came without messageId.
    request_id: str
    call: str = ""
    sent_at: str | int | None = None
    shared: Mapping[str, Raws] = {}
    item_bytes_max: int = ITEM_BYTES_MAX
    #: What the source may send; empty: whatever comes.
    calls: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    plan: Planned | None = None
    #: By a system that took it from the customer's device before us and has corrected its times:
    #: `sentAt` is measured against that system's clock, hours ago perhaps, and says nothing here.
    is_forwarded: bool = False
    #: Of a file, long after: each item must say when it happened, and that holds.
    is_history: bool = False


class Admitted(NamedTuple):
    """An interaction with its Kafka key."""

    key: bytes
    event: Interaction
    found: Sequence[Found] = ()

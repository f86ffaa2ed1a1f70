"""What did not reach Footfall, why, and how the host app is told.

Decides that every item has one end: accepted, duplicate, or dropped for one reason; and that all
three are counted. A drop is told three ways: its count, `on_error`, and a line in the log
`footfall` at most every 10 s, which holds reasons and numbers and nothing that was sent (law 6).
Must never let an exception of `on_error` out, and never call it from within itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from footfall.errors import FootfallError

log = logging.getLogger("footfall")

#: Reasons that are the SDK's own; docs/sdk.md says of each when it is given. Beside them stand
#: `http_STATUS` and, of an item that the collector refused, the collector's reasons.
REASONS = (
    "identifier_missing", "field_missing", "field_kind", "unencodable", "item_too_large",
    "queue_full", "spool_full", "spool_failed", "spool_damaged", "spool_cut",
    "retries_exhausted", "closed",
)
LOG_EVERY_S = 10.0

Message = dict[str, Any]


class DroppedError(FootfallError):
    """Items that will not reach the log. Given to `on_error`; raised only with `strict=True`."""

    def __init__(self, reason: str, detail: str, status: int = 0) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        #: The collector's HTTP status, where one was given.
        self.status = status


OnError = Callable[[DroppedError, list[Message]], object]


class Counts(NamedTuple):
    """Calls + recovered = accepted + duplicate + all of dropped + waiting, of this process."""

    #: Calls that were taken into the queue or the spool.
    queued: int
    #: Found in the spool at the start.
    recovered: int
    accepted: int
    duplicate: int
    waiting: int
    #: Reason -> items.
    dropped: Mapping[str, int]
    #: Values inside items that no JSON can hold, and that were left out.
    values_left_out: int


class Drops:
    """Counts ends and tells of drops."""

    def __init__(self, on_error: OnError | None) -> None:
        self._on_error = on_error
        self._lock = threading.Lock()
        self._own = threading.local()
        self._told_at = -LOG_EVERY_S
        self.accepted = 0
        self.duplicate = 0
        self.values_left_out = 0
        self.dropped: dict[str, int] = {}

    @property
    def last(self) -> DroppedError | None:
        """The drop told last in this thread, since it was set to None."""
        last: DroppedError | None = getattr(self._own, "last", None)
        return last

    @last.setter
    def last(self, error: DroppedError | None) -> None:
        self._own.last = error

    def count(self, accepted: int, duplicate: int) -> None:
        """Items that have arrived."""
        with self._lock:
            self.accepted += accepted
            self.duplicate += duplicate

    def left_out(self, values: int) -> None:
        """Values of one item that it goes without."""
        with self._lock:
            self.values_left_out += values

    def so_far(self) -> dict[str, int]:
        """Reason -> items."""
        with self._lock:
            return dict(self.dropped)

    def drop(self, error: DroppedError, items: Sequence[bytes | Message], count: int = 0) -> None:
        """Items that never will; `count` where there is nothing left of them to show."""
        self.last = error
        with self._lock:
            total = self.dropped.get(error.reason, 0) + (len(items) or count)
            self.dropped[error.reason] = total
            now = time.monotonic()
            telling = now - self._told_at >= LOG_EVERY_S
            if telling:
                self._told_at = now
            so_far = dict(self.dropped)
        if telling:
            log.warning("dropped so far: %s", so_far)
        if self._on_error is None or getattr(self._own, "telling", False):
            return
        self._own.telling = True
        try:
            self._on_error(error, [_message(item) for item in items])
        except Exception as failure:
            log.error("on_error raised %s", type(failure).__name__)
        finally:
            self._own.telling = False


def _message(item: bytes | Message) -> Message:
    if not isinstance(item, bytes):
        return item
    try:
        value = msgspec.json.decode(item)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}

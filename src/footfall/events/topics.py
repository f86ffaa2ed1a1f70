"""The topics: names, and what each must be set to (design.md, section 5)."""

from __future__ import annotations

from typing import NamedTuple

INTERACTIONS = "footfall.interactions"
TRIGGERS = "footfall.triggers"
REJECTED = "footfall.rejected"
DELIVERIES = "footfall.deliveries"
APP_ID = "footfall"
TABLE = "customers"
CHANGELOG = f"{APP_ID}-{TABLE}-changelog"
#: The app that sends triggers out, whose rows are folded from footfall.deliveries.
DELIVERY_APP_ID = "footfall-delivery"
DELIVERY_TABLE = "deliveries"
DELIVERY_CHANGELOG = f"{DELIVERY_APP_ID}-{DELIVERY_TABLE}-changelog"
PARTITIONS_DEFAULT = 12
#: What to do where topics have another number than is wanted: it cannot be changed in place.
MORE_PARTITIONS = ("Another number takes a second installation, into which the archive of this one "
                   "is imported: docs/operate/README.md, More partitions")


class Topic(NamedTuple):
    """A topic as Footfall creates it; `required` settings are also checked where it exists."""

    name: str
    config: dict[str, str]
    required: dict[str, str]


_LOG_TIME = {"message.timestamp.type": "LogAppendTime"}
_LOG = {**_LOG_TIME, "cleanup.policy": "delete"}
_DAY_MS = 24 * 3600 * 1000
# A stale row of a zombie must meet the owner's in one recovery before compaction drops either:
# hence the long lag. Never a delete policy.
_ROWS = {"cleanup.policy": "compact", "segment.bytes": str(64 << 20),
         "min.cleanable.dirty.ratio": "0.2", "min.compaction.lag.ms": str(_DAY_MS)}
_ROWS_REQUIRED = {"cleanup.policy": "compact"}

ALL = (
    # Never compacted: the chain check would take each hole for a lost record.
    Topic(INTERACTIONS, {**_LOG, "retention.ms": str(30 * _DAY_MS)}, _LOG),
    Topic(TRIGGERS, {**_LOG_TIME, "retention.ms": str(7 * _DAY_MS)}, {}),
    Topic(REJECTED, {**_LOG_TIME, "retention.ms": str(30 * _DAY_MS)}, {}),
    # The log of what delivery did, from which alone its rows are folded.
    Topic(DELIVERIES, {**_LOG, "retention.ms": str(30 * _DAY_MS)}, _LOG),
    Topic(CHANGELOG, _ROWS, _ROWS_REQUIRED),
    Topic(DELIVERY_CHANGELOG, _ROWS, _ROWS_REQUIRED),
)

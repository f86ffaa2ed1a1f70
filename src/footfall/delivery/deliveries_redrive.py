"""Begins deliveries anew that are dead: which ones, and the record that does it.

Decides by the last step of each: only what is dead, or suppressed where that is asked for, is begun
anew, so that a second run goes on where the first one ended. What happened to one between the plan
and the writing leaves it out. The record carries the trigger and, where there was one, the message,
byte for byte as its steps have them: a receiver that had it all the same recognises it by its id.
Whether it may be sent is delivery's to decide, again. Never begun anew: what goes to a destination
that is disabled, that of which no step has the trigger, and more of one customer at a time than
delivery would let wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from footfall.admin.scan import Span
from footfall.delivery.deliveries_account import Delivery
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_log import Bounds, DeliveriesLog
from footfall.delivery.reasons import REDRIVEN
from footfall.errors import FootfallError
from footfall.events.codec import Codec, DeliveryRecord

#: By one run.
REDRIVEN_MAX: Final = 1_000_000
#: What a destination loses while it is away.
RECOVERED: Final = ("backlog_full", "destination_disabled", "gone", "retries_exhausted")
#: Of one customer to one destination by one run: what delivery keeps in a row must stay small.
ROW_DELIVERIES_MAX: Final = 50
ROW_BYTES_MAX: Final = 100_000
#: Of steps before the last one, which are held until that has come.
HELD_BYTES_MAX: Final = 256 * 1024 * 1024
#: `trigger` and `message`, as far as they are there.
Kept = Mapping[str, msgspec.Raw]
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Planned(NamedTuple):
    """A delivery to be begun anew, as its last step stood."""

    appended_at: int
    partition: int
    offset: int
    began_offset: int
    trigger_id: str
    destination: str
    reason: str


@dataclass(slots=True)
class Plan:
    """What a redrive would do. `ends`: of the partitions, where reading ended."""

    found: list[Planned]
    ends: dict[int, int]
    #: Left out: by destination that is disabled.
    disabled: Counter[str] = field(default_factory=Counter)
    #: Beyond the limit: another run finds them.
    is_cut: bool = False

    def counts(self) -> list[tuple[str, str, int]]:
        """How many by destination and reason."""
        found = Counter((one.destination, one.reason) for one in self.found)
        return [(*key, count) for key, count in sorted(found.items())]


class Begun(NamedTuple):
    """The record that begins a delivery anew. `left_out` says why there is none."""

    partition: int = -1
    key: bytes = b""
    value: bytes = b""
    left_out: str = ""


def plan(log: DeliveriesLog, bounds: Bounds, wanted: Filter, limit: int) -> Plan:
    """What is to be begun anew, the oldest first where there is more than the limit."""
    found: list[Planned] = []
    disabled: set[str] = set()
    known: set[tuple[int, str]] = set()
    for partition, account in log.accounts(bounds, wanted):
        disabled |= {one.destination for one in account.disabled()}
        known |= {(partition, name) for name in account.switched}
        found += [_planned(partition, one) for one in account.deliveries.values()
                  if wanted.means(one)]
        if len(found) > 2 * REDRIVEN_MAX:
            raise FootfallError(f"more than {2 * REDRIVEN_MAX:,} deliveries are meant: ask for "
                                "fewer, by --since or --destination")
    if found:
        disabled |= {name for _partition, name in log.disabled_before(bounds) - known}
    left = Counter(one.destination for one in found if one.destination in disabled)
    found = sorted(one for one in found if one.destination not in disabled)
    return Plan(found[:limit], {p: span.end for p, span in bounds.spans.items()}, left,
                len(found) > limit)


def carried_out(log: DeliveriesLog, wanted: Plan, codec: Codec[DeliveryRecord], now: int
                ) -> Iterator[Begun]:
    """The records that begin them anew, read a second time: the plan holds nothing personal."""
    by_partition: dict[int, dict[tuple[str, str], Planned]] = {}
    for one in wanted.found:
        by_partition.setdefault(one.partition, {})[one.trigger_id, one.destination] = one
    ends = log.ends()
    for partition, planned in sorted(by_partition.items()):
        since = {partition: Span(wanted.ends[partition], ends[partition].end)}
        rows = Rows()
        changed = {_key(step.record) for step in log.steps(since, Filter())}
        for record, kept in _again(log, partition, planned):
            if _key(record) in changed:
                yield Begun(left_out="changed")
                continue
            begun = redriven(record, kept, now)
            if begun is None:
                yield Begun(left_out="no_trigger")
                continue
            if not rows.take(begun):
                yield Begun(left_out="later")
                continue
            # Where its steps are: what a destination tells of itself lies in each partition.
            yield Begun(partition, record["customer_key"].encode(), codec.encode(begun))


def redriven(record: DeliveryRecord, kept: Kept, now: int) -> DeliveryRecord | None:
    """The record that begins a delivery anew, of its last step and what its steps have; None where
    none has the trigger.
    """
    personal = record["personal"]
    if record["key_id"] is None:
        if "trigger" not in kept:
            return None
        personal = msgspec.json.encode(
            {name: kept[name] for name in ("trigger", "message") if name in kept})
    return {**record, "status": REDRIVEN, "reason": "", "attempt": 0, "at": now, "due_at": now,
            "code": 0, "took_ms": 0, "trigger_offset": -1, "routes_version": "",
            "personal": personal}


def kept_in(record: DeliveryRecord) -> Kept:
    """Trigger and message of a step, byte for byte, as far as it has them."""
    if record["key_id"] is not None or not record["personal"]:
        return {}
    try:
        members = _members.decode(record["personal"])
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return {name: members[name] for name in ("trigger", "message")
            if bytes(members.get(name, b"")).lstrip()[:1] == b"{"}


def _again(log: DeliveriesLog, partition: int, planned: Mapping[tuple[str, str], Planned]
           ) -> Iterator[tuple[DeliveryRecord, Kept]]:
    """The last step of each, with what it and those before it have."""
    span = Span(min(one.began_offset for one in planned.values()),
                max(one.offset for one in planned.values()) + 1)
    held: dict[tuple[str, str], Kept] = {}
    held_bytes = 0
    for record, place in log.steps({partition: span}, Filter()):
        one = planned.get(_key(record))
        if one is None or place.offset > one.offset:
            continue
        before = held.pop(_key(record), {})
        kept = {**before, **kept_in(record)}
        held_bytes += _size(kept) - _size(before)
        if place.offset == one.offset:
            held_bytes -= _size(kept)
            yield record, kept
        elif kept:
            if held_bytes > HELD_BYTES_MAX:
                raise FootfallError(f"what is to be begun anew takes more than {HELD_BYTES_MAX:,} "
                                    "bytes of memory: ask for less, by --limit or --since")
            held[_key(record)] = kept


class Rows:
    """How much each customer and destination has been given."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, record: DeliveryRecord) -> bool:
        """Whether one more has room; the first one always has."""
        row = record["customer_key"], record["destination"]
        count, size = self._given.get(row, (0, 0))
        after = count + 1, size + len(record["personal"])
        if count and (after[0] > ROW_DELIVERIES_MAX or after[1] > ROW_BYTES_MAX):
            return False
        self._given[row] = after
        return True


def _size(kept: Kept) -> int:
    return sum(len(bytes(value)) for value in kept.values())


def _key(record: DeliveryRecord) -> tuple[str, str]:
    return record["trigger_id"], record["destination"]


def _planned(partition: int, one: Delivery) -> Planned:
    return Planned(one.place.appended_at, partition, one.place.offset, one.began_offset,
                   one.trigger_id, one.destination, one.reason)

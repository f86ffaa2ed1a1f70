"""What was recorded: the triggers of a window, and up to where the log was worked on.

Decides whether the topic of triggers reaches back to a window's beginning, and that nothing is
compared which no worker has committed yet. Reads only; belongs to no group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from footfall.admin.cluster import admin_client
from footfall.admin.config_log import NONE, ConfigLog
from footfall.admin.groups import group
from footfall.admin.scan import Scanner, Span
from footfall.errors import DecodeError
from footfall.events.codec import Codecs, TriggerRecord
from footfall.events.topics import APP_ID, INTERACTIONS, TRIGGERS
from footfall.replay.selected import CLOCKS_MS_MAX
from footfall.tables.stored import PartitionState


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where each partition's fold begins. `lost`: of partitions whose first records are gone, the
    offset from which the log is held; `unknown`: those of them of which not even the configuration
    is known that was in force there.
    """

    starts: dict[int, PartitionState]
    lost: dict[int, int] = field(default_factory=dict)
    unknown: tuple[int, ...] = ()


def beginning(log: ConfigLog, spans: Mapping[int, Span]) -> Beginning:
    """Of a log as it is held."""
    lost = {p: span.low for p, span in spans.items() if span.low > 0}
    starts = {p: PartitionState(next_offset=span.low) for p, span in spans.items()}
    if not lost:
        return Beginning(starts)
    written = {one.partition for one in log.history()}
    versions = log.read().versions
    for number, low in lost.items():
        version = versions.get(number, NONE)
        if number not in written and version.number:
            starts[number] = PartitionState(next_offset=low,
                                            config_number=version.number,
                                            config_content=version.content)
    return Beginning(starts, lost, tuple(sorted(lost.keys() & written)))


def worked_on(bootstrap: str, spans: Mapping[int, Span]) -> dict[int, int]:
    """Up to where each partition was committed: what that caused is in the topics."""
    committed = group(admin_client(bootstrap), bootstrap, APP_ID, INTERACTIONS).committed
    return {p: max(span.low, min(span.end, committed.get(p, span.low)))
            for p, span in spans.items()}


def reaches_back(scanner: Scanner, since: int) -> bool:
    """Whether all triggers of an instant (ms; 0: the first) and later are still in their topic."""
    spans = scanner.spans(TRIGGERS)
    if all(span.low == 0 for span in spans.values()):
        return True
    if not since:
        return False
    lows = scanner.since(TRIGGERS, spans, since - CLOCKS_MS_MAX)
    return all(span.low == 0 or lows[p].low > span.low for p, span in spans.items())


def recorded(scanner: Scanner, codecs: Codecs, since: int) -> Iterator[tuple[int, TriggerRecord]]:
    """The triggers that were appended since shortly before an instant (ms); what is none is passed
    over.
    """
    spans = scanner.spans(TRIGGERS)
    if since:
        spans = scanner.since(TRIGGERS, spans, since - CLOCKS_MS_MAX)
    for message in scanner.records(TRIGGERS, None, spans):
        try:
            yield message.partition(), codecs.trigger.decode(message.value())
        except DecodeError:
            continue


def ends_of(bootstrap: str) -> dict[int, int]:
    """Where each partition of the log ends now."""
    with Scanner(bootstrap) as scanner:
        return {p: span.end for p, span in scanner.spans(INTERACTIONS).items()}

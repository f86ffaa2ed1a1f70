"""Of workers and delivery as groups: who is a member, who owns what, and how far behind it is.

Decides when a lag is much, and tells a position that the log no longer holds, or not yet, before a
program refuses it. Joins no group and commits nothing; how old the oldest waiting record is, is
asked of the broker by time (DESCRIBE is enough), so no record is read.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from footfall.admin.groups import ANSWER_S_MAX, STABLE, Group, group
from footfall.admin.scan import Span
from footfall.doctor.brokers import reached
from footfall.doctor.findings import Finding
from footfall.events import topics
from footfall.health import SHOWN_MAX, numbers
from footfall.settings import Settings

#: A group that is further behind than this is not just between two commits.
LAG_RECORDS_MANY = 10_000
LAG_S_MANY = 60.0
AGE_S_FIRST, AGE_DOUBLINGS, AGE_HALVINGS = 1.0, 25, 5


class About(NamedTuple):
    """How a group is told."""

    area: str
    group_id: str
    topic: str
    idle: str
    start: str
    accept: str


WORKERS = About("workers", topics.APP_ID, topics.INTERACTIONS, "nothing is processed",
                "start `footfall worker`", "footfall worker --accept-gap")
DELIVERY = About("delivery", topics.DELIVERY_APP_ID, topics.DELIVERIES, "no trigger is sent",
                 "start `footfall delivery`", "FOOTFALL_ACCEPT_GAP=true footfall delivery")


def workers(settings: Settings) -> Iterator[Finding]:
    """The group that folds the log."""
    yield from _group(settings, WORKERS)


def delivery(settings: Settings) -> Iterator[Finding]:
    """The group that sends triggers out: that somebody does it where routes are configured. What
    is wrong with the routes `footfall routes check` says.
    """
    if not settings.routes:
        yield Finding("delivery", "", "ok", "no routes are configured: triggers are sent nowhere")
        return
    yield from _group(settings, DELIVERY)


def _group(settings: Settings, about: About) -> Iterator[Finding]:
    admin = reached(settings)
    if admin is None:
        return  # said of the brokers
    found = group(admin, settings.kafka_bootstrap_servers, about.group_id, about.topic)
    held = spans(admin, about.topic)
    yield from members(about, found, len(held))
    if not held:
        return  # said of the topics
    yield from positions(about, found.committed, held)
    lag = {p: max(0, span.end - found.committed.get(p, 0)) for p, span in held.items()}
    waits = {p: found.committed.get(p, 0) for p, records in lag.items() if records}
    yield behind(about, lag, ages(admin, about.topic, waits))


def members(about: About, found: Group, partitions: int) -> Iterator[Finding]:
    """Whether there are some, and whether they own all partitions between them."""
    if not found.members:
        yield Finding(about.area, "members", "warning",
                      f"group {about.group_id} has none: {about.idle}", about.start,
                      wanted="one or more")
        return
    yield Finding(about.area, "members", "ok", f"{len(found.members)} in group {about.group_id}",
                  details={"state": found.state, "members": {
                      name: sorted(own) for name, own in found.members.items()}})
    unowned = set(range(partitions)) - found.owned
    if found.state != STABLE:
        yield Finding(about.area, "owners", "warning", "the group gives partitions out anew "
                      f"({found.state.lower()})", "look again in a few seconds; if it goes on, its "
                      "members come and go: their logs say why", wanted="stable")
    elif unowned:
        yield Finding(about.area, "owners", "error", f"nobody owns partitions {numbers(unowned)}: "
                      "their customers wait", f"restart its members one by one: {about.start}",
                      {"unowned": sorted(unowned)}, wanted=f"all {partitions} partitions")


def positions(about: About, committed: Mapping[int, int], held: Mapping[int, Span]
              ) -> Iterator[Finding]:
    """Of each partition whether the log still holds, and already holds, where it goes on."""
    for partition, at in sorted(committed.items()):
        span = held.get(partition)
        if span is None:
            continue
        if at < span.low:
            yield Finding(
                about.area, "position", "error", f"partition {partition}: the log begins at offset "
                f"{span.low}, the state ends at {at}: {span.low - at} records are gone",
                f"restore them if you can; else accept the loss, once: {about.accept}; then "
                f"lengthen retention.ms of {about.topic}",
                {"partition": partition, "committed": at, "begins": span.low},
                wanted=f"{span.low} or more")
        elif at > span.end:
            yield Finding(
                about.area, "position", "error", f"partition {partition}: the log ends at offset "
                f"{span.end}, the state at {at}: the broker forgot records",
                "restore the log; docs/engine.md, On call, has what is left",
                {"partition": partition, "committed": at, "ends": span.end},
                wanted=f"at most {span.end}")


def behind(about: About, lag: Mapping[int, int], ages_s: Mapping[int, float]) -> Finding:
    """What is to be said of a group's lag."""
    most = sorted(lag, key=lambda p: (-lag[p], p))[:SHOWN_MAX]
    text = ", ".join(f"{p}: {lag[p]}" + (f" ({ages_s[p]:.0f} s)" if p in ages_s else "")
                     for p in sorted(most))
    oldest = max(ages_s.values(), default=0.0)
    many = max(lag.values()) > LAG_RECORDS_MANY or oldest > LAG_S_MANY
    return Finding(about.area, "lag", "warning" if many else "ok",
                   "log records not committed, by partition, and since when the first waits: "
                   f"{text}", "it should fall; if it grows, run more of them, or look at their "
                   "logs" if many else "",
                   {"partitions": {str(p): n for p, n in lag.items()},
                    "seconds": {str(p): round(s, 1) for p, s in ages_s.items()}},
                   wanted=f"at most {LAG_RECORDS_MANY:,} records and {LAG_S_MANY:.0f} s")


def spans(admin: AdminClient, topic: str) -> dict[int, Span]:
    """What each partition holds; empty where there is no such topic for us."""
    numbered = admin.list_topics(timeout=ANSWER_S_MAX).topics.get(topic)
    parts = [] if numbered is None else sorted(numbered.partitions)
    low, end = (_offsets(admin, topic, parts, spec)
                for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
    return {p: Span(low[p], end[p]) for p in parts if p in low and p in end}


def ages(admin: AdminClient, topic: str, offsets: Mapping[int, int]) -> dict[int, float]:
    """Of each partition how many seconds ago the record at an offset was appended, within a few
    per cent: the shortest time back from which on the log begins there or before.
    """
    now_s = time.time()
    low, high = dict.fromkeys(offsets, 0.0), dict.fromkeys(offsets, AGE_S_FIRST)

    def reaches(open_: Collection[int]) -> set[int]:
        asked = {p: now_s - high[p] for p in open_}
        found = _offsets(admin, topic, asked, None, asked)
        return {p for p in open_ if 0 <= found.get(p, -1) <= offsets[p]}

    open_ = set(offsets)
    for _ in range(AGE_DOUBLINGS):
        open_ -= reaches(open_)
        if not open_:
            break
        low |= {p: high[p] for p in open_}
        high |= {p: 2 * high[p] for p in open_}
    known = set(offsets) - open_
    for _ in range(AGE_HALVINGS):
        top = {p: high[p] for p in known}
        high |= {p: (low[p] + top[p]) / 2 for p in known}
        short = known - reaches(known)
        low |= {p: high[p] for p in short}
        high |= {p: top[p] for p in short}
    return {p: high[p] for p in sorted(known)}


def _offsets(admin: AdminClient, topic: str, parts: Collection[int], spec: OffsetSpec | None,
             times_s: Mapping[int, float] | None = None) -> dict[int, int]:
    wanted = {TopicPartition(topic, p): spec or OffsetSpec.for_timestamp(
        max(0, round(1000 * (times_s or {})[p]))) for p in parts}
    found = {}
    for place, future in (admin.list_offsets(
            wanted, request_timeout=ANSWER_S_MAX) if wanted else {}).items():
        try:
            found[place.partition] = future.result(timeout=ANSWER_S_MAX).offset
        except KafkaException:  # without a leader: said of the topics
            continue
    return found

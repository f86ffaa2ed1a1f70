"""Segments: which of the declared groups a customer is in, live, also as time passes.

Definitions come through the log as the section `segments` of the configuration. Conditions are
those of rules; `segments_changes.py` decides who enters and leaves. This file is the table: it
takes no events itself and keeps no facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from footfall.events.interaction import Interaction
from footfall.tables.cart_triggers import instant
from footfall.tables.rules_book import ENTERED, LEFT, SEGMENTS
from footfall.tables.rules_conditions import code_of
from footfall.tables.segments_row import Membership, SegmentsConfig, SegmentsFacts, SegmentsTold
from footfall.tables.spec import TableSpec, says_nothing


def view(_facts: SegmentsFacts, told: SegmentsTold, _now: int, config: SegmentsConfig
         ) -> Mapping[str, Any]:
    """The segments that the customer is in, with since when."""
    held = {one.segment: one for one in told.memberships if one.holds}
    return {"segments": [
        {"segment": said.name, "version": said.version, "since": instant(held[code].since)}
        for said in config.definitions if (code := code_of(said.name)) in held]}


def merge_told(mine: SegmentsTold, theirs: SegmentsTold) -> SegmentsTold:
    """In what either was in; what follows from the joined rows is told at once."""
    found = {one.segment: one for one in mine.memberships}
    for one in theirs.memberships:
        own = found.get(one.segment)
        found[one.segment] = one if own is None else _joined(own, one)
    return SegmentsTold(min(mine.config, theirs.config),
                        tuple(found[code] for code in sorted(found)))


def _joined(mine: Membership, theirs: Membership) -> Membership:
    since = [one.since for one in (mine, theirs) if one.holds]
    return Membership(
        mine.segment, bool(since), min(since, default=max(mine.since, theirs.since)),
        max(mine.changes, theirs.changes),
        min((one.check_at for one in (mine, theirs) if one.check_at), default=0))


def _none(_event: Interaction) -> bool:
    return False


def _unchanged(facts: SegmentsFacts, _event: Interaction, _when: int) -> SegmentsFacts:
    return facts


TABLE: TableSpec[SegmentsFacts, SegmentsTold, SegmentsConfig] = TableSpec(
    name=SEGMENTS,
    version=1,
    slot=11,
    facts=SegmentsFacts,
    told=SegmentsTold,
    config=SegmentsConfig,
    wants=_none,
    observe=_unchanged,
    announce=says_nothing,
    merge_facts=lambda mine, _theirs: mine,
    merge_told=merge_told,
    triggers=(ENTERED, LEFT),
    view=view,
    classes={"segments": "internal"},
    kept_decoded=True,
    sees_all=True,
)

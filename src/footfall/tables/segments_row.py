"""Segments as data: named conditions, and what is remembered of a customer's membership.

Decides fields and their order in the stored bytes. Stays interpreted (setup.py).
"""

from __future__ import annotations

import msgspec

from footfall.tables.rules_row import (
    SEGMENTS_MAX,
    Condition,
    Description,
    Name,
    Version,
    check_names,
    check_size,
)


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True,
              rename={"if_": "if"}):
    """The customers for whom a condition holds."""

    name: Name
    version: Version
    if_: Condition
    description: Description = ""

    def __post_init__(self) -> None:
        check_size(self.if_, "if")


class SegmentsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The segments in force."""

    definitions: tuple[Segment, ...] = ()

    def __post_init__(self) -> None:
        check_names(self.definitions, SEGMENTS_MAX)


class Membership(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Whether the customer is in a segment, since when (ms), how often that has changed, and when
    time alone may change it next (ms, 0: never).
    """

    segment: int
    holds: bool
    since: int
    changes: int
    check_at: int = 0


class SegmentsFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Segments have no facts: their conditions read other tables."""


class SegmentsTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Memberships as announced, sorted; a segment that was never entered may have none. `config`:
    the number of the configuration under which all segments were last looked at.
    """

    config: int = 0
    memberships: tuple[Membership, ...] = ()

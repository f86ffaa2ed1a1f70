"""Carts: what is in them, and when one was left."""

from __future__ import annotations

from typing import Annotated

import msgspec

from footfall.events.interaction import Interaction
from footfall.tables.spec import Announcement, TableSpec


class CartConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`idle_s`: how long a cart must be left alone to be abandoned, seconds; at most 90 days."""

    idle_s: Annotated[float, msgspec.Meta(ge=0.001, le=7_776_000)] = 1800.0


class CartFacts(msgspec.Struct, array_like=True, gc=False):
    """To come."""


class CartTold(msgspec.Struct, array_like=True, gc=False):
    """To come."""


def wants(event: Interaction) -> bool:
    """Whether an event says something of a cart."""
    return event["commerce"] is not None


TABLE = TableSpec(
    name="cart",
    version=1,
    facts=CartFacts,
    told=CartTold,
    config=CartConfig,
    wants=wants,
    observe=lambda facts, _event, _when: facts,
    announce=lambda told, _facts, _now, _config, _fired: Announcement(told),
    merge_facts=lambda mine, _theirs: mine,
    merge_told=lambda mine, _theirs: mine,
)

"""The tables: one capability a file. `ALL` lists them, sorted by name; nothing registers itself."""

from __future__ import annotations

from footfall.tables import (
    cart,
    computed,
    consent,
    engagement,
    identity,
    links,
    orders,
    profile,
    risk,
    rules,
    segments,
    timeline,
)
from footfall.tables.spec import AnyTable

ALL: tuple[AnyTable, ...] = (
    cart.TABLE,
    computed.TABLE,
    consent.TABLE,
    engagement.TABLE,
    identity.TABLE,
    links.TABLE,
    orders.TABLE,
    profile.TABLE,
    risk.TABLE,
    rules.TABLE,
    segments.TABLE,
    timeline.TABLE,
)

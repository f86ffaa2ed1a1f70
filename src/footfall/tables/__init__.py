"""The tables: one capability a file. `ALL` lists them, sorted by name; nothing registers itself."""

from __future__ import annotations

from footfall.tables import cart, computed, engagement, identity, orders, risk
from footfall.tables.spec import AnyTable

ALL: tuple[AnyTable, ...] = (
    cart.TABLE, computed.TABLE, engagement.TABLE, identity.TABLE, orders.TABLE, risk.TABLE)

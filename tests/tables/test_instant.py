"""Instants as views and triggers show them."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from footfall.tables.cart_triggers import instant

LATEST_MS = 253_402_300_799_999


@given(st.integers(-(10**12), 2 * LATEST_MS))
@example(0)
@example(-1)
@example(LATEST_MS)
@example(LATEST_MS + 1)
def test_it_is_rfc_3339_in_utc_with_milliseconds(at: int) -> None:
    """As datetime writes it; past the year 9999, its end."""
    moment = datetime(1970, 1, 1) + timedelta(milliseconds=min(at, LATEST_MS))
    assert moment.isoformat(timespec="milliseconds") + "Z" == instant(at)

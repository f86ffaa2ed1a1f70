"""The row of identity as data: the identifiers, each with when it was first named.

Decides fields and their order, which is that of the stored bytes. What is done with them is in
`identity.py`. Stays interpreted (setup.py).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Named(NamedTuple):
    """One identifier and the least event time (ms) that named it."""

    kind: str
    since: int
    value: str


class IdentityFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """All that is kept, sorted. `limited`: older values were dropped. `alias`: the newest alias
    call, as (event time, messageId, the user_id that it gives).
    """

    named: tuple[Named, ...] = ()
    limited: bool = False
    alias: tuple[int, str, str] = (0, "", "")


class IdentityTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Nothing is announced."""

"""Tickets: how a page in a browser opens a stream of triggers.

A browser's EventSource can set no header, and an API key must never stand in a URL, which proxies
and browsers write down. So a page shows its key once, in a header, and gets a ticket to put there:
it opens streams, nothing else, for a minute. A MAC under a secret that all collectors have, so any
of them knows a ticket that another gave out, also after a restart; bound to the value of the key,
so that it dies with it.
Decides what a ticket is and how long it holds. Must never be written to a log or an error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
import time
from collections.abc import Callable

from footfall.view.roles import ApiKey, ApiKeys

#: Long enough for the browser to come back by itself while a collector restarts.
TICKET_S = 60
_MAC_BYTES = 16
_expiry = struct.Struct(">Q")


class Tickets:
    """`secret`: the same in all collectors; `clock`: seconds since 1970."""

    def __init__(self, secret: bytes, keys: ApiKeys, clock: Callable[[], float] = time.time
                 ) -> None:
        key = hashlib.blake2b(secret, digest_size=32, person=b"stream ticket").digest()
        self._new = hashlib.blake2b(key=key, digest_size=_MAC_BYTES).copy
        self._keys = keys
        self._clock = clock

    def of(self, key: ApiKey) -> str:
        """A ticket for this key, from now on."""
        expiry = _expiry.pack(int(self._clock()) + TICKET_S)
        return base64.urlsafe_b64encode(expiry + self._mac(expiry, key)).decode()

    def holder(self, ticket: str) -> ApiKey | None:
        """Whose ticket it is; None for what is none, or no longer."""
        try:
            data = base64.b64decode(ticket, b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        expiry, mac = data[:_expiry.size], data[_expiry.size:]
        # Further ahead it was given out by a clock that was wrong.
        if len(expiry) != _expiry.size or not (
                0 < _expiry.unpack(expiry)[0] - self._clock() <= 2 * TICKET_S):
            return None
        # All are looked at, so that the time it takes tells nothing.
        found = [key for key in self._keys.holders()
                 if hmac.compare_digest(mac, self._mac(expiry, key))]
        return found[0] if found else None

    def _mac(self, expiry: bytes, key: ApiKey) -> bytes:
        state = self._new()
        state.update(expiry + key.fingerprint)
        return state.digest()

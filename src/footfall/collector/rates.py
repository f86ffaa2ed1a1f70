"""Token buckets: how many items a second one source, or one address, may send.

Decides who has to wait, and how long. A bucket holds one second of its rate. A request is let in
while there is a token and then pays for all its items, into debt if need be: so a client that is
over its rate costs no reading and no parsing, and a batch is never taken by halves. The debt of a
client is bounded by the items of the requests that it had in flight.
The table is bounded: the bucket that was not used for the longest time goes first, and whose bucket
has gone begins with a full one. Must never read a clock: time is an argument. What the buckets are
of is only held here and never written anywhere.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

BUCKETS_MAX = 10_000


def buckets_of(per_s: float) -> Buckets | None:
    """Buckets for a rate as it is set: 0 means no limit, and then there are none."""
    return Buckets(per_s) if per_s else None


class Buckets:
    """One bucket a name; `per_s` is above 0."""

    def __init__(self, per_s: float, buckets_max: int = BUCKETS_MAX) -> None:
        self._per_s = per_s
        self._full = max(per_s, 1.0)
        self._buckets_max = buckets_max
        #: Name -> (tokens, at which second).
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, name: str, now_s: float) -> float:
        """Seconds until it may send again; 0 now."""
        missing = 1.0 - self._tokens(name, now_s)
        return missing / self._per_s if missing > 0 else 0.0

    def pay(self, name: str, items: int, now_s: float) -> None:
        """Takes the tokens of so many items."""
        self._held[name] = (self._tokens(name, now_s) - items, now_s)
        self._held.move_to_end(name)
        if len(self._held) > self._buckets_max:
            self._held.popitem(last=False)

    def __len__(self) -> int:
        return len(self._held)

    def _tokens(self, name: str, now_s: float) -> float:
        held = self._held.get(name)
        if held is None:
            return self._full
        tokens, then_s = held
        return min(self._full, tokens + max(0.0, now_s - then_s) * self._per_s)


def network_of(address: str) -> str:
    """Whose bucket an address shares: of IPv6 the /64, which is what one household gets."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return found.packed[:8].hex()
    return str(found)

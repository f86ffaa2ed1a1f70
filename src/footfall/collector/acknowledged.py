"""Which interactions this process has lately seen acknowledged: repeats are not written again.

Decides `duplicate`, and only where it is certain: the same customer key and the same messageId,
acknowledged by the broker before the repeat came. That is law 2's own rule, so the worker would
have dropped the repeat as well; what is not known here is accepted, and the worker decides. Both
are kept whole, never a short hash of them: a collision would be a lost interaction.
Bounded by two generations: when the newer is full, the older is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable

from footfall.events.arrival import Admitted

#: Of each of the two generations; about 170 bytes each.
GENERATION_MAX = 50_000


class Acknowledged:
    """The last 50,000 to 100,000, by the name that `name_of` gives them."""

    def __init__(self, generation_max: int = GENERATION_MAX) -> None:
        self._generation_max = generation_max
        self._new: set[bytes] = set()
        self._old: set[bytes] = set()

    def __contains__(self, name: bytes) -> bool:
        return name in self._new or name in self._old

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def update(self, names: Iterable[bytes]) -> None:
        """The broker has acknowledged them; at most a batch of them."""
        if len(self._new) >= self._generation_max:
            self._old, self._new = self._new, set()
        self._new.update(names)


def name_of(admitted: Admitted) -> bytes:
    """Customer key and messageId."""
    return admitted.key + b"\0" + admitted.event["message_id"].encode()

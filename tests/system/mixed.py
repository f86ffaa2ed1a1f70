"""All that may happen at once: households that become known, a shop with late, repeated and spoilt
records, and people who say what may be done with what is known of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from tests.system.shop import Shop
from tests.system.storm import Storm
from tests.tables import consents
from tests.tables.logs import CODECS, KEYS


class Mixed(Shop):
    """The records of one seed, to be loaded as a shop's are."""

    def __init__(self, seed: int, households: int = 40, customers: int = 100) -> None:
        super().__init__(seed, customers)
        self._dice = random.Random(seed)
        self._storm = Storm(seed, households)
        self._customers = customers

    def records(self, count: int) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of the next ones; half of them a household's."""
        for _ in range(count):
            kind = self._dice.random()
            if kind < 0.5:
                self.made += 1
                yield from self._storm.records(1)
            elif kind < 0.95:
                yield from super().records(1)
            else:
                self.made += 1
                yield self._said()

    def _said(self) -> tuple[bytes, bytes]:
        user = f"customer-{self._dice.randrange(self._customers)}"
        allowed = {name: self._dice.random() < 0.5 for name in ("analytics", "advertising")}
        event = consents.act(
            time.time_ns() // 1_000_000, f"c{self.made}", {"userId": user},
            context={"consent": {"categoryPreferences": allowed}})
        return KEYS.of("user_id", user), CODECS.interaction.encode(event)

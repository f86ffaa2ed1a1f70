"""Customers who become known: numbered calls that name users, browsers, addresses and numbers of
one household or another, as the collector admits them.

Every call without a user puts a product of its own into a cart, so that it shows whose it became.
"""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from tests.tables.graph import Named
from tests.tables.logs import CODECS, KEYS

#: No limit may decide anything: the reference knows none.
UNLIMITED = {"links": {f"{name}_max": 100 for name in (
    "user_id", "email", "phone", "external", "device", "anonymous_id", "users")}}
USERS, BROWSERS, ADDRESSES = 3, 5, 2
#: Several, so that none grows past its limit; orders empty another one.
CARTS = ("c1", "c2", "c3", "c4")
ORDERS = "ordered"


class Storm:
    """The calls of one seed; `named` says what each messageId names."""

    def __init__(self, seed: int, households: int) -> None:
        self._random = random.Random(seed)
        self._households = households
        self._recent: deque[tuple[bytes, bytes]] = deque(maxlen=50)
        self.named: dict[str, Named] = {}
        self.made = 0

    def records(self, count: int) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of the next ones; times are those of the moment each is taken. Some are
        sent again.
        """
        for _ in range(count):
            self.made += 1
            if self._recent and self._random.random() < 0.03:
                yield self._random.choice(self._recent)
            else:
                self._recent.append(self._record(*self._call()))
                yield self._recent[-1]

    def all_of(self, names: Sequence[Named]) -> Iterator[tuple[bytes, bytes]]:
        """Calls that name just this, one after the other."""
        for one in names:
            self.made += 1
            yield self._record(one, self._tracked())

    def browsers(self) -> list[str]:
        """All that calls have named so far."""
        return sorted({one.anonymous for one in self.named.values() if one.anonymous})

    def _call(self) -> tuple[Named, dict[str, Any]]:
        dice = self._random
        home = dice.randrange(self._households)
        other = dice.randrange(self._households) if dice.random() < 0.02 else home
        browser = f"browser-{other}-{dice.randrange(BROWSERS)}"
        user = f"user-{home}-{dice.randrange(USERS)}"
        email = f"e{home}-{dice.randrange(ADDRESSES)}@example.org"
        phone = f"+4930{home:04}77"
        contact = dice.random()
        also = Named(email=email if contact < 0.1 else None,
                     phone=phone if 0.08 < contact < 0.13 else None)
        shape = dice.random()
        if shape < 0.45:
            return also._replace(anonymous=browser), self._tracked()
        if shape < 0.49:
            before = dice.choice([browser, f"user-{home}-{dice.randrange(USERS)}"])
            return Named(user, previous=before), {"type": "alias"}
        also = also._replace(user=user, anonymous=browser if dice.random() < 0.6 else None)
        if shape < 0.6:
            return also, {"type": "identify"}
        if shape < 0.7:
            return also, {"type": "page", "name": "a page"}
        if shape < 0.75:
            return also, {"type": "track", "event": "Order Completed", "properties": {
                "order_id": f"o{self.made}", "cart_id": ORDERS, "currency": "EUR", "total": "5"}}
        return also, self._tracked()

    def _tracked(self) -> dict[str, Any]:
        return {"type": "track", "event": "Product Added", "properties": {
            "product_id": f"m{self.made}", "cart_id": self._random.choice(CARTS),
            "price": "9.99", "currency": "EUR"}}

    def _record(self, one: Named, call: dict[str, Any]) -> tuple[bytes, bytes]:
        message_id = f"m{self.made}"
        now = time.time_ns() // 1_000_000
        late = self._random.random() < 0.05
        item = {**call, "messageId": message_id, "userId": one.user,
                "anonymousId": one.anonymous, "previousId": one.previous,
                "timestamp": now - self._random.randrange(20_000) if late else now}
        traits = {k: v for k, v in (("email", one.email), ("phone", one.phone)) if v}
        if call["type"] == "identify":
            item["traits"] = traits
        else:
            item["context"] = {"traits": traits}
        raw = json.dumps({k: v for k, v in item.items() if v is not None}).encode()
        outcome = admit(raw, 0, Arrival("storm", now, "0" * 32), KEYS)
        assert not isinstance(outcome, Rejected), outcome.detail
        assert one.key() == outcome.key
        self.named[message_id] = one
        return outcome.key, CODECS.interaction.encode(outcome.event)

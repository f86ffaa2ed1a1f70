"""The demo without a broker: its shop folded in memory, in virtual time.

The same admission, fold and configuration as in a running demo; what a worker, a collector and a
broker add is only when. So a seed's triggers are the same on every machine: they are a golden file
(tests/golden/demo.json), and the picture in README.md is drawn from them:

    python -m footfall.up.demo_picture docs/demo.svg

Must never read a clock: the shop opens at `OPENING_MS`, a tick comes five times a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from footfall import tables
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.codec import Codecs, TriggerRecord
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import CONFIG, HANDOFF, TICK, Interaction
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ConfigPayload
from footfall.tables.fold import Fold
from footfall.tables.outputs import TRIGGER
from footfall.up.demo_config import document
from footfall.up.shop_visitor import Action, Item, stamped

#: 2026-06-01T09:00:00Z: within a day, so that history lies on other days than the demo.
OPENING_MS = 1_780_304_400_000
TICK_MS = 200
TOPIC = "rehearsal"


class _Entry(NamedTuple):
    """A record of the log in memory."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Told(NamedTuple):
    """A trigger and when it fired, in seconds from the opening."""

    at_s: float
    record: TriggerRecord


class Rehearsal:
    """One partition that holds all customers."""

    def __init__(self, idle_s: float) -> None:
        self._codecs = Codecs()
        self._keys = CustomerKeys(b"no secret: a rehearsal in memory")
        self._reserved = Reserved(b"no secret: a rehearsal in memory")
        self.fold = Fold(0, tables.ALL, codecs=self._codecs, keys=self._keys,
                         reserved=self._reserved, topic=TOPIC)
        content = msgspec.json.encode(document(idle_s))
        self._append(CONFIG.encode(), self._reserved.config(ConfigPayload(1, content), OPENING_MS),
                     OPENING_MS)

    def play(self, actions: Iterable[Action], until_s: float) -> Iterator[Told]:
        """Every trigger up to `until_s`, as it fires."""
        ticked = OPENING_MS
        for action in actions:
            if action.at_s > until_s:
                break
            now = OPENING_MS + round(action.at_s * 1000)
            while ticked + TICK_MS <= now:
                ticked += TICK_MS
                yield from self._tick(ticked)
            yield from self._take(stamped(action, OPENING_MS), now)
        while ticked < OPENING_MS + until_s * 1000:
            ticked += TICK_MS
            yield from self._tick(ticked)

    def _take(self, item: Item, now: int) -> Iterator[Told]:
        arrival = Arrival("rehearsal", now, "r")
        admitted = admit(msgspec.json.encode(item), 0, arrival, self._keys)
        assert not isinstance(admitted, Rejected), admitted.detail
        yield from self._append(admitted.key, admitted.event, now)

    def _tick(self, now: int) -> Iterator[Told]:
        return iter(self._append(TICK.encode(), self._reserved.tick(now), now))

    def _append(self, key: bytes, event: Interaction, now: int) -> list[Told]:
        """Fold one record, and the handoffs that it leads to."""
        told = []
        values = [(key, self._codecs.interaction.encode(event))]
        for owner, value in values:
            self.fold.apply(_Entry(self.fold.next_offset, now, owner, value))
            outputs, self.fold.outputs = self.fold.outputs, []
            values += [(o.key, o.value) for o in outputs if o.kind == HANDOFF]
            told += [Told((now - OPENING_MS) / 1000, self._codecs.trigger.decode(o.value))
                     for o in outputs if o.kind == TRIGGER]
        return told

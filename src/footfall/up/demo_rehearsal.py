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
from footfall.events.codec import TriggerRecord
from footfall.events.reserved_row import ConfigPayload
from footfall.tables.fold import Fold
from footfall.tables.outputs import TRIGGER
from footfall.testing.log import Installation, Log
from footfall.up.demo_config import document
from footfall.up.shop_visitor import Action, Item, stamped

#: 2026-06-01T09:00:00Z: within a day, so that history lies on other days than the demo.
OPENING_MS = 1_780_304_400_000
TICK_MS = 200
SECRET = b"no secret: a rehearsal in memory"


class Told(NamedTuple):
    """A trigger and when it fired, in seconds from the opening."""

    at_s: float
    record: TriggerRecord


class Rehearsal:
    """One partition that holds all customers."""

    def __init__(self, idle_s: float) -> None:
        self._log = Log(tables.ALL, 1, Installation.of(SECRET, SECRET), OPENING_MS)
        content = msgspec.json.encode(document(idle_s))
        self._log.config(OPENING_MS, ConfigPayload(1, content))
        self._log.run()

    @property
    def fold(self) -> Fold:
        """What is held of all customers."""
        return self._log.workers[0].fold

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
        admitted = admit(msgspec.json.encode(item), 0, arrival, self._log.installation.keys)
        assert not isinstance(admitted, Rejected), admitted.detail
        self._log.append(admitted.key, admitted.event, now)
        yield from self._told(now)

    def _tick(self, now: int) -> Iterator[Told]:
        self._log.tick(now)
        yield from self._told(now)

    def _told(self, now: int) -> Iterator[Told]:
        """What the records appended last lead to."""
        sent = self._log.sent
        before = len(sent)
        self._log.run()
        decode = self._log.installation.codecs.trigger.decode
        for _partition, output in sent[before:]:
            if output.kind == TRIGGER:
                yield Told((now - OPENING_MS) / 1000, decode(output.value))

"""Violations of the tracking plan as records of the log, so that they can be followed and replayed.

Decided on 2026-11-25:
- The form is a type of its own, `violation`, under the key `$violation`. It is nobody's act: as a
  `track` of some made-up customer it would count in engagement and risk, and fire triggers. It
  steps no customer and changes nothing, so it needs no MAC either, which reserved types (`$...`)
  carry and the collector has no key to make. Over HTTP the type cannot be sent.
- What counts as one is what does not fit the schema (kept, omitted or rejected) and what a strict
  plan does not declare. What consent does not cover is a choice of the person, and only counted.
- One record a minute at most for each (source, call, event, version, field, keyword, what was
  done), with the number that it stands for: the first at once, later ones gathered. So an app that
  is wrong in every event doubles nothing. Of one source at most `KINDS_MAX` are told apart, of one
  event's undeclared names `NAMES_MAX`; beyond them `*` stands for the rest: counts are never lost.
- They are written beside the requests, not before their 200: a report may not slow down or fail
  what it reports on. What is gathered is written when the collector is told to stop; kill -9 loses
  what was gathered in that minute, as it loses the metrics.
- Only violations of acknowledged items are told, and none of a value: fields as
  `field_names.shown` gives them, and all of it in `personal` all the same.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from aiohttp import web

from footfall.collector.sink import Outgoing, Record, Sink, UnavailableError
from footfall.errors import Found
from footfall.events.codec import InteractionCodec
from footfall.events.field_names import HIDDEN
from footfall.events.interaction import VIOLATION, VIOLATION_KEY
from footfall.events.plan_cut import UNDECLARED
from footfall.telemetry import PLAN_EVENTS

log = logging.getLogger(__name__)

INTERVAL_S = 60.0
#: How often it is looked whether anything is to be told.
LOOK_S = 0.25
#: Of a source; of the undeclared names of one event.
KINDS_MAX = 500
NAMES_MAX = 20
RECORDS_MAX = 1_000
#: For the last ones, when the collector stops.
LAST_S_MAX = 0.4


class Kind(NamedTuple):
    """What is told in one record."""

    source: str
    found: Found


@dataclass(slots=True)
class Tally:
    """Of one kind: how often since it was last told, and the last one. `told_at`: by the monotonic
    clock.
    """

    count: int = 0
    last: int = 0
    message_id: str = ""
    told_at: float = float("-inf")


class Violations:
    """Gathers violations and writes them to the log while the application runs."""

    def __init__(self, sink: Sink, codec: InteractionCodec, clock: Callable[[], int], *,
                 interval_s: float = INTERVAL_S) -> None:
        self._sink = sink
        self._codec = codec
        self._clock = clock
        self._interval_s = interval_s
        #: By source, so that one that is wrong in many ways takes no other's room.
        self._kinds: dict[str, dict[Kind, Tally]] = {}
        self._some = asyncio.Event()
        #: With a number it names each record of this process.
        self._run = secrets.token_hex(16)
        self._n = 0

    def add(self, source: str, found: Iterable[Found], message_id: str = "") -> None:
        """What was found in one item that is now in the log, or in `rejected`."""
        for one in found:
            if one.finding == "not_covered":
                continue
            tally = self._tally(source, one)
            tally.count += 1
            tally.last = self._clock()
            tally.message_id = message_id
            self._some.set()

    async def while_running(self, _app: web.Application) -> AsyncIterator[None]:
        """For `cleanup_ctx`: tells until the application ends, then what is left."""
        telling = asyncio.get_running_loop().create_task(self._tell_on())
        yield
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        try:
            async with asyncio.timeout(LAST_S_MAX):
                await self._tell([(k, t) for k, t in self._all() if t.count])
        except (TimeoutError, UnavailableError):
            log.warning("the log is away: violations of the tracking plan are not in it yet",
                        extra={"events": sum(tally.count for _kind, tally in self._all())})

    def _tally(self, source: str, found: Found) -> Tally:
        known = self._kinds.setdefault(source, {})
        kind = Kind(source, found)
        if kind not in known and found.rule == UNDECLARED and _names(known, found) >= NAMES_MAX:
            kind = Kind(source, found._replace(field=HIDDEN))
        if kind not in known and len(known) >= KINDS_MAX:
            kind = Kind(source, found._replace(event=HIDDEN, version=HIDDEN, field=HIDDEN,
                                               rule=HIDDEN))
        return known.setdefault(kind, Tally())

    def _all(self) -> list[tuple[Kind, Tally]]:
        return [pair for known in self._kinds.values() for pair in known.items()]

    async def _tell_on(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(LOOK_S)
            long_ago = time.monotonic() - self._interval_s
            due = []
            for kind, tally in self._all():
                if tally.told_at > long_ago:
                    continue
                if tally.count:
                    due.append((kind, tally))
                else:
                    del self._kinds[kind.source][kind]
            try:
                await self._tell(due)
            except UnavailableError:
                continue  # still counted: told when the log is back
            if not any(self._kinds.values()):
                self._some.clear()

    async def _tell(self, due: list[tuple[Kind, Tally]]) -> None:
        """Write one record of each; those that the log did not take stay due."""
        for start in range(0, len(due), RECORDS_MAX):
            part = due[start : start + RECORDS_MAX]
            told = [tally.count for _kind, tally in part]
            await self._sink.send(Outgoing([self._record(*pair) for pair in part], []))
            now = time.monotonic()
            for (kind, tally), count in zip(part, told, strict=True):
                tally.count -= count
                tally.told_at = now
                PLAN_EVENTS.labels(kind.source).inc()

    def _record(self, kind: Kind, tally: Tally) -> Record:
        found = kind.found
        self._n += 1
        # Named as Segment names those of its "Violation Generated".
        properties = {
            "eventName": found.event, "eventType": found.call, "eventVersion": found.version,
            "eventMessageID": tally.message_id, "violationType": found.rule,
            "violationField": found.field, "violationAction": found.done,
            "count": tally.count,
        }
        return {"key": VIOLATION_KEY, "value": self._codec.encode({
            "type": VIOLATION, "event": found.event, "message_id": f"{self._run}-{self._n}",
            "event_time": tally.last, "received_at": self._clock(), "source": kind.source,
            "channel": "", "commerce": None, "system": None, "key_id": None,
            "personal": msgspec.json.encode({"properties": properties}),
        })}


def _names(known: Iterable[Kind], found: Found) -> int:
    """Undeclared names of an event that are told apart."""
    return sum(kind.found[:4] == found[:4] and kind.found.rule == UNDECLARED for kind in known)

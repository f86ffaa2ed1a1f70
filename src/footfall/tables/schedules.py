"""When rules with a schedule are looked at: at which instants, for customers of which zones.

A schedule is a timer of the partition, not of each customer, so that it also reaches who has not
been here for long, from the moment its rule is in force. Decides local times: an hour that a change
of clocks leaves out fires at its end, one that comes twice fires the first time. Zones are those of
the package `tzdata`, whose version is pinned: the zones of the machine are no part of the log and
would tell another thing elsewhere (law 4). Must never look at a customer's row but for its zone.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from footfall.tables.rules_book import CompiledRule
from footfall.tables.rules_row import CUSTOMER_ZONE, DAYS, Schedule, zones

#: Later than any instant.
NEVER: Final = 2**62
#: A schedule that is found past by more than this is left out, where its rule does not say
#: `expires`: after a night without a broker nobody wants the greetings of the morning.
EXPIRES_MS: Final = 3_600_000
_TRAIT: Final = "timezone"
_text = msgspec.json.Decoder(str).decode


class Due:
    """Rules that are looked at at an instant, each with the zones of its customers."""

    def __init__(self, at: int) -> None:
        self.at = at
        #: Rules whose zone is fixed under CUSTOMER_ZONE: they are for everybody.
        self.zones: dict[str, list[tuple[CompiledRule, date]]] = {}

    def of(self, zone: str) -> Iterator[tuple[CompiledRule, date]]:
        """The rules for a customer of a zone, "" for none, with the local date."""
        yield from self.zones.get(CUSTOMER_ZONE, ())
        if zone:
            yield from self.zones.get(zone, ())
            return
        for name, found in self.zones.items():
            yield from ((rule, day) for rule, day in found
                        if name == _schedule(rule).else_zone)


class Schedules:
    """The instants of all schedules, from one on (ms)."""

    def __init__(self, rules: Sequence[CompiledRule], at: int) -> None:
        self._heap: list[tuple[int, str, str, date]] = []
        self._rules = {rule.name: rule for rule in rules}
        for rule in rules:
            said = _schedule(rule)
            for zone in zones() if said.zone == CUSTOMER_ZONE else (said.zone,):
                self._push(rule.name, zone, at)
        heapq.heapify(self._heap)
        self.next = self._heap[0][0] if self._heap else NEVER

    def due(self, clock: int) -> Due:
        """What is due at `next`, less what the clock is past for too long; then `next` is the
        instant after it.
        """
        heap = self._heap
        due = Due(self.next)
        while heap and heap[0][0] == due.at:
            _at, name, zone, day = heapq.heappop(heap)
            rule = self._rules[name]
            fixed = _schedule(rule).zone != CUSTOMER_ZONE
            if clock - due.at <= (rule.expires_ms or EXPIRES_MS):
                due.zones.setdefault(CUSTOMER_ZONE if fixed else zone, []).append((rule, day))
            self._push(name, zone, due.at + 1)
        self.next = heap[0][0] if heap else NEVER
        return due

    def _push(self, name: str, zone: str, at: int) -> None:
        said = _schedule(self._rules[name])
        found, day = following(said.at, said.days, zone, at)
        heapq.heappush(self._heap, (found, name, zone, day))


def following(at: str, days: Iterable[str], zone: str, since: int) -> tuple[int, date]:
    """The first instant (ms), from `since` on, of a local time on these days; and its date."""
    day = datetime.fromtimestamp(since / 1000, UTC).date() - timedelta(days=2)
    wanted = {DAYS.index(name) for name in days}
    while True:
        if day.weekday() in wanted and (found := instant(at, zone, day)) >= since:
            return found, day
        day += timedelta(days=1)


@lru_cache(maxsize=65_536)
def instant(at: str, zone: str, day: date, *, last: bool = False) -> int:
    """The instant (ms) of a local time: the end of the hour that a change of clocks leaves out; of
    one that comes twice the first, or the last.
    """
    info = zone_info(zone)
    local = datetime.combine(day, time.fromisoformat(at), info).replace(fold=int(last))
    there = local.astimezone(UTC)
    if there.astimezone(info).replace(tzinfo=None) != local.replace(tzinfo=None):
        # Left out: the offsets before and after it give instants on both sides of the change.
        after, before = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        while after - before > timedelta(seconds=1):
            middle = before + (after - before) / 2
            if middle.astimezone(info).replace(tzinfo=None) < local.replace(tzinfo=None):
                before = middle
            else:
                after = middle
        there = after.replace(microsecond=0)
    return round(there.timestamp() * 1000)


@cache
def zone_info(name: str) -> ZoneInfo:
    """A zone as the package has it, whatever the machine says."""
    with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def zone_of(profile: Any) -> str:
    """The zone that a profile's facts name; "" where they name none that there is."""
    for said in profile.said:
        traits = said.traits
        for n in range(0, len(traits), 2):
            if traits[n] == _TRAIT:
                try:
                    zone = _text(traits[n + 1])
                except msgspec.MsgspecError:
                    return ""
                return zone if is_zone(zone) else ""
    return ""


def is_zone(name: str) -> bool:
    """Whether the package has a zone of this name."""
    return name in _names()


@cache
def _names() -> frozenset[str]:
    return frozenset(zones())


def _schedule(rule: CompiledRule) -> Schedule:
    said = rule.said.on.schedule
    assert said is not None
    return said

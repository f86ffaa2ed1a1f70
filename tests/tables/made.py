"""Tables made for tests: each shows one thing that the fold must get right.

A plain event speaks to them: `event` names what to do, `channel` with what (`say`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from footfall.events.interaction import Interaction
from footfall.tables.spec import (
    Announcement,
    AnyTable,
    Move,
    NoConfig,
    TableSpec,
    Trigger,
    wants_all,
)
from tests.tables import events

IDLE_MS = 10_000


def say(what: str, argument: str, at: int, message_id: str) -> Interaction:
    """An event that asks a table for something."""
    event = events.plain(at, message_id)
    event["event"], event["channel"] = what, argument
    return event


class Nothing(msgspec.Struct, array_like=True, frozen=True):
    """Facts or told of a table that keeps none."""


# -- tally: what was applied, how often, and as of when --------------------------------------------


class TallyFacts(msgspec.Struct, array_like=True, frozen=True):
    """messageId -> [times applied, event time as the step saw it]."""

    seen: dict[str, tuple[int, int]] = {}


def _tally_merge(mine: TallyFacts, theirs: TallyFacts) -> TallyFacts:
    seen = dict(mine.seen)
    for message_id, (count, when) in theirs.seen.items():
        known = seen.get(message_id, (0, when))
        seen[message_id] = known[0] + count, min(known[1], when)
    return TallyFacts(seen)


def _tally_observe(facts: TallyFacts, event: Interaction, when: int) -> TallyFacts:
    return _tally_merge(facts, TallyFacts({event["message_id"]: (1, when)}))


#: Counts every message, so that one applied twice or never shows in the row.
TALLY: AnyTable = TableSpec(
    "tally", 1, TallyFacts, Nothing, NoConfig, wants_all, _tally_observe,
    lambda told, _facts, _now, _config, _fired: Announcement(told),
    _tally_merge, lambda mine, _theirs: mine)


# -- pulse: silence after any event ----------------------------------------------------------------


class PulseFacts(msgspec.Struct, array_like=True, frozen=True):
    """The last sign of life."""

    last: int = 0


class PulseTold(msgspec.Struct, array_like=True, frozen=True):
    """Up to where silence was told."""

    covers: int = 0


class PulseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a silence is one."""

    idle_s: float = IDLE_MS / 1000


def _pulse_announce(told: PulseTold, facts: PulseFacts, now: int, config: PulseConfig,
                    fired: int | None) -> Announcement[PulseTold]:
    deadline = facts.last + round(config.idle_s * 1000)
    if not facts.last or facts.last <= told.covers:
        return Announcement(told)
    if fired is None or deadline > now:
        return Announcement(told, deadline)
    said = Trigger("silent", (fired,), fired, {"last": facts.last}, {"now": now})
    return Announcement(PulseTold(max(deadline, fired)), None, (said,))


#: Tells `silent` once per silence; its cause is the deadline that fired.
PULSE: AnyTable = TableSpec(
    "pulse", 1, PulseFacts, PulseTold, PulseConfig, wants_all,
    lambda facts, _event, when: PulseFacts(max(facts.last, when)), _pulse_announce,
    lambda a, b: PulseFacts(max(a.last, b.last)), lambda a, b: PulseTold(max(a.covers, b.covers)))


# -- bell: timers at any instants, one after the other ---------------------------------------------


class BellFacts(msgspec.Struct, array_like=True, frozen=True):
    """Instants at which it rings, ascending."""

    instants: tuple[int, ...] = ()


class BellTold(msgspec.Struct, array_like=True, frozen=True):
    """The last instant that rang."""

    rung: int = 0


def bell(name: str) -> AnyTable:
    """Rings (trigger `rang_<name>`) at each instant that an event `<name>` gives: "at,at,..."."""

    def announce(told: BellTold, facts: BellFacts, now: int, _config: NoConfig,
                 fired: int | None) -> Announcement[BellTold]:
        ringing = [i for i in facts.instants if told.rung < i <= now] if fired is not None else []
        rung = ringing[-1] if ringing else told.rung
        due = next((i for i in facts.instants if i > rung), None)
        said = tuple(Trigger(f"rang_{name}", (i,), i, {}, {"now": now}) for i in ringing)
        return Announcement(BellTold(rung), due, said)

    return TableSpec(
        name, 1, BellFacts, BellTold, NoConfig, lambda event: event["event"] == name,
        lambda facts, event, _when: BellFacts(tuple(sorted(
            {*facts.instants, *map(int, event["channel"].split(","))}))),
        announce, lambda a, b: BellFacts(tuple(sorted({*a.instants, *b.instants}))),
        lambda a, b: BellTold(max(a.rung, b.rung)))


# -- pointer: sends everything on to its owner -----------------------------------------------------


class PointerFacts(msgspec.Struct, array_like=True, frozen=True):
    """The owner named last, and from when on it owns: 0 is at once."""

    at: int = 0
    message_id: str = ""
    owner: str = ""
    starts: int = 0


def _pointer_observe(facts: PointerFacts, event: Interaction, when: int) -> PointerFacts:
    if event["event"] != "join":
        return facts
    owner, _, starts = event["channel"].partition("@")
    return max(facts, PointerFacts(when, event["message_id"], owner, int(starts or 0)), key=_order)


def _order(facts: PointerFacts) -> tuple[Any, ...]:
    return facts.at, facts.message_id, facts.owner, facts.starts


def pointer(name: str = "pointer", moved: tuple[tuple[str, ...] | None, ...] = (None,)) -> AnyTable:
    """After an event `join` ("owner" or "owner@instant") sends rows on with every step: in one
    handoff or, with several `moved`, in one for each set of tables.
    """

    def announce(told: Nothing, facts: PointerFacts, now: int, _config: NoConfig,
                 _fired: int | None) -> Announcement[Nothing]:
        if not facts.owner:
            return Announcement(told)
        if facts.starts > now:
            return Announcement(told, facts.starts)
        to = facts.owner.encode()
        return Announcement(told, None, (), tuple(Move(to, names) for names in moved))

    return TableSpec(name, 1, PointerFacts, Nothing, NoConfig, wants_all, _pointer_observe,
                     announce, lambda a, b: max(a, b, key=_order), lambda mine, _theirs: mine)


# -- faulty: raises where it is told to ------------------------------------------------------------


class FaultyFacts(msgspec.Struct, array_like=True, frozen=True):
    """What it was told."""

    said: str = ""
    at: int = 0


def faulty(name: str) -> AnyTable:
    """Raises in observe or announce at an event `<name>` of that channel; `fuse` raises in a timer
    a second later, `stuck` asks in it for the same timer again.
    """

    def observe(facts: FaultyFacts, event: Interaction, when: int) -> FaultyFacts:
        if event["channel"] == "observe":
            raise RuntimeError("told to")
        return FaultyFacts(event["channel"], when)

    def announce(told: Nothing, facts: FaultyFacts, _now: int, _config: NoConfig,
                 fired: int | None) -> Announcement[Nothing]:
        if facts.said == "announce" or (facts.said == "fuse" and fired is not None):
            raise RuntimeError("told to")
        return Announcement(told, facts.at + 1000 if facts.said in ("fuse", "stuck") else None)

    return TableSpec(name, 1, FaultyFacts, Nothing, NoConfig, lambda event: event["event"] == name,
                     observe, announce, lambda a, _b: a, lambda a, _b: a)

"""Tables made for tests: rows that move from customer to customer, and a worker that runs them.

`basket` notes how often it holds each messageId; `pointer` sends a customer's basket and cart on to
whom an event names. Merging adds the counts up: a handoff applied twice would show as a 2, a lost
one as an absence.
"""

from __future__ import annotations

import os

import msgspec

from footfall import logs, tables
from footfall.events.interaction import Interaction
from footfall.settings import load
from footfall.stream.app import create
from footfall.stream.command import run
from footfall.tables.spec import Announcement, Move, NoConfig, TableSpec

MOVE = "move:"


class BasketFacts(msgspec.Struct, array_like=True, frozen=True):
    """messageId -> how often it was put in."""

    times: dict[str, int] = {}


class PointerFacts(msgspec.Struct, array_like=True, frozen=True):
    """How many moves were asked for, and the last one's receiver."""

    asked: int = 0
    to: str = ""


class PointerTold(msgspec.Struct, array_like=True, frozen=True):
    """How many moves were sent."""

    sent: int = 0


class Nothing(msgspec.Struct, array_like=True, frozen=True):
    """A table that tells nothing."""


def _put(facts: BasketFacts, event: Interaction, _when: int) -> BasketFacts:
    return _added(facts, BasketFacts({event["message_id"]: 1}))


def _added(mine: BasketFacts, theirs: BasketFacts) -> BasketFacts:
    times = dict(mine.times)
    for message_id, count in theirs.times.items():
        times[message_id] = times.get(message_id, 0) + count
    return BasketFacts(times)


def _point(facts: PointerFacts, event: Interaction, _when: int) -> PointerFacts:
    return PointerFacts(facts.asked + 1, event["event"].removeprefix(MOVE))


def _move(told: PointerTold, facts: PointerFacts, _now: int, _config: NoConfig,
          _fired: int | None) -> Announcement[PointerTold]:
    if facts.asked == told.sent:
        return Announcement(told)
    return Announcement(PointerTold(facts.asked),
                        moves=(Move(facts.to.encode(), ("basket", "cart")),))


BASKET = TableSpec(
    name="basket", version=1, facts=BasketFacts, told=Nothing, config=NoConfig,
    wants=lambda event: not event["event"].startswith(MOVE), observe=_put,
    announce=lambda told, _facts, _now, _config, _fired: Announcement(told),
    merge_facts=_added, merge_told=lambda mine, _theirs: mine,
)
POINTER = TableSpec(
    name="pointer", version=1, facts=PointerFacts, told=PointerTold, config=NoConfig,
    wants=lambda event: event["event"].startswith(MOVE), observe=_point, announce=_move,
    merge_facts=lambda mine, _theirs: mine, merge_told=lambda mine, _theirs: mine,
)
TABLES = (BASKET, POINTER, *tables.ALL)

if __name__ == "__main__":
    settings = load(os.environ)
    logs.configure("worker", settings)
    run(create(settings, TABLES))

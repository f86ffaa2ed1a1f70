"""The demo's shop: who arrives when, from the opening to the end, as one stream of actions.

Decides all of it from a seed alone: the same seed is the same shop. Customers arrive by chance;
cheats come in bursts. Never more than `EVENTS_A_SECOND_MAX` in any second nor `RECORDS_MAX` in all:
over many hours fewer customers arrive instead. Reads no clock; who plays the stream says what time
it is. Must never send: `up/demo.py` does.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Iterable, Iterator

from footfall.up.shop_journeys import (
    ACTIONS_MAX,
    ACTIONS_MEAN,
    CHEATS,
    HONEST,
    MOVES_MAX,
    Journey,
)
from footfall.up.shop_visitor import TOLD_S_MAX, Action, Hours, Visitor

EVENTS_A_SECOND_MAX = 100
RECORDS_MAX = 200_000
ARRIVALS_A_SECOND = 2.5
#: Cheats: so many at once, every so many seconds.
BURST = 3
BURST_S = (10.0, 30.0)
#: The longest pause between two moves, and which part of `idle_s` it is at most: shorter than the
#: silence of a cart that was left, whatever happens between two moves of a cart.
PACE_S = 1.5
PACES_IN_IDLE = 8


def shop(seed: int, seconds: float, idle_s: float) -> Iterator[Action]:
    """What happens in so many seconds, in the order of `at_s`. The end is quiet: a cart with `left`
    has been told by then.
    """
    return paced(_merged(seed, seconds, idle_s))


def paced(actions: Iterable[Action]) -> Iterator[Action]:
    """The same with what is too much for a second put off; order is kept."""
    sent: deque[float] = deque(maxlen=EVENTS_A_SECOND_MAX)
    for action in actions:
        at_s = action.at_s
        if len(sent) == EVENTS_A_SECOND_MAX:
            at_s = max(at_s, sent[0] + 1.0)
        if sent:
            at_s = max(at_s, sent[-1])
        sent.append(at_s)
        is_past = action.when_s < action.at_s
        yield action._replace(at_s=at_s, when_s=action.when_s if is_past else at_s)


def _merged(seed: int, seconds: float, idle_s: float) -> Iterator[Action]:
    """The journeys of all customers, merged as they go on."""
    pace_s = min(PACE_S, idle_s / PACES_IN_IDLE)
    hours = Hours(idle_s, pace_s, seconds - idle_s - TOLD_S_MAX)
    closes_s = max(hours.last_s - MOVES_MAX * pace_s, seconds / 4)
    sparse = max(1.0, ARRIVALS_A_SECOND * ACTIONS_MEAN * seconds / RECORDS_MAX)
    waiting: list[tuple[float, int, Action]] = []
    made = 0
    arrivals = heapq.merge(_honest(seed, sparse), _cheats(seed, sparse), key=lambda a: a[0])
    for number, (at_s, journey) in enumerate(arrivals, 1):
        if at_s >= closes_s or made + ACTIONS_MAX > RECORDS_MAX:
            break
        while waiting and waiting[0][0] < at_s:
            yield heapq.heappop(waiting)[2]
        dice = random.Random(f"{seed}-{number}")  # noqa: S311 - a story, not a secret
        visitor = Visitor(dice, number, at_s, hours)
        journey(visitor)
        for action in visitor.actions:
            heapq.heappush(waiting, (action.at_s, made, action))
            made += 1
    while waiting:
        yield heapq.heappop(waiting)[2]


def _honest(seed: int, sparse: float) -> Iterator[tuple[float, Journey]]:
    """Who arrives when; `sparse`: of so many only one."""
    dice = random.Random(f"{seed}-arrivals")  # noqa: S311
    journeys, shares = list(HONEST), list(HONEST.values())
    at_s = 0.0
    while True:
        at_s += dice.expovariate(ARRIVALS_A_SECOND / sparse)
        yield at_s, dice.choices(journeys, shares)[0]


def _cheats(seed: int, sparse: float) -> Iterator[tuple[float, Journey]]:
    dice = random.Random(f"{seed}-cheats")  # noqa: S311
    at_s = 0.0
    while True:
        at_s += dice.uniform(*BURST_S) * sparse
        for _ in range(BURST):
            yield at_s, dice.choice(CHEATS)

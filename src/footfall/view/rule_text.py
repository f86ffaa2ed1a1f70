"""Rules and their conditions in words, and each condition by its number. Pure.

Decides how a condition reads (`orders.count at_least 3`): the names and operators are those of the
file that it was written in. Numbers are those of `rules_outcomes.py`. Must never evaluate one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from footfall.tables.computed_row import Over
from footfall.tables.rules_row import Condition, On, Schedule

_SHOWN_MAX = 5


class Numbered(NamedTuple):
    """A condition with its number. `must_hold` False: it is a member of a `none`, directly or
    further in, so it is what holds that is in the way.
    """

    number: int
    condition: Condition
    must_hold: bool


def numbered(condition: Condition | None) -> list[Numbered]:
    """A condition and all that lie in it, in the order in which they are written, from 1."""
    found: list[Numbered] = []

    def add(one: Condition, must_hold: bool) -> None:
        found.append(Numbered(len(found) + 1, one, must_hold))
        for member in one.members:
            add(member, must_hold != (one.group == "none"))

    if condition is not None:
        add(condition, True)
    return found


def of_condition(said: Condition) -> str:
    """A condition as a phrase."""
    if said.group:
        shown = [of_condition(one) for one in said.members[:_SHOWN_MAX]]
        more = len(said.members) - len(shown)
        return f"{said.group} of ({'; '.join(shown)}{f'; and {more} more' if more else ''})"
    if said.segment is not None:
        return f"in segment {said.segment}"
    if said.cel is not None:
        return said.cel
    return f"{_subject(said)} {said.operator} {_operand(said.operand)}"


def of_on(on: On) -> str:
    """What a rule acts on, as a phrase."""
    if on.call is not None:
        return f"{on.call} {on.event}" if on.event else on.call
    if on.trigger is not None:
        return f"trigger {on.trigger}"
    if on.enters is not None:
        return f"entering segment {on.enters}"
    if on.leaves is not None:
        return f"leaving segment {on.leaves}"
    if on.schedule is not None:
        return _schedule(on.schedule)
    assert on.when is not None
    return f"{of_condition(on.when)} becoming {'true' if on.becomes else 'false'}"


def of_over(over: Over | None) -> str:
    """Which events."""
    if over is None or over.call is None:
        return "any event" if over is None or over.where is None else "any event of some"
    name = f"{over.call} {over.event}" if over.event else over.call
    return f"{name} of some" if over.where is not None else name


def _subject(said: Condition) -> str:
    if said.of is None:
        return said.field or ""
    value = f" {said.value}" if said.value else ""
    window = "" if said.window == "ever" else f" in {said.window}"
    return f"{said.of}{value} over {of_over(said.over)}{window}"


def _operand(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(_each(value)) if isinstance(value, tuple) else str(value)


def _each(values: tuple[Any, ...]) -> Iterator[str]:
    for value in values[:_SHOWN_MAX]:
        yield _operand(value)
    if len(values) > _SHOWN_MAX:
        yield f"and {len(values) - _SHOWN_MAX} more"


def _schedule(said: Schedule) -> str:
    zone = f"the customer's zone, else {said.else_zone}" if said.zone == "customer" else said.zone
    return f"{said.at} on {', '.join(said.days)} in {zone}"

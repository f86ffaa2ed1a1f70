"""What is collected and read by nobody, and what the plan declares and nobody sends. Pure.

Decides which fields of those collected are unused: those that no table, computed trait, segment,
rule or destination reads of that event (`tables/reads.py`). Context is unused where nobody reads it
of any event; likewise a field of events that are gathered together whatever they are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from footfall.events.field_names import HIDDEN
from footfall.events.plan import Plan
from footfall.events.plan_rule import Property, body_of
from footfall.query.collected import EVERY, Event, Items, Use
from footfall.tables.reads import is_read, paths_read
from footfall.tables.spec import Reads

#: Where the traits of an identify stand in the context of other calls.
_CONTEXT_TRAITS = "context.traits."


class Unused(NamedTuple):
    """A field that is collected for nothing; `declared` where the plan has it."""

    event: Event
    items: int
    path: str
    use: Use
    declared: Property | None


class Never(NamedTuple):
    """A field that the plan declares and that no item had."""

    event: Event
    path: str
    declared: Property


def unused(collected: Mapping[Event, Items], reads: Iterable[Reads], plan: Plan | None
           ) -> list[Unused]:
    """By event, the field that most items have first."""
    reads = tuple(reads)
    found = []
    for event in sorted(collected):
        items = collected[event]
        paths = (frozenset().union(*(one.paths for one in reads)) if event == EVERY
                 else paths_read(reads, event.call, _one_name(event)))
        declared = _declared(plan, event)
        found += [Unused(event, items.count, path, use, declared.get(path))
                  for path, use in sorted(items.fields.items(), key=lambda f: (-f[1].count, f[0]))
                  if not is_read(path, paths)]
    return found


def never_collected(collected: Mapping[Event, Items], plan: Plan | None) -> list[Never]:
    """Of every event of the plan, also those that did not come."""
    found = []
    events = {Event(rule.said.call, rule.said.event) for rule in plan.rules} if plan else set()
    for event in sorted(events):
        seen = set(collected[event].fields) if event in collected else set()
        if event.call == "identify" and EVERY in collected:
            seen |= {path.removeprefix("context.") for path in collected[EVERY].fields
                     if path.startswith(_CONTEXT_TRAITS)}
        found += [Never(event, path, said) for path, said in _declared(plan, event).items()
                  if path not in seen and not any(one.startswith(f"{path}.") for one in seen)]
    return found


def declared_paths(plan: Plan | None) -> Iterable[str]:
    """All that the plan names, of any event."""
    for rule in plan.rules if plan is not None else ():
        yield from _declared(plan, Event(rule.said.call, rule.said.event))
        if rule.said.call == "identify":
            yield from _declared(plan, EVERY)


def as_json(row: Unused | Never) -> dict[str, Any]:
    """A row as programs read it, without times."""
    kind, purpose = (row.declared.kind, row.declared.purpose) if row.declared else (None, None)
    shown: dict[str, Any] = {
        "call": row.event.call, "event": row.event.name, "field": row.path,
        "class": kind, "purpose": purpose}
    if isinstance(row, Unused):
        shown |= {"items": row.items, "count": row.use.count,
                  "share": round(row.use.count / row.items, 4)}
    return shown


def _one_name(event: Event) -> str | None:
    """None for events of many names: pages that the plan does not name, and what is past limits."""
    return None if event.name in ("", HIDDEN) else event.name


def _declared(plan: Plan | None, event: Event) -> Mapping[str, Property]:
    if plan is None:
        return {}
    if event != EVERY:
        return plan.declared(event.call, event.name)
    root = f"{body_of('identify')}."
    return {_CONTEXT_TRAITS + path.removeprefix(root): said
            for path, said in plan.declared("identify", "").items()}

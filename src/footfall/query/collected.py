"""Which fields the items of the log have, how often, and when last. Pure; holds no value.

Decides what a field is: the dotted path of everything in `properties`, `traits` and `context` that
is neither null nor an object with members; arrays are passed through, so that the products of all
lines count once an item. Names that nobody declared or reads are shown as `field_names.shown`
gives them. Context is what an SDK sends with everything: it is gathered for all events together.
Bounded: past its limits an event or a field counts under `*`, except those of the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from footfall.events.admit import CALLS
from footfall.events.field_names import HIDDEN, shown
from footfall.events.interaction import Interaction
from footfall.events.plan import Plan

EVENTS_MAX = 1_000
FIELDS_MAX = 1_000
#: Names whose reading is remembered.
_REMEMBERED = 16_384
_BODIES = ("properties", "traits")


class Event(NamedTuple):
    """A call and the name of its event; pages and screens only where the plan names them."""

    call: str
    name: str


#: Under which the context of all is gathered.
EVERY = Event(HIDDEN, HIDDEN)


@dataclass(slots=True)
class Use:
    """Of one field: how many items have it, and when the last of them was appended (ms)."""

    count: int = 0
    last: int = 0


@dataclass(slots=True)
class Items:
    """What the items of one event have."""

    count: int = 0
    fields: dict[str, Use] = field(default_factory=dict)


class _Members(msgspec.Struct):
    """What is looked at; free content of any kind."""

    properties: Any = None
    traits: Any = None
    context: Any = None


_members = msgspec.json.Decoder(_Members)


class Collected:
    """Gathers records one by one. `paths` are shown and told apart whatever their names are."""

    def __init__(self, plan: Plan | None, paths: Iterable[str]) -> None:
        self._plan = plan
        self._paths = frozenset(paths)
        known = {name for path in self._paths for name in path.split(".")}
        self._name = lru_cache(_REMEMBERED)(lambda name: name if name in known else shown(name))
        #: The plan's and those without a name are there before any limit is reached.
        known_events = [Event(rule.said.call, rule.said.event) for rule in plan.rules
                        ] if plan is not None else []
        self.events = {event: Items() for event in (
            EVERY, *(Event(call, "") for call in CALLS - {"track"}), *known_events)}
        self._items_of_all = self.events[EVERY]
        self.encrypted = 0
        self.unreadable = 0

    def add(self, event: Interaction, appended_at: int) -> None:
        """One record of the log; those that are no interactions are passed over."""
        if event["type"] not in CALLS:
            return
        if event["key_id"] is not None:
            self.encrypted += 1
            return
        try:
            members = _members.decode(event["personal"])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.unreadable += 1
            return
        items = self._items(event["type"], event["event"])
        paths = set(self._leaves(members.properties, "properties"))
        paths |= set(self._leaves(members.traits, "traits"))
        self._count(items, paths, appended_at)
        self._count(self._items_of_all, set(self._leaves(members.context, "context")),
                    appended_at)

    def _items(self, call: str, name: str) -> Items:
        if call != "track":
            name = self._plan.event_of(call, name) if self._plan is not None else ""
        event = Event(call, name)
        items = self.events.get(event)
        if items is None:
            if len(self.events) >= EVENTS_MAX:
                event = Event(call, HIDDEN)
            items = self.events.setdefault(event, Items())
        return items

    def _count(self, items: Items, paths: set[str], appended_at: int) -> None:
        items.count += 1
        fields = items.fields
        if len(fields) + len(paths) > FIELDS_MAX:
            room = FIELDS_MAX - len(fields)
            new = [p for p in sorted(paths) if p not in fields and p not in self._paths]
            rest = set(new[max(0, room):])
            paths = (paths - rest) | {f"{path.partition('.')[0]}.{HIDDEN}" for path in rest}
        for path in paths:
            use = fields.get(path)
            if use is None:
                use = fields[path] = Use()
            use.count += 1
            use.last = max(use.last, appended_at)

    def _leaves(self, value: Any, root: str) -> Iterator[str]:
        """The paths of one object of an item."""
        if not isinstance(value, dict):
            return
        waiting: list[tuple[str, Any]] = [(root, value)]
        while waiting:
            path, inner = waiting.pop()
            if isinstance(inner, dict) and inner:
                waiting += [(f"{path}.{self._name(name)}", one) for name, one in inner.items()]
            elif isinstance(inner, list) and inner:
                waiting += [(path, one) for one in inner]
            elif inner is not None and path != root:
                yield path

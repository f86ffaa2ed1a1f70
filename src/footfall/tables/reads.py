"""Who reads which fields of an item: one answer for all who ask what is collected for nothing.

Decides what counts as read: a field that a table, a computed trait, a segment or a rule names, or
that lies in an object it names, or that holds one it names. What the last three read stands in a
configuration; this release has no destinations, they add theirs to `read_fields`. A rule counts
also before it starts and after it has ended. Must never be written by hand what a table reads:
`TableSpec.reads` says it, and a test finds it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from footfall import tables
from footfall.events.commerce import ACTIONS, squeeze
from footfall.events.plan import READ
from footfall.tables.computed_filter import named, paths_of
from footfall.tables.computed_row import Definition
from footfall.tables.config import Config
from footfall.tables.rules_book import CompiledRule, Ender
from footfall.tables.spec import Reads

#: Of the paths of a configuration the one that is no field of an item.
_CHANNEL = "channel"


def read_fields(config: Config | None = None) -> tuple[Reads, ...]:
    """All that is read: by the tables, by the collector for consent and plan, and by what a
    configuration declares.
    """
    return (Reads(frozenset(READ)), *(reads for table in tables.ALL for reads in table.reads),
            *(() if config is None else declared_fields(config)))


def declared_fields(config: Config) -> tuple[Reads, ...]:
    """What a configuration has read: for its computed traits, for what conditions of its rules and
    segments count, and for its rules themselves.
    """
    counting = config.bound.get("computed", config.sections["computed"])
    found = [_of_definition(said) for said in counting.definitions]
    for rule in config.book.rules:
        found += _of_rule(rule)
    return tuple(dict.fromkeys(found))


def paths_read(reads: Iterable[Reads], call: str, event: str | None) -> frozenset[str]:
    """The paths that are read of an event of a call; None: of events of any name."""
    return frozenset().union(*(one.paths for one in reads if _is_of(one, call, event)))


def is_read(path: str, paths: frozenset[str]) -> bool:
    """Whether a path of an item is among those that are read."""
    parts = path.split(".")
    return (any(".".join(parts[:n]) in paths for n in range(1, len(parts) + 1))
            or any(one.startswith(f"{path}.") for one in paths))


def _is_of(one: Reads, call: str, event: str | None) -> bool:
    calls = one.calls
    if calls is None and one.names is not None:
        calls = frozenset({"track"})
    if calls is not None and call not in calls:
        return False
    return one.names is None or event is None or squeeze(event) in one.names


def _of_definition(said: Definition) -> Reads:
    return _read(paths_of(said), said.over.call, said.over.event)


def _of_rule(rule: CompiledRule) -> Iterator[Reads]:
    """Of what it acts on, where that is an interaction, and of what ends its wait."""
    on, unless = rule.said.on, rule.said.unless
    if on.call is not None:
        yield _read(rule.paths, on.call, on.event)
    if unless is not None:
        yield _read(Ender(rule, unless).paths, unless.call, unless.event)


def _read(paths: Iterable[str], call: str | None, event: str | None) -> Reads:
    return Reads(frozenset(paths) - {_CHANNEL}, None if event is None else _spellings(event),
                 None if call is None else frozenset({call}))


def _spellings(event: str) -> frozenset[str]:
    """The squeezed names that a configuration takes for the same as this one; none where nothing is
    left of it, for then no event has it.
    """
    same = (name for name, action in ACTIONS.items() if action == named(event))
    return frozenset({squeeze(event), *same}) - {""}

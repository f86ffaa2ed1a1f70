"""What conditions count: aggregates of events inside them, kept by the table `computed`.

Decides that an aggregate is a computed trait that nobody has named: the same facts, windows and
limits, and equal ones share what is kept. Must never count anything itself.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from footfall.events import amount
from footfall.tables import computed_reading
from footfall.tables.computed_limits import key_of
from footfall.tables.computed_row import Definition
from footfall.tables.rules_fields import INSTANT, NUMBER, TEXT, TEXTS, Seen, Source
from footfall.tables.rules_row import Condition, RulesConfig
from footfall.tables.segments_row import SegmentsConfig

#: Prefix of what a condition on an aggregate depends on.
AGGREGATE: Final = "of:"
_AMOUNTS = frozenset({"sum", "average", "min", "max"})
_NUMBERS = frozenset({"count", "distinct_count"})
_SPANS = frozenset({"time_since_first", "time_since_last"})


def hidden(said: Condition) -> Definition:
    """An aggregate inside a condition as a definition of the table `computed`; equal ones share
    their facts.
    """
    assert said.of is not None
    assert said.over is not None
    content = msgspec.json.encode((said.of, said.over, said.value, said.window))
    name = f"r{hashlib.blake2b(content, digest_size=8).hexdigest()}"
    return Definition(name, 1, said.of, said.over, said.value, said.window)


def aggregates(said: Condition | None) -> list[Definition]:
    """All aggregates inside a condition."""
    if said is None:
        return []
    if said.of is not None:
        return [hidden(said)]
    return [one for member in said.members for one in aggregates(member)]


def counted(rules: RulesConfig, segments: SegmentsConfig) -> list[Definition]:
    """What conditions of rules and segments count, each once."""
    said = [segment.if_ for segment in segments.definitions]
    for rule in rules.definitions:
        said += [one for one in (rule.on.when, rule.if_, rule.still) if one is not None]
    return list({one.name: one for condition in said for one in aggregates(condition)}.values())


def aggregate(said: Condition) -> Source:
    """An aggregate of events as a field: of a number, a text, texts, or the instant of an event
    (time_since_first and time_since_last, which are asked by older_than and newer_than).
    """
    definition = hidden(said)
    of = definition.of

    def values(seen: Seen) -> list[Any]:
        value = computed_reading.value(seen.row("computed")[0], definition, seen.now)
        if value is None:
            return []
        if isinstance(value, tuple):
            return list(value)
        return [value * amount.ONE if isinstance(value, int) and of in _NUMBERS else value]

    def instants(seen: Seen) -> list[Any]:
        at = computed_reading.counted_from(seen.row("computed")[0], definition, seen.now)
        return [] if at is None else [at]
    if of in _SPANS:
        found = Source(of, INSTANT, instants)
    elif of in _NUMBERS or of in _AMOUNTS:
        found = Source(of, NUMBER, values)
    else:
        found = Source(of, TEXTS if of == "unique_list" else TEXT, values)
    found.token = f"{AGGREGATE}{key_of(definition).hex()}"
    if said.window != "ever":
        found.changes_at = lambda seen: computed_reading.changes_at(
            seen.row("computed")[0], definition, seen.now)
    return found

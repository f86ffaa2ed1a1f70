"""Computed traits: what a customer's events come to, as an administrator declares it.

Definitions come through the log as the section `computed` of the configuration; `footfall config
apply` takes them from YAML. `computed_row.py` says what one may say, `computed_limits.py` what all
may keep, `computed_filter.py` which events count, `computed_facts.py` what is kept of them,
`computed_reading.py` what a value is at an instant. This file decides that nothing is told: values
rise with events and fall by themselves as windows pass, on reading, with no timer; whoever must act
on a fall asks `computed_reading.changes_at` when to look again.

The one table whose facts depend on the configuration, by definition: `computed_facts.py`. Without
definitions it takes no event and makes no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from footfall.events import amount
from footfall.events.interaction import Interaction
from footfall.tables import computed_facts, computed_fields, computed_limits, computed_reading
from footfall.tables.cart_triggers import instant
from footfall.tables.computed_reading import Value
from footfall.tables.computed_row import ComputedConfig, ComputedFacts, ComputedTold, Definition
from footfall.tables.spec import Bound, TableSpec, keeps_own, says_nothing

_AMOUNTS = ("sum", "average", "min", "max")
_SINCE = ("time_since_first", "time_since_last")


def view(facts: ComputedFacts, _told: ComputedTold, now: int, config: ComputedConfig
         ) -> Mapping[str, Any]:
    """Every declared trait for people, as of `now`."""
    return {"traits": [_shown(facts, said, now) for said in config.definitions],
            "limited": computed_facts.is_limited(facts)}


def bind(config: ComputedConfig) -> Bound:
    """What takes events under these definitions."""
    if not config.definitions:
        return Bound(_none, _unchanged)
    traits = computed_facts.Traits(config)
    return Bound(traits.wants, traits.observe)


def _shown(facts: ComputedFacts, said: Definition, now: int) -> dict[str, Any]:
    shown = {
        "name": said.name,
        "version": said.version,
        "of": said.of,
        "window": said.window,
        "value": _plain(said, computed_reading.value(facts, said, now)),
        "limited": computed_reading.is_limited(facts, said),
        "skipped": computed_reading.skipped(facts, said),
    }
    if said.of in _SINCE:
        since = computed_reading.counted_from(facts, said, now)
        shown["since"] = None if since is None else instant(since)
    return shown


def _plain(said: Definition, value: Value) -> Any:
    """As JSON: amounts as decimal text, spans as integers of ms."""
    if isinstance(value, int) and said.of in _AMOUNTS:
        return amount.text(value)
    return list(value) if isinstance(value, tuple) else value


def _none(_event: Interaction) -> bool:
    return False


def _unchanged(facts: ComputedFacts, _event: Interaction, _when: int) -> ComputedFacts:
    return facts


TABLE = TableSpec(
    name="computed",
    version=1,
    facts=ComputedFacts,
    told=ComputedTold,
    config=ComputedConfig,
    wants=_none,
    observe=_unchanged,
    bind=bind,
    check_change=lambda before, after: computed_limits.check_change(
        before.definitions, after.definitions),
    announce=says_nothing,
    merge_facts=computed_facts.merge,
    merge_told=keeps_own,
    view=view,
    field_of=computed_fields.field_of,
    classes={"traits": "personal", "limited": "internal"},
    slot=8,
    #: Whatever values an administrator names: mail addresses, perhaps.
    personal=True,
    limited=computed_facts.is_limited,
)

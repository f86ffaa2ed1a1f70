"""What conditions may ask of computed traits: each by its name.

Decides the kind of each aggregate. The time since an event is asked as the instant of that event,
which does not move with time: `older_than` and `newer_than` compare it. Stays interpreted.
"""

from __future__ import annotations

from footfall.errors import MisfitError
from footfall.events.amount import ONE
from footfall.tables import computed_reading
from footfall.tables.computed_row import ComputedConfig, ComputedFacts, ComputedTold
from footfall.tables.spec import FieldSpec, Value

_KINDS = {"unique_list": "texts", "first": "text", "last": "text", "most_frequent": "text",
          "time_since_first": "instant", "time_since_last": "instant"}
_COUNTS = ("count", "distinct_count")


def field_of(name: str, config: ComputedConfig) -> FieldSpec:
    """The trait of that name, as it is declared."""
    said = next((one for one in config.definitions if one.name == name), None)
    if said is None:
        known = ", ".join(one.name for one in config.definitions[:20]) or "none"
        raise MisfitError(f"{name[:60]!r} is no computed trait; declared are {known}")
    definition = said
    kind = _KINDS.get(said.of, "number")

    def read(facts: ComputedFacts, _told: ComputedTold, now: int, _config: ComputedConfig) -> Value:
        if kind == "instant":
            return computed_reading.counted_from(facts, definition, now)
        value = computed_reading.value(facts, definition, now)
        return value * ONE if isinstance(value, int) and definition.of in _COUNTS else value

    def changes_at(facts: ComputedFacts, _told: ComputedTold, now: int, _config: ComputedConfig
                   ) -> int | None:
        return computed_reading.changes_at(facts, definition, now)

    return FieldSpec(kind, read, changes_at)

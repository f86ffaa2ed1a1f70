"""Generations of the customers' changelog: which one holds a partition's state.

The first is the topic that every installation begins with; a rebuild writes the next one beside it
and a `$cutover` in the log sends each partition over (docs/rebuild.md). From then on the old
`$partition` says where it went. Decides which generation counts: the lowest that knows the
partition at all, then along `moved_to`. Must never start from one that is still being made.
"""

from __future__ import annotations

from footfall.events import topics

FIRST = 1


def topic_of(generation: int, base: str = topics.CHANGELOG) -> str:
    """The topic of a generation."""
    return base if generation == FIRST else f"{base}-{generation}"


def generation_of(topic: str, base: str = topics.CHANGELOG) -> int | None:
    """The generation of a topic; None where it is none of them."""
    if topic == base:
        return FIRST
    name, _, number = topic.rpartition("-")
    return int(number) if name == base and number.isdigit() and int(number) > FIRST else None

"""The identifiers of a customer, as its own events named them.

Decides which value of each kind is shown in triggers: the newest by (event time, messageId, value),
so that no order of events and no split over identities gives another. It links nobody: that is the
work of the log (design.md, section 4). It announces nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from footfall.events.interaction import Interaction, identifiers
from footfall.tables.spec import Announcement, NoConfig, TableSpec, wants_all

#: Characters of an identifier that are kept; longer ones are cut.
VALUE_CHARS_MAX = 512


class Named(NamedTuple):
    """The newest value of one kind. The order of fields is the order in which one wins."""

    kind: str
    at: int
    message_id: str
    value: str


class IdentityFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The newest value of each kind, sorted by kind."""

    named: tuple[Named, ...] = ()


class IdentityTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Nothing is announced."""


def ids(facts: IdentityFacts) -> dict[str, str]:
    """Identifier kind -> value, for `ids` in triggers."""
    return {named.kind: named.value for named in facts.named}


def observe(facts: IdentityFacts, event: Interaction, when: int) -> IdentityFacts:
    """Facts with the identifiers that an event names."""
    message_id = event["message_id"]
    return _newest(facts, [Named(kind, when, message_id, value[:VALUE_CHARS_MAX])
                           for kind, value in identifiers(event).items()])


def merge_facts(mine: IdentityFacts, theirs: IdentityFacts) -> IdentityFacts:
    """Of each kind the newest value of both."""
    return _newest(mine, theirs.named)


def _newest(facts: IdentityFacts, more: Iterable[Named]) -> IdentityFacts:
    kept = {named.kind: named for named in facts.named}
    for new in more:
        old = kept.get(new.kind)
        if old is None or new > old:
            kept[new.kind] = new
    return IdentityFacts(tuple(sorted(kept.values())))


def _announce(
    told: IdentityTold, _facts: IdentityFacts, _now: int, _config: NoConfig, _fired: int | None
) -> Announcement[IdentityTold]:
    return Announcement(told)


def _merge_told(mine: IdentityTold, _theirs: IdentityTold) -> IdentityTold:
    return mine


TABLE = TableSpec(
    name="identity",
    version=1,
    facts=IdentityFacts,
    told=IdentityTold,
    config=NoConfig,
    wants=wants_all,
    observe=observe,
    announce=_announce,
    merge_facts=merge_facts,
    merge_told=_merge_told,
    personal=True,
    ids=ids,
)

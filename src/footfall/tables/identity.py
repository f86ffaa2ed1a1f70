"""The identifiers of a customer, as its own events named them.

Keeps of each (kind, value) when it was first named; shown in triggers is, of each kind, the value
that was named first most recently. No order of events and no split over identities gives another,
and an event that names what is known changes nothing: most do. It links nobody: that is the work
of the log (design.md, section 4). It announces nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from footfall.events.interaction import Interaction
from footfall.events.personal import identifiers
from footfall.tables.cart_triggers import instant
from footfall.tables.identity_row import IdentityFacts, IdentityTold, Named
from footfall.tables.spec import Announcement, NoConfig, Reads, TableSpec, wants_all

#: Characters of an identifier that are kept; longer ones are cut.
VALUE_CHARS_MAX: Final = 512
#: Values of one kind that are kept: those named first most recently.
VALUES_MAX: Final = 8


def ids(facts: IdentityFacts) -> dict[str, str]:
    """Identifier kind -> value, for `ids` in triggers: of each kind the last in the order."""
    return {named.kind: named.value for named in facts.named}


def observe(facts: IdentityFacts, event: Interaction, when: int) -> IdentityFacts:
    """Facts with the identifiers that an event names."""
    new = []
    for kind, whole in identifiers(event).items():
        value = whole[:VALUE_CHARS_MAX]
        for known in facts.named:
            if known.value == value and known.kind == kind and known.since <= when:
                break
        else:
            new.append(Named(kind, when, value))
    return _with(facts.named, new, facts.limited) if new else facts


def merge_facts(mine: IdentityFacts, theirs: IdentityFacts) -> IdentityFacts:
    """What either names, since the earlier time."""
    return _with(mine.named, theirs.named, mine.limited or theirs.limited)


def view(facts: IdentityFacts, _told: IdentityTold, _now: int, _config: NoConfig
         ) -> dict[str, Any]:
    """The identifiers shown in triggers, and all that are kept, with when each was first named."""
    return {
        "ids": ids(facts),
        "named": [{"kind": n.kind, "value": n.value, "since": instant(n.since)}
                  for n in facts.named],
        "limited": facts.limited,
    }


def _with(known: Iterable[Named], more: Iterable[Named], limited: bool) -> IdentityFacts:
    least: dict[tuple[str, str], int] = {}
    for kind, since, value in (*known, *more):
        least[kind, value] = min(since, least.get((kind, value), since))
    named = sorted(Named(kind, since, value) for (kind, value), since in least.items())
    kept = []
    for kind in dict.fromkeys(n.kind for n in named):
        of_kind = [one for one in named if one.kind == kind]
        kept += of_kind[-VALUES_MAX:]
        limited = limited or len(of_kind) > VALUES_MAX
    return IdentityFacts(tuple(kept), limited)


def _announce(
    told: IdentityTold, _facts: IdentityFacts, _now: int, _config: NoConfig, _fired: int | None
) -> Announcement[IdentityTold]:
    return Announcement(told)


def _merge_told(mine: IdentityTold, _theirs: IdentityTold) -> IdentityTold:
    return mine


TABLE = TableSpec(
    name="identity",
    version=1,
    slot=2,
    facts=IdentityFacts,
    told=IdentityTold,
    config=NoConfig,
    wants=wants_all,
    observe=observe,
    announce=_announce,
    merge_facts=merge_facts,
    merge_told=_merge_told,
    reads=(Reads(frozenset({"userId", "anonymousId"})),),
    personal=True,
    ids=ids,
    view=view,
    classes={"ids": "personal", "named": "internal", "named.value": "personal",
             "limited": "internal"},
    limited=lambda facts: facts.limited,
)

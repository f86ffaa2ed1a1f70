"""The identifiers of a customer, as its own events named them.

Keeps of each (kind, value) when it was first named; shown in triggers is, of each kind, the value
that was named first most recently, and of user_ids the one that the newest alias call gave. No
order of events and no split over identities gives another, and an event that names what is known
changes nothing: most do. It links nobody: `links.py` does. It announces nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from footfall.events.customer_key import KINDS
from footfall.events.identifiers import identifiers
from footfall.events.interaction import Interaction
from footfall.events.personal import read
from footfall.events.personal_row import ABSENT
from footfall.tables import identity_fields
from footfall.tables.cart_triggers import instant
from footfall.tables.identity_row import IdentityFacts, IdentityTold, Named
from footfall.tables.spec import NoConfig, Reads, TableSpec, keeps_own, says_nothing, wants_all

#: A group's traits are not its member's.
_OF_PERSONS: Final = frozenset({"identify", "track", "page", "screen", "alias"})
_CONTACTS: Final = ("email", "phone")
READS: Final[tuple[Reads, ...]] = (
    Reads(frozenset({"userId", "anonymousId", "context.device.id", "context.externalIds"})),
    Reads(frozenset(f"traits.{name}" for name in _CONTACTS), calls=frozenset({"identify"})),
    Reads(frozenset(f"context.traits.{name}" for name in _CONTACTS), calls=_OF_PERSONS))
#: Characters of a value that are kept; the customer_key is made of all of it.
VALUE_CHARS_MAX: Final = 256
#: Values of one kind that are kept: those named first most recently.
VALUES_MAX: Final = 8
#: Kinds of external ids that are kept: the first by name.
EXTERNAL_MAX: Final = 4


def ids(facts: IdentityFacts) -> dict[str, str]:
    """Identifier kind -> value, for `ids` in triggers: of each kind the last in the order; an alias
    call says which user_id is shown.
    """
    shown = {named.kind: named.value for named in facts.named}
    if facts.alias[2]:
        shown["user_id"] = facts.alias[2]
    return shown


def observe(facts: IdentityFacts, event: Interaction, when: int) -> IdentityFacts:
    """Facts with the identifiers that an event names."""
    if _names_only(facts.named, event, when):
        return facts
    new = []
    for kind, whole in identifiers(event).items():
        value = whole[:VALUE_CHARS_MAX]
        for known in facts.named:
            if known.value == value and known.kind == kind and known.since <= when:
                break
        else:
            new.append(Named(kind, when, value))
    alias = facts.alias
    if event["type"] == "alias":
        alias = max(alias, (when, event["message_id"], identifiers(event).get("user_id", "")))
    if not new and alias == facts.alias:
        return facts
    return _with(facts.named, new, facts.limited, alias)


def merge_facts(mine: IdentityFacts, theirs: IdentityFacts) -> IdentityFacts:
    """What either names, since the earlier time."""
    return _with(mine.named, theirs.named, mine.limited or theirs.limited,
                 max(mine.alias, theirs.alias))


def view(facts: IdentityFacts, _told: IdentityTold, _now: int, _config: NoConfig
         ) -> dict[str, Any]:
    """The identifiers shown in triggers, and all that are kept, with when each was first named."""
    return {
        "ids": ids(facts),
        "named": [{"kind": n.kind, "value": n.value, "since": instant(n.since)}
                  for n in facts.named],
        "limited": facts.limited,
    }


def _names_only(known: tuple[Named, ...], event: Interaction, when: int) -> bool:
    """Whether an event of the common shape names nothing but what is known: found out without
    making anything. False says nothing.
    """
    personal = event["read"] if "read" in event else read(event)
    if personal.traits is not ABSENT or event["type"] == "alias":
        return False
    user_id, anonymous_id, device_id = personal.user_id, personal.anonymous_id, None
    context = personal.context
    if context is not None:
        if context.traits is not ABSENT or context.external_ids is not ABSENT:
            return False
        device = context.device
        if device is not None:
            device_id = device.id
    unknown = bool(user_id) + bool(anonymous_id) + bool(device_id)
    for kind, since, value in known:
        if since <= when and (
                (value == user_id and kind == "user_id")
                or (value == anonymous_id and kind == "anonymous_id")
                or (value == device_id and kind == "device")):
            unknown -= 1
    return unknown == 0


def _with(known: Iterable[Named], more: Iterable[Named], limited: bool,
          alias: tuple[int, str, str]) -> IdentityFacts:
    least = {(n.kind, n.value): n for n in known}
    for n in more:
        held = least.get((n.kind, n.value))
        if held is None or n.since < held.since:
            least[n.kind, n.value] = n
    named = sorted(least.values())
    if len(named) <= EXTERNAL_MAX:
        return IdentityFacts(tuple(named), limited, alias)
    kept = []
    kinds = list(dict.fromkeys(n.kind for n in named))
    external = [kind for kind in kinds if kind not in KINDS]
    if len(external) > EXTERNAL_MAX:
        limited = True
        kinds = [kind for kind in kinds if kind not in external[EXTERNAL_MAX:]]
    for kind in kinds:
        of_kind = [one for one in named if one.kind == kind]
        kept += of_kind[-VALUES_MAX:]
        limited = limited or len(of_kind) > VALUES_MAX
    return IdentityFacts(tuple(kept), limited, alias)


def _upgrade(_version: int, facts: bytes, told: bytes) -> tuple[IdentityFacts, IdentityTold]:
    """Version 1 knew no alias."""
    return (msgspec.msgpack.decode(facts, type=IdentityFacts),
            msgspec.msgpack.decode(told, type=IdentityTold))


TABLE = TableSpec(
    name="identity",
    version=2,
    slot=2,
    facts=IdentityFacts,
    told=IdentityTold,
    config=NoConfig,
    wants=wants_all,
    observe=observe,
    announce=says_nothing,
    merge_facts=merge_facts,
    merge_told=keeps_own,
    reads=READS,
    personal=True,
    ids=ids,
    view=view,
    field_of=identity_fields.field_of,
    classes={"ids": "personal", "named": "internal", "named.value": "personal",
             "limited": "internal"},
    limited=lambda facts: facts.limited,
    upgrade=_upgrade,
    sees_all=True,
)

"""Links: whom an identifier belongs to, and which others belong to it (design.md, section 4).

Each identifier is a customer of its own until it is owned: then its rows are at its owner, and what
comes to it goes on there. Its record keeps this row, its watermark and its memory of messageIds.
All of it is told: what the order of the log made of it (law 3 excepts it from the facts). Decides
when an event is worth letters; what becomes of them is in `links_letters.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from footfall.events.amount import ONE
from footfall.events.customer_key import is_user
from footfall.events.identifiers import identifiers, previous
from footfall.events.interaction import Interaction
from footfall.tables.cart_triggers import instant
from footfall.tables.links_letters import CALL, MEET
from footfall.tables.links_row import (
    ALIAS,
    STRONG,
    WEAK,
    Letter,
    LinksConfig,
    LinksFacts,
    LinksTold,
)
from footfall.tables.spec import FieldSpec, TableSpec, keeps_own, says_nothing

NAME: Final = "links"
ROOT, ALERT, POINTER = "root", "alert", "pointer"
#: Kinds that link whatever the configuration says.
_ALWAYS: Final = ("user_id", "anonymous_id")


def letters_of(event: Interaction, me: bytes, key_of: Callable[[str, str], bytes],
               config: LinksConfig) -> list[Letter]:
    """What an event at `me` gives to settle: of all that it names, and of an alias call's
    previousId, which is a user_id's or an anonymous_id's. The user may never have been seen: then
    there is nobody yet to be joined.
    """
    cause = event["message_id"]
    named = identifiers(event)
    strength = STRONG if "user_id" in named else WEAK
    kinds = config.kinds
    letters = []
    for kind, value in named.items():
        if kind in _ALWAYS or kind in kinds:
            if kind == "user_id" and is_user(me):
                continue
            key = key_of(kind, value)
            if key != me:
                letters.append(Letter(MEET, key, strength, cause))
    before = previous(event)
    if before:
        letters.append(Letter(CALL, key_of("user_id", before), ALIAS, cause))
        letters.append(Letter(MEET, key_of("anonymous_id", before), ALIAS, cause))
    return letters


def level(told: LinksTold) -> str:
    """What the fold must know of a customer without reading this row: `pointer` sends all on;
    `alert` has lost an identifier to somebody else and claims it again when an event names it, or
    waits for a first event.
    """
    if told.owner:
        return POINTER
    return ALERT if told.lost or told.waiting else ROOT


def view(_facts: LinksFacts, told: LinksTold, _now: int, _config: LinksConfig) -> dict[str, Any]:
    """Owner, what is owned, and the record of links, merges and refusals, newest first."""
    return {
        "owner": told.owner.decode() or None,
        "owns": [{"customer_key": link.key.decode(), "since": instant(link.since)}
                 for link in told.owned],
        "refused": [key.decode() for key in told.refused],
        "shared": told.shared,
        "record": [{"at": instant(one.at), "what": one.what, "customer_key": one.key.decode(),
                    "message_id": one.cause} for one in reversed(told.happened)],
    }


def _observe(facts: LinksFacts, _event: Interaction, _when: int) -> LinksFacts:
    return facts


TABLE: TableSpec[LinksFacts, LinksTold, LinksConfig] = TableSpec(
    name=NAME,
    version=1,
    slot=5,
    facts=LinksFacts,
    told=LinksTold,
    config=LinksConfig,
    wants=lambda _event: False,
    observe=_observe,
    announce=says_nothing,
    merge_facts=lambda mine, _theirs: mine,
    merge_told=keeps_own,
    triggers=("customer_identified", "customers_merged", "merge_refused"),
    levels=(ROOT, ALERT, POINTER),
    level=level,
    view=view,
    fields={"owned": FieldSpec(
        "number", lambda _facts, told, _now, _config: len(told.owned) * ONE,
        about="identifiers that are linked to this customer")},
    classes=dict.fromkeys(("owner", "owns", "refused", "shared", "record"), "internal"),
)

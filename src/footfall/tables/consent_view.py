"""A customer's consent as people read it, at an instant: what holds, on what it rests, all proof.

Decides the JSON of `footfall customer` for the table consent (docs/consent.md); forms as in
triggers. What holds is computed anew for that instant, and so may run ahead of what was told by as
much as a timer's grace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from footfall.tables import consent_facts, consent_reading
from footfall.tables.cart_triggers import instant
from footfall.tables.consent_choices import unpacked
from footfall.tables.consent_reading import GPC_SIGNAL
from footfall.tables.consent_row import STATUSES
from footfall.tables.consent_signals import GPC, SIGNALS, rank

if TYPE_CHECKING:
    from footfall.tables.consent_row import (
        ConsentConfig,
        ConsentFacts,
        ConsentTold,
        Standing,
        Statement,
        Subject,
    )


def view(facts: ConsentFacts, _told: ConsentTold, now: int, config: ConsentConfig
         ) -> dict[str, Any]:
    """The consent in force, per purpose and channel; then every decision kept, highest first."""
    return {
        "effective": [_effective(*one) for one in consent_reading.standing(
            facts, now, config.gpc_denies)],
        "decisions": [decision for subject in sorted(
            facts.subjects, key=lambda s: (rank(s.kind), s.kind, s.value))
            for decision in _decisions(subject)],
        "limited": consent_facts.is_limited(facts),
    }


def proof(statement: Statement) -> dict[str, Any]:
    """The message that a decision came by."""
    return {
        "signal": GPC if statement.signal == GPC_SIGNAL else SIGNALS[statement.signal],
        "decided_at": instant(statement.at),
        "source": statement.source,
        "message_id": statement.message_id,
        "wording_version": statement.wording_version,
    }


def _effective(purpose: str, channel: str, found: Standing) -> dict[str, Any]:
    statement = found.statement
    shown: dict[str, Any] = {"purpose": purpose, "channel": channel,
                             "status": STATUSES[found.status]}
    if statement is not None:
        shown |= {"expires_at": instant(statement.expires_at) if statement.expires_at else None,
                  "identifier": found.kind, "value": found.value, **proof(statement)}
    return shown


def _decisions(subject: Subject) -> list[dict[str, Any]]:
    under = {"identifier": subject.kind, "value": subject.value}
    shown: list[dict[str, Any]] = []
    if subject.gpc is not None:
        shown.append({**under, "purpose": None, "channel": "", "status": "denied",
                      "expires_at": None, "signal": GPC, "decided_at": instant(subject.gpc.at),
                      "source": subject.gpc.source, "message_id": subject.gpc.message_id,
                      "wording_version": ""})
    for statement in reversed(subject.statements):
        for choice in unpacked(statement.choices):
            shown.append({
                **under, "purpose": choice.purpose or None, "channel": choice.channel,
                "status": STATUSES[choice.status],
                "expires_at": instant(statement.expires_at) if statement.expires_at else None,
                **proof(statement)})
    return shown

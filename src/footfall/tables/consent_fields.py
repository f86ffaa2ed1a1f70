"""What conditions may ask of consent: what holds of a purpose, in general or on a channel.

Decides that an answer may change by time alone when the time of any grant ends. Stays interpreted.
"""

from __future__ import annotations

from footfall.errors import MisfitError
from footfall.tables.consent_reading import effective
from footfall.tables.consent_row import STATUSES, ConsentConfig, ConsentFacts, ConsentTold
from footfall.tables.spec import FieldSpec


def _changes_at(facts: ConsentFacts, _told: ConsentTold, now: int, _config: ConsentConfig
                ) -> int | None:
    return min((statement.expires_at for subject in facts.subjects
                for statement in subject.statements if statement.expires_at > now), default=None)


def field_of(name: str, _config: ConsentConfig) -> FieldSpec:
    """`marketing`, or `marketing.email` for a channel."""
    purpose, dot, channel = name.partition(".")
    if not purpose or (dot and not channel):
        raise MisfitError(f"{name[:60]!r} is no purpose, or purpose and channel, such as "
                          "marketing.email")

    def read(facts: ConsentFacts, _told: ConsentTold, now: int, config: ConsentConfig) -> str:
        return STATUSES[effective(facts, purpose, channel, now, config.gpc_denies).status]

    return FieldSpec("text", read, _changes_at, STATUSES)

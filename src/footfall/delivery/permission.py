"""Whether a customer has consented to what is about to be sent to them. Pure.

Decides by the consent in force at this instant (tables/consent_reading.py), for the purpose of a
destination on its medium, and fails closed: who is not known, of whom nothing is known, and whose
consent is over, has not consented. Only what is `necessary` needs none. Must never keep an answer:
consent may be withdrawn between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from footfall.delivery.message import Person
from footfall.events.consent import NECESSARY
from footfall.tables.consent_reading import effective
from footfall.tables.consent_row import DENIED, EXPIRED, GRANTED, UNKNOWN, WITHDRAWN

Refusal = Literal["", "consent_denied", "consent_withdrawn", "consent_expired", "consent_unknown"]
_REFUSALS: Final[dict[int, Refusal]] = {
    GRANTED: "", EXPIRED: "consent_expired", UNKNOWN: "consent_unknown", DENIED: "consent_denied",
    WITHDRAWN: "consent_withdrawn",
}


def refusal(person: Person | None, purpose: str, medium: str, now: int, gpc_denies: Sequence[str]
            ) -> Refusal:
    """Why this person must not be told, "" where they may. `gpc_denies`: the purposes that Global
    Privacy Control denies, by the configuration (`Person.gpc_denies`).
    """
    if purpose == NECESSARY:
        return ""
    if person is None or person.consent is None:
        return "consent_unknown"
    return _REFUSALS[effective(person.consent, purpose, medium, now, gpc_denies).status]

"""Makes events that say something of consent, for tests."""

from __future__ import annotations

from typing import Any

from footfall.events.interaction import Interaction
from footfall.tables import consent_facts
from footfall.tables.consent_row import ConsentFacts
from tests.tables import events
from tests.tables.logs import START

UPDATED = "Segment Consent Preference Updated"
ANNA = {"userId": "anna"}
COOKIE = {"anonymousId": "cookie"}


def carried(at: int, message_id: str, ids: dict[str, Any] = ANNA, *, allowed: Any = None,
            **context: Any) -> Interaction:
    """An event of any kind that carries a consent object (`allowed`), or other parts of context."""
    if allowed is not None:
        context["consent"] = {"categoryPreferences": allowed}
    return events.plain(at, message_id, {**ids, "context": context})


def act(at: int, message_id: str, ids: dict[str, Any] = ANNA, *, event: str = UPDATED,
        context: Any = None, **properties: Any) -> Interaction:
    """An event that was sent because somebody decided."""
    made = events.plain(at, message_id, {**ids, "context": context or {},
                                         "properties": properties})
    made["event"] = event
    return made


def facts(*happened: Interaction) -> ConsentFacts:
    """After these events, each at its own time."""
    found = ConsentFacts()
    for event in happened:
        found = consent_facts.observe(found, event, event["event_time"])
    return found


def at(ms: int) -> int:
    """An instant after the start of time."""
    return START + ms

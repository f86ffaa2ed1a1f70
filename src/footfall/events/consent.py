"""What an item itself says of consent.

Decides which categories its consent object covers. An item without one has said nothing; one that
cannot be read covers nothing.

Global Privacy Control (decided on 2026-11-25): it asks not to sell or share personal data. An item
sent under it (`context.globalPrivacyControl`) is taken, and keeps what is `necessary`, whatever it
says of consent: which purpose shares data with whom is not known here, so none is presumed not to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What is read here, as a path of the item.
PATHS = ("context.consent", "context.consentManagement", "context.globalPrivacyControl")


def covered(context: Mapping[str, Any]) -> frozenset[str] | None:
    """The categories that the item's consent covers; None where it has no consent object.

    Segment's form is `consent.categoryPreferences`, RudderStack's `consentManagement` with
    `allowedConsentIds`. Where both are there a category must stand in both.
    """
    if context.get("globalPrivacyControl") is True:
        return frozenset()
    found: frozenset[str] | None = None
    for name, read in (("consent", _of_segment), ("consentManagement", _of_rudder)):
        said = context.get(name)
        if said is not None:
            categories = read(said)
            found = categories if found is None else found & categories
    return found


def _of_segment(said: Any) -> frozenset[str]:
    preferences = said.get("categoryPreferences") if isinstance(said, dict) else None
    if not isinstance(preferences, dict):
        return frozenset()
    return frozenset(name for name, is_given in preferences.items() if is_given is True)


def _of_rudder(said: Any) -> frozenset[str]:
    allowed = said.get("allowedConsentIds") if isinstance(said, dict) else None
    if not isinstance(allowed, list):
        return frozenset()
    return frozenset(name for name in allowed if isinstance(name, str))

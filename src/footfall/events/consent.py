"""What an item itself says of consent.

Decides which categories its consent object allows and which not. An item without one has said
nothing; one that cannot be read covers nothing.

Global Privacy Control (decided on 2026-11-25): it asks not to sell or share personal data. An item
sent under it (`context.globalPrivacyControl`) is taken, and keeps what is `necessary`, whatever it
says of consent: which purpose shares data with whom is not known here, so none is presumed not to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

#: What is read here, as a path of the item.
PATHS = ("context.consent", "context.consentManagement", "context.globalPrivacyControl")
#: The purpose that needs no consent.
NECESSARY = "necessary"


class Preferences(NamedTuple):
    """Category -> whether it is allowed, and how much could not be read: the object itself, or
    single categories of it. An object that was read and names none allows none.
    """

    allowed: Mapping[str, bool]
    unreadable: int


def covered(context: Mapping[str, Any]) -> frozenset[str] | None:
    """The categories that the item's consent covers; None where it has no consent object."""
    if context.get("globalPrivacyControl") is True:
        return frozenset()
    said = preferences(context.get("consent"), context.get("consentManagement"))
    if said is None:
        return None
    return frozenset(name for name, is_allowed in said.allowed.items() if is_allowed)


def preferences(consent: Any, management: Any) -> Preferences | None:
    """What the consent objects of an item say; None where there is none.

    Segment's form is `consent.categoryPreferences`, RudderStack's `consentManagement` with
    `allowedConsentIds` and `deniedConsentIds`. Where both are there a category must stand in both.
    """
    said = [read(given) for given, read in ((consent, _of_segment), (management, _of_rudder))
            if given is not None]
    if not said:
        return None
    if any(one is None for one in said):
        return Preferences({}, 1)
    read_ones = [one for one in said if one is not None]
    allowed = {name: all(one.allowed.get(name, False) for one in read_ones)
               for one in read_ones for name in one.allowed}
    return Preferences(allowed, sum(one.unreadable for one in read_ones))


def _of_segment(said: Any) -> Preferences | None:
    given = said.get("categoryPreferences") if isinstance(said, dict) else None
    if not isinstance(given, dict):
        return None
    allowed = {name: is_given for name, is_given in given.items() if isinstance(is_given, bool)}
    return Preferences(allowed, len(given) - len(allowed))


def _of_rudder(said: Any) -> Preferences | None:
    if not isinstance(said, dict):
        return None
    given, refused = said.get("allowedConsentIds"), said.get("deniedConsentIds")
    if not isinstance(given, list) or not isinstance(refused, list | None):
        return None
    allowed = {name: True for name in given if isinstance(name, str)}
    allowed |= {name: False for name in refused or () if isinstance(name, str)}
    named = [*given, *(refused or ())]
    return Preferences(allowed, sum(not isinstance(name, str) for name in named))

"""The secrets of an installation, for commands that read or write its log.

Decides nothing but what is said where one is missing. Must never show a secret.
"""

from __future__ import annotations

from footfall.errors import SettingsError
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.settings import Settings


def secrets_of(settings: Settings) -> tuple[CustomerKeys, Reserved]:
    """What the installation's two secrets make; raises `SettingsError` for one that is not set."""
    made = []
    for name in ("customer_key_secret", "system_secret"):
        secret: str | None = getattr(settings, name)
        if not secret:
            raise SettingsError(f"{name} is not set: give FOOTFALL_{name.upper()} the value that "
                                "the workers have")
        made.append(secret.encode())
    return CustomerKeys(made[0]), Reserved(made[1])

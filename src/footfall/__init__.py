"""Footfall acts on what a customer does, while it happens: live state and triggers on Kafka."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from footfall.errors import SubscriptionError
    from footfall.sdk.async_client import AsyncClient
    from footfall.sdk.client import Client
    from footfall.sdk.drops import DroppedError
    from footfall.sdk.subscription import Subscription, subscribe

__all__ = ["AsyncClient", "Client", "DroppedError", "Subscription", "SubscriptionError",
           "__version__", "subscribe"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """The SDK, once it is asked for: programs of this package start without it."""
    if name not in _PLACES:
        raise AttributeError(f"module 'footfall' has no attribute {name!r}")
    return getattr(import_module(f"footfall.sdk.{_PLACES[name]}"), name)


_PLACES = {"AsyncClient": "async_client", "Client": "client", "DroppedError": "drops",
           "Subscription": "subscription", "SubscriptionError": "subscription",
           "subscribe": "subscription"}

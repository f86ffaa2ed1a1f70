"""The test kit (docs/testing.md): rules and triggers tested in virtual time, without a broker."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from footfall.testing.harness import START, Harness, ItemRejected

__all__ = ["START", "Harness", "ItemRejected"]


def __getattr__(name: str) -> object:
    """The harness, once it is asked for: pytest imports the plugin in this package everywhere."""
    if name not in __all__:
        raise AttributeError(f"module 'footfall.testing' has no attribute {name!r}")
    return getattr(import_module("footfall.testing.harness"), name)

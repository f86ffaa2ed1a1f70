"""The test kit (docs/testing.md): rules and triggers tested in virtual time, without a broker."""

from __future__ import annotations

from footfall.testing.harness import START, Harness, ItemRejected

__all__ = ["START", "Harness", "ItemRejected"]

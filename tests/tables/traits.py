"""Definitions of computed traits for tests: of each aggregate one for ever and one that rolls."""

from __future__ import annotations

from typing import Any

import msgspec

from footfall.tables.computed_limits import KINDS
from footfall.tables.computed_row import OF_VALUES, ComputedConfig, Definition

PATHS = {kind: "properties.value" for kind in OF_VALUES}


def definition(name: str, of: str, *, version: int = 1, window: str = "ever", **more: Any
               ) -> Definition:
    """One definition, over everything unless `over` says what."""
    if of in PATHS:
        more.setdefault("value", PATHS[of])
    return msgspec.convert({"name": name, "version": version, "of": of, "window": window,
                            "over": {}, **more}, Definition)


def configured(*definitions: Definition) -> ComputedConfig:
    return ComputedConfig(definitions)


_WINDOWS = dict(zip(KINDS, ("1h", "24h", "7d", "30d", "1h", "30d", "24h", "24h", "7d", "30d", "1h",
                            "7d"), strict=True))

#: One of each aggregate for ever, and one that rolls.
EACH = configured(
    *(definition(f"{of}_ever", of, **{"values_max": 20} if of == "unique_list" else {})
      for of in KINDS),
    *(definition(f"{of}_rolling", of, window=window,
                 **{"values_max": 5} if of == "unique_list" else {})
      for of, window in _WINDOWS.items()))

"""Definitions of computed traits for tests: of each aggregate one for ever and one that rolls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from footfall.events.interaction import Interaction
from footfall.tables.computed_limits import KINDS
from footfall.tables.computed_row import OF_VALUES, ComputedConfig, Definition
from tests.tables import events

PATHS = dict.fromkeys(OF_VALUES, "properties.value")


def definition(name: str, of: str, *, version: int = 1, window: str = "ever", **more: Any
               ) -> Definition:
    """One definition, over everything unless `over` says what."""
    if of in PATHS:
        more.setdefault("value", PATHS[of])
    return msgspec.convert({"name": name, "version": version, "of": of, "window": window,
                            "over": {}, **more}, Definition)


def spread(start: int, end: int, count: int) -> list[int]:
    """So many instants."""
    return [start + (end - start) * n // (count - 1) for n in range(count)]


def hostile(instants: Iterable[int]) -> Iterator[Interaction]:
    """Events with the longest values and ids and the largest amounts, falling; each value its own.
    """
    for n, at in enumerate(instants):
        text = chr(0x1F600 + n % 64) * 25 + chr(0x1F300 + n // 64)
        digits = "".join(chr(0x1F600 + int(digit)) for digit in f"{n:06}")
        value = digits + text[len(digits):]
        amount = f"{10**18 - 1 - n}.{10**9 - 1 - n}"
        yield events.plain(at, value * 4, {"properties": {"value": value, "amount": amount}})


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

"""Distinct values by the theta sketch of Apache DataSketches, as bytes.

Decides which form is kept: trimmed to its nominal size and compact in the order of its hashes, the
only one whose bytes do not depend on the order in which values came. Up to `VALUES_EXACT` values
are told exactly, more with a relative standard error of 1 / sqrt(VALUES_EXACT), 4.4 %. The library
is loaded when the first sketch is made: it brings NumPy, which takes a tenth of a second and 30 MB
that nobody else pays for. Must never keep a value: a sketch holds hashes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, Final

_LG_K: Final = 9
VALUES_EXACT: Final = 1 << _LG_K
#: Of a union for reading: it takes all that the sketches of a window hold.
_LG_K_READING: Final = 12
#: Of the smallest sketch that the library makes: it only says which part of all hashes is kept.
_LG_K_LEAST: Final = 5

_loaded: list[Any] = []


def load() -> Any:
    """The library."""
    if not _loaded:
        _loaded.append(importlib.import_module("datasketches"))
    return _loaded[0]


def of(values: Iterable[str]) -> bytes:
    """The sketch of some values."""
    sketch = load().update_theta_sketch(_LG_K)
    for value in values:
        sketch.update(value)
    sketch.trim()
    return bytes(sketch.compact().serialize())


def joined(a: bytes, b: bytes) -> bytes:
    """The sketch of the values of both."""
    if a == b:
        return a
    return bytes(_union((a, b), _LG_K).serialize())


def estimate(sketches: Iterable[bytes]) -> int:
    """How many different values they have together."""
    found: float = _union(sketches, _LG_K_READING).get_estimate()
    return round(found)


def sampled(sketch: bytes, halvings: int) -> bytes:
    """A sketch of the values whose hashes lie in the first half, quarter, ... of all."""
    library = load()
    part = library.update_theta_sketch(_LG_K_LEAST, 2.0**-halvings)
    part.update(0)  # an empty one says nothing of its part; values are texts
    whole = library.compact_theta_sketch.deserialize(sketch)
    return bytes(library.theta_a_not_b().compute(whole, part).serialize())


def _union(sketches: Iterable[bytes], lg_k: int) -> Any:
    library = load()
    union = library.theta_union(lg_k)
    for sketch in sketches:
        union.update(library.compact_theta_sketch.deserialize(sketch))
    return union.get_result()

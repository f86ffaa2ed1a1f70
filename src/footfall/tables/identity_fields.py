"""What conditions may ask of identity: which kinds of identifiers are known, never their values.

Stays interpreted (setup.py).
"""

from __future__ import annotations

from footfall.errors import MisfitError
from footfall.tables.identity_row import IdentityFacts, IdentityTold
from footfall.tables.spec import FieldSpec, NoConfig

_PREFIX = "has_"


def field_of(name: str, _config: NoConfig) -> FieldSpec:
    """`has_email`: whether one of that kind is known; external ids by their type."""
    kind = name.removeprefix(_PREFIX)
    if kind == name or not kind:
        raise MisfitError(f"{name[:60]!r} is no field of identity; say has_ and a kind of "
                          "identifier, such as has_email")

    def read(facts: IdentityFacts, _told: IdentityTold, _now: int, _config: NoConfig) -> bool:
        return any(one.kind == kind for one in facts.named)

    return FieldSpec("flag", read)

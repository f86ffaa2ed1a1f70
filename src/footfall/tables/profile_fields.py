"""What conditions may ask of a profile: each trait, by its name.

Decides that a trait with a documented name is asked in its normal form, as people see it
(`profile_kinds.py`), and as it was sent where it does not fit; of an object nothing can be asked.
A value that is only not yet valid (a date of birth to come) counts as valid: no answer changes by
time alone. Stays interpreted (setup.py).
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

import msgspec

from footfall.errors import MisfitError
from footfall.events import amount
from footfall.tables.profile_facts import REMOVED, TOO_LONG
from footfall.tables.profile_kinds import KINDS
from footfall.tables.profile_row import ProfileConfig, ProfileFacts, ProfileTold
from footfall.tables.spec import FieldSpec, Value

_PREFIX: Final = "traits."
#: 9999-12-31, ms: an instant after all that a trait may name.
_LAST_DAY: Final = 253_402_214_400_000

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def field_of(name: str, _config: ProfileConfig) -> FieldSpec:
    """`traits.plan`: text, number, flag or texts, by what was sent."""
    trait = name.removeprefix(_PREFIX)
    if trait == name or not trait:
        raise MisfitError(f"{name[:60]!r} is no field of profile; say traits and a name, such as "
                          "traits.plan")

    def read(facts: ProfileFacts, _told: ProfileTold, _now: int, _config: ProfileConfig) -> Value:
        for said in facts.said:
            if trait in said.traits[::2]:
                return _value(trait, said.traits[2 * said.traits[::2].index(trait) + 1])
        return None

    return FieldSpec("any", read)


def _value(trait: str, text: str) -> Value:
    if text in (REMOVED, TOO_LONG):
        return None
    value = _decode(text)
    kind = KINDS.get(trait)
    if kind is not None:
        with suppress(ValueError):  # as it was sent
            value = kind.read(value, _LAST_DAY)
    return _plain(value)


def _plain(value: Any) -> Value:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | Decimal):
        try:
            return amount.parse(value)
        except ValueError:  # beyond what amounts can be
            return None
    if isinstance(value, list):
        return tuple([one for one in value if isinstance(one, str)])
    return None

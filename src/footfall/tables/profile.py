"""What is known of a person: traits, each with when, by which source and on whose word.

Facts are in `profile_facts.py`; this file decides how they are shown. A trait with a documented
name is shown in its normal form (`profile_kinds.py`), one whose value does not fit as it was sent,
with why; none is left out. Whose word it is (provenance) says the call, else the configuration for
its source, else it was observed; it is decided here, not when the call came, because facts must not
depend on configuration (law 3). It announces nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from footfall.tables import profile_facts, profile_fields
from footfall.tables.cart_triggers import instant
from footfall.tables.profile_facts import PROVENANCES, REMOVED, TOO_LONG, VALUE_BYTES_MAX
from footfall.tables.profile_kinds import KINDS
from footfall.tables.profile_row import Call, ProfileConfig, ProfileFacts, ProfileTold
from footfall.tables.spec import TableSpec, keeps_own, says_nothing

OBSERVED: Final = "observed"
#: Group of the traits that have no documented name.
CUSTOM: Final = "custom"
#: Above it not every whole number is one that all readers of JSON can hold.
_WHOLE_MAX: Final = 2**53


def provenance(call: Call, config: ProfileConfig) -> str:
    """On whose word a trait is: what the call says, or what its source stands for."""
    return PROVENANCES[call.provenance] or config.provenance.get(call.source, OBSERVED)


def view(facts: ProfileFacts, _told: ProfileTold, now: int, config: ProfileConfig
         ) -> Mapping[str, Any]:
    """The traits by name, and those taken away."""
    traits: dict[str, Any] = {}
    removed: dict[str, Any] = {}
    for said in facts.said:
        call = said.call
        by = {"at": instant(call.at), "source": call.source, "provenance": provenance(call, config)}
        for i in range(0, len(said.traits), 2):
            name, value = said.traits[i], said.traits[i + 1]
            if value == REMOVED:
                removed[name] = by
            else:
                traits[name] = {**shown(name, value, now), **by}
    return {"traits": dict(sorted(traits.items())), "removed": dict(sorted(removed.items())),
            "limited": facts.limited}


def shown(name: str, text: str, now: int) -> dict[str, Any]:
    """How a value reads: `sent` where that is not exactly what was sent, `reason` where it does not
    fit.
    """
    kind = KINDS.get(name)
    made: dict[str, Any] = {"value": None, "group": CUSTOM if kind is None else kind.group}
    if text == TOO_LONG:
        reason = f"was longer than {VALUE_BYTES_MAX:,} bytes; nothing of it is kept"
        return {**made, "valid": False, "reason": reason}
    value = _decode(text)
    if kind is not None:
        try:
            value = kind.read(value, now)
            made["valid"] = True
        except ValueError as error:
            made |= {"valid": False, "reason": str(error)}
    made["value"] = _plain(value)
    if _encode(made["value"]).decode() != text:
        made["sent"] = text
    return made


def _plain(value: Any) -> Any:
    """JSON that every reader takes for the same: numbers that a double cannot hold become text."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, Decimal):
        number = float(value)
        return number if Decimal(repr(number)) == value else str(value)
    if type(value) is int and abs(value) > _WHOLE_MAX:
        return str(value)
    return value


def _number(spelling: str) -> Decimal | str:
    try:
        return Decimal(spelling)
    except InvalidOperation:  # an exponent of many digits
        return spelling


_decode = msgspec.json.Decoder(float_hook=_number).decode
_encode = msgspec.json.Encoder(order="sorted").encode

TABLE = TableSpec(
    name="profile",
    version=1,
    classes={"traits.*": "personal", "removed": "internal", "limited": "internal"},
    slot=7,
    facts=ProfileFacts,
    told=ProfileTold,
    config=ProfileConfig,
    wants=profile_facts.wants,
    observe=profile_facts.observe,
    announce=says_nothing,
    merge_facts=profile_facts.merge,
    merge_told=keeps_own,
    reads=profile_facts.READ,
    personal=True,
    view=view,
    field_of=profile_fields.field_of,
    limited=lambda facts: facts.limited,
)

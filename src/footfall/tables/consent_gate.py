"""What of an event the other tables may see, by the consent of its customer (`consent.gate`).

Decides, before tables are stepped: which of them see the event, and which fields of its item they
see. A purpose holds where it is in force at the log's clock, with what this very event says, and
where an object that the event itself carries covers it. Tables that must know who the customer is
and what they allow see everything (`TableSpec.sees_all`).
What it keeps out depends on the place in the log (law 3 leaves it out of its equality); one log
gives the same rows (law 4). Must never change the event that it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from footfall.errors import ConfigError
from footfall.events.consent import NECESSARY
from footfall.events.interaction import DELIVERY, Interaction
from footfall.events.personal import read as read_personal
from footfall.events.personal_row import Personal
from footfall.tables import consent_reading, consent_signals
from footfall.tables.consent_choices import unpacked
from footfall.tables.consent_row import EVERY, GRANTED, ConsentConfig
from footfall.tables.consent_signals import NO_CHOICES
from footfall.tables.spec import AnyTable
from footfall.tables.step import Step
from footfall.tables.stored import Kept

#: Field classes: all of an item; and of it these fields alone.
PERSONAL: Final = "personal"
SENSITIVE: Final = "sensitive"
CLASSES = (PERSONAL, SENSITIVE)
SENSITIVE_PATHS = ("context.ip", "properties.card", "properties.card_fingerprint",
                   "properties.payment_fingerprint")

_SENSITIVE_PROPERTIES = frozenset(
    path.partition(".")[2] for path in SENSITIVE_PATHS if path.startswith("properties."))
_SENSITIVE_CONTEXT = frozenset(
    path.partition(".")[2] for path in SENSITIVE_PATHS if path.startswith("context."))
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])

#: The steps to take, the event as they see it (those that see all see the whole one), and what was
#: kept out: tables and field classes.
Passed = tuple[Sequence[Step], Interaction, Sequence[str]]


def check(sections: Mapping[str, Any], tables: Sequence[AnyTable]) -> None:
    """Refuses a gate on something that is neither a table to be gated nor a field class."""
    config = sections.get("consent")
    if not isinstance(config, ConsentConfig):
        return
    known = sorted({*CLASSES, *(table.name for table in tables if not table.sees_all)})
    for name in config.gate:
        if name not in known:
            raise ConfigError(f"[consent] gate.{name}: is no table that can be gated and no field "
                              f"class; known: {', '.join(known)}")


def gate_of(steps: Sequence[Step]) -> Gate | None:
    """The gate that the configuration in force asks for; None: everything is seen."""
    for step in steps:
        if step.name == "consent" and step.config.gate:
            return Gate(step)
    return None


class Gate:
    """The purposes that tables and field classes need, under one configuration."""

    def __init__(self, consent: Step) -> None:
        config: ConsentConfig = consent.config
        self._consent = consent
        self._gpc_denies = config.gpc_denies
        self._of_tables = {name: purpose for name, purpose in config.gate.items()
                           if name not in CLASSES}
        self._of_personal = config.gate.get(PERSONAL, NECESSARY)
        self._of_sensitive = config.gate.get(SENSITIVE, NECESSARY)
        self._purposes = sorted(set(config.gate.values()))

    def passed(self, event: Interaction, steps: Sequence[Step], rows: Mapping[str, Kept],
               when: int, now: int) -> Passed:
        """What is seen, of these steps, of an event that happened at `when`, at the log's clock
        `now`. Nothing that became of a delivery is personal.
        """
        held = self._held(event, rows, when, now)
        kept_out: list[str] = []
        if self._of_tables:
            seen = []
            for step in steps:
                purpose = self._of_tables.get(step.name)
                if purpose is None or purpose in held:
                    seen.append(step)
                elif step.wants is None or step.wants(event):
                    kept_out.append(step.name)
            steps = seen
        if self._of_personal not in held and event["type"] != DELIVERY:
            kept_out.append(PERSONAL)
            return steps, _without_item(event), kept_out
        if self._of_sensitive not in held:
            cut = _without_sensitive(event)
            if cut is not event:
                kept_out.append(SENSITIVE)
                return steps, cut, kept_out
        return steps, event, kept_out

    def _held(self, event: Interaction, rows: Mapping[str, Kept], when: int, now: int) -> set[str]:
        """The purposes that may be served by what this event says."""
        consent = self._consent
        facts, _told = consent.rows.read(rows.get(consent.name))
        covered: set[str] | None = None
        has_gpc = False
        if consent.wants is None or consent.wants(event):
            facts = consent.observe(facts, event, when)
            choices, _carrier, misread, has_gpc = consent_signals.carried_by(event)
            if choices != NO_CHOICES or misread:
                covered = {c.purpose for c in unpacked(choices) if c.status == GRANTED}
        held = {NECESSARY}
        for purpose in self._purposes:
            if has_gpc and (EVERY in self._gpc_denies or purpose in self._gpc_denies):
                continue
            if covered is not None and purpose not in covered:
                continue
            if consent_reading.effective(facts, purpose, "", now, self._gpc_denies).is_granted:
                held.add(purpose)
        return held


def _without_item(event: Interaction) -> Interaction:
    """The envelope alone."""
    cut = event.copy()
    cut["personal"] = b"{}"
    cut["read"] = Personal()
    cut.pop("named", None)
    return cut


def _without_sensitive(event: Interaction) -> Interaction:
    """The event without its sensitive fields; the same one where it has none."""
    said = read_personal(event)
    context, properties = said.context, said.properties
    if context is not None and context.ip is not None:
        context = msgspec.structs.replace(context, ip=None)
    properties = _less(properties)
    item = _less_item(event["personal"])  # some tables read it as it was sent
    if context is said.context and properties is said.properties and item is event["personal"]:
        return event
    cut = event.copy()
    cut["read"] = msgspec.structs.replace(said, context=context, properties=properties)
    cut["personal"] = item
    return cut


def _less_item(item: bytes) -> bytes:
    """An item without its sensitive fields; the same one where it has none."""
    try:
        members = _members.decode(item)
    except msgspec.DecodeError:
        return item
    kept = dict(members)
    if "context" in kept:
        kept["context"] = _less(kept["context"], _SENSITIVE_CONTEXT)
    if "properties" in kept:
        kept["properties"] = _less(kept["properties"])
    if all(kept[name] is members[name] for name in kept):
        return item
    return msgspec.json.encode(kept)


def _less(value: msgspec.Raw, sensitive: frozenset[str] = _SENSITIVE_PROPERTIES) -> msgspec.Raw:
    """An object without its sensitive members; the others as they were sent."""
    try:
        members = _members.decode(value)
    except msgspec.DecodeError:
        return value
    kept = {name: inner for name, inner in members.items() if name not in sensitive}
    if len(kept) == len(members):
        return value
    return msgspec.Raw(msgspec.json.encode(kept))

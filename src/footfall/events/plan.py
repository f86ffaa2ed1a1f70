"""The tracking plan: what an item's properties must look like, and what of them may be kept.

Decides, for each planned event, three things: whether its properties fit their JSON Schema (and
then: allow, omit what does not fit, or reject the item), which properties the item's own consent
does not cover, and, where the plan is strict, which are not declared at all. What goes is cut out
of the bytes that came, before the log; what stays keeps its spelling (`plan_cut.py`). Each property
names its class and its purpose; a purpose is a consent category, or `necessary`, which needs none.
An item without a consent object has said nothing and loses nothing: sending is decided later.
One that cannot be read covers nothing. Must never put a value into a finding; names that the plan
does not declare only as `field_names.shown` gives them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from footfall.errors import ConfigError, Found
from footfall.events import consent
from footfall.events.admit import split
from footfall.events.arrival import Raws
from footfall.events.plan_cut import Cut, misfits, prune_member
from footfall.events.plan_rule import Document, Property, Rule, body_of, listed

#: What is read here of every item, whatever its plan says: paths of the item.
READ = (*consent.PATHS, "context.protocols.event_version")


class Plan:
    """All rules; of several versions of an event the last is used where an item names none."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = sorted(rules, key=lambda r: (r.said.call, r.said.event, _order(r.said)))
        self._rules: dict[tuple[str, str, str], Rule] = {}
        for rule in self.rules:
            said = rule.said
            if (said.call, said.event, said.version) in self._rules:
                raise ConfigError(f"plan: {said.call} {said.event!r} has version {said.version} "
                                  "twice")
            self._rules[said.call, said.event, said.version] = rule
            self._rules[said.call, said.event, ""] = rule

    def apply(self, call: str, event: str, members: Raws, context: Any, body: Any) -> list[Found]:
        """Takes out of `members` what may not be kept; raises `FieldError` to reject the item.

        `context` and `body` (its traits or properties) are two of the members, decoded.
        """
        rule = self._rule(call, event, context)
        traits = self._rules.get(("identify", "", ""))
        if rule is None and traits is None:
            return []
        found: list[Found] = []
        covered = consent.covered(context) if isinstance(context, dict) else None
        if rule is not None:
            name = body_of(call)
            cut = Cut(rule.said, name, covered,
                      misfits(rule, {} if body is None else body, name, found))
            prune_member(members, name, cut, rule.declared, found)
        if traits is not None and isinstance(context, dict) and context.get("traits"):
            inner = split(bytes(members["context"]))
            cut = Cut(traits.said, "context.traits", covered, {})
            if prune_member(inner, "traits", cut, traits.declared, found):
                members["context"] = msgspec.Raw(msgspec.json.encode(inner))
        return found

    def event_of(self, call: str, event: str) -> str:
        """The event under which the plan has an item's: its own, else "" (every page or screen)."""
        return event if (call, event, "") in self._rules else ""

    def declared(self, call: str, event: str) -> dict[str, Property]:
        """Path in the item -> property, over all versions of an event; the last one's word holds.
        """
        found: dict[str, Property] = {}
        for rule in self.rules:
            if (rule.said.call, rule.said.event) == (call, event):
                found.update(listed(rule.declared, f"{body_of(call)}."))
        return found

    def _rule(self, call: str, event: str, context: Any) -> Rule | None:
        said = context.get("protocols") if isinstance(context, dict) else None
        version = said.get("event_version") if isinstance(said, dict) else None
        stated = version if isinstance(version, str) else str(version or "")
        for name in (event, "") if event else ("",):
            found = self._rules.get((call, name, stated)) or self._rules.get((call, name, ""))
            if found is not None:
                return found
        return None


def _order(said: Document) -> tuple[int, str]:
    """Versions in their order: 10 comes after 9."""
    return (int(said.version) if said.version.isdecimal() else 0, said.version)

"""Rules: what marketers and analysts declare to be acted on, and what was told of it.

Definitions come through the log as the section `rules` of the configuration; `footfall config
apply` takes them from YAML. `rules_row.py` says what a rule may say, `rules_fields.py` what it may
ask, `rules_conditions.py` what conditions mean, `rules_book.py` which rules a happening concerns,
`rules_firing.py` whether one fires, `ruling.py` when they are looked at. This file is the table: it
takes no events itself and keeps no facts, for what rules count is kept by `computed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from footfall.events.interaction import Interaction
from footfall.tables import rules_hand
from footfall.tables.cart_triggers import instant
from footfall.tables.rules_book import RULES
from footfall.tables.rules_conditions import code_of
from footfall.tables.rules_outcomes import OUTCOMES
from footfall.tables.rules_row import RulesConfig, span_ms
from footfall.tables.rules_told import RulesFacts, RulesTold
from footfall.tables.spec import TableSpec, says_nothing


def view(_facts: RulesFacts, told: RulesTold, _now: int, config: RulesConfig) -> Mapping[str, Any]:
    """What fired, what waits and what did not fire, by the names of the rules in force."""
    rules = {code_of(rule.name): rule for rule in config.definitions}
    waits = []
    for wait in rules_hand.active_waits(told):
        rule = rules.get(wait.rule)
        if rule is not None and rule.wait is not None:
            waits.append({"rule": rule.name, "key": wait.key, "since": instant(wait.started),
                          "until": instant(wait.started + span_ms(rule.wait))})
    return {
        "fired": [{"rule": rules[one.rule].name, "at": instant(one.fired_at), "times": one.fired}
                  for one in told.standings if one.fired and one.rule in rules],
        "waits": waits,
        "not_fired": [
            {"rule": rules[one.rule].name, "at": instant(one.at), "why": OUTCOMES[one.why][0],
             "condition": one.condition, "found": one.found}
            for one in told.outcomes if one.rule in rules],
    }


def _none(_event: Interaction) -> bool:
    return False


def _unchanged(facts: RulesFacts, _event: Interaction, _when: int) -> RulesFacts:
    return facts


def _upgrade(_version: int, facts: bytes, told: bytes) -> tuple[RulesFacts, RulesTold]:
    """In version 1 waits had no depth."""
    return (msgspec.msgpack.decode(facts, type=RulesFacts),
            msgspec.msgpack.decode(told, type=RulesTold))


TABLE: TableSpec[RulesFacts, RulesTold, RulesConfig] = TableSpec(
    name=RULES,
    version=2,
    slot=10,
    facts=RulesFacts,
    told=RulesTold,
    config=RulesConfig,
    wants=_none,
    observe=_unchanged,
    announce=says_nothing,
    merge_facts=lambda mine, _theirs: mine,
    merge_told=rules_hand.merge,
    view=view,
    upgrade=_upgrade,
    classes={"fired": "internal", "waits": "internal", "waits.key": "personal",
             "not_fired": "internal", "not_fired.found": "personal"},
    personal=True,
    kept_decoded=True,
    sees_all=True,
    # What waits stays: it is not known whose it was, and it must not be told of both.
    goes_along=lambda told: msgspec.structs.replace(told, waits=()),
)

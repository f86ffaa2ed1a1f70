"""Why a rule did not fire for a customer, from what was recorded of it. Pure.

    why_not     the answer as a document, of a customer as it is held
    explained   the part that one rule and what was told of it decide

Decides what is said first: that it waits, else what came of it when it was last asked, else what
must be so before it is asked at all. The thresholds are those of the configuration in force where
the customer lies; the values are those recorded then. Must never evaluate a rule: an answer that
was worked out anew could be another than the one that was acted on.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from footfall import tables
from footfall.events.consent import NECESSARY
from footfall.tables import consent_reading, rules_outcomes
from footfall.tables.cart_triggers import instant
from footfall.tables.consent_row import STATUSES, ConsentConfig, ConsentFacts
from footfall.tables.rules_conditions import code_of
from footfall.tables.rules_hand import active_waits
from footfall.tables.rules_outcomes import OUTCOMES
from footfall.tables.rules_row import Condition, Rule, RulesConfig, instant_ms, span_ms
from footfall.tables.rules_told import Outcome, RulesTold, Standing
from footfall.view.document import Document, Held
from footfall.view.pointers import owner_of
from footfall.view.rule_text import numbered, of_condition, of_on, of_over

RULES: Final = "rules"
CONSENT: Final = "consent"
COMPUTED: Final = "computed"
#: The tables that are read.
READS: Final = frozenset({RULES, CONSENT})
#: Reasons beside those of outcomes.
UNSEEN: Final = "unseen"
RULE_UNKNOWN: Final = "rule_unknown"
ALIKE_MAX: Final = 5
_ALIKE_LEAST: Final = 0.5
#: What the consent gate can keep from every rule: fields of events.
_GATED: Final = ("personal", "sensitive")
_PLACES = {rules_outcomes.CONDITION: "if", rules_outcomes.CEL_ERROR: "if",
           rules_outcomes.STILL: "still", rules_outcomes.WHEN: "on.when"}


def why_not(key: bytes, held: Held, name: str, now: int) -> Document:
    """Why the rule `name` did not fire for a customer, as of `now` (ms)."""
    config: RulesConfig = held.config.sections.get(RULES) or RulesConfig()
    owner = owner_of(held.record)
    head: Document = {
        "rule": name,
        "customer_key": key.decode(),
        "owner": None if owner is None else owner.decode(),
        "as_of": instant(now),
        "clock": instant(held.clock),
        "behind_records": held.behind_records,
        "config_version": held.config.label,
    }
    rule = next((one for one in config.definitions if one.name == name), None)
    if rule is None:
        return {**head, **_unknown(name, [one.name for one in config.definitions])}
    row = held.rows.get(RULES)
    told = row.told if row is not None else RulesTold()
    return {**head, **explained(rule, code_of(name), told, now, _closed(held, rule, now))}


def explained(rule: Rule, code: int, told: RulesTold, now: int,
              closed: Sequence[Mapping[str, str]] = ()) -> Document:
    """What was recorded of one rule, remembered by `code`, and what it means at `now` (ms).
    `closed`: what the consent gate keeps out.
    """
    standing = next((one for one in told.standings if one.rule == code), Standing(code))
    outcome = next((one for one in told.outcomes if one.rule == code), None)
    waiting = _waiting(rule, code, told)
    last = None if outcome is None or outcome.at < standing.fired_at else _last(rule, outcome)
    shown: Document = {
        "version": rule.version,
        "on": of_on(rule.on),
        "last": last,
        "fired": _fired(standing),
        "holds": standing.holds if rule.on.when is not None else None,
        "waiting": waiting,
        "unless": None if rule.unless is None else of_over(rule.unless),
        "cooldown": _cooldown(rule, standing, now),
        "once": _once(rule, standing),
        "period": _period(rule, now),
        "expires": rule.expires,
        "group": rule.group,
        "holdout_percent": rule.holdout_percent,
        "consent": list(closed),
    }
    reason, text = _verdict(rule, shown)
    return {"reason": reason, "text": text, **shown}


# -- what is said first ----------------------------------------------------------------------------


def _verdict(rule: Rule, shown: Document) -> tuple[str, str]:
    waiting, last, fired = shown["waiting"], shown["last"], shown["fired"]
    if waiting:
        return _reason(rules_outcomes.WAITING), (
            f"it waits until {waiting[0]['until']}, since {waiting[0]['since']}")
    if last is not None:
        return last["reason"], _text(rule, shown)
    if fired is not None:
        return _reason(rules_outcomes.FIRED), f"it fired at {fired['last_at']}"
    if shown["period"]["state"] != "open":
        code = (rules_outcomes.NOT_STARTED if shown["period"]["state"] == "not_started"
                else rules_outcomes.ENDED)
        return _reason(code), _with_instant(code, rule)
    if any(gate["what"] in _acts_on(rule) for gate in shown["consent"]):
        return _reason(rules_outcomes.CONSENT), _of_consent(shown["consent"])
    return UNSEEN, ("nothing that this rule acts on was seen for this customer, or it is so long "
                    f"ago that it is not kept: {shown['on']}")


def _text(rule: Rule, shown: Document) -> str:
    """Of the last outcome, a sentence with what matters there; the value found, which not everybody
    may see, stands apart.
    """
    last = shown["last"]
    said: str = last["text"]
    condition = last["condition"]
    if condition is not None:
        be = "did not hold" if condition["must_hold"] else "held, and must not"
        said = f"of `{condition['in']}`: {condition['text']} {be}"
    reason = last["reason"]
    cooldown = shown["cooldown"]  # None where the rule has none any more
    if reason == _reason(rules_outcomes.COOLDOWN) and cooldown and cooldown["until"]:
        said += f"; it may fire again from {cooldown['until']}"
    elif reason == _reason(rules_outcomes.UNLESS) and shown["unless"] is not None:
        said += f": {shown['unless']}"
    elif reason == _reason(rules_outcomes.OUTRANKED):
        said += f": {rule.group}"
    elif reason == _reason(rules_outcomes.CONSENT) and shown["consent"]:
        said = _of_consent(shown["consent"])
    for code in (rules_outcomes.NOT_STARTED, rules_outcomes.ENDED):
        if reason == _reason(code):
            said = _with_instant(code, rule)
    return said


def _with_instant(code: int, rule: Rule) -> str:
    at = rule.starts_at if code == rules_outcomes.NOT_STARTED else rule.ends_at
    return f"{OUTCOMES[code][1]} {at}" if at else OUTCOMES[code][1]


def _of_consent(closed: Sequence[Mapping[str, str]]) -> str:
    gates = ", ".join(f"{gate['what']} needs {gate['purpose']}, which is {gate['status']}"
                      for gate in closed)
    return f"the consent of the customer keeps out what this rule acts on: {gates}"


def _reason(code: int) -> str:
    return OUTCOMES[code][0]


# -- what was recorded -----------------------------------------------------------------------------


def _last(rule: Rule, outcome: Outcome) -> Document:
    """The last outcome. Code that a newer Footfall has given is shown by its number."""
    reason, text = OUTCOMES.get(outcome.why, (f"code_{outcome.why}", "of a newer Footfall"))
    return {
        "at": instant(outcome.at),
        "reason": reason,
        "text": text,
        "condition": _condition(rule, outcome),
        "value": outcome.found or None,
        "cause": outcome.cause or None,
        "version": outcome.version or None,
    }


def _condition(rule: Rule, outcome: Outcome) -> Document | None:
    """The condition that decided, as the configuration in force has it; None where none did, or
    where it was of another version of the rule.
    """
    place = _PLACES.get(outcome.why)
    if place is None or not outcome.condition or outcome.version not in (0, rule.version):
        return None
    root = {"if": rule.if_, "still": rule.still, "on.when": rule.on.when}[place]
    found = next((one for one in numbered(root) if one.number == outcome.condition), None)
    if found is None:
        return None
    said = found.condition
    return {"in": place, "number": found.number, "text": of_condition(said),
            "must_hold": found.must_hold, "operator": said.operator or None,
            "threshold": msgspec.to_builtins(said.operand), **_subject(said)}


def _subject(said: Condition) -> Document:
    """What is compared, under its key in the file; of an aggregate its name."""
    if said.group:
        return {"group": said.group}
    names = ("field", "of", "segment", "cel")
    return {name: getattr(said, name) for name in names if getattr(said, name) is not None}


def _waiting(rule: Rule, code: int, told: RulesTold) -> list[Document]:
    """What it waits for, the next to end first."""
    if rule.wait is None:
        return []
    wait_ms = span_ms(rule.wait)
    active = [wait for wait in active_waits(told) if wait.rule == code]
    return [{"key": wait.key, "since": instant(wait.started),
             "until": instant(wait.started + wait_ms), "cause": wait.cause or None}
            for wait in sorted(active, key=lambda wait: (wait.started, wait.key))]


def _fired(standing: Standing) -> Document | None:
    if not standing.fired:
        return None
    return {"times": standing.fired, "last_at": instant(standing.fired_at)}


def _cooldown(rule: Rule, standing: Standing, now: int) -> Document | None:
    """`until` only while it lasts."""
    if rule.cooldown is None:
        return None
    until = standing.fired_at + span_ms(rule.cooldown)
    lasts = bool(standing.fired) and now < until
    return {"length": rule.cooldown, "until": instant(until) if lasts else None}


def _once(rule: Rule, standing: Standing) -> Document | None:
    """Of a rule with a key it is not told which keys have fired: only their hashes are kept."""
    if not rule.once:
        return None
    return {"for_each": rule.key, "fired": bool(standing.fired)}


def _period(rule: Rule, now: int) -> Document:
    starts, ends = instant_ms(rule.starts_at), instant_ms(rule.ends_at)
    state = "open"
    if starts is not None and now < starts:
        state = "not_started"
    elif ends is not None and now >= ends:
        state = "ended"
    return {"state": state, "starts_at": rule.starts_at, "ends_at": rule.ends_at}


# -- what else is in the way -----------------------------------------------------------------------


def _closed(held: Held, rule: Rule, now: int) -> list[dict[str, str]]:
    """What the consent gate keeps from this rule, for this customer now: tables that it names or
    whose triggers it acts on, and fields of events.
    """
    config = held.config.sections.get(CONSENT)
    if not isinstance(config, ConsentConfig):
        return []
    row = held.rows.get(CONSENT)
    facts = ConsentFacts() if row is None else row.facts
    found = []
    for what in sorted({*_GATED, *_acts_on(rule), *_tables_of(rule.if_), *_tables_of(rule.still)}):
        purpose = config.gate.get(what, NECESSARY)
        standing = consent_reading.effective(facts, purpose, "", now, config.gpc_denies)
        if purpose != NECESSARY and not standing.is_granted:
            found.append({"what": what, "purpose": purpose, "status": STATUSES[standing.status]})
    return found


def _acts_on(rule: Rule) -> set[str]:
    """The tables without which nothing that the rule acts on is ever seen."""
    trigger = rule.on.trigger
    return {table.name for table in tables.ALL if trigger in table.triggers} | _tables_of(
        rule.on.when)


def _tables_of(condition: Condition | None) -> set[str]:
    """The tables that a condition reads."""
    return {COMPUTED if said.of is not None else (said.field or "").partition(".")[0]
            for _number, said, _must_hold in numbered(condition)
            if said.of is not None or said.field is not None}


def _unknown(name: str, known: Sequence[str]) -> Document:
    alike = difflib.get_close_matches(name, known, ALIKE_MAX, _ALIKE_LEAST)
    count = f"{len(known)} rules are" if len(known) != 1 else "1 rule is"
    text = f"no rule has this name; {count} in force"
    if alike:
        text += f"; alike: {', '.join(alike)}"
    return {"reason": RULE_UNKNOWN, "text": text, "alike": alike, "rules": len(known)}

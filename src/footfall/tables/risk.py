"""How risky a customer is right now: tells `risk_level_changed`.

Signals are read in `risk_signals.py`, kept in `risk_facts.py`, scored in `risk_score.py`. This file
decides when a level is told (law 3):
- A level rises with the event that brings the score to its threshold. It falls only by a timer, at
  the first minute in which the score is below the lower threshold, which may be far below the upper
  one: a score that wavers between them tells nothing.
- A cause is the level and an instant, the clock's for a rise, the deadline's for a fall, always
  later than the last told: so no cause is told twice.
- Of two customers that join the higher level holds: it was told. What is less falls in its time.
Must never tell a fall when it is not a timer that asks, nor remember trigger ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from footfall.events.amount import text
from footfall.tables import risk_facts, risk_score, risk_signals
from footfall.tables.cart_triggers import instant
from footfall.tables.risk_facts import MINUTE_MS, first_seen
from footfall.tables.risk_row import ELEVATED, HIGH, LOW, RiskConfig, RiskFacts, RiskTold, Scored
from footfall.tables.risk_score import UNIT
from footfall.tables.spec import Announcement, FieldSpec, TableSpec, Trigger, wants_all

LEVELS = ("low", "elevated", "high")
LEVEL_CHANGED = "risk_level_changed"

_MEASURE_PLACES: Final = 3


def announce(told: RiskTold, facts: RiskFacts, now: int, config: RiskConfig,
             fired: int | None) -> Announcement[RiskTold]:
    """Tell a change of level, and when the level can fall."""
    level = told.level
    if not level and risk_score.at_most(facts, config) < config.elevated_from:
        return Announcement(told)
    minute = now // MINUTE_MS
    factors = risk_score.scored(facts, minute, config)
    score = risk_score.total(factors)
    reached = _level(level, score, config, falls=fired is not None)
    triggers: tuple[Trigger, ...] = ()
    if reached != level:
        at = now
        if fired is not None and reached < level:
            # The timer may be older than what happened since: when it fell is looked up anew.
            at = risk_score.falls_at(facts, fired // MINUTE_MS - 1, _ends(level, config), config)
        told = RiskTold(reached, max(at, told.at + 1))
        because = "event" if fired is None else "time"
        triggers = (_changed(LEVELS[level], told, factors, config,
                             {"because": because, "as_of": instant(now)}),)
    if reached == LOW:
        return Announcement(RiskTold(LOW, told.at) if told.due else told, None, triggers)
    below = _ends(reached, config)
    # With a score that is below already, by what came late, the deadline lies in the past.
    after = minute if score >= below else min(minute, told.at // MINUTE_MS)
    due = risk_score.falls_at(facts, after, below, config, told.due)
    return Announcement(RiskTold(reached, told.at, due), due, triggers)


def merge_told(mine: RiskTold, theirs: RiskTold) -> RiskTold:
    """What either told counts as told: the higher level, the later instant."""
    return RiskTold(max(mine.level, theirs.level), max(mine.at, theirs.at),
                    max(mine.due, theirs.due))


def view(facts: RiskFacts, told: RiskTold, now: int, config: RiskConfig) -> Mapping[str, Any]:
    """The row for people, as of `now`."""
    factors = risk_score.scored(facts, now // MINUTE_MS, config)
    return {
        "level": LEVELS[told.level],
        "level_since": instant(told.at) if told.at else None,
        "score": risk_score.total(factors),
        "factors": _shown(factors),
        "devices": len(first_seen(facts.devices)),
        "networks": len(first_seen(facts.networks)),
        "cards": len(first_seen(facts.cards)),
        "coupons": len(first_seen(facts.coupons)),
        "limited": facts.cut,
    }


def _ends(level: int, config: RiskConfig) -> int:
    """The score below which a level ends."""
    return config.high_until if level == HIGH else config.elevated_until


def _level(level: int, score: int, config: RiskConfig, *, falls: bool) -> int:
    if score >= config.high_from:
        return HIGH
    if score >= config.elevated_from and level == LOW:
        return ELEVATED
    if falls:
        if level == HIGH and score < config.high_until:
            level = ELEVATED
        if level == ELEVATED and score < config.elevated_until:
            level = LOW
    return level


def _changed(previous: str, told: RiskTold, factors: list[Scored], config: RiskConfig,
             evidence: dict[str, Any]) -> Trigger:
    level = LEVELS[told.level]
    return Trigger(
        LEVEL_CHANGED,
        (level, told.at),
        told.at,
        {
            "level": level,
            "previous": previous,
            "score": risk_score.total(factors),
            "factors": _shown(factors),
            "changed_at": instant(told.at),
        },
        {
            **evidence,
            "elevated_from": config.elevated_from,
            "elevated_until": config.elevated_until,
            "high_from": config.high_from,
            "high_until": config.high_until,
        },
    )


def _shown(factors: list[Scored]) -> list[dict[str, Any]]:
    return [{"name": f.name, "points": f.points,
             "value": text(f.measure * 10**_MEASURE_PLACES // UNIT, _MEASURE_PLACES)}
            for f in factors]


TABLE = TableSpec(
    name="risk",
    version=1,
    facts=RiskFacts,
    told=RiskTold,
    config=RiskConfig,
    wants=wants_all,
    observe=risk_facts.observe,
    announce=announce,
    merge_facts=risk_facts.merge,
    merge_told=merge_told,
    triggers=(LEVEL_CHANGED,),
    view=view,
    fields={"level": FieldSpec(
        "text", lambda _facts, told, _now, _config: LEVELS[told.level], values=LEVELS,
        about="the level told last")},
    # A suspicion is for those who deal with the person, not for those who sell.
    classes=dict.fromkeys(
        ("level", "level_since", "score", "factors", "devices", "networks", "cards", "coupons",
         "limited"), "personal"),
    reads=risk_signals.READ,
    slot=4,
    activity=True,
    levels=LEVELS,
    level=lambda told: LEVELS[told.level],
    #: A hash of a network's 24 bits is that network to whoever tries them all.
    personal=True,
    limited=lambda facts: facts.cut,
)

"""What a customer has consented to, per purpose and channel: tells `consent_changed`.

Signals are read in `consent_signals.py`, kept in `consent_facts.py`, resolved in
`consent_reading.py`; `consent_gate.py` keeps out of the other rows what was collected without
consent. This file decides when something is told, once (law 3):
- The consent in force of a purpose on a channel differs from what was told last of it: by a
  decision, by identities that joined, or because a grant's time is over. That last one only a timer
  tells, at that instant; a grant that arrives when its time is over already tells nothing before.
- What was never told counts as told unknown. Each change has a number, which never goes back.
- Of two customers that join the stricter holds of what was told, of each purpose and channel.
Must never tell by time when it is not a timer that asks, nor remember trigger ids.
"""

from __future__ import annotations

from footfall.tables import (
    consent_facts,
    consent_fields,
    consent_reading,
    consent_signals,
    consent_view,
)
from footfall.tables.cart_triggers import instant
from footfall.tables.consent_choices import packed, unpacked
from footfall.tables.consent_row import (
    EXPIRED,
    GRANTED,
    STATUSES,
    UNKNOWN,
    Choice,
    ConsentConfig,
    ConsentFacts,
    ConsentTold,
    Standing,
)
from footfall.tables.consent_signals import ACTS, NO_CHOICES
from footfall.tables.spec import Announcement, TableSpec, Trigger

CHANGED = "consent_changed"


def announce(told: ConsentTold, facts: ConsentFacts, now: int, config: ConsentConfig,
             fired: int | None) -> Announcement[ConsentTold]:
    """Tell what there is to tell, and when a grant ends."""
    if _is_told(told, facts):
        return Announcement(told)
    due: int | None = None
    before = {(c.purpose, c.channel): c for c in unpacked(told.known)}
    known: list[Choice] = []
    triggers: list[Trigger] = []
    n = told.n
    for purpose, channel, found in consent_reading.standing(facts, now, config.gpc_denies):
        entry = before.pop((purpose, channel), None)
        was = UNKNOWN if entry is None else entry.status
        status = found.status
        ends = _ends(found)
        if status == EXPIRED and was != EXPIRED and fired is None:
            if due is None or ends < due:
                due = ends
            status = was
        elif status == GRANTED and ends and (due is None or ends < due):
            due = ends
        now_told = Choice(purpose, channel, status)
        if status != was:
            n += 1
            triggers.append(_changed(now_told, n, was, found, now))
        if status != UNKNOWN:
            known.append(now_told)
    for entry in before.values():  # a limit has dropped it
        n += 1
        gone = Choice(entry.purpose, entry.channel, UNKNOWN)
        triggers.append(_changed(gone, n, entry.status, Standing(UNKNOWN), now))
    if not triggers:
        return Announcement(told, due)
    return Announcement(ConsentTold(packed(known), n), due, tuple(triggers))


def merge_told(mine: ConsentTold, theirs: ConsentTold) -> ConsentTold:
    """What either told counts as told: of each purpose and channel the stricter."""
    if mine.known == theirs.known:
        return ConsentTold(mine.known, max(mine.n, theirs.n))
    found = {(c.purpose, c.channel): c for c in unpacked(mine.known)}
    for entry in unpacked(theirs.known):
        key = entry.purpose, entry.channel
        other = found.get(key)
        if other is None or entry.status > other.status:
            found[key] = entry
    return ConsentTold(packed(found.values()), max(mine.n, theirs.n))


def _is_told(told: ConsentTold, facts: ConsentFacts) -> bool:
    """Whether all that was said, under one identifier, is one and the same object, by itself or as
    an act made it first, and was told: the usual case, found without resolving anything.
    """
    subjects = facts.subjects
    if not subjects:
        return told.known == NO_CHOICES
    if len(subjects) > 1 or subjects[0].gpc is not None or facts.cut:
        return False
    is_carried = False
    for statement in subjects[0].statements:
        if statement.choices != told.known or statement.expires_at:
            return False
        is_carried = is_carried or statement.signal < ACTS  # then no choice is of a channel
    return is_carried


def _ends(found: Standing) -> int:
    """When a grant ends, ms; 0: never, or it is none."""
    statement = found.statement
    if statement is None or found.status not in (GRANTED, EXPIRED):
        return 0
    return statement.expires_at


def _changed(entry: Choice, n: int, was: int, found: Standing, now: int) -> Trigger:
    """The trigger of one change: docs/triggers.md."""
    statement = found.statement
    ends = _ends(found)
    at = ends if found.status == EXPIRED else now
    return Trigger(
        CHANGED,
        (entry.purpose, entry.channel, STATUSES[entry.status], n),
        at,
        {
            "purpose": entry.purpose,
            "channel": entry.channel,
            "from": STATUSES[was],
            "to": STATUSES[entry.status],
            "changed_at": instant(at),
            "expires_at": instant(ends) if ends else None,
        },
        {
            "because": "time" if found.status == EXPIRED else "decision",
            "identifier": found.kind,
            **consent_view.proof(statement),
        } if statement is not None else {"because": "limit"},
    )


TABLE = TableSpec(
    name="consent",
    version=1,
    classes={"effective": "internal", "effective.value": "personal", "decisions": "internal",
             "decisions.value": "personal", "limited": "internal"},
    slot=6,
    facts=ConsentFacts,
    told=ConsentTold,
    config=ConsentConfig,
    wants=consent_signals.wants,
    observe=consent_facts.observe,
    announce=announce,
    merge_facts=consent_facts.merge,
    merge_told=merge_told,
    triggers=(CHANGED,),
    reads=consent_signals.READ,
    personal=True,
    view=consent_view.view,
    field_of=consent_fields.field_of,
    limited=consent_facts.is_limited,
    unreadable=consent_signals.unreadable,
    sees_all=True,
)

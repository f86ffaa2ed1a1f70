"""The facts of consent: every decision under the identifier it was given under, none resolved.

Of each identifier, purpose and channel the last decision stays, once of acts and once of what items
carry, by (event time, the stricter, messageId, content). So any order and split gives the same, and
merging is a union: who outranks whom is found on reading (`consent_reading.py`).
What one message decided stays together (`Statement`): most items carry the same object as the one
before, and then one statement takes the place of another.
Limits, each by content alone, and none may turn a refusal into a grant:
- `PURPOSES_MAX`, `CHANNELS_MAX`: the first by name; a purpose that is dropped reads as unknown, and
  with a channel dropped every channel that is not kept does.
- `SUBJECTS_MAX` identifiers, and `BYTES_MAX` together: the highest stay, of one kind those who said
  something last; the others of a kind are put together, of each purpose the strictest.
- One identifier with more than `BYTES_MAX`: its newest; then no grant counts.
Must never compare with anything but content, read configuration, or change what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from footfall.events.interaction import Interaction
from footfall.tables import consent_signals
from footfall.tables.consent_choices import packed, unpacked
from footfall.tables.consent_row import Choice, ConsentFacts, Seen, Statement, Subject
from footfall.tables.consent_signals import ACTS, ALL, SOURCE_CHARS_MAX, rank

PURPOSES_MAX: Final = 64
CHANNELS_MAX: Final = 16
#: Identifiers of a customer, beside one for the rest of each kind.
SUBJECTS_MAX: Final = 8
BYTES_MAX: Final = 16_000
#: The most bytes that one can take: texts at their limits, in characters of four bytes.
_SUBJECT_BYTES: Final = 1_600
_STATEMENT_BYTES: Final = 1_000
#: The least that a choice can take.
_CHOICE_BYTES: Final = 5

#: What `ConsentFacts.cut` says was dropped.
PURPOSES: Final = 1
CHANNELS: Final = 2
SUBJECTS: Final = 4
STATEMENTS: Final = 8

_NEVER: Final = -(1 << 63)
_encode = msgspec.msgpack.encode

#: (is it an act, purpose, channel): for each of them one decision stays.
_Key = tuple[bool, str, str]
#: By this one decision takes the place of another: the greater.
_Order = tuple[int, int, int, str, str, str, int]


def observe(facts: ConsentFacts, event: Interaction, when: int) -> ConsentFacts:
    """Facts with what one more event says."""
    said, has_gpc, _unreadable = consent_signals.read(event, when)
    if not said and not has_gpc:
        return facts
    named = consent_signals.subject_of(event, facts.subjects)
    if named is None:
        return facts
    gpc = None
    if has_gpc:
        gpc = Seen(when, event["message_id"], event["source"][:SOURCE_CHARS_MAX])
    kind, value = named
    subjects = facts.subjects
    for i, known in enumerate(subjects):
        if known.value == value and known.kind == kind:
            changed = _with(known, said, gpc)
            if changed is known:
                return facts
            after = (*subjects[:i], changed, *subjects[i + 1 :])
            return ConsentFacts(after, facts.cut) if _is_small(after) else _bounded(
                after, facts.cut)
    fresh = _with(Subject(kind, value, None, ()), said, gpc)
    return _bounded((*subjects, fresh), facts.cut)


def merge(mine: ConsentFacts, theirs: ConsentFacts) -> ConsentFacts:
    """Facts of both, as if all had been said under one roof."""
    found = {(s.kind, s.value): s for s in mine.subjects}
    for subject in theirs.subjects:
        _put(found, subject)
    return _bounded(found.values(), mine.cut | theirs.cut)


def is_limited(facts: ConsentFacts) -> bool:
    """Whether a limit has touched this customer: then the law of facts is not claimed."""
    return facts.cut > 0


def order_of(statement: Statement, status: int) -> _Order:
    """By what one decision follows another: time, the stricter, then content."""
    sooner = -statement.expires_at if statement.expires_at else _NEVER
    return (statement.at, status, sooner, statement.message_id, statement.source,
            statement.wording_version, statement.signal)


# -- one identifier ----------------------------------------------------------------------------


def _with(subject: Subject, said: tuple[Statement, ...], gpc: Seen | None) -> Subject:
    """A subject with what one event says; the same one where that changes nothing."""
    seen = subject.gpc
    if gpc is not None and (seen is None or gpc > seen):
        seen = gpc
    statements = subject.statements
    for statement in said:
        statements = _with_statement(statements, statement)
    if statements is subject.statements and seen is subject.gpc:
        return subject
    return Subject(subject.kind, subject.value, seen, statements)


def _with_statement(known: tuple[Statement, ...], said: Statement) -> tuple[Statement, ...]:
    """Most items carry what the one before carried: one statement takes the place of the other."""
    for i, other in enumerate(known):
        if other.choices == said.choices and other.signal == said.signal:
            if said.at > other.at:
                if i == len(known) - 1:
                    return (*known[:i], said)
            elif order_of(other, 0) >= order_of(said, 0):
                return known
            break
    return _latest((*known, said))


def _latest(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Of each key the last decision; those of one message together."""
    last: dict[_Key, tuple[_Order, Statement, Choice]] = {}
    for statement in statements:
        is_act = statement.signal >= ACTS
        for choice in unpacked(statement.choices):
            key = is_act, choice.purpose, choice.channel
            order = order_of(statement, choice.status)
            known = last.get(key)
            if known is None or order > known[0]:
                last[key] = order, statement, choice
    return _regrouped([(statement, choice) for _order, statement, choice in last.values()])


def _regrouped(kept: Iterable[tuple[Statement, Choice]]) -> tuple[Statement, ...]:
    groups: dict[tuple[int, int, str, str, str, int], list[Choice]] = {}
    for s, choice in kept:
        head = s.at, s.expires_at, s.message_id, s.source, s.wording_version, s.signal
        groups.setdefault(head, []).append(choice)
    return tuple(sorted(Statement(*head, packed(choices)) for head, choices in groups.items()))


# -- several identifiers -----------------------------------------------------------------------


def _put(found: dict[tuple[str, str], Subject], subject: Subject) -> None:
    key = subject.kind, subject.value
    known = found.get(key)
    if known is None:
        found[key] = subject
        return
    gpc = max((g for g in (known.gpc, subject.gpc) if g is not None), default=None)
    both = (*known.statements, *subject.statements)
    statements = _latest(both) if subject.value else _strictest(both)
    found[key] = Subject(subject.kind, subject.value, gpc, statements)


def _strictest(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Of each key the strictest decision, of those the last: for identifiers of equal rank."""
    found: dict[_Key, tuple[tuple[int, _Order], Statement, Choice]] = {}
    for statement in statements:
        is_act = statement.signal >= ACTS
        for choice in unpacked(statement.choices):
            key = is_act, choice.purpose, choice.channel
            order = choice.status, order_of(statement, choice.status)
            known = found.get(key)
            if known is None or order > known[0]:
                found[key] = order, statement, choice
    return _regrouped([(statement, choice) for _order, statement, choice in found.values()])


# -- limits ------------------------------------------------------------------------------------


def _bounded(subjects: Iterable[Subject], cut: int) -> ConsentFacts:
    """Facts of these subjects, within the limits."""
    kept = list(subjects)
    if not _is_small(kept):
        purposes, more = _first({c.purpose for c in _choices(kept)}, PURPOSES_MAX)
        channels, still_more = _first({c.channel for c in _choices(kept)}, CHANNELS_MAX)
        if more or still_more:
            cut |= (PURPOSES if more else 0) | (CHANNELS if still_more else 0)
            kept = [s for s in (_within(s, purposes, channels) for s in kept)
                    if s.statements or s.gpc is not None]
        kept, cut = _fitting(kept, cut)
    kept.sort(key=lambda s: (s.kind, s.value))
    return ConsentFacts(tuple(kept), cut)


def _is_small(subjects: Sequence[Subject]) -> bool:
    """Whether no limit can be near: found without looking at any text."""
    if len(subjects) > SUBJECTS_MAX:
        return False
    room = BYTES_MAX - _SUBJECT_BYTES * len(subjects)
    chosen = 0
    for subject in subjects:
        for statement in subject.statements:
            room -= _STATEMENT_BYTES
            chosen += len(statement.choices)
    return chosen <= PURPOSES_MAX * _CHOICE_BYTES and chosen <= room


def _choices(subjects: Iterable[Subject]) -> Iterator[Choice]:
    for subject in subjects:
        for statement in subject.statements:
            yield from unpacked(statement.choices)


def _first(names: set[str], count: int) -> tuple[set[str], bool]:
    """The first names by the alphabet, and whether there were more. ALL is always one more."""
    named = sorted(names - {ALL})
    return {ALL, *named[:count]}, len(named) > count


def _within(subject: Subject, purposes: set[str], channels: set[str]) -> Subject:
    statements = _regrouped([
        (statement, choice) for statement in subject.statements
        for choice in unpacked(statement.choices)
        if choice.purpose in purposes and choice.channel in channels])
    return Subject(subject.kind, subject.value, subject.gpc, statements)


def _fitting(subjects: list[Subject], cut: int) -> tuple[list[Subject], int]:
    """Those who stay as they are, the others of each kind put together."""
    rest: dict[tuple[str, str], Subject] = {(s.kind, s.value): s for s in subjects if not s.value}
    named = sorted((s for s in subjects if s.value), key=_standing)
    while len(named) > SUBJECTS_MAX or (
            len(named) > 1 and len(_encode((named, [*rest.values()]))) > BYTES_MAX):
        last = named.pop()
        _put(rest, Subject(last.kind, "", last.gpc, last.statements))
        cut |= SUBJECTS
    kept = [*named, *rest.values()]
    if len(_encode(kept)) > BYTES_MAX:
        kept, cut = _newest(kept), cut | STATEMENTS
    return kept, cut


def _standing(subject: Subject) -> tuple[float, int, str, str]:
    """The order of subjects: the highest kind first, then who said something last."""
    last = subject.statements[-1].at if subject.statements else 0
    if subject.gpc is not None:
        last = max(last, subject.gpc.at)
    return rank(subject.kind), -last, subject.kind, subject.value


def _newest(subjects: list[Subject]) -> list[Subject]:
    """The newest statements that fit, of whichever subject."""
    room = BYTES_MAX - len(_encode([Subject(s.kind, s.value, s.gpc, ()) for s in subjects]))
    every = sorted(((statement, s.kind, s.value) for s in subjects for statement in s.statements),
                   reverse=True)
    fit: dict[tuple[str, str], list[Statement]] = {}
    for statement, kind, value in every:
        room -= len(_encode(statement))
        if room < 0:
            break
        fit.setdefault((kind, value), []).append(statement)
    return [Subject(s.kind, s.value, s.gpc, tuple(sorted(fit.get((s.kind, s.value), ()))))
            for s in subjects]

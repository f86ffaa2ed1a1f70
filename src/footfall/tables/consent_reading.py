"""The consent in force: found on reading from all decisions that are kept, never stored.

    effective(facts, purpose, channel, now)

Decides, from the narrow to the wide:
- *Under one identifier* the last act counts. Global Privacy Control counts as an act that denies,
  for the purposes that the configuration says. What items carry counts where no act was ever made,
  and where it refuses at or after a grant: it is what some page remembered, and so never gives back
  what an act took.
- *Of several identifiers* the highest that has any of these decides; of equal ranks the strictest.
- *A channel* is decided by what was said of it alone, unless that is a grant and a later refusal
  was for every channel. Where nothing was said of it, what holds for every channel holds.
- A refusal of every purpose counts for each but `necessary`, as if that one had been named.
- A grant whose time is over is expired. Unknown and expired are not granted (`is_granted`).
Must never read a clock or make a grant of anything that was not granted by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from footfall.events.consent import NECESSARY
from footfall.tables.consent_choices import unpacked
from footfall.tables.consent_facts import CHANNELS, STATEMENTS
from footfall.tables.consent_row import (
    DENIED,
    EVERY,
    EXPIRED,
    GRANTED,
    UNKNOWN,
    ConsentFacts,
    Standing,
    Statement,
    Subject,
)
from footfall.tables.consent_signals import ACTS, ALL, NO_CHOICES, rank

#: Global Privacy Control denies every purpose but the necessary ones.
EVERY_PURPOSE: Final = (EVERY,)
#: The signal of a decision that Global Privacy Control stands for.
GPC_SIGNAL: Final = -1

_UNKNOWN: Final = Standing(UNKNOWN)


def effective(facts: ConsentFacts, purpose: str, channel: str, now: int,
              gpc_denies: Sequence[str] = EVERY_PURPOSE) -> Standing:
    """The consent in force at an instant (ms) of a purpose on a channel; channel "": in general.
    Purpose "" is what every purpose but `necessary` is refused by.
    """
    return _Reading(facts, now, gpc_denies).of(purpose, channel)


def standing(facts: ConsentFacts, now: int, gpc_denies: Sequence[str]
             ) -> list[tuple[str, str, Standing]]:
    """The consent in force of everything that is known, sorted by purpose and channel."""
    reading = _Reading(facts, now, gpc_denies)
    known = {key for one in reading.subjects for key in (*one.acts, *one.carried)}
    if any(one.subject.gpc is not None for one in reading.subjects):
        known |= {(ALL if purpose == EVERY else purpose, ALL) for purpose in gpc_denies}
    return [(*key, reading.of(*key)) for key in sorted(known)]


#: A decision: when, its status, and its message.
_Decision = tuple[int, int, Statement]
_Decisions = dict[tuple[str, str], _Decision]


class _Under:
    """The decisions under one identifier, by purpose and channel."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.rank = rank(subject.kind)
        self.acts: _Decisions = {}
        self.carried: _Decisions = {}
        for statement in subject.statements:
            decisions = self.acts if statement.signal >= ACTS else self.carried
            for choice in unpacked(statement.choices):
                decisions[choice.purpose, choice.channel] = (
                    statement.at, choice.status, statement)

    def of(self, purpose: str, channel: str, now: int, *, gpc: bool) -> Standing | None:
        """What holds of this very channel."""
        found = _last(self.acts, purpose, channel)
        subject = self.subject
        seen = subject.gpc
        if gpc and seen is not None and (found is None or (seen.at, DENIED) > found[:2]):
            found = seen.at, DENIED, Statement(
                seen.at, 0, seen.message_id, seen.source, "", GPC_SIGNAL, NO_CHOICES)
        if found is None or found[1] == GRANTED:
            carried = _last(self.carried, purpose, channel)
            if found is None or (carried is not None and carried[1] >= DENIED
                                 and carried[0] >= found[0]):
                found = carried
        if found is None:
            return None
        _at, status, statement = found
        if status == GRANTED and 0 < statement.expires_at <= now:
            status = EXPIRED
        return Standing(status, statement, subject.kind, subject.value)


class _Reading:
    """All that was decided, as of an instant."""

    def __init__(self, facts: ConsentFacts, now: int, gpc_denies: Sequence[str]) -> None:
        self.subjects = [_Under(subject) for subject in facts.subjects]
        self._cut = facts.cut
        self._now = now
        self._gpc_denies = gpc_denies

    def of(self, purpose: str, channel: str) -> Standing:
        """What holds of a purpose on a channel."""
        is_denied = purpose != NECESSARY and (
            EVERY in self._gpc_denies or purpose in self._gpc_denies)
        general = self._among(purpose, ALL, gpc=is_denied)
        found = general
        if channel:
            of_channel = self._among(purpose, channel, gpc=False)
            if of_channel is None and self._cut & CHANNELS and not self._is_kept(channel):
                of_channel = _UNKNOWN  # what was said of it may have been dropped
            found = of_channel if general is None else _narrowed(of_channel, general)
        if found is None or (found.status == GRANTED and self._cut & STATEMENTS):
            return _UNKNOWN
        return found

    def _among(self, purpose: str, channel: str, *, gpc: bool) -> Standing | None:
        """Of all identifiers, by their rank; None where none has a decision."""
        best: Standing | None = None
        best_rank = 0.0
        for under in self.subjects:
            one = under.of(purpose, channel, self._now, gpc=gpc)
            if one is not None and (best is None or under.rank < best_rank or (
                    under.rank == best_rank and _strictness(one) > _strictness(best))):
                best, best_rank = one, under.rank
        return best

    def _is_kept(self, channel: str) -> bool:
        return any(of == channel for under in self.subjects for _purpose, of in under.acts)


def _last(decisions: _Decisions, purpose: str, channel: str) -> _Decision | None:
    """The last decision of a purpose: by name, or one that refuses every purpose."""
    named = decisions.get((purpose, channel)) if purpose else None
    if purpose == NECESSARY:
        return named
    every = decisions.get((ALL, channel))
    if every is None or every[1] < DENIED:  # what was taken back stands for nothing
        return named
    return every if named is None or every[:2] > named[:2] else named


def _narrowed(of_channel: Standing | None, general: Standing) -> Standing:
    """What was said of a channel, unless it is a grant that a refusal of all channels followed."""
    if of_channel is None:
        return general
    if of_channel.status == GRANTED and general.status >= DENIED:
        granted, refused = of_channel.statement, general.statement
        if granted is not None and refused is not None and refused.at >= granted.at:
            return general
    return of_channel


def _strictness(one: Standing) -> tuple[int, int, int, str, str]:
    """Of two grants the one that ends sooner is the stricter; then whatever came last."""
    statement = one.statement
    if statement is None:
        return one.status, 0, 0, one.kind, one.value
    sooner = -statement.expires_at if statement.expires_at else -(1 << 63)
    return one.status, sooner, statement.at, one.kind, one.value

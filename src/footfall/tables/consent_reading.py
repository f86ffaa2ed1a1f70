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
from footfall.tables.consent_facts import CHANNELS, STATEMENTS
from footfall.tables.consent_row import (
    DENIED,
    EVERY,
    EXPIRED,
    GRANTED,
    UNKNOWN,
    Choice,
    ConsentFacts,
    Standing,
    Statement,
    Subject,
)
from footfall.tables.consent_signals import ACTS, ALL, rank

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
    is_denied = purpose != NECESSARY and (EVERY in gpc_denies or purpose in gpc_denies)
    general = _among(facts, purpose, ALL, now, gpc=is_denied)
    found = general
    if channel:
        of_channel = _among(facts, purpose, channel, now, gpc=False)
        if of_channel is None and facts.cut & CHANNELS and not _is_kept(facts, channel):
            of_channel = _UNKNOWN  # what was said of it may have been dropped
        found = of_channel if general is None else _narrowed(of_channel, general)
    if found is None:
        return _UNKNOWN
    if found.status == GRANTED and facts.cut & STATEMENTS:
        return _UNKNOWN
    return found


def known(facts: ConsentFacts, gpc_denies: Sequence[str]) -> list[tuple[str, str]]:
    """Every (purpose, channel) of which something was decided, sorted."""
    found = {(choice.purpose, choice.channel) for subject in facts.subjects
             for statement in subject.statements for choice in statement.choices}
    if any(subject.gpc is not None for subject in facts.subjects):
        found |= {(ALL if purpose == EVERY else purpose, ALL) for purpose in gpc_denies}
    return sorted(found)


def standing(facts: ConsentFacts, now: int, gpc_denies: Sequence[str]
             ) -> list[tuple[str, str, Standing]]:
    """The consent in force of everything that is known, sorted by purpose and channel."""
    return [(purpose, channel, effective(facts, purpose, channel, now, gpc_denies))
            for purpose, channel in known(facts, gpc_denies)]


def _among(facts: ConsentFacts, purpose: str, channel: str, now: int, *, gpc: bool
           ) -> Standing | None:
    """Of all identifiers, by their rank; None where none has a decision."""
    best: Standing | None = None
    best_rank = 0.0
    for subject in facts.subjects:
        one = _under(subject, purpose, channel, now, gpc=gpc)
        if one is not None:
            its_rank = rank(subject.kind)
            if best is None or its_rank < best_rank or (
                    its_rank == best_rank and _strictness(one) > _strictness(best)):
                best, best_rank = one, its_rank
    return best


def _under(subject: Subject, purpose: str, channel: str, now: int, *, gpc: bool
           ) -> Standing | None:
    """Under one identifier, of this very channel."""
    act: tuple[int, int] | None = None
    carried: tuple[int, int] | None = None
    act_by: Statement | None = None
    carried_by: Statement | None = None
    for statement in subject.statements:
        is_act = statement.signal >= ACTS
        for choice in statement.choices:
            if choice.channel != channel or not _is_of(choice, purpose):
                continue
            one = statement.at, choice.status
            if is_act:
                if act is None or one > act:
                    act, act_by = one, statement
            elif carried is None or one > carried:
                carried, carried_by = one, statement
    seen = subject.gpc
    if gpc and seen is not None and (act is None or (seen.at, DENIED) > act):
        act = seen.at, DENIED
        act_by = Statement(seen.at, 0, seen.message_id, seen.source, "", GPC_SIGNAL, ())
    if act is None or act_by is None or (
            carried is not None and act[1] == GRANTED and carried[1] >= DENIED
            and carried[0] >= act[0]):
        act, act_by = carried, carried_by
    if act is None or act_by is None:
        return None
    status = act[1]
    if status == GRANTED and act_by.expires_at and act_by.expires_at <= now:
        status = EXPIRED
    return Standing(status, act_by, subject.kind, subject.value)


def _is_of(choice: Choice, purpose: str) -> bool:
    """Whether a choice is about a purpose: by name, or by refusing every one."""
    if choice.purpose == ALL:
        return choice.status >= DENIED and purpose != NECESSARY
    return choice.purpose == purpose


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


def _is_kept(facts: ConsentFacts, channel: str) -> bool:
    return any(choice.channel == channel for subject in facts.subjects
               for statement in subject.statements for choice in statement.choices)

"""What is remembered of a customer's rules, while a step changes it.

Decides what is kept and what falls out: what still waits before what did, each from the newest;
keys that fired once in the order in which they fired, the newest outcomes. An outcome that says
what the one before it said is written anew after `RENEWED_MS` at the earliest: a rule that is asked
with each event and does not fire must not cost a write each time. Changes copies; what was told
stays as it was until `made`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from footfall.tables import rules_outcomes as outcomes
from footfall.tables.computed_filter import cut
from footfall.tables.rules_book import CompiledRule
from footfall.tables.rules_told import (
    CAUSE_BYTES_MAX,
    FOUND_BYTES_MAX,
    KEY_BYTES_MAX,
    ONCE_MAX,
    OUTCOMES_MAX,
    WAITS_MAX,
    Outcome,
    RulesTold,
    Standing,
    Wait,
)

RENEWED_MS: Final = 60_000
HASH_BYTES: Final = 8


class Hand:
    """A customer's rules at an instant (ms)."""

    def __init__(self, told: RulesTold, now: int) -> None:
        self.told = told
        self._now = now
        self.standings = {one.rule: one for one in told.standings}
        self._waits: dict[tuple[int, str], Wait] | None = None
        self._once: list[bytes] | None = None
        self._outcomes: dict[int, Outcome] = {one.rule: one for one in told.outcomes}
        self._full_until = -1
        self._is_changed = False

    # -- standings -----------------------------------------------------------------------------

    def standing(self, rule: CompiledRule) -> Standing:
        """What is remembered of a rule, or nothing."""
        return self.standings.get(rule.code) or Standing(rule.code)

    def stand(self, standing: Standing) -> None:
        """Remember something else of a rule."""
        if self.standings.get(standing.rule) != standing:
            self.standings[standing.rule] = standing
            self._is_changed = True

    # -- waits ---------------------------------------------------------------------------------

    def begin(self, rule: CompiledRule, key: str, at: int, cause: str, depth: int) -> None:
        """A wait begins with what happened at `at`, or begins anew."""
        wait = self._wait(rule, key)
        if rule.said.on.when is not None:  # it is off before it is on, also within one ms
            at = max(at, 1 + max((one.stopped for one in self.waits_of(rule)), default=0))
        if at > wait.started and at > wait.told:
            self._put(Wait(rule.code, wait.key, at, wait.stopped, wait.told,
                           cut(cause, CAUSE_BYTES_MAX), depth))

    def end(self, rule: CompiledRule, key: str, at: int) -> bool:
        """What happened at `at` ends a wait; key "" ends those of every key. Whether one waited."""
        wait = self._wait(rule, key)
        waited = any(self._is_active(one) and one.started <= at for one in self.waits_of(rule)
                     if one.key == wait.key or not wait.key)
        if at > wait.stopped:
            self._put(Wait(rule.code, wait.key, wait.started, at, wait.told, wait.cause,
                           wait.depth))
        return waited

    def turn_off(self, rule: CompiledRule, at: int) -> None:
        """The condition that a wait is for holds no more, as of `at`: also within the ms in which
        the wait began.
        """
        self.end(rule, "", max(at, max((one.started for one in self.waits_of(rule)), default=0)))

    def over(self, wait: Wait, deadline: int) -> None:
        """The wait was told, or nothing is to be told of it."""
        self._put(Wait(wait.rule, wait.key, wait.started, wait.stopped, deadline, wait.cause,
                       wait.depth))

    def waits_of(self, rule: CompiledRule) -> list[Wait]:
        """What is known of a rule's waits, those that are over too."""
        return [one for one in self._all_waits().values() if one.rule == rule.code]

    def active(self) -> list[Wait]:
        """The waits that nothing has ended, and that were not told."""
        return [one for one in self._all_waits().values() if self._is_active(one)]

    def _is_active(self, wait: Wait) -> bool:
        return is_active(self._all_waits(), wait)

    def _wait(self, rule: CompiledRule, key: str) -> Wait:
        key = cut(key, KEY_BYTES_MAX)
        return self._all_waits().get((rule.code, key)) or Wait(rule.code, key)

    def _put(self, wait: Wait) -> None:
        self._all_waits()[wait.rule, wait.key] = wait
        self._is_changed = True

    def _all_waits(self) -> dict[tuple[int, str], Wait]:
        waits = self._waits
        if waits is None:
            waits = self._waits = {(one.rule, one.key): one for one in self.told.waits}
        return waits

    # -- once and outcomes ---------------------------------------------------------------------

    def fires_again(self, rule: CompiledRule, key: str) -> bool:
        """Whether it fired for this key before; from now on it has."""
        once = self._once
        if once is None:
            once = self._once = list(self.told.once)
        digest = hashlib.blake2b(f"{rule.code}:{key}".encode(), digest_size=HASH_BYTES).digest()
        if digest in once:
            return True
        once.append(digest)
        self._is_changed = True
        return False

    def came_out(self, rule: CompiledRule, why: int, condition: int = 0, found: str = "",
                 cause: str = "") -> None:
        """Remember why a rule did not fire."""
        before = self._outcomes.get(rule.code)
        if before is None and self._is_full():
            return
        if (before is None or before.why != why or before.condition != condition
                or self._now - before.at >= RENEWED_MS):
            self._outcomes[rule.code] = Outcome(
                rule.code, self._now, why, condition, cut(found, FOUND_BYTES_MAX),
                cut(cause, CAUSE_BYTES_MAX), rule.said.version)
            self._is_changed = True

    def is_known(self, code: int, why: int, place: int) -> bool:
        """Whether the outcome need not be written again. `place` is that of its condition's part,
        kept as it stands for parts without members.
        """
        before = self._outcomes.get(code)
        if before is None:
            return self._is_full()
        return (before.why == why and before.condition == place
                and self._now - before.at < RENEWED_MS)

    def _is_full(self) -> bool:
        """Whether there is no room for the outcome of another rule: of more rules than are kept,
        all asked with each event, none would stay long enough to be read.
        """
        if len(self._outcomes) < OUTCOMES_MAX:
            return False
        if self._full_until < 0:
            self._full_until = min(one.at for one in self._outcomes.values()) + RENEWED_MS
        return self._now < self._full_until

    # -- in and out ----------------------------------------------------------------------------

    def forget(self, rules: Mapping[int, CompiledRule]) -> None:
        """Leave what belongs to no rule that there is, or to what such a rule no longer says."""
        for code, one in list(self.standings.items()):
            rule = rules.get(code)
            if rule is None:
                del self.standings[code]
                self._is_changed = True
            elif rule.said.on.when is None and (one.holds or one.check_at):
                self.stand(Standing(code, one.fired_at, one.fired, changes=one.changes))
        for code in self._outcomes.keys() - rules.keys():
            del self._outcomes[code]
            self._is_changed = True
        for wait in list(self._all_waits().values()):
            rule = rules.get(wait.rule)
            if rule is None or not rule.wait_ms:
                del self._all_waits()[wait.rule, wait.key]
                self._is_changed = True

    def made(self, config: int, *, is_looked_at: bool) -> RulesTold:
        """What is told now; the same where nothing changed. `is_looked_at`: every condition was,
        under this configuration.
        """
        told = self.told
        if not self._is_changed and not (is_looked_at and config != told.config):
            return told
        standings = self.standings
        waits = told.waits if self._waits is None else self._kept_waits(self._waits)
        once = told.once if self._once is None else tuple(self._once[-ONCE_MAX:])
        return RulesTold(config, tuple(standings[code] for code in sorted(standings)), waits, once,
                         newest_outcomes(self._outcomes.values()))

    def _kept_waits(self, waits: dict[tuple[int, str], Wait]) -> tuple[Wait, ...]:
        kept = newest_waits(waits)
        if len(kept) < len(waits):
            for one in waits.values():
                if one not in kept and is_active(waits, one):
                    self._outcomes[one.rule] = Outcome(one.rule, self._now, outcomes.LIMIT)
        return kept


def merge(mine: RulesTold, theirs: RulesTold) -> RulesTold:
    """What either told counts as told; of waits the newest beginning and the newest end."""
    standings = {one.rule: one for one in mine.standings}
    for one in theirs.standings:
        own = standings.get(one.rule)
        standings[one.rule] = one if own is None else Standing(
            one.rule, max(own.fired_at, one.fired_at), max(own.fired, one.fired),
            own.holds or one.holds, max(own.changes, one.changes),
            min((at for at in (own.check_at, one.check_at) if at), default=0))
    waits = {(one.rule, one.key): one for one in mine.waits}
    for wait in theirs.waits:
        ours = waits.get((wait.rule, wait.key))
        if ours is None:
            waits[wait.rule, wait.key] = wait
            continue
        newer = max(ours, wait, key=lambda one: (one.started, one.cause, one.depth))
        waits[wait.rule, wait.key] = Wait(
            wait.rule, wait.key, newer.started, max(ours.stopped, wait.stopped),
            max(ours.told, wait.told), newer.cause, newer.depth)
    once = [one for one in theirs.once if one not in set(mine.once)]
    outcomes_of = {one.rule: one for one in mine.outcomes}
    for said in theirs.outcomes:
        ours_said = outcomes_of.get(said.rule)
        if ours_said is None or said.at > ours_said.at:
            outcomes_of[said.rule] = said
    return RulesTold(
        min(mine.config, theirs.config), tuple(standings[code] for code in sorted(standings)),
        newest_waits(waits), (*once, *mine.once)[-ONCE_MAX:],
        newest_outcomes(outcomes_of.values()))


def is_active(waits: Mapping[tuple[int, str], Wait], wait: Wait) -> bool:
    """Whether nothing has ended a wait, its own or every key's, and it was not told."""
    every = waits.get((wait.rule, ""))
    stopped = max(wait.stopped, 0 if every is None else every.stopped)
    return wait.started > stopped and wait.started > wait.told


def active_waits(told: RulesTold) -> list[Wait]:
    """The waits of a row that nothing has ended, and that were not told."""
    waits = {(one.rule, one.key): one for one in told.waits}
    return [one for one in told.waits if is_active(waits, one)]


def newest_waits(waits: Mapping[tuple[int, str], Wait]) -> tuple[Wait, ...]:
    """Those that are kept: what has ended falls out before what still waits, then the oldest."""
    kept: Iterable[tuple[int, str]] = waits
    if len(waits) > WAITS_MAX:
        kept = sorted(waits, key=lambda key: (
            is_active(waits, waits[key]), _age(waits[key])))[-WAITS_MAX:]
    return tuple(waits[key] for key in sorted(kept))


def newest_outcomes(found: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Those that are kept, by rule."""
    kept = sorted(found, key=lambda one: (one.at, one.rule))[-OUTCOMES_MAX:]
    return tuple(sorted(kept, key=lambda one: one.rule))


def _age(wait: Wait) -> tuple[int, int, str]:
    return max(wait.started, wait.stopped), wait.rule, wait.key

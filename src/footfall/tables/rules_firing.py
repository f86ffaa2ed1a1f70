"""Whether a rule fires: what began it, its conditions, and all that may keep it from firing.

Decides the order: starts and ends, `if`, `wait` (with `unless` and `still`), `expires`, `cooldown`,
`group`, `once`; then the held-out part, which is recorded and told to nobody. Rules of one step are
taken by priority, then by name; those that act on another rule's trigger follow it, and do not see
one that is held out. What did not fire is remembered with why (`rules_outcomes.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from footfall.events.outcomes import DEPTH_MAX
from footfall.tables import rules_outcomes as outcomes
from footfall.tables.cart_triggers import instant
from footfall.tables.computed_filter import TYPES
from footfall.tables.outputs import trigger_id
from footfall.tables.rules_book import ENTERED, LEFT, RULES, Book, CompiledRule, Entry
from footfall.tables.rules_conditions import HOLDS, Compiled
from footfall.tables.rules_fields import Seen
from footfall.tables.rules_hand import Hand
from footfall.tables.rules_happening import Cause, Firing, Happening
from footfall.tables.rules_told import FIRED_MAX, RulesTold, Standing
from footfall.tables.spec import Announcement, Trigger
from footfall.tables.step import Staged, Step

_HUNDRED: Final = 100
#: With the data of a trigger it stays well below a broker's default of 1,048,588.
EVIDENCE_BYTES_MAX: Final = 300_000


def judged(condition: Compiled, seen: Seen, checked: int, *, is_fired: bool
           ) -> tuple[bool, int, int]:
    """Whether a condition holds, when time may change it next (0: never), and as of when.
    `checked`: the instant found so the last time. Before its timer has come, it is judged as of
    just before it.
    """
    now = seen.now
    at = now if is_fired or not checked or checked > now else checked - 1
    seen.now = at
    try:
        holds, check_at = condition.holds(seen), condition.changes_at(seen)
    finally:
        seen.now = now
    return holds, check_at, checked if is_fired and checked else at


def within(evidence: dict[str, Any]) -> dict[str, Any]:
    """Evidence without its conditions where they are too much for a trigger."""
    if len(msgspec.json.encode(evidence)) <= EVIDENCE_BYTES_MAX:
        return evidence
    on = {key: value for key, value in evidence.get("on", {}).items() if key != "conditions"}
    return {**evidence, **({"on": on} if on else {}), "conditions": [], "cut": True}


def is_concerned(condition: Compiled, happening: Happening, *, is_of_nobody: bool) -> bool:
    """Whether a condition may have become another than it was."""
    changed = happening.changed
    return (changed is None or not changed.isdisjoint(condition.tokens)
            or (happening.is_new and is_of_nobody))


def settled(step: Step, book: Book, key: bytes, seen: Seen, happening: Happening
            ) -> Staged | None:
    """The row of rules after a step; None where it stays as it is."""
    facts, told = seen.row(RULES)
    asked = _Asked(book, key, seen, told)
    asked.take(happening)
    is_looked_at = bool(book.whens) and (happening.changed is None or happening.is_new)
    after = asked.hand.made(book.config, is_looked_at=is_looked_at)
    if after is told and not happening.is_due(RULES, told):
        return None
    said = Announcement(after, asked.due(), tuple(asked.fired))
    row = None if after is told and not happening.is_join else step.rows.make(facts, after)
    return step, row, facts, said


class _Asked:
    """The rules of one customer in one step."""

    def __init__(self, book: Book, key: bytes, seen: Seen, told: RulesTold) -> None:
        self._book = book
        self._key = key
        self._seen = seen
        self._now = seen.now
        #: Of what the event of this step causes.
        self._depth = 0 if seen.event is None else seen.event.get("depth", 0)
        self._groups: set[str] = set()
        #: Rules that began to wait in this step.
        self._begun: set[int] = set()
        self.hand = Hand(told, seen.now)
        if told.config != book.config:
            self.hand.forget(book.by_code)
        self.fired: list[Trigger] = []

    def take(self, happening: Happening) -> None:
        """Ask all rules that something concerns."""
        firing: list[Firing] = []
        entry = happening.entry
        if entry is not None:
            firing += self._began(entry, happening.at)
            self._end(entry, happening.at)
        for rule in self._concerned(happening):
            standing = self.hand.standing(rule)
            is_fired = happening.has_come(RULES, standing.check_at, self._now)
            if is_fired or is_concerned(rule.when, happening, is_of_nobody=rule.is_of_nobody):
                firing += self._turned(rule, standing, is_fired=is_fired)
        is_timer = RULES in happening.timers
        if is_timer:  # before what begins a wait anew at the very instant at which it is over
            firing += self._over()
        firing += self._scheduled(happening)
        firing += self._heard(happening.triggers)
        if is_timer:
            firing += self._over()
        while firing:
            told = [trigger for one in sorted(firing, key=lambda f: f.rule.order)
                    if (trigger := self._fire(one)) is not None]
            firing = self._heard(told)
            if is_timer:  # what follows may have waited already: its cause had to settle
                firing += self._over()

    def _concerned(self, happening: Happening) -> Sequence[CompiledRule]:
        """The rules on conditions that may have to be looked at."""
        changed = happening.changed
        if changed is None or happening.is_new or RULES in happening.timers:
            return self._book.whens
        return self._book.whens_of(changed)

    def due(self) -> int | None:
        """When time may next tell something."""
        rules = self._book.by_code
        found = [one.check_at for one in self.hand.standings.values() if one.check_at]
        found += [wait.started + rules[wait.rule].wait_ms for wait in self.hand.active()]
        return min(found, default=None)

    # -- what begins a rule --------------------------------------------------------------------

    def _end(self, entry: Entry, at: int) -> None:
        for ender in entry.enders:
            if ender.rule.code in self._begun:  # what begins a wait does not end it
                continue
            if ender.test is not None and not ender.test(self._seen.values()):
                continue
            found = [] if not ender.key else self._seen.values().texts(ender.key)
            for key in found or [""]:
                if self.hand.end(ender.rule, key or "", at):
                    self.hand.came_out(ender.rule, outcomes.UNLESS, cause=self._message_id())

    def _began(self, entry: Entry, at: int) -> list[Firing]:
        event = self._seen.event
        assert event is not None
        found = []
        seen, message_id = self._seen, self._message_id()
        hand = self.hand
        for rule in entry.rules:
            condition = rule.condition
            place = condition.failed(seen)
            # Most of them fail, so nothing is made for one that does.
            if place != HOLDS and self._is_on(rule):
                number = condition.number(seen, place)
                if not hand.is_known(rule.code, outcomes.CONDITION, number):
                    hand.came_out(rule, outcomes.CONDITION, number, condition.found(seen, place),
                                  message_id)
                continue
            on = {"call": TYPES.get(event["type"], event["type"]), "event": event["event"],
                  "message_id": message_id}
            one = self._considered(rule, at, (message_id,), on, None)
            if one is not None:
                found.append(one)
        return found

    def _heard(self, triggers: Sequence[Trigger]) -> list[Firing]:
        found = []
        for trigger in triggers:
            for rule in self._book.by_trigger.get(trigger.name, ()):
                on = rule.said.on
                if trigger.name in (ENTERED, LEFT) and trigger.data["segment"] != (
                        on.enters or on.leaves or trigger.data["segment"]):
                    continue
                said = {"trigger": trigger.name, "trigger_id": trigger_id(self._key, trigger)}
                one = self._considered(rule, trigger.occurred_at,
                                       (trigger.name, *trigger.cause), said, trigger)
                if one is not None:
                    found.append(one)
        return found

    def _turned(self, rule: CompiledRule, standing: Standing, *, is_fired: bool) -> list[Firing]:
        """A condition was looked at: has it become what the rule acts on?"""
        holds, check_at, at = judged(rule.when, self._seen, standing.check_at, is_fired=is_fired)
        if holds == standing.holds:
            if check_at != standing.check_at:
                self.hand.stand(Standing(rule.code, standing.fired_at, standing.fired, holds,
                                         standing.changes, check_at))
            return []
        changes = standing.changes + 1
        self.hand.stand(Standing(rule.code, standing.fired_at, standing.fired, holds, changes,
                                 check_at))
        if holds != rule.said.on.becomes:
            if rule.wait_ms:
                self.hand.turn_off(rule, at)
            return []
        on = {"becomes": holds, "because": "time" if is_fired else "event",
              "conditions": rule.when.evidence(self._seen)}
        # With its instant: what is counted begins anew where a rule was gone for a while.
        one = self._considered(rule, at, (changes, at), on, None)
        return [] if one is None else [one]

    def _scheduled(self, happening: Happening) -> list[Firing]:
        """The rules whose hour has come: once a local date, in whatever zone."""
        found = []
        for rule, day in happening.scheduled:
            standing = self.hand.standing(rule)
            number = day.toordinal()
            if number <= standing.changes:
                continue
            on = {"schedule": msgspec.to_builtins(rule.said.on.schedule),
                  "local_date": day.isoformat()}
            one = self._considered(rule, happening.at, (day.isoformat(),), on, None)
            if one is not None:
                self.hand.stand(Standing(rule.code, standing.fired_at, standing.fired, False,
                                         number))
                found.append(one)
        return found

    def _over(self) -> list[Firing]:
        """The waits that are over."""
        found = []
        for wait in sorted(self.hand.active(), key=lambda one: (one.rule, one.key)):
            rule = self._book.by_code[wait.rule]
            deadline = wait.started + rule.wait_ms
            if deadline > self._now:
                continue
            self.hand.over(wait, deadline)
            place = rule.still.failed(self._seen)
            if place != HOLDS:
                self._failed(rule, outcomes.STILL, rule.still, place, wait.cause)
                continue
            on = {"waited_for": rule.said.wait, "since": instant(wait.started),
                  "deadline": instant(deadline), "cause": wait.cause,
                  "conditions": rule.still.evidence(self._seen)}
            found.append(Firing(rule, deadline, (wait.key, deadline), wait.key, on, None,
                                wait.depth))
        return found

    def _considered(self, rule: CompiledRule, at: int, cause: Cause, on: dict[str, Any],
                    trigger: Trigger | None) -> Firing | None:
        """What follows from what a rule acts on: it fires, it waits, or nothing."""
        hand, seen = self.hand, self._seen
        if not self._is_on(rule):
            hand.came_out(rule, outcomes.NOT_STARTED if self._now < rule.starts_at
                          else outcomes.ENDED)
            return None
        seen.trigger = trigger
        place = rule.condition.failed(seen)
        if place != HOLDS:
            self._failed(rule, outcomes.CONDITION, rule.condition, place, str(cause[0]))
            return None
        depth = self._depth if trigger is None else max(self._depth, trigger.depth)
        key = ""
        if rule.key is not None:
            key = next((text for text in rule.key.texts(seen) if text), "")
        if rule.wait_ms:
            self._begun.add(rule.code)
            hand.begin(rule, key, at, str(on.get("message_id") or on.get("trigger_id") or ""),
                       depth)
            return None
        return Firing(rule, at, cause, key, on, trigger, depth)

    def _is_on(self, rule: CompiledRule) -> bool:
        return rule.starts_at <= self._now and (not rule.ends_at or self._now < rule.ends_at)

    def _failed(self, rule: CompiledRule, why: int, condition: Compiled, place: int, cause: str
                ) -> None:
        seen = self._seen
        number = condition.number(seen, place)
        if not self.hand.is_known(rule.code, why, number):
            self.hand.came_out(rule, why, number, condition.found(seen, place), cause)

    # -- firing --------------------------------------------------------------------------------

    def _fire(self, firing: Firing) -> Trigger | None:
        """The trigger of a rule, unless something keeps it from firing, or it is held out."""
        rule, hand, now = firing.rule, self.hand, self._now
        said = rule.said
        standing = hand.standing(rule)
        why = outcomes.FIRED
        if firing.depth > DEPTH_MAX:
            why = outcomes.TOO_DEEP
        elif rule.ends_at and now >= rule.ends_at:  # it may have waited meanwhile
            why = outcomes.ENDED
        elif rule.expires_ms and now - firing.at > rule.expires_ms:
            why = outcomes.EXPIRED
        elif rule.cooldown_ms and standing.fired and now - standing.fired_at < rule.cooldown_ms:
            why = outcomes.COOLDOWN
        elif said.group is not None and said.group in self._groups:
            why = outcomes.OUTRANKED
        elif said.once and hand.fires_again(rule, firing.key):
            why = outcomes.ONCE
        if why != outcomes.FIRED:
            hand.came_out(rule, why)
            return None
        if said.group is not None:
            self._groups.add(said.group)
        hand.stand(Standing(rule.code, now, min(standing.fired + 1, FIRED_MAX), standing.holds,
                            standing.changes, standing.check_at))
        bucket = self._bucket(rule)
        is_held_out = bucket < said.holdout_percent
        if is_held_out:
            hand.came_out(rule, outcomes.HELD_OUT)
        trigger = Trigger(said.name, firing.cause, firing.at, self._data(firing),
                          self._evidence(firing, standing, bucket), is_held_out, firing.depth)
        self.fired.append(trigger)
        return None if is_held_out else trigger

    def _data(self, firing: Firing) -> dict[str, Any]:
        self._seen.trigger = firing.trigger
        data: dict[str, Any] = {name: source.shown(self._seen)
                                for name, source in firing.rule.data}
        if firing.rule.key is not None:
            data["key"] = firing.key
        return data

    def _evidence(self, firing: Firing, standing: Standing, bucket: int) -> dict[str, Any]:
        rule, said = firing.rule, firing.rule.said
        self._seen.trigger = firing.trigger
        evidence: dict[str, Any] = {"rule": said.name, "version": said.version, "on": firing.on}
        if said.wait is None:
            evidence["conditions"] = rule.condition.evidence(self._seen)
        if said.cooldown is not None:
            evidence["cooldown"] = said.cooldown
            evidence["fired_before"] = instant(standing.fired_at) if standing.fired else None
        if said.holdout_percent:
            evidence["holdout"] = {"percent": said.holdout_percent, "bucket": bucket}
        return within(evidence)

    def _bucket(self, rule: CompiledRule) -> int:
        """0 to 99, by the least identifier known of the customer: the same on every device."""
        if not rule.said.holdout_percent:
            return _HUNDRED
        owned = self._seen.owned()
        least = min((self._key, *owned), key=lambda one: one.partition(b":")[2])
        digest = hashlib.blake2b(least, digest_size=8, key=rule.name.encode()).digest()
        return int.from_bytes(digest, "big") % _HUNDRED

    def _message_id(self) -> str:
        event = self._seen.event
        return "" if event is None else str(event["message_id"])

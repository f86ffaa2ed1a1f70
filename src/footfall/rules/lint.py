"""What rules and segments say that cannot be meant: conditions that never or always hold, rules
that cannot fire, rules that another one hides.

Decides what is looked for and how grave it is: an error can never do what it says, a warning is
most likely a mistake, a hint may be one. Only what is certain is said. Of a configuration that can
be applied; what cannot is refused by `tables/config.py`. Pure: the instant is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final, Literal, NamedTuple

import msgspec

from footfall.events import outcomes
from footfall.events.commerce import ACTIONS, squeeze
from footfall.rules.truth import ALWAYS, NEVER, Part, Path, Truth
from footfall.tables.computed_filter import named
from footfall.tables.computed_row import Over
from footfall.tables.config import Config
from footfall.tables.rules_aggregates import aggregates
from footfall.tables.rules_fields import Catalogue
from footfall.tables.rules_row import Condition, Rule, instant_ms, span_ms
from footfall.tables.segments_row import Segment
from footfall.tables.spec import AnyTable

Level = Literal["error", "warning", "hint"]
Code = Literal["always_false", "always_true", "never_fires", "ended", "no_effect", "duplicate",
               "shadowed", "event_unknown"]
RULES: Final = "rules"
SEGMENTS: Final = "segments"
_DEFINITIONS: Final = "definitions"
#: How alike two names of events are that are taken for one, misspelt.
_ALIKE: Final = 0.85


class Finding(NamedTuple):
    """Something that cannot be meant: of which rule or segment, and where it stands."""

    level: Level
    code: Code
    name: str
    path: Path
    message: str


def lint(tables: Sequence[AnyTable], config: Config, now: int,
         known: Sequence[str] = ()) -> list[Finding]:
    """All findings of a configuration, in order of their place. `known`: names of events that are
    sent, as far as somebody knows.
    """
    return _Lint(tables, config, now, known).findings()


class _Lint:
    """One configuration."""

    def __init__(self, tables: Sequence[AnyTable], config: Config, now: int, known: Sequence[str]
                 ) -> None:
        self._rules: Sequence[Rule] = config.sections[RULES].definitions
        self._segments: Sequence[Segment] = config.sections[SEGMENTS].definitions
        self._truth = Truth(Catalogue(tables, config.sections), self._segments)
        self._now = now
        self._grace_ms = config.grace_ms
        self._computed = config.sections["computed"].definitions
        self._known = known
        self._idle: dict[str, str] = {}  # rules that never fire, and why

    def findings(self) -> list[Finding]:
        found: list[Finding] = []
        for n, segment in enumerate(self._segments):
            path = (SEGMENTS, _DEFINITIONS, n)
            found += self._conditions(segment.name, segment.if_, (*path, "if"))
            found += _duplicates(self._segments, n, path)
        for n, rule in enumerate(self._rules):
            path = (RULES, _DEFINITIONS, n)
            found += self._of_rule(rule, path)
            found += _duplicates(self._rules, n, path)
            found += self._shadowed(n, path)
        found += self._of_idle_triggers()
        found += self._events()
        return sorted(dict.fromkeys(found), key=_order)

    # -- one rule ----------------------------------------------------------------------------------

    def _of_rule(self, rule: Rule, path: Path) -> Iterator[Finding]:
        before = len(self._idle)
        for key, said in (("on", rule.on.when), ("if", rule.if_), ("still", rule.still)):
            if said is not None:
                place = (*path, key, "when") if key == "on" else (*path, key)
                yield from self._conditions(rule.name, said, place)
        why = self._never(rule)
        if why and len(self._idle) == before:
            self._idle[rule.name] = why[1]
            yield Finding("error", "never_fires", rule.name, (*path, *why[0]), why[1])
        together = self._truth.together(self._begin(rule, path))
        if together is not None and len(self._idle) == before:
            self._idle[rule.name] = together.why
            yield Finding("error", "always_false", rule.name, together.path or (*path, "on"),
                          f"what it acts on and its conditions cannot hold together: "
                          f"{together.why}")
        ends_at = instant_ms(rule.ends_at)
        if ends_at is not None and ends_at <= self._now:
            self._idle.setdefault(rule.name, "it has ended")
            yield Finding("warning", "ended", rule.name, (*path, "ends_at"),
                          f"it has ended: {rule.ends_at} is past")
        if rule.once and rule.key is None and rule.cooldown is not None:
            yield Finding("warning", "no_effect", rule.name, (*path, "cooldown"),
                          "a rule that fires once a customer needs no cooldown")

    def _conditions(self, name: str, said: Condition, path: Path) -> Iterator[Finding]:
        truth, found = self._truth.of(said, path)
        for one in found:
            is_grave = truth == one.truth == NEVER
            yield Finding("error" if is_grave else "warning",
                          "always_false" if one.truth == NEVER else "always_true",
                          name, one.path, f"is {one.truth} true: {one.why}")
        if truth == NEVER:
            if all(one.truth != NEVER for one in found):
                yield Finding("error", "always_false", name, path, "is never true: what it names, "
                                                                   "or what it excludes, decides")
            if path[0] == RULES:
                self._idle.setdefault(name, f"{path[3]} is never true")

    def _begin(self, rule: Rule, path: Path) -> list[Part]:
        """All that must hold at the moment at which the rule begins."""
        on = rule.on
        parts = []
        if on.when is not None and on.becomes:
            parts.append(Part(on.when, (*path, "on", "when")))
        for name, is_left in ((on.enters, False), (on.leaves, True)):
            if name is not None:
                parts.append(Part(Condition(segment=name), None, is_left))
        if on.call is not None:
            parts.append(Part(Condition(field="event.type", equals=on.call)))
        if rule.if_ is not None:
            parts.append(Part(rule.if_, (*path, "if")))
        return parts

    def _never(self, rule: Rule) -> tuple[Path, str] | None:
        """Where and why a rule never fires, for another reason than its conditions."""
        on = rule.on
        for key, name in (("enters", on.enters), ("leaves", on.leaves)):
            segment = next((one for one in self._segments if one.name == name), None)
            truth = None if segment is None else self._truth.of(segment.if_)[0]
            if truth == NEVER:
                return ("on", key), f"nobody is ever in {name}"
            if truth == ALWAYS and key == "leaves":
                return ("on", key), f"everybody is always in {name}: nobody leaves it"
        if on.when is not None and not on.becomes:
            truth = self._truth.of(on.when)[0]
            if truth in (NEVER, ALWAYS):
                return ("on", "when"), f"it is {truth} true, so it never becomes false"
        if rule.unless is not None and _is_begun_by(rule, rule.unless):
            return ("unless",), "what begins the wait ends it at once"
        if rule.expires is not None and (rule.wait is not None or on.schedule is not None):
            expires_ms = span_ms(rule.expires)
            if expires_ms <= self._grace_ms:
                return ("expires",), (
                    f"a wait that is over is told {self._grace_ms} ms later at the earliest "
                    f"(clock.grace_s): {rule.expires} is too short")
        return None

    # -- several -----------------------------------------------------------------------------------

    def _shadowed(self, n: int, path: Path) -> Iterator[Finding]:
        """A rule of a group that never comes first."""
        rule = self._rules[n]
        if rule.group is None or rule.wait is not None:
            return
        parts = self._begin(rule, path)
        for other in self._rules:
            if (other.group == rule.group and (-other.priority, other.name) < (
                    -rule.priority, rule.name) and _is_free(other) and other.on == rule.on
                    and other.name not in self._idle
                    and self._truth.implies(parts, self._begin(other, ()))):
                yield Finding("warning", "shadowed", rule.name, (*path, "group"),
                              f"wherever it would fire, {other.name!r} of the same group does, and "
                              "comes first")
                return

    def _of_idle_triggers(self) -> Iterator[Finding]:
        """Rules that act on the trigger of one that never fires."""
        while True:
            more = {rule.name: n for n, rule in enumerate(self._rules)
                    if rule.on.trigger in self._idle and rule.name not in self._idle}
            if not more:
                return
            for name, n in more.items():
                trigger = self._rules[n].on.trigger
                self._idle[name] = f"{trigger} never fires"
                yield Finding("warning", "never_fires", name,
                              (RULES, _DEFINITIONS, n, "on", "trigger"),
                              f"it acts on {trigger!r}, which never fires")

    def _events(self) -> Iterator[Finding]:
        """Names of events that nothing else mentions, and that look like one that something does.
        """
        mentioned = list(self._mentioned())
        often: dict[str, list[str]] = {}
        for event in (*(event for _name, _path, event in mentioned), *self._known):
            often.setdefault(squeeze(event), []).append(event)
        usual = [key for key, events in often.items() if len(events) > 1]
        for name, path, event in mentioned:
            key = squeeze(event)
            if key in ACTIONS or event in outcomes.NAMES or len(often[key]) > 1:
                continue
            alike = get_close_matches(key, [*ACTIONS, *usual], 1, _ALIKE)
            if alike:
                meant = often[alike[0]][0] if alike[0] in often else (
                    ACTIONS[alike[0]].replace("_", " ").title())
                yield Finding("hint", "event_unknown", name, path,
                              f"nothing else mentions {event!r}; is {meant!r} meant?")

    def _mentioned(self) -> Iterator[tuple[str, Path, str]]:
        for n, trait in enumerate(self._computed):
            if trait.over.event is not None:
                yield trait.name, ("computed", _DEFINITIONS, n, "over", "event"), trait.over.event
        for n, segment in enumerate(self._segments):
            for one in aggregates(segment.if_):
                if one.over.event is not None:
                    yield segment.name, (SEGMENTS, _DEFINITIONS, n, "if"), one.over.event
        for n, rule in enumerate(self._rules):
            path = (RULES, _DEFINITIONS, n)
            if rule.on.event is not None:
                yield rule.name, (*path, "on", "event"), rule.on.event
            if rule.unless is not None and rule.unless.event is not None:
                yield rule.name, (*path, "unless", "event"), rule.unless.event
            for key, said in (("on", rule.on.when), ("if", rule.if_), ("still", rule.still)):
                for one in aggregates(said):
                    if one.over.event is not None:
                        yield rule.name, (*path, key), one.over.event


def _duplicates(definitions: Sequence[Rule] | Sequence[Segment], n: int, path: Path
                ) -> Iterator[Finding]:
    """One that says what an earlier one says, under another name."""
    mine = _said(definitions[n])
    for other in definitions[:n]:
        if _said(other) == mine:
            yield Finding("warning", "duplicate", definitions[n].name, (*path, "name"),
                          f"says the same as {other.name!r}")
            return


def _said(definition: Rule | Segment) -> Rule | Segment:
    """A definition less its names."""
    return msgspec.structs.replace(definition, name="a", version=1, description="")


def _is_free(rule: Rule) -> bool:
    """Whether nothing but its conditions keeps a rule from firing."""
    return not (rule.wait or rule.once or rule.cooldown or rule.expires or rule.starts_at
                or rule.ends_at)


def _is_begun_by(rule: Rule, over: Over) -> bool:
    """Whether every event that begins a wait would also end it."""
    on = rule.on
    if on.call is None or over.where is not None or (
            over.call != on.call and (over.call is not None or on.call == outcomes.CALL)):
        return False
    return over.event is None or (on.event is not None and named(on.event) == named(over.event))


def _order(finding: Finding) -> tuple[str, ...]:
    return tuple(f"{part:06d}" if isinstance(part, int) else part for part in finding.path)

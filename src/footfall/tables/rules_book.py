"""The rules of one configuration, compiled and indexed: which of them a happening concerns.

Decides what rules may say together: a name is no trigger of a table, a trigger that is acted on is
one that somebody tells, rules that act on each other make no ring and no chain of more than
`CHAIN_MAX`. A rule that cannot match an event, a trigger or a change is never looked at. Must never
read a customer's row; that is `ruling.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from footfall.errors import MisfitError
from footfall.events import outcomes
from footfall.events.interaction import Interaction
from footfall.tables.computed_filter import (
    TYPES,
    Paths,
    Values,
    compiled,
    named,
    paths_of_condition,
)
from footfall.tables.computed_row import Over
from footfall.tables.rules_conditions import SEGMENT, Compiled, Compiler, code_of, placed
from footfall.tables.rules_fields import EVENT, TRIGGER, Catalogue, Source
from footfall.tables.rules_row import Rule, RulesConfig, instant_ms, span_ms
from footfall.tables.segments_row import Segment, SegmentsConfig
from footfall.tables.spec import AnyTable

CHAIN_MAX: Final = 5
ENTERED: Final = "segment_entered"
LEFT: Final = "segment_left"
RULES: Final = "rules"
SEGMENTS: Final = "segments"


class CompiledSegment:
    """One segment."""

    def __init__(self, said: Segment, compiler: Compiler) -> None:
        self.said = said
        self.code = code_of(said.name)
        self.condition = compiler.compiled(said.if_)
        #: Whether it holds for a customer of whom nothing is known.
        self.is_of_nobody = False
        #: The segments that its condition asks for.
        self.asked = frozenset(token.removeprefix(SEGMENT) for token in self.condition.tokens
                               if token.startswith(SEGMENT))


class CompiledRule:
    """One rule: conditions as functions, spans as ms (0: none)."""

    def __init__(self, said: Rule, compiler: Compiler, number: int) -> None:
        on = said.on
        self.said = said
        #: Its place among the rules in force.
        self.number = number
        self.name = said.name
        self.code = code_of(said.name)
        self.order = (-said.priority, said.name)
        self.subject = EVENT if on.call is not None else TRIGGER if on.when is None else ""
        if on.schedule is not None:
            self.subject = ""
        self.when = placed(("on", "when"), compiler.compiled, on.when)
        self.condition: Compiled = placed(("if",), compiler.compiled, said.if_, self.subject)
        self.still: Compiled = placed(("still",), compiler.compiled, said.still)
        self.key: Source | None = None
        if said.key is not None:
            self.key = placed(("key",), compiler.source, said.key, self.subject)
        self.data: list[tuple[str, Source]] = [
            (name, placed(("data", name), compiler.source, path,
                           "" if said.wait is not None else self.subject))
            for name, path in said.data.items()]
        self.wait_ms = _ms(said.wait)
        self.cooldown_ms = _ms(said.cooldown)
        self.expires_ms = _ms(said.expires)
        self.starts_at = instant_ms(said.starts_at) or 0
        self.ends_at = instant_ms(said.ends_at) or 0
        #: Whether `when` holds for a customer of whom nothing is known.
        self.is_of_nobody = False

    @property
    def acts_on(self) -> str:
        """The name of the trigger that it acts on; "" for none."""
        on = self.said.on
        return on.trigger or (ENTERED if on.enters else LEFT if on.leaves else "")

    @property
    def paths(self) -> list[str]:
        """What it reads of the event that it acts on."""
        sources = [*(source for _name, source in self.data), *([self.key] if self.key else [])]
        return [*self.condition.paths, *(source.path for source in sources if source.path)]


class Ender:
    """The events that end a wait of a rule."""

    def __init__(self, rule: CompiledRule, over: Over) -> None:
        self.rule = rule
        self.test: Callable[[Values], bool] | None = (
            None if over.where is None else compiled(over.where))
        #: The path of its key; "": it ends the wait of every key.
        self.key = rule.key.path if rule.key is not None else ""
        self.paths = [] if over.where is None else paths_of_condition(over.where)
        if self.key:
            self.paths.append(self.key)


class Entry:
    """What events of a call and a name concern."""

    def __init__(self, rules: Sequence[CompiledRule], enders: Sequence[Ender]) -> None:
        self.rules = rules
        self.enders = enders
        self.paths = Paths([*(path for rule in rules for path in rule.paths),
                            *(path for ender in enders for path in ender.paths)])


class Book:
    """All rules and segments of one configuration; `config` is its number."""

    def __init__(self, tables: Sequence[AnyTable], sections: Mapping[str, Any], config: int
                 ) -> None:
        self.config = config
        rules: RulesConfig = sections[RULES]
        segments: SegmentsConfig = sections[SEGMENTS]
        compiler = Compiler(Catalogue(tables, sections), [s.name for s in segments.definitions])
        self.segments = [
            placed((SEGMENTS, "definitions", n, "if"), CompiledSegment, said, compiler)
            for n, said in enumerate(segments.definitions)]
        self._check_ring()
        self.segments = _ordered(self.segments)
        self.rules = [placed((RULES, "definitions", n), CompiledRule, said, compiler, n)
                      for n, said in enumerate(rules.definitions)]
        self.by_code = {rule.code: rule for rule in self.rules}
        self._check(tables)
        self._by_type = {kind: self._entries(call) for kind, call in TYPES.items()}
        self.by_trigger: dict[str, list[CompiledRule]] = {}
        for rule in self.rules:
            if rule.acts_on:
                self.by_trigger.setdefault(rule.acts_on, []).append(rule)
        self.whens = [rule for rule in self.rules if rule.said.on.when is not None]
        #: What conditions depend on: a table, an aggregate, a segment.
        self.tokens = frozenset(token for one in (
            *(segment.condition for segment in self.segments), *(rule.when for rule in self.whens))
            for token in one.tokens)
        self._whens_of = {token: [rule for rule in self.whens if token in rule.when.tokens]
                          for token in self.tokens}

    def entry(self, event: Interaction) -> Entry | None:
        """What an event concerns; None: nothing."""
        by_name = self._by_type.get(event["type"])
        if by_name is None:
            return None
        name = event["event"]
        found = by_name.get(named(name)) if name else None
        return by_name.get("") if found is None else found

    def whens_of(self, changed: Collection[str]) -> Sequence[CompiledRule]:
        """The rules on conditions that depend on something that changed, as they stand."""
        found = [rule for token in changed for rule in self._whens_of.get(token, ())]
        if len(changed) > 1 and len(found) > 1:
            found = sorted(set(found), key=lambda rule: rule.number)
        return found

    def _entries(self, call: str) -> dict[str, Entry]:
        """Matched name -> what it concerns; "" for all other names."""
        starting = [rule for rule in self.rules if rule.said.on.call == call]
        ending = [(rule, rule.said.unless) for rule in self.rules
                  if rule.said.unless is not None and (rule.said.unless.call or (
                      call if call != outcomes.CALL else None)) == call]
        names = {named(rule.said.on.event) for rule in starting if rule.said.on.event is not None}
        names |= {named(over.event) for _rule, over in ending if over.event is not None}
        made = {}
        for name in {"", *names}:
            rules = [rule for rule in starting
                     if rule.said.on.event is None or (name and named(rule.said.on.event) == name)]
            enders = [Ender(rule, over) for rule, over in ending
                      if over.event is None or (name and named(over.event) == name)]
            if rules or enders:  # always, but for all other names
                made[name] = Entry(rules, enders)
        return made

    def _check(self, tables: Sequence[AnyTable]) -> None:
        """Refuses names that clash and chains that do not end."""
        told = {name for table in tables for name in table.triggers}
        known = {segment.said.name for segment in self.segments}
        by_name = {rule.name: rule for rule in self.rules}
        codes: dict[int, str] = {}
        for n, rule in enumerate(self.rules):
            place = (RULES, "definitions", n)
            if rule.name in told:
                raise MisfitError(f"{rule.name!r} is the name of a table's trigger", *place, "name")
            if codes.setdefault(rule.code, rule.name) != rule.name:
                raise MisfitError(f"{rule.name!r} cannot be told from {codes[rule.code]!r}: choose "
                                  "another name", *place, "name")
            on = rule.said.on
            if on.trigger is not None and on.trigger not in told and on.trigger not in by_name:
                known_triggers = ", ".join(sorted({*told, *by_name}))
                raise MisfitError(f"nobody tells {on.trigger!r}; there are {known_triggers}",
                                  *place, "on", "trigger")
            for key in ("enters", "leaves"):
                name = getattr(on, key)
                if name is not None and name not in known:
                    raise MisfitError(f"there is no segment {name!r}; known: "
                                      f"{', '.join(sorted(known)) or 'none'}", *place, "on", key)
            self._check_chain(rule, by_name, place)

    def _check_ring(self) -> None:
        """Refuses segments that ask for each other."""
        asked = {segment.said.name: segment.asked for segment in self.segments}
        for n, segment in enumerate(self.segments):
            seen: set[str] = set()
            following = set(segment.asked)
            while following:
                seen |= following
                following = {name for one in following for name in asked[one]} - seen
            if segment.said.name in seen:
                raise MisfitError(f"{segment.said.name!r} asks for itself, by way of "
                                  f"{', '.join(sorted(seen))}", SEGMENTS, "definitions", n, "if")

    def _check_chain(self, rule: CompiledRule, by_name: Mapping[str, CompiledRule],
                     place: tuple[str | int, ...]) -> None:
        chain = [rule.name]
        while (before := by_name.get(by_name[chain[-1]].acts_on)) is not None:
            chain.append(before.name)
            if before.name in chain[:-1] or len(chain) > CHAIN_MAX:
                what = "act on each other" if before.name in chain[:-1] else (
                    f"act on each other in a chain of more than {CHAIN_MAX}")
                raise MisfitError(f"rules {what}: {' <- '.join(chain)}", *place, "on", "trigger")

    @property
    def listened(self) -> Iterable[str]:
        """The triggers of tables and segments that some rule acts on."""
        return self.by_trigger.keys()


def _ordered(segments: Sequence[CompiledSegment]) -> list[CompiledSegment]:
    """Each after those that it asks for, else as they stand."""
    found: dict[str, CompiledSegment] = {}
    while len(found) < len(segments):
        for segment in segments:
            if segment.asked <= found.keys():
                found.setdefault(segment.said.name, segment)
    return list(found.values())


def _ms(span: str | None) -> int:
    return 0 if span is None else span_ms(span)

"""Whether a condition can hold at all, or cannot but hold: never, always, or it depends.

Decides by its parts and by `bounds.py`. Segments that it names are looked into; CEL is not. Says
`DEPENDS` wherever it is not sure. Pure; knows no customer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from footfall.errors import MisfitError
from footfall.rules.bounds import ALWAYS_THERE, COUNTS, Subject, contradiction, follows, is_certain
from footfall.tables.rules_fields import ANY, EVENT, TEXTS, TRIGGER, Catalogue
from footfall.tables.rules_row import Condition
from footfall.tables.segments_row import Segment

NEVER: Final = "never"
ALWAYS: Final = "always"
DEPENDS: Final = "depends"
#: Of an event's envelope: one text each.
_SINGLE: Final = frozenset({"event.type", "event.name", "event.channel"})
Path = tuple[str | int, ...]


class Part(NamedTuple):
    """Something that must hold, or, negated, must not; and where it stands. `path` is None for what
    follows from elsewhere: a segment that is entered.
    """

    said: Condition
    path: Path | None = None
    is_negated: bool = False


class Found(NamedTuple):
    """A condition that is never or always true, and why."""

    truth: str
    path: Path
    why: str


class Truth:
    """Judges conditions under one configuration."""

    def __init__(self, catalogue: Catalogue, segments: Iterable[Segment]) -> None:
        self._catalogue = catalogue
        self._segments: Mapping[str, Segment] = {one.name: one for one in segments}

    def of(self, said: Condition, path: Path = ()) -> tuple[str, list[Found]]:
        """The truth of a condition, and what of it is never or always true, the innermost first."""
        if not said.group:
            return self._leaf(said, path)
        inner = [self.of(one, (*path, said.group, n)) for n, one in enumerate(said.members)]
        truths = [truth for truth, _found in inner]
        found = [one for _truth, some in inner for one in some]
        truth, of_group = self._grouped(said, path, truths)
        return truth, found if of_group is None else [*found, of_group]

    def together(self, parts: Sequence[Part]) -> Found | None:
        """Why parts that must all hold cannot; None where they may."""
        flat = self.flat(parts)
        by_subject: dict[str, tuple[Subject, list[Part]]] = {}
        for part in flat:
            subject = self.subject(part.said)
            if subject is not None:
                by_subject.setdefault(subject.key, (subject, []))[1].append(part)
        for subject, members in by_subject.values():
            why = _against(subject, members)
            if why:
                place = next((one.path for one in reversed(members) if one.path is not None), ())
                return Found(NEVER, place, f"{subject.shown} {why}")
        return None

    def flat(self, parts: Sequence[Part]) -> list[Part]:
        """The comparisons among parts that must all hold: of `all`, of segments that are named."""
        found: list[Part] = []
        looked_into: set[str] = set()
        waiting = list(parts)
        while waiting:
            part = waiting.pop(0)
            said, path = part.said, part.path
            group = said.group
            if group and group == ("any" if part.is_negated else "all"):
                waiting += [Part(one, None if path is None else (*path, group, n), part.is_negated)
                            for n, one in enumerate(said.members)]
            elif group == "none" and not part.is_negated:
                waiting += [Part(one, None if path is None else (*path, group, n), True)
                            for n, one in enumerate(said.members)]
            else:
                found.append(part)
                segment = self._segments.get(said.segment or "")
                if segment is not None and segment.name not in looked_into:
                    looked_into.add(segment.name)
                    waiting.append(Part(segment.if_, None, part.is_negated))
        return found

    def implies(self, parts: Sequence[Part], others: Sequence[Part]) -> bool:
        """Whether all of `others` hold wherever all of `parts` do."""
        given = self.flat(parts)
        return all(any(self._follows(one, other) for one in given) for other in self.flat(others))

    def subject(self, said: Condition) -> Subject | None:
        """What a comparison is about; None for a group and for CEL."""
        if said.segment is not None:
            return Subject(f"segment {said.segment}", f"segment {said.segment}")
        if said.of is not None:
            key = msgspec.json.encode((said.of, said.over, said.value, said.window)).decode()
            name = f"{said.of} over {said.window}"
            return Subject(key, name, said.of != "unique_list", said.of in COUNTS,
                           said.of in ALWAYS_THERE)
        if said.field is None:
            return None
        root = said.field.partition(".")[0]
        if root in (EVENT, TRIGGER):
            return Subject(said.field, said.field, is_single=said.field in _SINGLE)
        try:
            kind = self._catalogue.source(said.field, subject="").kind
        except MisfitError:
            kind = ANY
        return Subject(said.field, said.field, is_single=kind not in (ANY, TEXTS))

    def _leaf(self, said: Condition, path: Path) -> tuple[str, list[Found]]:
        subject = self.subject(said)
        if said.segment is not None:
            segment = self._segments.get(said.segment)
            return (self.of(segment.if_)[0] if segment is not None else DEPENDS), []
        if subject is None:
            return DEPENDS, []
        why = contradiction(subject, [said])
        if why:
            return NEVER, [Found(NEVER, path, f"{subject.shown} {why}")]
        if is_certain(subject, said):
            return ALWAYS, [Found(ALWAYS, path, f"{subject.shown} is always so")]
        return DEPENDS, []

    def _grouped(self, said: Condition, path: Path, truths: Sequence[str]
                 ) -> tuple[str, Found | None]:
        """The truth of a group, and why where its members alone do not say it."""
        if said.group == "any":
            if all(truth == NEVER for truth in truths):
                return NEVER, None
            if ALWAYS in truths:
                return ALWAYS, None
            if _completes(said.members):
                return ALWAYS, Found(ALWAYS, path, "two of these are each other's opposite")
            return DEPENDS, None
        bad, good = (NEVER, ALWAYS) if said.group == "all" else (ALWAYS, NEVER)
        if bad in truths:
            return NEVER, None
        if all(truth == good for truth in truths):
            return ALWAYS, None
        found = self.together([Part(said, path)])
        return (NEVER, found) if found is not None else (DEPENDS, None)

    def _follows(self, given: Part, wanted: Part) -> bool:
        if given.is_negated != wanted.is_negated:
            return False
        if given.said == wanted.said:
            return True
        one, other = self.subject(given.said), self.subject(wanted.said)
        if one is None or other is None or one.key != other.key or given.said.segment is not None:
            return False
        judged: Callable[[Condition, Condition], bool] = follows
        return (judged(wanted.said, given.said) if given.is_negated
                else judged(given.said, wanted.said))


def _against(subject: Subject, members: Sequence[Part]) -> str:
    """Why comparisons of one subject cannot all hold."""
    wanted = [one.said for one in members if not one.is_negated]
    refused = [one.said for one in members if one.is_negated]
    for one in wanted:
        for other in refused:
            if one == other or (subject.key == f"segment {one.segment}"):
                return "must hold and must not"
            if other.operator and follows(one, other):
                return f"{one.operator} {one.operand!r} must hold and {other.operator} must not"
    return contradiction(subject, wanted) if wanted and not wanted[0].segment else ""


def _completes(members: Sequence[Condition]) -> bool:
    """Whether two of them are each other's opposite."""
    said = set()
    for one in members:
        if one.operator in ("equals", "not_equals", "exists") and one.of is None:
            said.add((one.field, one.operator, repr(one.operand)))
    return any((field, "not_equals", operand) in said if operator == "equals" else
               (field, "exists", repr(operand != "True")) in said
               for field, operator, operand in said if operator in ("equals", "exists"))

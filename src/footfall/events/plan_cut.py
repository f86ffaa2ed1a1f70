"""What a rule of the tracking plan finds in one item, and what it takes out of it.

Decides what fits, what goes, and as which `Found` each is told. A property is told once: by the
first of its keywords, in the order of their names; each property that is missing is one. Bytes of
what stays are never touched. Must never put a value into a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from footfall.errors import Done, Finding, Found
from footfall.events.admit import split
from footfall.events.arrival import Raws
from footfall.events.consent import NECESSARY
from footfall.events.field_names import shown
from footfall.events.fields import FieldError
from footfall.events.plan_rule import Document, Path, Property, Rule

#: Of what the schema says nothing; and of what consent does not cover.
UNDECLARED = "undeclared"
CONSENT = "consent"


class Misfit(NamedTuple):
    """A place that does not fit its schema: by which keyword, and what is missing there, if so."""

    keyword: str
    missing: str


class Cut(NamedTuple):
    """By what an item is cut. `root`: where its object stands. `covered` None: it has said nothing
    of consent.
    """

    said: Document
    root: str
    covered: frozenset[str] | None
    misfits: Mapping[Path, Misfit]


def misfits(rule: Rule, value: Any, root: str, found: list[Found]) -> Mapping[Path, Misfit]:
    """Places that are to be omitted; what does not fit and stays is told here."""
    if rule.validator.is_valid(value):
        return {}
    said = rule.said
    places: dict[Path, Misfit] = {}
    absent: set[Misfit] = set()
    for error in rule.validator.iter_errors(value):
        misfit = Misfit(error.kind.name, getattr(error.kind, "property", ""))
        path = tuple(error.instance_path)
        if path:
            places[path] = min(misfit, places.get(path, misfit))
        else:  # of the whole: something is missing, which cannot be omitted
            absent.add(misfit)
    done: Done = "rejected" if said.violation == "reject" else "allowed"
    told: list[tuple[Path, Misfit]] = [((), misfit) for misfit in sorted(absent)]
    if said.violation != "omit":
        told += places.items()
    violations = [_found(said, "violated", _field(rule.declared, root, path, misfit.missing),
                         misfit.keyword, done) for path, misfit in told]
    if done == "rejected":
        path = min([*places, *(() for _ in absent)], key=str)
        raise FieldError("plan_violated", ".".join([root, *_known(rule.declared, path)]),
                         "does not fit the tracking plan of this event", violations)
    found.extend(violations)
    return places if said.violation == "omit" else {}


def prune_member(members: Raws, name: str, cut: Cut, declared: Mapping[str, Property],
                 found: list[Found]) -> bool:
    """Prunes one object of an item; True where something went."""
    raw = bytes(members.get(name, _NULL))
    if not raw.startswith(b"{"):
        return False
    before = len(found)
    pruned = _Pruning(cut, declared, found).prune(raw, declared, ())
    if len(found) == before:
        return False
    members[name] = msgspec.Raw(pruned)
    return True


class _Pruning(NamedTuple):
    """One object of an item on its way: by what it is cut, and what was found so far."""

    cut: Cut
    declared: Mapping[str, Property]
    found: list[Found]

    def prune(self, raw: bytes, declared: Mapping[str, Property], at: Path) -> bytes:
        """An object or array less what may not be kept; the same bytes where nothing goes."""
        before = len(self.found)
        if raw.startswith(b"["):
            parts: list[bytes] = []
            for n, part in enumerate(_list.decode(raw)):
                if not self._goes("violated", (*at, n)):
                    parts.append(self.prune(bytes(part), declared, (*at, n)))
            return raw if len(self.found) == before else b"[" + b",".join(parts) + b"]"
        if not raw.startswith(b"{"):
            return raw
        kept: Raws = {}
        for name, value in split(raw).items():
            said, path = declared.get(name), (*at, name)
            if self._goes(_finding(said, path, self.cut), path):
                continue
            if said is not None and _leads_on(said, path, self.cut):
                value = msgspec.Raw(self.prune(bytes(value), said.inside, path))  # noqa: PLW2901
            kept[name] = value
        return raw if len(self.found) == before else msgspec.json.encode(kept)

    def _goes(self, finding: Finding | None, path: Path) -> bool:
        """Whether a place goes, for what was found there; then it is told."""
        if finding is None:
            return False
        misfit = self.cut.misfits.get(path)
        if finding == "violated":
            if misfit is None:
                return False
            keyword, missing = misfit
        else:
            keyword, missing = UNDECLARED if finding == "undeclared" else CONSENT, ""
        field = _field(self.declared, self.cut.root, path, missing)
        self.found.append(_found(self.cut.said, finding, field, keyword, "omitted"))
        return True


def _finding(said: Property | None, path: Path, cut: Cut) -> Finding | None:
    """Why a property goes; None: it stays."""
    if path in cut.misfits:
        return "violated"
    if said is None:
        return "undeclared" if cut.said.undeclared == "omit" else None
    if cut.covered is not None and said.purpose != NECESSARY and said.purpose not in cut.covered:
        return "not_covered"
    return None


def _leads_on(said: Property, path: Path, cut: Cut) -> bool:
    """Whether anything inside may have to go."""
    return bool(said.inside) or any(misfit[:len(path)] == path for misfit in cut.misfits)


def _known(declared: Mapping[str, Property], path: Path) -> list[str]:
    """As far as the plan declares it: other names are the sender's, and may be anything."""
    known = []
    for part in path:
        if isinstance(part, int):
            continue
        if part not in declared:
            break
        known.append(part)
        declared = declared[part].inside
    return known


def _field(declared: Mapping[str, Property], root: str, path: Path, missing: str) -> str:
    """The dotted path of a property; of names that the plan does not declare what may be shown."""
    known = _known(declared, path)
    names = [part for part in path if isinstance(part, str)]
    # What is missing stands in the schema: its author named it.
    return ".".join([root, *known, *map(shown, names[len(known):]), *([missing] * bool(missing))])


def _found(said: Document, finding: Finding, field: str, keyword: str, done: Done
           ) -> Found:
    return Found(finding, said.call, said.event, said.version, field, keyword, done)


_NULL = msgspec.Raw(b"null")
_list = msgspec.json.Decoder(list[msgspec.Raw])

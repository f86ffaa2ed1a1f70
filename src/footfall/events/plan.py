"""The tracking plan: what an item's properties must look like, and what of them may be kept.

Decides, for each planned event, three things: whether its properties fit their JSON Schema (and
then: allow, omit what does not fit, or reject the item), which properties the item's own consent
does not cover, and, where the plan is strict, which are not declared at all. What goes is cut out
of the bytes that came, before the log; what stays keeps its spelling. Each property names its class
and its purpose; a purpose is a consent category, or `necessary`, which needs none.
An item without a consent object has said nothing and loses nothing: sending is decided later.
One that cannot be read covers nothing. Must never put a value into a finding, and no name that the
plan does not declare.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import jsonschema_rs
import msgspec

from footfall.errors import ConfigError
from footfall.events.admit import split
from footfall.events.arrival import Finding, Found, Raws
from footfall.events.fields import TEXT_CHARS_MAX, FieldError

#: Names of members and places in arrays.
Path = tuple[str | int, ...]
Call = Literal["identify", "track", "page", "screen", "group"]
Class = Literal["public", "internal", "personal", "sensitive"]

NECESSARY = "necessary"
PROPERTIES_MAX = 1_000
_CLASSES = frozenset({"public", "internal", "personal", "sensitive"})
_TRAITS = frozenset({"identify", "group"})


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file of a plan: one version of one event. docs/plan.md says what each means."""

    #: Of `track`, or the name of a page or screen; "" for every one, and for the other calls.
    event: str = ""
    call: Call = "track"
    version: str = "1"
    violation: Literal["allow", "omit", "reject"] = "allow"
    undeclared: Literal["allow", "omit"] = "allow"
    schema: dict[str, Any]


class Property(NamedTuple):
    """A declared property; `inside` are those of its object, or of each object of its array."""

    kind: str
    purpose: str
    inside: Mapping[str, Any]


class Rule(NamedTuple):
    """A document that has been checked."""

    said: Document
    declared: Mapping[str, Property]
    validator: Any


class Plan:
    """All rules; of several versions of an event the last is used where an item names none."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = sorted(rules, key=lambda r: (r.said.call, r.said.event, _order(r.said)))
        self._rules: dict[tuple[str, str, str], Rule] = {}
        for rule in self.rules:
            said = rule.said
            if (said.call, said.event, said.version) in self._rules:
                raise ConfigError(f"plan: {said.call} {said.event!r} has version {said.version} "
                                  "twice")
            self._rules[said.call, said.event, said.version] = rule
            self._rules[said.call, said.event, ""] = rule

    def apply(self, call: str, event: str, members: Raws, context: Any, body: Any) -> list[Found]:
        """Takes out of `members` what may not be kept; raises `FieldError` to reject the item.

        `context` and `body` (its traits or properties) are two of the members, decoded.
        """
        rule = self._rule(call, event, context)
        traits = self._rules.get(("identify", "", ""))
        if rule is None and traits is None:
            return []
        found: list[Found] = []
        covered = _covered(context) if isinstance(context, dict) else None
        if rule is not None:
            name = body_of(call)
            _prune_member(members, name, _Cut(
                rule.said, covered, _misfits(rule, {} if body is None else body, name, found)),
                rule.declared, found)
        if traits is not None and isinstance(context, dict) and context.get("traits"):
            inner = split(bytes(members["context"]))
            cut = _Cut(traits.said, covered, frozenset())
            if _prune_member(inner, "traits", cut, traits.declared, found):
                members["context"] = msgspec.Raw(msgspec.json.encode(inner))
        return found

    def _rule(self, call: str, event: str, context: Any) -> Rule | None:
        said = context.get("protocols") if isinstance(context, dict) else None
        version = said.get("event_version") if isinstance(said, dict) else None
        stated = version if isinstance(version, str) else str(version or "")
        for name in (event, "") if event else ("",):
            found = self._rules.get((call, name, stated)) or self._rules.get((call, name, ""))
            if found is not None:
                return found
        return None


def body_of(call: str) -> str:
    """The member of an item that the rule of its call is about."""
    return "traits" if call in _TRAITS else "properties"


def rule_of(said: Document) -> Rule:
    """Checks a document; raises `ConfigError` naming the property."""
    if said.call in ("identify", "group") and said.event:
        raise ConfigError(f"event: {said.call} has none; leave it out")
    if said.call == "track" and not said.event:
        raise ConfigError("event: is absent or empty; track needs it")
    if len(said.event) > TEXT_CHARS_MAX:
        raise ConfigError(f"event: is {len(said.event)} characters long; at most {TEXT_CHARS_MAX}")
    _refuse_references(said.schema)
    counted = [0]
    declared = _declared(said.schema, "schema", counted)
    try:
        validator = jsonschema_rs.Draft202012Validator(said.schema)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise ConfigError(f"schema: is no JSON Schema ({getattr(error, 'message', error)})"
                          ) from None
    return Rule(said, declared, validator)


def _declared(schema: Any, path: str, counted: list[int]) -> dict[str, Property]:
    """The properties that a schema declares, each with class and purpose."""
    if isinstance(schema, dict) and isinstance(schema.get("items"), dict):
        schema = schema["items"]
    inner = schema.get("properties", {}) if isinstance(schema, dict) else {}
    if not isinstance(inner, dict):
        raise ConfigError(f"{path}.properties: is no object")
    found = {}
    for name, said in inner.items():
        at = f"{path}.{name}"
        counted[0] += 1
        if counted[0] > PROPERTIES_MAX:
            raise ConfigError(f"schema: declares more than {PROPERTIES_MAX} properties")
        if not isinstance(said, dict):
            raise ConfigError(f"{at}: is no object")
        kind, purpose = said.get("class"), said.get("purpose")
        if kind not in _CLASSES:
            raise ConfigError(f"{at}: `class` is none of {', '.join(sorted(_CLASSES))}")
        if not isinstance(purpose, str) or not purpose:
            raise ConfigError(f"{at}: `purpose` is absent; name a consent category, or {NECESSARY}")
        found[name] = Property(kind, purpose, _declared(said, at, counted))
    return found


def _refuse_references(schema: Any) -> None:
    """Nothing is fetched: a schema refers to itself or to nothing."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            for name in ("$ref", "$dynamicRef"):
                if isinstance(one.get(name), str) and not one[name].startswith("#"):
                    raise ConfigError(f"schema: {name} leads outside of its document")
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _order(said: Document) -> tuple[int, str]:
    """Versions in their order: 10 comes after 9."""
    return (int(said.version) if said.version.isdecimal() else 0, said.version)


# -- one item ------------------------------------------------------------------------------------


class _Cut(NamedTuple):
    """By what an item is cut. `covered` None: it has said nothing of consent."""

    said: Document
    covered: frozenset[str] | None
    misfits: frozenset[Path]


def _misfits(rule: Rule, value: Any, root: str, found: list[Found]) -> frozenset[Path]:
    """Paths that are to be omitted; what does not fit and stays is told here."""
    if rule.validator.is_valid(value):
        return frozenset()
    said = rule.said
    paths = {tuple(error.instance_path) for error in rule.validator.iter_errors(value)}
    if said.violation == "reject":
        path = ".".join([root, *_known(rule, min(paths, key=str))])
        raise FieldError("plan_violated", path, "does not fit the tracking plan of this event")
    if said.violation == "omit":
        # Of the whole: something is missing, which cannot be omitted.
        paths, omitted = paths & {()}, paths - {()}
    else:
        omitted = set()
    found.extend(Found("violated", said.call, said.event) for _ in paths)
    return frozenset(omitted)


def _known(rule: Rule, path: Path) -> list[str]:
    """As far as the plan declares it: other names are the sender's, and may be anything."""
    at: Mapping[str, Any] = rule.declared
    known = []
    for part in path:
        if isinstance(part, int):
            continue
        if part not in at:
            break
        known.append(part)
        at = at[part].inside
    return known


def _prune_member(members: Raws, name: str, cut: _Cut, declared: Mapping[str, Property],
                  found: list[Found]) -> bool:
    """Prunes one object of an item; True where something went."""
    raw = bytes(members.get(name, _NULL))
    if not raw.startswith(b"{"):
        return False
    gone: list[Finding] = []
    pruned = _prune(raw, declared, (), cut, gone)
    found.extend(Found(finding, cut.said.call, cut.said.event) for finding in gone)
    if gone:
        members[name] = msgspec.Raw(pruned)
    return bool(gone)


def _prune(raw: bytes, declared: Mapping[str, Property], at: Path, cut: _Cut,
           gone: list[Finding]) -> bytes:
    """An object or array less what may not be kept; the same bytes where nothing goes."""
    before = len(gone)
    if raw.startswith(b"["):
        parts: list[bytes] = []
        for n, part in enumerate(_list.decode(raw)):
            if (*at, n) in cut.misfits:
                gone.append("violated")
            else:
                parts.append(_prune(bytes(part), declared, (*at, n), cut, gone))
        return raw if len(gone) == before else b"[" + b",".join(parts) + b"]"
    if not raw.startswith(b"{"):
        return raw
    kept: Raws = {}
    for name, value in split(raw).items():
        said, path = declared.get(name), (*at, name)
        finding = _finding(said, path, cut)
        if finding is not None:
            gone.append(finding)
            continue
        if said is not None and _leads_on(said, path, cut):
            value = msgspec.Raw(_prune(bytes(value), said.inside, path, cut, gone))  # noqa: PLW2901
        kept[name] = value
    return raw if len(gone) == before else msgspec.json.encode(kept)


def _leads_on(said: Property, path: Path, cut: _Cut) -> bool:
    """Whether anything inside may have to go."""
    return bool(said.inside) or any(misfit[:len(path)] == path for misfit in cut.misfits)


def _finding(said: Property | None, path: Path, cut: _Cut) -> Finding | None:
    """Why a property goes; None: it stays."""
    if path in cut.misfits:
        return "violated"
    if said is None:
        return "undeclared" if cut.said.undeclared == "omit" else None
    if cut.covered is not None and said.purpose != NECESSARY and said.purpose not in cut.covered:
        return "not_covered"
    return None


def _covered(context: Mapping[str, Any]) -> frozenset[str] | None:
    """The categories that the item's consent covers; None where it has no consent object.

    Segment's form is `consent.categoryPreferences`, RudderStack's `consentManagement` with
    `allowedConsentIds`. Where both are there a category must stand in both.
    """
    found: frozenset[str] | None = None
    for name, read in (("consent", _of_segment), ("consentManagement", _of_rudder)):
        said = context.get(name)
        if said is not None:
            covered = read(said)
            found = covered if found is None else found & covered
    return found


def _of_segment(said: Any) -> frozenset[str]:
    preferences = said.get("categoryPreferences") if isinstance(said, dict) else None
    if not isinstance(preferences, dict):
        return frozenset()
    return frozenset(name for name, is_given in preferences.items() if is_given is True)


def _of_rudder(said: Any) -> frozenset[str]:
    allowed = said.get("allowedConsentIds") if isinstance(said, dict) else None
    if not isinstance(allowed, list):
        return frozenset()
    return frozenset(name for name in allowed if isinstance(name, str))


_NULL = msgspec.Raw(b"null")
_list = msgspec.json.Decoder(list[msgspec.Raw])

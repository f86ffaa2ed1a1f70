"""Conditions of rules and segments, compiled once to functions of what is seen of a customer.

Decides how conditions are put together and numbered, what one depends on, and when time alone may
change it. What is refused is refused here, when it is compiled, with the path of its key. What
operators mean is in `rules_operators.py`, what is counted in `rules_aggregates.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any, Final

import msgspec

from footfall.errors import MisfitError
from footfall.events import amount
from footfall.tables.rules_aggregates import aggregate
from footfall.tables.rules_fields import (
    NUMBER,
    TEXTS,
    Catalogue,
    Seen,
    Source,
)
from footfall.tables.rules_operators import Test, comparison
from footfall.tables.rules_row import Condition, span_ms

#: Prefix of what a condition on a segment depends on. All else is a table, or an aggregate.
SEGMENT: Final = "segment:"
HOLDS: Final = -1


class Leaf:
    """One comparison: `test`, what it compares, and where it stands."""

    def __init__(self, said: Condition, test: Test, shown: Callable[[Seen], Any],
                 tokens: Iterable[str] = ()) -> None:
        self.said = said
        self.test = test
        self.shown = shown
        self.tokens = frozenset(tokens)
        self.paths: list[str] = []
        self.changes_at: Callable[[Seen], int | None] | None = None

    def evidence(self, seen: Seen) -> dict[str, Any]:
        """What was asked, what was found, and whether it holds."""
        said = msgspec.to_builtins(self.said)
        return {"condition": _plain(said), "value": self.shown(seen), "holds": self.test(seen)}


class Node:
    """A part of a condition. `number`: as `rules_outcomes.py` counts them."""

    def __init__(self, number: int, said: Condition, test: Test, leaf: Leaf | None,
                 members: Sequence[Node] = ()) -> None:
        self.number = number
        self.said = said
        self.test = test
        self.leaf = leaf
        self.members = members
        self.leaves: list[Leaf] = [leaf] if leaf is not None else [
            inner for member in members for inner in member.leaves]

    def decider(self, seen: Seen) -> Node:
        """What of it decided that it does not hold."""
        group = self.said.group
        if group == "all":
            return next((m.decider(seen) for m in self.members if not m.test(seen)), self)
        if group == "none":
            return next((m for m in self.members if m.test(seen)), self)
        return self


class Compiled:
    """A condition: the parts that must all hold, in order. Without any it always holds."""

    def __init__(self, root: Node | None) -> None:
        parts: Sequence[Node] = ()
        if root is not None:
            parts = root.members if root.said.all is not None else (root,)
        self._parts = parts
        self._tests = [part.test for part in parts]
        #: Of each part its number, 0 where what decides lies within it.
        self._numbers = [part.number if part.leaf is not None else 0 for part in parts]
        leaves = self._leaves = [leaf for part in parts for leaf in part.leaves]
        self.tokens = frozenset(token for leaf in leaves for token in leaf.tokens)
        self.paths = [path for leaf in leaves for path in leaf.paths]
        self._clocks = [leaf.changes_at for leaf in leaves if leaf.changes_at is not None]

    def failed(self, seen: Seen) -> int:
        """The place of the first part that does not hold, or HOLDS."""
        for n, test in enumerate(self._tests):
            if not test(seen):
                return n
        return HOLDS

    def holds(self, seen: Seen) -> bool:
        """Whether all of it holds."""
        return self.failed(seen) == HOLDS

    def number(self, seen: Seen, place: int) -> int:
        """The number of what decided, of the part at a place that does not hold."""
        return self._numbers[place] or self._parts[place].decider(seen).number

    def found(self, seen: Seen, place: int) -> str:
        """The value that decided, as short text; "" where a group did."""
        leaf = self._parts[place].decider(seen).leaf
        value = None if leaf is None else leaf.shown(seen)
        return "" if value is None else str(value)

    def evidence(self, seen: Seen) -> list[dict[str, Any]]:
        """Of every comparison."""
        return [leaf.evidence(seen) for leaf in self._leaves]

    def changes_at(self, seen: Seen) -> int:
        """The next instant (ms) at which time alone may change it; 0: never."""
        earliest = 0
        for clock in self._clocks:
            at = clock(seen)
            if at is not None and (not earliest or at < earliest):
                earliest = at
        return earliest


class Compiler:
    """Compiles conditions under one configuration. `segments`: names that there are."""

    def __init__(self, catalogue: Catalogue, segments: Iterable[str]) -> None:
        self.catalogue = catalogue
        self._segments = frozenset(segments)

    def compiled(self, said: Condition | None, subject: str = "") -> Compiled:
        """A condition, or what always holds; MisfitError leads to the key that is refused."""
        return Compiled(None if said is None else self._node(said, subject, 1))

    def _node(self, said: Condition, subject: str, number: int) -> Node:
        group = said.group
        if not group:
            leaf = self._leaf(said, subject)
            return Node(number, said, leaf.test, leaf)
        members: list[Node] = []
        following = number + 1
        for n, one in enumerate(said.members):
            members.append(placed((group, n), self._node, one, subject, following))
            following += _count(one)
        tests = [member.test for member in members]
        return Node(number, said, _grouped(group, tests), None, members)

    def _leaf(self, said: Condition, subject: str) -> Leaf:
        if said.segment is not None:
            return self._of_segment(said, said.segment)
        if said.cel is not None:
            return self._of_cel(said, said.cel, subject)
        if said.of is not None:
            source = aggregate(said)
        else:
            assert said.field is not None
            source = placed(("field",), self.source, said.field, subject)
        test = comparison(said, source)
        leaf = Leaf(said, test, source.shown, [source.token] if source.token else ())
        if source.path:
            leaf.paths.append(source.path)
        leaf.changes_at = _changes_at(said, source)
        return leaf

    def source(self, name: str, subject: str) -> Source:
        """The field of a name."""
        return self.catalogue.source(name, subject=subject)

    def _of_segment(self, said: Condition, name: str) -> Leaf:
        if name not in self._segments:
            known = ", ".join(sorted(self._segments)) or "none"
            raise MisfitError(f"there is no segment {name!r}; known: {known}", "segment")
        code = code_of(name)

        def test(seen: Seen) -> bool:
            told = seen.row("segments")[1]
            return any(one.segment == code and one.holds for one in told.memberships)
        return Leaf(said, test, test, [f"{SEGMENT}{name}"])

    def _of_cel(self, said: Condition, text: str, subject: str) -> Leaf:
        roots = [*self.catalogue.roots(), *([subject] if subject else [])]
        program = placed(("cel",), import_module("footfall.tables.rules_cel").Program, text, roots)
        sources = [placed(("cel",), self.source, name, subject) for name in program.names]

        def shown(seen: Seen) -> Any:
            return {source.name: source.shown(seen) for source in sources}

        def test(seen: Seen) -> bool:
            return program.holds(_activation(sources, seen)) is True
        leaf = Leaf(said, test, shown, [source.token for source in sources if source.token])
        leaf.paths += [source.path for source in sources if source.path]
        clocks = [source.changes_at for source in sources if source.changes_at is not None]
        if clocks:
            leaf.changes_at = lambda seen: min(
                (at for clock in clocks if (at := clock(seen)) is not None), default=None)
        return leaf


def _grouped(group: str, tests: Sequence[Test]) -> Test:
    if group == "all":
        return lambda seen: all(test(seen) for test in tests)
    if group == "any":
        return lambda seen: any(test(seen) for test in tests)
    return lambda seen: not any(test(seen) for test in tests)


def _count(said: Condition) -> int:
    return 1 + sum(_count(one) for one in said.members)


def code_of(name: str) -> int:
    """What a rule or a segment is remembered by: 32 bits of its name's hash."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")


def _changes_at(said: Condition, source: Source) -> Callable[[Seen], int | None] | None:
    """When time alone may change whether a comparison holds."""
    clock = source.changes_at
    if said.operator not in ("older_than", "newer_than"):
        return clock
    span = span_ms(said.operand)

    def at(seen: Seen) -> int | None:
        found = [] if clock is None else [clock(seen)]
        found += [begun + span for begun in source.values(seen)]
        return min((one for one in found if one is not None and one > seen.now), default=None)
    return at


def _activation(sources: Sequence[Source], seen: Seen) -> dict[str, Any]:
    """The fields that an expression names, as nested objects."""
    made: dict[str, Any] = {}
    for source in sources:
        *names, last = source.name.split(".")
        place = made
        for name in names:
            place = place.setdefault(name, {})
        found = [Decimal(amount.text(v)) if source.kind == NUMBER else v
                 for v in source.values(seen)]
        if found:
            place[last] = found[0] if len(found) == 1 and source.kind != TEXTS else found
    return made


def _plain(value: Any) -> Any:
    """Thresholds as they were written, floats as text: triggers hold no float."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) else value


def placed(path: tuple[str | int, ...], made: Callable[..., Any], *args: Any) -> Any:
    """What a function makes; a refusal of it is led to by a path."""
    try:
        return made(*args)
    except MisfitError as error:
        raise MisfitError(str(error), *path, *(key for key in error.path if key != "")) from None

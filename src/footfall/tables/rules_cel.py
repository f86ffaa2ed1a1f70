"""CEL, the Common Expression Language, for conditions that fields and operators cannot say.

Decides what an expression may be, how values enter it, and what a failure at run time means. The
binding is Google's C++ implementation, chosen by measurement (docs/performance.md, "Rules"); it is
loaded with the first expression, so that nothing else needs it. Stays interpreted (setup.py).

- Refused when it is loaded, with line and column: what does not parse or type-check, a root that is
  not known, a result that is no truth value, a pattern that is not written out, not valid or costly
  to compile (the binding compiles it at each evaluation; RE2 itself takes linear time).
- Bounded at run time: a loop (`exists`, `all`, `map`, `in` ...) lies in no other, neither in its
  body nor in what it goes over, and there are few. So no list grows from a list: chained `map`s
  would double it each time, and take 2^n steps to compare. For the same reason `+` within a loop
  adds numbers, no texts or lists.
- Numbers of the data are doubles, whether sent as 40 or 40.25, so that a condition does not depend
  on the spelling of one event; only a whole number beyond 2^53 enters as int, so that ids stay
  apart. Comparisons go across both. Arithmetic does not, so `x + 1` is refused: write `x + 1.0`.
- What fails at run time (a field that is missing, a division by zero, data that are too large) does
  not hold; the word for it is evidence. It never raises.

Must never evaluate anything but what CEL itself defines: no function of ours, no attribute access.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal

from footfall.errors import MisfitError
from footfall.tables.rules_cel_tree import Tree, parsed
from footfall.tables.rules_row import CEL_CHARS_MAX

#: What may be wrong at run time.
Failure = Literal["missing_field", "wrong_type", "division_by_zero", "overflow", "no_such_index",
                  "not_convertible", "not_bool", "too_large", "failed"]

#: How deep an expression may be nested, and loops in all.
DEPTH_MAX: Final = 32
LOOPS_MAX: Final = 5
PATTERN_CHARS_MAX: Final = 200
#: How often a part of a pattern may be repeated by count, all counts multiplied.
PATTERN_REPEATS_MAX: Final = 100
#: Of the data that one evaluation looks at: values in all, elements of one list, characters of a
#: text. What is larger is not looked at.
VALUES_MAX: Final = 2_000
ELEMENTS_MAX: Final = 200
TEXT_CHARS_MAX: Final = 10_000

_EXACT: Final = 2**53
_INT64: Final = 2**63
_ARITHMETIC: Final = {"_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%"}
_NUMERIC: Final = ("int", "uint", "double", "time")
#: How the binding's messages begin or go on -> what we call it.
_WORDS: Final[tuple[tuple[str, Failure], ...]] = (
    ("NOT_FOUND", "missing_field"), ("divide by zero", "division_by_zero"),
    ("modulus by zero", "division_by_zero"), ("Index error", "no_such_index"),
    ("OUT_OF_RANGE", "overflow"), ("overflow", "overflow"), ("convert", "not_convertible"),
    ("No matching overloads", "wrong_type"), ("non-message", "wrong_type"), ("budget", "too_large"))
_PLACE: Final = re.compile(r"ERROR: [^:]*:(-?\d+):(-?\d+): ([^\n]*)")
_COUNTED: Final = re.compile(r"\{(\d*)(?:,(\d*))?\}")
#: Name -> what of it is read; None: all of it.
_Reads = dict[str, Any]


class Program:
    """One expression, compiled. `names`: the dotted paths that it reads, sorted; of what it reads
    whole, only the path to it (`event.properties.products` for a loop over it).
    """

    __slots__ = ("_evaluate", "_reads", "names", "text")

    def __init__(self, text: str, roots: Collection[str]) -> None:
        """Compiles `text`, which may read `roots`; raises `MisfitError` with what is wrong."""
        if len(text) > CEL_CHARS_MAX:
            raise MisfitError(f"is {len(text)} characters long; at most {CEL_CHARS_MAX}")
        self.text = text
        compiled = _compiled(text, roots)
        result = str(compiled.return_type().name())
        if result not in ("BOOL", "DYN"):
            raise MisfitError(f"gives {result}, not true or false")
        checks = _Checks(text, parsed(compiled.serialize()))
        checks.walk()
        self._reads: _Reads = checks.reads
        self.names: tuple[str, ...] = tuple(sorted(_dotted(checks.reads)))
        self._evaluate: Callable[..., Any] = compiled.eval

    def holds(self, activation: Mapping[str, Any]) -> bool | Failure:
        """Whether it holds for these values (JSON, fractions as Decimal), by name of the root; a
        word where that cannot be said, and then it does not.
        """
        try:
            room = [VALUES_MAX]
            given = {root: _picked(activation.get(root) or {}, below, room)
                     for root, below in self._reads.items()}
            value = self._evaluate(data=given)
            found = value.value()
        except _TooLarge:
            return "too_large"
        except (RuntimeError, TypeError, ValueError):
            return "failed"
        if found is True or found is False:
            return found
        if not _is_error(value):
            return "not_bool"
        return next((word for part, word in _WORDS if part in found), "failed")


class _TooLarge(Exception):
    """The data are beyond a limit."""


def _picked(value: Any, reads: _Reads | None, room: list[int]) -> Any:
    """The parts of a value that are read, as the binding takes them. `room`: values left."""
    if reads is None or not (type(value) is dict or isinstance(value, Mapping)):
        return _plain(value, room)
    made = {}
    for name, below in reads.items():
        if name in value:
            found = value[name]
            made[name] = _plain(found, room) if below is None else _picked(found, below, room)
    return made


def _plain(value: Any, room: list[int]) -> Any:
    """All of a value. By exact type, most common first: every evaluation comes through here."""
    kind = type(value)
    if kind is str:
        if len(value) > TEXT_CHARS_MAX:
            raise _TooLarge
        return value
    if kind is Decimal:
        return float(value)
    if kind is int:
        return float(value) if -_EXACT <= value <= _EXACT else _whole(value)
    if kind is float or kind is bool or value is None:
        return value
    room[0] -= len(value) if isinstance(value, Mapping | list | tuple) else 0
    if room[0] < 0:
        raise _TooLarge
    if isinstance(value, Mapping):
        return {name: _plain(below, room) for name, below in value.items()}
    if not isinstance(value, list | tuple):
        raise TypeError(f"{kind.__name__} is no JSON value")
    if len(value) > ELEMENTS_MAX:
        raise _TooLarge
    return [_plain(below, room) for below in value]


def _whole(value: int) -> int | float:
    if -_INT64 <= value < _INT64:
        return value
    try:
        return float(value)
    except OverflowError:
        raise _TooLarge from None


class _Checks:
    """What the binding allows and we do not, and what the expression reads, in one walk."""

    def __init__(self, text: str, tree: Tree) -> None:
        self._text = text
        self._tree = tree
        self._loops = 0
        self.reads: _Reads = {}

    def walk(self) -> None:
        """Refuses what is wrong; `reads` is complete then."""
        self._node(self._tree.root, frozenset(), 1, False)

    def _node(self, node: int, local: frozenset[str], depth: int, looping: bool) -> None:
        tree = self._tree
        if depth > DEPTH_MAX:
            raise self._misfit(node, f"is nested more than {DEPTH_MAX} deep")
        path = self._path(node, local)
        if path is not None:
            self._read(path)
            return
        kind = tree.kind(node)
        if kind == "loop":
            self._loop(node, local, depth, looping)
            return
        if kind == "message":
            raise self._misfit(node, "makes a message; conditions have values, lists and maps")
        if kind == "call":
            self._call(node, looping)
        for below in tree.parts(node):
            self._node(below, local, depth + 1, looping)

    def _loop(self, node: int, local: frozenset[str], depth: int, looping: bool) -> None:
        if looping:
            raise self._misfit(node, "is a loop within a loop; at most one deep, since each "
                                     "multiplies the steps")
        self._count_loop(node)
        loop = self._tree.loop(node)
        self._node(loop.over, local, depth + 1, True)
        inside = local | set(loop.names)
        for part in loop.body:
            self._node(part, inside, depth + 1, True)

    def _count_loop(self, node: int) -> None:
        self._loops += 1
        if self._loops > LOOPS_MAX:
            raise self._misfit(node, f"is one loop too many; at most {LOOPS_MAX} in one expression")

    def _call(self, node: int, looping: bool) -> None:
        tree = self._tree
        function, parts = tree.function(node), tree.parts(node)
        if function == "matches":
            self._pattern(parts[-1])
        elif function == "@in" and tree.kind(parts[-1]) != "list":
            self._count_loop(node)
        elif function in _ARITHMETIC and not tree.is_step(node):
            self._arithmetic(node, _ARITHMETIC[function], [tree.type_of(part) for part in parts],
                             looping)

    def _arithmetic(self, node: int, sign: str, types: list[str], looping: bool) -> None:
        whole = any(one in ("int", "uint") for one in types)
        if "" in types and (whole or sign == "%"):
            raise self._misfit(node, f"{sign} has a whole number beside a value of the data, whose "
                                     "numbers are fractions: write 1.0 for 1, or int(...) of the "
                                     "value")
        numbers = [part for part in self._tree.parts(node)
                   if self._tree.type_of(part) in _NUMERIC
                   or self._tree.function(part) in ("_*_", "_-_", "_/_")]
        if looping and sign == "+" and not numbers:
            raise self._misfit(node, "+ in a loop adds numbers only: write double(...) round one")

    def _pattern(self, node: int) -> None:
        pattern = self._tree.text(node)
        if pattern is None:
            raise self._misfit(node, "is a pattern that is not written out")
        if len(pattern) > PATTERN_CHARS_MAX:
            raise self._misfit(node, f"is a pattern of {len(pattern)} characters; at most "
                                     f"{PATTERN_CHARS_MAX}")
        times, counted = 1, False
        for least, most in _COUNTED.findall(pattern):
            counted = True
            times *= max(int(least or 0), int(most or 0), 1)
        if times > PATTERN_REPEATS_MAX:
            raise self._misfit(node, f"is a pattern that repeats a part {times} times by count; at "
                                     f"most {PATTERN_REPEATS_MAX}")
        if counted and re.search(r"\\[pP]", pattern):
            raise self._misfit(node, "is a pattern that repeats by count and has a class of "
                                     "Unicode (\\p): use + or *")
        tried = _patterns().eval(data={"pattern": pattern})
        if _is_error(tried):
            said = str(tried.value()).rpartition(": invalid regular expression: ")[2]
            raise self._misfit(node, f"is no valid pattern: {said[:100]}")

    def _path(self, node: int, local: frozenset[str]) -> tuple[str, ...] | None:
        """The names from a root to what a node is, where it is nothing but that."""
        tree = self._tree
        if tree.kind(node) == "name":
            name = tree.name(node)
            return None if name in local else (name,)
        if tree.kind(node) == "member" or tree.function(node) == "_[_]":
            of, name = tree.member(node)
            above = self._path(of, local) if name and "." not in name else None
            return None if above is None else (*above, name)
        return None

    def _read(self, path: tuple[str, ...]) -> None:
        at = self.reads
        for name in path[:-1]:
            below = at.setdefault(name, {})
            if below is None:
                return
            at = below
        at[path[-1]] = None

    def _misfit(self, node: int, message: str) -> MisfitError:
        offset = self._tree.offset(node)
        line = self._text.count("\n", 0, offset) + 1
        column = offset - (self._text.rfind("\n", 0, offset) + 1) + 1
        return MisfitError(f"{_place(self._text, line, column)}{message}")


def _compiled(text: str, roots: Collection[str]) -> Any:
    try:
        return _environment(frozenset(roots)).compile(text)
    except (RuntimeError, ValueError) as error:
        found = _PLACE.search(str(error))
        if found is None:
            raise MisfitError(str(error).partition(" [")[0][:200]) from None
        line, column, said = int(found[1]), int(found[2]), found[3]
        said = said.replace(" (in container '')", "").partition(" [")[0][:200]
        if said.startswith("undeclared reference"):
            said += f"; known are {', '.join(sorted(roots))}"
        if "(double, int)" in said or "(int, double)" in said:
            said += "; write 1.0 for 1 beside a fraction"
        raise MisfitError(f"{_place(text, line, column)}{said}") from None


def _place(text: str, line: int, column: int) -> str:
    if line < 1:
        return ""
    return f"line {line}, column {column}: " if "\n" in text else f"column {column}: "


def _dotted(reads: _Reads, above: str = "") -> list[str]:
    found = []
    for name, below in reads.items():
        path = f"{above}.{name}" if above else name
        found.extend([path] if below is None else _dotted(below, path))
    return found


def _is_error(value: Any) -> bool:
    return bool(value.type() == _library().Type.ERROR)


@lru_cache(maxsize=1)
def _library() -> Any:
    return importlib.import_module("cel_expr_python.cel")


@lru_cache(maxsize=1)
def _patterns() -> Any:
    """What tells whether a pattern is one."""
    return _library().NewEnv(variables={"pattern": _library().Type.STRING}).compile(
        "''.matches(pattern)")


@lru_cache(maxsize=16)
def _environment(roots: frozenset[str]) -> Any:
    """Where names are these roots, each a map of anything."""
    kinds = _library().Type
    return _library().NewEnv(variables={root: kinds.Map(kinds.STRING, kinds.DYN)
                                        for root in roots})

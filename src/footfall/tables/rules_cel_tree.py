"""The tree of a checked CEL expression, read from the protobuf that the binding writes.

Decides nothing: it says what a node is. Only the fields of `cel.expr.CheckedExpr` that are asked
for are read; their numbers are fixed for good by the published schema. The wire format is read
here, in a few lines, because the binding brings no reader and protobuf's own would bring more than
all that it reads.
"""

from __future__ import annotations

from typing import NamedTuple

_Fields = list[tuple[int, int, bytes]]

_KINDS = {3: "constant", 4: "name", 5: "member", 6: "call", 7: "list", 8: "map", 9: "loop"}
_PRIMITIVES = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "text", 6: "bytes"}


class Loop(NamedTuple):
    """A comprehension: what it goes over, the names that it binds, the rest of its parts."""

    over: int
    names: tuple[str, ...]
    body: tuple[int, ...]


class _Node(NamedTuple):
    kind: str
    name: str = ""
    parts: tuple[int, ...] = ()
    loop: Loop | None = None
    text: str | None = None


class Tree:
    """Nodes by number. `root` is the whole expression."""

    def __init__(self, root: bytes, types: dict[int, str], offsets: dict[int, int]) -> None:
        self._nodes: dict[int, _Node] = {}
        self._types = types
        self._offsets = offsets
        self._steps: set[int] = set()
        self._unnumbered = 0
        self.root = self._add(root)

    def kind(self, node: int) -> str:
        """constant, name, member, call, list, map, message, loop; none for what says nothing."""
        return self._nodes[node].kind

    def name(self, node: int) -> str:
        """The name of a variable, the member that is selected."""
        return self._nodes[node].name

    def function(self, node: int) -> str:
        """The function or operator of a call (`_+_`); "" for what is no call."""
        return self._nodes[node].name if self._nodes[node].kind == "call" else ""

    def parts(self, node: int) -> tuple[int, ...]:
        """What it is made of; of a call its target, then its arguments."""
        return self._nodes[node].parts

    def loop(self, node: int) -> Loop:
        """The parts of a comprehension."""
        loop = self._nodes[node].loop
        assert loop is not None
        return loop

    def member(self, node: int) -> tuple[int, str]:
        """Of what, and which member: of `a.b`, and of `a["b"]`; "" where it is computed."""
        found = self._nodes[node]
        if found.kind == "member":
            return found.parts[0], found.name
        return found.parts[0], self._nodes[found.parts[1]].text or ""

    def text(self, node: int) -> str | None:
        """The text that is written there; None where it is something else."""
        return self._nodes[node].text

    def type_of(self, node: int) -> str:
        """int, uint, double, time, or another; "" for what only the data say."""
        return self._types.get(node, "")

    def is_step(self, node: int) -> bool:
        """Whether it is what a macro adds to its own result."""
        return node in self._steps

    def offset(self, node: int) -> int:
        """Where it is written, in characters from the start."""
        return self._offsets.get(node, 0)

    def _add(self, data: bytes) -> int:
        number, node = 0, _Node("none")
        for field, value, inner in _fields(data):
            if field == 2:
                number = value
            elif field in _KINDS:
                node = self._read(_KINDS[field], _fields(inner))
        if number == 0 or number in self._nodes:
            self._unnumbered -= 1
            number = self._unnumbered
        self._nodes[number] = node
        return number

    def _read(self, kind: str, fields: _Fields) -> _Node:
        if kind == "constant":
            return _Node(kind, text=next((inner.decode() for field, _value, inner in fields
                                          if field == 6), None))
        if kind == "name":
            return _Node(kind, _text(fields, 1))
        if kind == "member":
            return _Node(kind, _text(fields, 2), self._all(fields, 1))
        if kind == "call":
            return _Node(kind, _text(fields, 2), self._all(fields, 1) + self._all(fields, 3))
        if kind == "list":
            return _Node(kind, parts=self._all(fields, 1))
        if kind == "map":
            entries = [_fields(inner) for field, _value, inner in fields if field == 2]
            return _Node("message" if _text(fields, 1) else kind,
                         parts=tuple(part for entry in entries
                                     for part in self._all(entry, 3) + self._all(entry, 4)))
        return self._read_loop(fields)

    def _read_loop(self, fields: _Fields) -> _Node:
        (over,) = self._all(fields, 2)
        accumulator = _text(fields, 3)
        (step,) = self._all(fields, 6)
        self._find_steps(step, accumulator)
        body = self._all(fields, 4) + self._all(fields, 5) + (step,) + self._all(fields, 7)
        names = tuple(name for name in (_text(fields, 1), accumulator, _text(fields, 8)) if name)
        return _Node("loop", loop=Loop(over, names, body))

    def _find_steps(self, node: int, accumulator: str) -> None:
        """`result + [element]` and `result + 1`, which only macros can say: `result` has a name
        that nobody can write.
        """
        found = self._nodes[node]
        if found.kind == "call" and found.name == "_+_" \
                and self._nodes[found.parts[0]].name == accumulator:
            self._steps.add(node)
        if found.kind == "call" and found.name == "_?_:_":
            for part in found.parts[1:]:
                self._find_steps(part, accumulator)

    def _all(self, fields: _Fields, wanted: int) -> tuple[int, ...]:
        return tuple(self._add(inner) for field, _value, inner in fields if field == wanted)


def parsed(data: bytes) -> Tree:
    """The tree of an expression as the binding serialises it: an Any of a CheckedExpr."""
    (checked,) = [inner for field, _value, inner in _fields(data) if field == 2]
    root, types, offsets = b"", {}, {}
    for field, _value, inner in _fields(checked):
        if field == 3:
            number, of = _entry(inner)
            types[number] = _type(_fields(of))
        elif field == 4:
            root = inner
        elif field == 5:
            offsets = {_number(_fields(place), 1): _number(_fields(place), 2)
                       for source, _value, place in _fields(inner) if source == 4}
    return Tree(root, types, offsets)


def _entry(data: bytes) -> tuple[int, bytes]:
    fields = _fields(data)
    return _number(fields, 1), next((inner for field, _v, inner in fields if field == 2), b"")


def _type(fields: _Fields) -> str:
    for field, value, _inner in fields:
        if field == 1:
            return ""
        if field == 3:
            return _PRIMITIVES.get(value, "other")
        if field == 5:
            return "time" if value in (2, 3) else ""
    return "other"


def _text(fields: _Fields, wanted: int) -> str:
    return next((inner.decode() for field, _value, inner in fields if field == wanted), "")


def _number(fields: _Fields, wanted: int) -> int:
    return next((value for field, value, _inner in fields if field == wanted), 0)


def _fields(data: bytes) -> _Fields:
    """(number, value, bytes) of each field of a message, in order."""
    found, at = [], 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, inner = 0, b""
        if tag & 7 == 0:
            value, at = _varint(data, at)
        elif tag & 7 == 2:
            length, at = _varint(data, at)
            inner, at = data[at:at + length], at + length
        else:
            at += 8 if tag & 7 == 1 else 4
        found.append((tag >> 3, value, inner))
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7

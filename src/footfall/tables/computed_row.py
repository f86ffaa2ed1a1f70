"""The row of computed traits as data: definitions as they are declared, and what is kept of each.

Decides fields, their order in the stored bytes, and what a single definition may say; what several
may say together is decided in `computed_limits.py`. A refusal carries the path of the key that it
is about. Defaults here are left out of the digest of a definition (`computed_limits.key_of`), so
none of them may ever change, nor may a new field have a default that means something else than
before. Stays interpreted (setup.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from footfall.errors import MisfitError
from footfall.events import amount, outcomes
from footfall.tables import computed_limits

Aggregate = Literal["count", "sum", "average", "min", "max", "first", "last", "most_frequent",
                    "unique_list", "distinct_count", "time_since_first", "time_since_last"]
Window = Literal["ever", "1h", "24h", "7d", "30d"]
#: `delivery`: what became of deliveries, where it is named and not else.
Call = Literal["track", "page", "screen", "identify", "group", "alias", "delivery"]
#: What a condition compares with.
Scalar = bool | int | float | str

#: Conditions of one definition, groups among them, and how deep groups may lie in each other.
CONDITIONS_MAX = 20
CONDITION_DEPTH_MAX = 4
#: Values of one `in`.
IN_MAX = 50
TEXT_CHARS_MAX = 500
PATH_CHARS_MAX = 200
PATH_NAMES_MAX = 8

_PATH = re.compile(rf"channel|(properties|traits|context)(\.[^.\[\]]+){{1,{PATH_NAMES_MAX}}}")
_OPERATORS = {"equals": "equals", "not_equals": "not_equals", "in_": "in", "greater": "greater",
              "less": "less", "exists": "exists", "contains": "contains"}
#: Those that need a path to the values they are computed of.
OF_VALUES = frozenset({"sum", "average", "min", "max", "first", "last", "most_frequent",
                       "unique_list", "distinct_count"})
#: Those that keep values, each with when or how often it was seen.
OF_CANDIDATES = frozenset({"most_frequent", "unique_list"})
_NAMED_CALLS = ("track", "page", "screen", outcomes.CALL)


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True,
                rename={"in_": "in"}):
    """One comparison of the values at a path, or a group of conditions (`all` or `any`)."""

    path: str | None = None
    equals: Scalar | None = None
    not_equals: Scalar | None = None
    in_: tuple[Scalar, ...] | None = None
    greater: int | float | str | None = None
    less: int | float | str | None = None
    exists: bool | None = None
    contains: str | None = None
    all: tuple[Condition, ...] | None = None
    any: tuple[Condition, ...] | None = None

    def __post_init__(self) -> None:
        given = [name for name in _OPERATORS if getattr(self, name) is not None]
        groups = [name for name in ("all", "any") if getattr(self, name) is not None]
        if len(given) + len(groups) != 1:
            raise MisfitError(f"a condition says one of {', '.join(_OPERATORS.values())}, all and "
                              f"any; this one says {len(given) + len(groups)} of them")
        if groups:
            if self.path is not None:
                raise MisfitError(f"a group of conditions ({groups[0]}) has no path; its members "
                                  "have", "path")
            if not getattr(self, groups[0]):
                raise MisfitError("is empty: a group has at least one condition", groups[0])
            return
        if self.path is None:
            raise MisfitError("a condition needs a path, such as properties.total", "path")
        check_path(self.path, "path")
        self._check_operands(given[0])

    def _check_operands(self, name: str) -> None:
        shown = _OPERATORS[name]
        if name in ("greater", "less"):
            check_number(getattr(self, name), shown)
        values = self.in_ if name == "in_" else (getattr(self, name),)
        assert values is not None
        check_operands(values, shown)


class Over(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events count: of a call (absent: of any), of a name, and for which `where` holds."""

    call: Call | None = None
    event: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARS_MAX)] | None = None
    where: Condition | None = None

    def __post_init__(self) -> None:
        check_event(self.call, self.event)
        if self.where is not None:
            count, depth = _measured(self.where)
            if count > CONDITIONS_MAX:
                raise MisfitError(f"has {count} conditions; at most {CONDITIONS_MAX}", "where")
            if depth > CONDITION_DEPTH_MAX:
                raise MisfitError(f"is nested {depth} deep; at most {CONDITION_DEPTH_MAX}", "where")


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One computed trait. docs/tables.md says what each aggregate is."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,49}\Z")]
    version: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    of: Aggregate
    #: `{}`: every interaction.
    over: Over
    value: str | None = None
    window: Window = "ever"
    values_max: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None

    def __post_init__(self) -> None:
        check_value(self.of, self.value)
        if self.values_max is not None and self.of not in OF_CANDIDATES:
            raise MisfitError(f"is only for {', '.join(sorted(OF_CANDIDATES))}", "values_max")


class ComputedConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The computed traits of every customer."""

    definitions: tuple[Definition, ...] = ()

    def __post_init__(self) -> None:
        computed_limits.check(self.definitions)


class State(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is kept of one definition. `shape`: its aggregate, window and limit
    (`computed_limits.shape_of`), which is all that a merge must know of it. `newest`: the greatest
    bucket held. `skipped`: values that could not be read. `cells` as `computed_cells.py` and
    `computed_candidates.py` have them.
    """

    shape: int
    newest: int = 0
    skipped: int = 0
    cells: tuple[Any, ...] = ()


class ComputedFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Of each definition: its digest, a byte that is not 0 where a limit has cut, its `State` as
    MessagePack; sorted. Packed, so that a step decodes only what it changes. `cut`: an entry was
    dropped.
    """

    entries: tuple[bytes, ...] = ()
    cut: bool = False


class ComputedTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Nothing is told."""


def check_event(call: str | None, event: str | None) -> None:
    """Refuses the name of an event whose call has none, or of an outcome that there is not."""
    if event is None:
        return
    if call not in _NAMED_CALLS:
        raise MisfitError(f"needs a call that has names: {', '.join(_NAMED_CALLS)}", "event")
    if call == outcomes.CALL and event not in outcomes.NAMES:
        raise MisfitError(f"{event[:60]!r} is nothing that becomes of a delivery; there are "
                          f"{', '.join(outcomes.NAMES)}", "event")


def check_path(path: str, key: str) -> None:
    """Refuses what leads nowhere in an item."""
    if len(path) > PATH_CHARS_MAX:
        raise MisfitError(f"is {len(path)} characters long; at most {PATH_CHARS_MAX}", key)
    if _PATH.fullmatch(path) is None:
        raise MisfitError(f"{path!r} is no path: channel, or properties, traits or context and 1 "
                          f"to {PATH_NAMES_MAX} names with dots between, such as properties.total",
                          key)


def check_value(of: Aggregate, value: str | None) -> None:
    """Refuses the path of a value where it is missing, leads nowhere or is not asked for."""
    if of in OF_VALUES:
        if value is None:
            raise MisfitError(f"{of} needs the path of its value, such as properties.total",
                              "value")
        check_path(value, "value")
    elif value is not None:
        raise MisfitError(f"{of} has no value: it is of events alone", "value")


def check_operands(values: Sequence[Scalar], key: str) -> None:
    """Refuses too many values to compare with, and such as are too long or too large."""
    if not 1 <= len(values) <= IN_MAX:
        raise MisfitError(f"has {len(values)} values; 1 to {IN_MAX}", key)
    for value in values:
        if isinstance(value, str) and not 1 <= len(value) <= TEXT_CHARS_MAX:
            raise MisfitError(f"is {len(value)} characters long; 1 to {TEXT_CHARS_MAX}", key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            check_number(value, key)


def check_number(value: Any, key: str) -> None:
    """Refuses what is no exact amount."""
    try:
        amount.parse(value if isinstance(value, int) else str(value))
    except ValueError as error:
        raise MisfitError(f"{value!r} {error}", key) from None


def _measured(condition: Condition) -> tuple[int, int]:
    """How many conditions there are, and how deep."""
    inner = [_measured(one) for one in condition.all or condition.any or ()]
    return (1 + sum(count for count, _depth in inner),
            1 + max((depth for _count, depth in inner), default=0))

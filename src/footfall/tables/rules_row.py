"""Rules as data: what a rule may say, and what is remembered of it for one customer.

Decides fields, their order in the stored bytes, and what a single rule may say by itself. What
conditions may name is in `rules_conditions.py`, what rules may say together in `rules_book.py`. A
refusal carries the path of the key that it is about. Stays interpreted (setup.py).
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec

from footfall.errors import MisfitError
from footfall.tables.computed_row import (
    TEXT_CHARS_MAX,
    Aggregate,
    Call,
    Over,
    Scalar,
    Window,
    check_event,
    check_number,
    check_operands,
    check_value,
)

NAME = r"^[a-z][a-z0-9_]{0,49}\Z"
Name = Annotated[str, msgspec.Meta(pattern=NAME)]
Version = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Description = Annotated[str, msgspec.Meta(max_length=500)]
#: A length of time: 90s, 30m, 24h, 7d, 2w.
Span = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,6}[smhdw]\Z")]
Field = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
SPAN_MS_MAX = 366 * 86_400_000
#: Conditions of one rule or segment, groups among them, and how deep groups may lie in each other.
CONDITIONS_MAX = 50
CONDITION_DEPTH_MAX = 6
SCHEDULES_MAX = 50
CEL_CHARS_MAX = 1_000
DATA_MAX = 20
RULES_MAX = 1_000
SEGMENTS_MAX = 200
#: The zone that each customer's profile names.
CUSTOMER_ZONE = "customer"
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_OPERATORS = {"equals": "equals", "not_equals": "not_equals", "in_": "in", "greater": "greater",
              "at_least": "at_least", "less": "less", "at_most": "at_most", "exists": "exists",
              "contains": "contains", "older_than": "older_than", "newer_than": "newer_than"}
COMPARISONS = ("greater", "at_least", "less", "at_most")
_GROUPS = ("all", "any", "none")
_SUBJECTS = ("field", "of", "segment", "cel")


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True,
                rename={"in_": "in"}):
    """One comparison of a field or of an aggregate of events, whether the customer is in a segment,
    an expression in CEL, or a group: all, any or none of several conditions hold.
    """

    field: Field | None = None
    #: An aggregate of events, as a computed trait has it.
    of: Aggregate | None = None
    over: Over | None = None
    value: str | None = None
    window: Window = "ever"
    segment: Name | None = None
    cel: Annotated[str, msgspec.Meta(min_length=1, max_length=CEL_CHARS_MAX)] | None = None

    equals: Scalar | None = None
    not_equals: Scalar | None = None
    in_: tuple[Scalar, ...] | None = None
    greater: int | float | str | None = None
    at_least: int | float | str | None = None
    less: int | float | str | None = None
    at_most: int | float | str | None = None
    exists: bool | None = None
    contains: str | None = None
    #: Of an instant: how long before now it lies.
    older_than: Span | None = None
    newer_than: Span | None = None

    all: tuple[Condition, ...] | None = None
    any: tuple[Condition, ...] | None = None
    none: tuple[Condition, ...] | None = None

    @property
    def operator(self) -> str:
        """The name of what is compared with, as it is written; "" where nothing is compared."""
        return next((shown for name, shown in _OPERATORS.items()
                     if getattr(self, name) is not None), "")

    @property
    def operand(self) -> Any:
        """What is compared with."""
        return next((getattr(self, name) for name in _OPERATORS
                     if getattr(self, name) is not None), None)

    @property
    def group(self) -> str:
        """all, any, none, or "" for what is no group."""
        return next((name for name in _GROUPS if getattr(self, name) is not None), "")

    @property
    def members(self) -> tuple[Condition, ...]:
        """The conditions of a group."""
        return self.all or self.any or self.none or ()

    def __post_init__(self) -> None:
        said = [name for name in (*_SUBJECTS, *_GROUPS) if getattr(self, name) is not None]
        if len(said) != 1:
            raise MisfitError(f"a condition says one of {', '.join((*_SUBJECTS, *_GROUPS))}; this "
                              f"one says {len(said)} of them")
        operators = [name for name in _OPERATORS if getattr(self, name) is not None]
        if self.group and not self.members:
            raise MisfitError("is empty: a group has at least one condition", self.group)
        needed = 0 if self.group or said[0] in ("segment", "cel") else 1
        if len(operators) != needed:
            raise MisfitError(f"{said[0]} goes with {needed} of {', '.join(_OPERATORS.values())}; "
                              f"this one has {len(operators)}")
        self._check_aggregate()
        if operators:
            self._check_operands(operators[0])

    def _check_aggregate(self) -> None:
        if self.of is None:
            for key in ("over", "value"):
                if getattr(self, key) is not None:
                    raise MisfitError("goes with an aggregate: of", key)
            if self.window != "ever":
                raise MisfitError("goes with an aggregate: of", "window")
            return
        if self.over is None:
            raise MisfitError("an aggregate needs over, which events it is of; {} is all", "over")
        check_value(self.of, self.value)

    def _check_operands(self, name: str) -> None:
        shown = _OPERATORS[name]
        if name in ("older_than", "newer_than"):
            span_ms(getattr(self, name), shown)
            return
        if name in COMPARISONS:
            check_number(getattr(self, name), shown)
        values = self.in_ if name == "in_" else (getattr(self, name),)
        assert values is not None
        check_operands(values, shown)


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A time of day, on some days of the week, in a zone: a name of the IANA time zones, or the
    customer's own (trait `timezone`; where that is missing or none, `else_zone`).
    """

    at: Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
    days: tuple[Day, ...] = DAYS
    zone: str = CUSTOMER_ZONE
    else_zone: str = "UTC"

    def __post_init__(self) -> None:
        if not self.days:
            raise MisfitError("is empty: name a day, or leave it out for every day", "days")
        for key in ("zone", "else_zone"):
            zone = getattr(self, key)
            if (key, zone) != ("zone", CUSTOMER_ZONE) and zone not in zones():
                raise MisfitError(f"{zone[:60]!r} is no IANA time zone, such as Europe/Berlin", key)


class On(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a rule acts on: an interaction or what became of a delivery (`call`, of a name where
    `event` is given), a trigger of a table or of another rule, a condition that becomes true or
    false, a segment that a customer enters or leaves, or a schedule.
    """

    call: Call | None = None
    event: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARS_MAX)] | None = None
    trigger: Name | None = None
    when: Condition | None = None
    becomes: bool = True
    enters: Name | None = None
    leaves: Name | None = None
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        kinds = ("call", "trigger", "when", "enters", "leaves", "schedule")
        said = [name for name in kinds if getattr(self, name) is not None]
        if len(said) != 1:
            raise MisfitError(f"a rule acts on one of {', '.join(kinds)}; this one on {len(said)}")
        if not self.becomes and self.when is None:
            raise MisfitError("goes with when", "becomes")
        check_event(self.call, self.event)
        if self.when is not None:
            check_size(self.when, "when")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True,
           rename={"if_": "if"}):
    """One rule: its name is that of its trigger. docs/rules.md says what each key means."""

    name: Name
    version: Version
    on: On
    if_: Condition | None = None
    #: How long after that it fires, if none of these events comes meanwhile.
    wait: Span | None = None
    unless: Over | None = None
    #: What must hold when the wait is over.
    still: Condition | None = None
    #: The field that tells apart what is waited for or fired once: properties.cart_id.
    key: Field | None = None
    once: bool = False
    cooldown: Span | None = None
    #: A firing that comes later than this after what it is about is none.
    expires: Span | None = None
    priority: Annotated[int, msgspec.Meta(ge=0, le=100)] = 50
    #: Of the rules of one group that fire in one step, the first in order of priority does.
    group: Name | None = None
    holdout_percent: Annotated[int, msgspec.Meta(ge=0, le=99)] = 0
    starts_at: str | None = None
    ends_at: str | None = None
    #: What the trigger's data has: name -> field.
    data: dict[Name, Field] = {}
    description: Description = ""

    def __post_init__(self) -> None:
        for key in ("wait", "cooldown", "expires"):
            if getattr(self, key) is not None:
                span_ms(getattr(self, key), key)
        for key in ("unless", "still"):
            if getattr(self, key) is not None and self.wait is None:
                raise MisfitError("goes with wait", key)
        if self.wait is not None and self.on.schedule is not None:
            raise MisfitError("does not go with a schedule: say a later time of day", "wait")
        if self.key is not None and self.on.schedule is not None:
            raise MisfitError("does not go with a schedule", "key")
        if self.key is not None and not (self.once or self.wait):
            raise MisfitError("goes with once or wait", "key")
        for key in ("if_", "still"):
            if getattr(self, key) is not None:
                check_size(getattr(self, key), key.rstrip("_"))
        if len(self.data) > DATA_MAX:
            raise MisfitError(f"has {len(self.data)} names; at most {DATA_MAX}", "data")
        first, last = (instant_ms(getattr(self, key), key) for key in ("starts_at", "ends_at"))
        if first is not None and last is not None and last <= first:
            raise MisfitError(f"{self.ends_at} is not after starts_at, {self.starts_at}", "ends_at")


class RulesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules in force."""

    definitions: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        check_names(self.definitions, RULES_MAX)
        scheduled = [n for n, rule in enumerate(self.definitions) if rule.on.schedule is not None]
        if len(scheduled) > SCHEDULES_MAX:
            raise MisfitError(f"has {len(scheduled)} rules with a schedule; at most "
                              f"{SCHEDULES_MAX}", "definitions", scheduled[SCHEDULES_MAX])


@cache
def zones() -> tuple[str, ...]:
    """The names of all time zones, as the pinned package `tzdata` has them."""
    return tuple((files("tzdata") / "zones").read_text().split())


def check_names(definitions: Any, count_max: int) -> None:
    """Refuses too many definitions, and two of one name."""
    if len(definitions) > count_max:
        raise MisfitError(f"has {len(definitions)} definitions; at most {count_max}", "definitions",
                          count_max)
    seen: set[str] = set()
    for n, said in enumerate(definitions):
        if said.name in seen:
            raise MisfitError(f"{said.name!r} is there twice", "definitions", n, "name")
        seen.add(said.name)


def check_size(condition: Condition, key: str) -> None:
    """Refuses a condition that has too many parts."""
    count, depth = _measured(condition)
    if count > CONDITIONS_MAX:
        raise MisfitError(f"has {count} conditions; at most {CONDITIONS_MAX}", key)
    if depth > CONDITION_DEPTH_MAX:
        raise MisfitError(f"is nested {depth} deep; at most {CONDITION_DEPTH_MAX}", key)


def span_ms(span: str, key: str = "") -> int:
    """A length of time in ms; at most 366 days."""
    length = int(span[:-1]) * UNIT_MS[span[-1]]
    if length > SPAN_MS_MAX:
        raise MisfitError(f"{span} is longer than 366 days", key)
    return length


def instant_ms(text: str | None, key: str = "") -> int | None:
    """An instant as RFC 3339 in ms; None for None."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise MisfitError(f"{text[:60]!r} is no instant such as 2026-12-01T09:00:00Z", key)
    return round(at.timestamp() * 1000)


def _measured(condition: Condition) -> tuple[int, int]:
    inner = [_measured(one) for one in condition.members]
    return (1 + sum(count for count, _depth in inner),
            1 + max((depth for _count, depth in inner), default=0))

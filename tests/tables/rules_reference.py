"""Rules and segments played again in the plainest code there is: no index, nothing kept but events.

Written from docs and laws, not from the engine: every event of a customer is kept, and at every
instant at which anything could change (an event, the end of a wait, a bucket's end, a span reached)
all conditions are looked at anew. Reads rules as they are written, as dicts. Knows no limits and no
deadlines that must settle: it is for logs whose workers are never late, and whose late events
reveal no deadline that is long past.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from footfall.events.interaction import Interaction
from footfall.tables.computed_row import Condition as Where
from footfall.tables.computed_row import Definition
from tests.tables import recount_computed
from tests.tables.recount_computed import NANO, UNITS
from tests.tables.strategies import Happening

SPANS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class Told(NamedTuple):
    """A trigger."""

    name: str
    customer: bytes
    occurred_at: int
    emitted_at: int
    #: Of a rule with a key: its value. Of a segment: its name.
    of: str | None = None


class Subject(NamedTuple):
    """What a rule acts on: an item as it was sent, or the data of a trigger."""

    item: Any = None
    data: Any = None


NOTHING = Subject()


class Firing(NamedTuple):
    """A rule that is about to fire, and when what it is about was; `n`: the how many-th to come."""

    rule: dict[str, Any]
    at: int
    key: str
    n: int


class Reference:
    """All customers under one configuration."""

    def __init__(self, rules: Sequence[dict[str, Any]], segments: Sequence[dict[str, Any]],
                 grace_ms: int) -> None:
        self.rules = rules
        self.segments = segments
        self.grace_ms = grace_ms
        self.customers: dict[bytes, Customer] = {}

    def event(self, customer: bytes, event: Interaction, when: int, clock: int) -> None:
        """An event is applied: all that was due before is told first."""
        self.passed(clock)
        if customer not in self.customers:
            self.customers[customer] = Customer(self, customer)
        self.customers[customer].happened(event, when, clock)

    def passed(self, clock: int) -> None:
        """The clock has come to an instant."""
        for customer in self.customers.values():
            while (due := min(customer.instants(), default=clock)) + self.grace_ms < clock:
                customer.wake(due)

    def told(self, customer: bytes) -> list[Told]:
        """What a customer was told, in order."""
        return self.customers[customer].told if customer in self.customers else []

    def members(self, customer: bytes) -> dict[str, int]:
        """The segments that a customer is in, and since when."""
        return dict(self.customers[customer].members) if customer in self.customers else {}


class Customer:
    """One customer: events in the order of the log, and what was told."""

    def __init__(self, reference: Reference, key: bytes) -> None:
        self._reference = reference
        self._key = key
        self._events: list[Happening] = []
        self._last = 0
        self._holding: set[str] = set()
        #: Rule -> (when, key) of all that began a wait, and ended one (None: every key's).
        self._begun: dict[str, list[tuple[int, str]]] = {}
        self._ended: dict[str, list[tuple[int, str | None]]] = {}
        #: (rule, key) -> deadlines that have passed.
        self._over: dict[tuple[str, str], list[int]] = {}
        self._fired: dict[str, list[int]] = {}
        self._once: set[tuple[str, str]] = set()
        self.members: dict[str, int] = {}
        self.told: list[Told] = []

    # -- what is looked at, and when ---------------------------------------------------------------

    def instants(self) -> list[int]:
        """Every instant after the last one at which anything could change without an event."""
        rules = self._reference.rules
        found = [(when // unit + whole + 1) * unit
                 for unit, whole in UNITS.values() for _event, when in self._events]
        spans = {span for one in (*rules, *self._reference.segments) for span in spans_in(one)}
        found += [when + span for span in spans for _event, when in self._events]
        found += [at + ms(rule["wait"]) for rule in rules if "wait" in rule
                  for at, _key in self._begun.get(rule["name"], ())]
        return [at for at in found if at > self._last]

    def happened(self, event: Interaction, when: int, clock: int) -> None:
        """An event."""
        self._events.append(Happening(event, when))
        self._look(clock, clock, Happening(event, when))

    def wake(self, now: int) -> None:
        """Nothing happens, and time has passed."""
        self._last = now
        self._look(now, now + self._reference.grace_ms, None)

    def _look(self, now: int, emitted_at: int, event: Happening | None) -> None:
        groups: set[str] = set()
        heard: list[tuple[str, int, Any]] = []
        for said in self._reference.segments:
            name = said["name"]
            if self._holds(said["if"], now) != (name in self.members):
                is_in = name not in self.members
                if is_in:
                    self.members[name] = now
                else:
                    del self.members[name]
                trigger = "segment_entered" if is_in else "segment_left"
                self.told.append(Told(trigger, self._key, now, emitted_at, name))
                heard.append((trigger, now, {"segment": name}))
        firing: list[Firing] = []
        for rule in self._reference.rules:
            firing += self._asked(rule, now, event)
        firing += self._heard(heard, now)
        while firing:
            heard = []
            for one in sorted(firing, key=lambda f: (-f.rule.get("priority", 50), f.rule["name"],
                                                     f.n, f.key)):
                if self._fires(one, now, groups):
                    rule = one.rule
                    of = one.key if "key" in rule else None
                    self.told.append(Told(rule["name"], self._key, one.at, emitted_at, of))
                    if bucket(rule["name"], self._key) >= rule.get("holdout_percent", 0):
                        heard.append((rule["name"], one.at, {}))
            firing = self._heard(heard, now)

    # -- rules -------------------------------------------------------------------------------------

    def _asked(self, rule: dict[str, Any], now: int, event: Happening | None) -> list[Firing]:
        on, name = rule["on"], rule["name"]
        found: list[Firing] = []
        begins = False
        if event is not None:
            item = item_of(event.event)
            if ("call" in on and event.event["type"] == on["call"]
                    and on.get("event", event.event["event"]) == event.event["event"]):
                begins = self._considered(rule, event.when, now, Subject(item), found)
            unless = rule.get("unless")
            # What begins a wait does not end it.
            if unless is not None and not begins and matches(unless, event.event):
                key = text_at(item, rule["key"]) if "key" in rule else None
                self._ended.setdefault(name, []).append((event.when, key or None))
        if "when" in on and self._holds(on["when"], now) != (name in self._holding):
            self._holding ^= {name}
            if (name in self._holding) == on.get("becomes", True):
                self._considered(rule, now, now, Subject(), found)
            else:
                self._ended.setdefault(name, []).append((now, None))
        if "wait" in rule and event is None:
            for key in sorted({key for _at, key in self._begun.get(name, ())}):
                deadline = self._deadline(rule, key)
                if deadline is not None and deadline <= now:
                    self._over.setdefault((name, key), []).append(deadline)
                    if "still" not in rule or self._holds(rule["still"], now):
                        found.append(Firing(rule, deadline, key, 0))
        return found

    def _deadline(self, rule: dict[str, Any], key: str) -> int | None:
        """When a wait is over; None where nothing waits."""
        name = rule["name"]
        began = max(at for at, of in self._begun[name] if of == key)
        ended = [at for at, of in self._ended.get(name, ()) if of in (None, key)]
        over = self._over.get((name, key), [])
        if began <= max(ended, default=0) or began <= max(over, default=0):
            return None
        return began + ms(rule["wait"])

    def _heard(self, triggers: Sequence[tuple[str, int, Any]], now: int) -> list[Firing]:
        found: list[Firing] = []
        for name, at, data in triggers:
            for rule in self._reference.rules:
                on = rule["on"]
                if (on.get("trigger") == name
                        or (name == "segment_entered" and on.get("enters") == data["segment"])
                        or (name == "segment_left" and on.get("leaves") == data["segment"])):
                    self._considered(rule, at, now, Subject(data=data), found)
        return found

    def _considered(self, rule: dict[str, Any], at: int, now: int, subject: Subject,
                    found: list[Firing]) -> bool:
        """Adds a firing, or begins a wait: then True."""
        if not in_force(rule, now):
            return False
        if "if" in rule and not self._holds(rule["if"], now, subject):
            return False
        key = text_at(subject.item, rule["key"]) if "key" in rule else ""
        if "wait" not in rule:
            found.append(Firing(rule, at, key, len(found)))
            return False
        self._begun.setdefault(rule["name"], []).append((at, key))
        return True

    def _fires(self, firing: Firing, now: int, groups: set[str]) -> bool:
        rule = firing.rule
        name = rule["name"]
        fired = self._fired.setdefault(name, [])
        if not in_force(rule, now):
            return False
        if "expires" in rule and now - firing.at > ms(rule["expires"]):
            return False
        if "cooldown" in rule and fired and now - max(fired) < ms(rule["cooldown"]):
            return False
        if rule.get("group") in groups:
            return False
        if rule.get("once") and (name, firing.key) in self._once:
            return False
        self._once.add((name, firing.key))
        if "group" in rule:
            groups.add(rule["group"])
        fired.append(now)
        return True

    # -- conditions --------------------------------------------------------------------------------

    def _holds(self, said: dict[str, Any], now: int, subject: Subject = NOTHING) -> bool:
        if "all" in said:
            return all(self._holds(one, now, subject) for one in said["all"])
        if "any" in said:
            return any(self._holds(one, now, subject) for one in said["any"])
        if "none" in said:
            return not any(self._holds(one, now, subject) for one in said["none"])
        if "segment" in said:
            return said["segment"] in self.members
        operator, operand = next((name, said[name]) for name in OPERATORS if name in said)
        if "of" in said:
            return compared(operator, asked_of(said["of"], operator, operand),
                            self._aggregate(said, now))
        root, *names = said["field"].split(".")
        if root == "trigger":
            return compared(operator, operand, values_at(subject.data, names[1:]))
        return compared(operator, operand, values_at(subject.item, names))

    def _aggregate(self, said: dict[str, Any], now: int) -> list[Any]:
        """What an aggregate of events is, as a list of values; a time since is one in ms."""
        definition = msgspec.convert(
            {"name": "t", "version": 1, **{key: said[key] for key in ("of", "over", "value",
                                                                      "window") if key in said}},
            Definition)
        value = recount_computed.value(definition, self._events, now)
        if value is None:
            return []
        if isinstance(value, tuple):
            return list(value)
        is_amount = said["of"] in ("sum", "average", "min", "max")
        return [Fraction(value) / NANO if is_amount else value]


OPERATORS = ("equals", "not_equals", "in", "greater", "at_least", "less", "at_most", "exists",
             "contains", "older_than", "newer_than")


NUMBERS = ("count", "distinct_count", "sum", "average", "min", "max")


def compared(operator: str, operand: Any, values: Sequence[Any]) -> bool:
    """Whether any of the values fits; `not_equals`: none is equal."""
    if operator == "exists":
        return bool(values) is operand
    if operator == "not_equals":
        return not any(same(value, operand) for value in values)
    if operator == "equals":
        return any(same(value, operand) for value in values)
    if operator == "in":
        return any(same(value, one) for value in values for one in operand)
    if operator == "contains":
        return any(isinstance(value, str) and operand in value for value in values)
    if operator == "older_than":
        return any(value >= ms(operand) for value in values)
    if operator == "newer_than":
        return any(value < ms(operand) for value in values)
    bound = Fraction(str(operand))
    numbers = [n for value in values if (n := number(value)) is not None]
    return any({"greater": n > bound, "at_least": n >= bound, "less": n < bound,
                "at_most": n <= bound}[operator] for n in numbers)


def asked_of(aggregate: str, operator: str, operand: Any) -> Any:
    """What an aggregate is compared with: where it is a number, a text is its numeral."""
    if operator not in ("equals", "not_equals", "in") or aggregate not in NUMBERS:
        return operand
    return [Fraction(str(one)) for one in operand] if operator == "in" else Fraction(str(operand))


def same(value: Any, operand: Any) -> bool:
    """Whether a value is what a condition names: kinds alike, a numeral counts as a number."""
    if isinstance(operand, bool) or isinstance(value, bool):
        return value is operand
    if isinstance(operand, str):
        return bool(value == operand)
    found = number(value)
    return found is not None and found == Fraction(str(operand))


def number(value: Any) -> Fraction | None:
    """A number, or a text that is one."""
    if isinstance(value, bool) or not isinstance(value, int | Fraction | Decimal | str):
        return None
    try:
        return Fraction(value)
    except ValueError:
        return None


def matches(over: dict[str, Any], event: Interaction) -> bool:
    """Whether an event is one of those that are meant."""
    if over.get("call", event["type"]) != event["type"]:
        return False
    if over.get("event", event["event"]) != event["event"]:
        return False
    where = over.get("where")
    return where is None or recount_computed.holds(msgspec.convert(where, Where), item_of(event))


def values_at(value: Any, names: Sequence[str]) -> list[Any]:
    """What lies at a path; null is no value."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return [] if value is None else [value]


def text_at(item: Any, path: str) -> str:
    """The value of a rule's key, as text; "" for none."""
    found = values_at(item, path.split(".")[1:])
    if not found:
        return ""
    value = found[0]
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else format(Decimal(value).normalize(), "f")


def in_force(rule: dict[str, Any], now: int) -> bool:
    """Whether a rule has started and has not ended."""
    begins, ends = (rule.get(key) for key in ("starts_at", "ends_at"))
    return ((begins is None or now >= instant_of(begins))
            and (ends is None or now < instant_of(ends)))


def instant_of(text: str) -> int:
    """An instant in ms."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def bucket(rule: str, key: bytes) -> int:
    """0 to 99: where a customer of one identifier lies in the held-out part of a rule."""
    digest = hashlib.blake2b(key, digest_size=8, key=rule.encode()).digest()
    return int.from_bytes(digest, "big") % 100


def item_of(event: Interaction) -> Any:
    """An event as it was sent."""
    return json.loads(event["personal"], parse_float=Decimal)


def ms(span: str) -> int:
    """A length of time."""
    return int(span[:-1]) * SPANS[span[-1]]


def spans_in(said: Any) -> set[int]:
    """Every span that anything in a rule is compared with."""
    if isinstance(said, list | tuple):
        return {span for one in said for span in spans_in(one)}
    if not isinstance(said, dict):
        return set()
    own = {ms(said[key]) for key in ("older_than", "newer_than") if key in said}
    return own | {span for one in said.values() for span in spans_in(one)}

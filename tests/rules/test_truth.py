"""What is said to hold never or always does so of every customer: against the engine itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import given, settings

from footfall.events.amount import ONE
from footfall.rules.truth import ALWAYS, NEVER, Part, Truth
from footfall.tables import cart
from footfall.tables.computed_filter import Paths
from footfall.tables.record import CustomerRecord
from footfall.tables.row import RowCodec
from footfall.tables.rules_conditions import Compiler
from footfall.tables.rules_fields import EVENT, Catalogue, Seen
from footfall.tables.rules_row import Condition
from footfall.tables.spec import Announcement, FieldSpec
from footfall.tables.step import Step
from tests.tables.events import plain

DAY_MS = 86_400_000
NOW = 100 * DAY_MS


def reads(name: str) -> Any:
    return lambda facts, _told, _now, _config: facts[name]


THING: Any = replace(cart.TABLE, name="thing", field_of=None, fields={
    "number": FieldSpec("number", reads("number")), "text": FieldSpec("text", reads("text")),
    "texts": FieldSpec("texts", reads("texts")), "instant": FieldSpec("instant", reads("instant")),
    "flag": FieldSpec("flag", reads("flag"))})
CATALOGUE = Catalogue([THING], {"thing": None})
TRUTH = Truth(CATALOGUE, [])


STEP = Step(RowCodec(THING, msgspec.msgpack.Encoder()), None)


def made_of(facts: dict[str, Any]) -> Seen:
    """One whose fields are as they are given, with an event that has the list `properties.a`."""
    event = plain(NOW, "m", {"properties": {"a": facts["event"]}})
    seen = Seen({"thing": STEP}, CustomerRecord(), [(STEP, None, facts, Announcement(None))],
                event, NOW)
    seen.paths = Paths(["properties.a"])
    return seen


def compared(field: str, operands: Any, names: tuple[str, ...]) -> Any:
    return st.builds(lambda name, one: Condition(field=field, **{name: one}),
                     st.sampled_from(names), operands)


numbers = st.integers(-1, 3)
texts = st.sampled_from(["a", "b"])
exists = st.builds(lambda field, there: Condition(field=field, exists=there), st.sampled_from(
    ["thing.number", "thing.text", "thing.texts", "thing.instant", "event.properties.a"]),
    st.booleans())
COMPARED = ("equals", "not_equals", "greater", "at_least", "less", "at_most")
leaves = st.one_of(
    exists,
    compared("thing.number", numbers, COMPARED),
    compared("event.properties.a", st.one_of(numbers, st.just("2")), COMPARED),
    compared("event.properties.a", texts, ("equals", "not_equals")),
    compared("thing.text", texts, ("equals", "not_equals")),
    compared("thing.texts", texts, ("equals", "not_equals", "contains")),
    compared("thing.flag", st.booleans(), ("equals", "not_equals")),
    compared("thing.instant", st.sampled_from(["1d", "2d", "3d"]), ("older_than", "newer_than")),
    st.builds(lambda some: Condition(field="thing.text", in_=tuple(some)),
              st.lists(texts, min_size=1, max_size=2)),
    st.builds(lambda some: Condition(field="thing.number", in_=tuple(some)),
              st.lists(numbers, min_size=1, max_size=3)),
)
conditions = st.recursive(leaves, lambda inner: st.builds(
    lambda group, some: Condition(**{group: tuple(some)}),
    st.sampled_from(["all", "any", "none", "all"]), st.lists(inner, min_size=1, max_size=4)),
    max_leaves=6)
customers = st.builds(
    lambda **facts: made_of(facts),
    number=st.one_of(st.none(), numbers.map(lambda n: n * ONE)), text=st.one_of(st.none(), texts),
    texts=st.lists(texts, max_size=2).map(tuple), flag=st.one_of(st.none(), st.booleans()),
    instant=st.one_of(st.none(), st.integers(0, 4).map(lambda days: NOW - days * DAY_MS)),
    event=st.lists(st.one_of(numbers, texts, st.just("2")), max_size=3))


def holds(said: Condition, customer: Seen) -> bool:
    return Compiler(CATALOGUE, []).compiled(said, EVENT).holds(customer)


@settings(max_examples=400, deadline=None)
@given(said=conditions, some=st.lists(customers, min_size=1, max_size=6))
def test_what_is_said_of_a_condition_is_so(said: Condition, some: list[Seen]) -> None:
    truth, _found = TRUTH.of(said)
    for customer in some:
        if truth == NEVER:
            assert not holds(said, customer), (said, customer.row("thing"))
        if truth == ALWAYS:
            assert holds(said, customer), (said, customer.row("thing"))


@settings(max_examples=400, deadline=None)
@given(said=conditions, other=conditions, some=st.lists(customers, min_size=1, max_size=6))
def test_what_follows_from_a_condition_does(said: Condition, other: Condition,
                                            some: list[Seen]) -> None:
    if TRUTH.implies([Part(said, ())], [Part(other, ())]):
        for customer in some:
            assert not holds(said, customer) or holds(other, customer), customer.row("thing")
    if TRUTH.together([Part(said, ()), Part(other, ())]) is not None:
        for customer in some:
            assert not (holds(said, customer) and holds(other, customer)), customer.row("thing")


def test_both_happen() -> None:
    """Else the two tests above show nothing."""
    two, three = Condition(field="thing.number", at_least=2), Condition(field="thing.number",
                                                                       at_least=3)
    assert TRUTH.implies([Part(three, ())], [Part(two, ())])
    assert not TRUTH.implies([Part(two, ())], [Part(three, ())])
    under = Condition(field="thing.number", less=2)
    assert NEVER == TRUTH.of(Condition(all=(two, under)))[0]
    there, not_there = (Condition(field="thing.text", exists=said) for said in (True, False))
    assert ALWAYS == TRUTH.of(Condition(any=(there, not_there)))[0]

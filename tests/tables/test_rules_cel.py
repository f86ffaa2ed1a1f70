"""Expressions in CEL: what is refused and where, what is read, and what bad data do."""

import random
import subprocess
import sys
import time
from decimal import Decimal

import pytest

from footfall.errors import MisfitError
from footfall.tables.rules_cel import ELEMENTS_MAX, LOOPS_MAX, TEXT_CHARS_MAX, VALUES_MAX, Program
from footfall.tables.rules_row import CEL_CHARS_MAX

ROOTS = ("event", "profile")
GIVEN = {"event": {"name": "Order Completed", "properties": {
    "total": Decimal("120.50"), "items": 3, "zero": 0, "coupon": "SPRING10", "first": True,
    "tags": ["new", "sale"], "nothing": None, "id": 2**60 + 1, "long": "a" * 9_000 + "!",
    "products": [{"sku": "a", "price": Decimal("40.25"), "quantity": 2},
                 {"sku": "b", "price": 40, "quantity": 1}]}},
    "profile": {"traits": {"plan": "gold", "b c": "d"}}}


def said_of(text: str) -> str:
    """What is wrong with an expression."""
    with pytest.raises(MisfitError) as caught:
        Program(text, ROOTS)
    return str(caught.value)


@pytest.mark.parametrize(("text", "expected"), [
    ("event.properties.total > 100", True),
    ("event.properties.total == 120.5", True),
    ("event.properties.items == 3 && event.properties.items == 3.0", True),
    ("event.properties.total / double(event.properties.items) > 50.0", False),
    ("event.properties.items + 1.0 > 3.9", True),
    ("event.properties.first", True),
    ("has(event.properties.total) && !has(event.properties.nope)", True),
    ("event.properties.nothing == null", True),
    ("event.properties['coupon'].matches('^SPRING[0-9]+$')", True),
    ("profile.traits['b c'] == 'd'", True),
    ("'sale' in event.properties.tags", True),
    ("event.properties.tags.exists(t, t.startsWith('sal'))", True),
    ("event.properties.products.exists(p, p.price * p.quantity > 80.0)", True),
    ("event.properties.products.all(p, p.price * p.quantity + 1.0 > 80.0)", False),
    ("event.properties.products.filter(p, p.sku == 'a').size() == 1", True),
    ("event.properties.id == 1152921504606846977", True),
    ("event.properties.id == 1152921504606846976", False),
    ("event.properties.total > 100 ? profile.traits.plan == 'gold' : false", True),
    ("event.properties.nope > 1 || true", True),
    ("timestamp('2026-01-01T00:00:00Z') < timestamp('2027-01-01T00:00:00Z')", True),
    ("true // said so", True),
])
def test_it_says_whether_it_holds(text: str, expected: bool) -> None:
    """An expression is true or false of an event; numbers compare whatever their spelling was."""

    assert Program(text, ROOTS).holds(GIVEN) is expected


@pytest.mark.parametrize(("text", "names"), [
    ("event.properties.total > 1 && has(event.properties.coupon)",
     ("event.properties.coupon", "event.properties.total")),
    ("event['properties']['total'] > 1", ("event.properties.total",)),
    ("profile.traits['a.b'] == ''", ("profile.traits",)),
    ("event.properties[profile.traits.plan] == ''", ("event.properties", "profile.traits.plan")),
    ("event.properties.products.exists(p, p.price > event.properties.total)",
     ("event.properties.products", "event.properties.total")),
    ("event.properties.tags.exists(event, event == profile.traits.plan)",
     ("event.properties.tags", "profile.traits.plan")),
    ("size(event) > 1 && event.name == ''", ("event",)),
    ("event.name == '' && size(event) > 1", ("event",)),
    ("event.properties.tags[0] == ''", ("event.properties.tags",)),
    ("true", ()),
])
def test_it_names_what_it_reads(text: str, names: tuple[str, ...]) -> None:
    """`names` are the paths that an expression reads, names bound by a loop left out."""

    assert Program(text, ROOTS).names == names


@pytest.mark.parametrize(("text", "word"), [
    ("event.properties.nope > 1", "missing_field"),
    ("event.nope.nope == 1", "missing_field"),
    ("event.properties.coupon > 1", "wrong_type"),
    ("event.properties.total.matches('a')", "wrong_type"),
    ("event.properties.coupon.nope == 1", "wrong_type"),
    ("event.properties.total && true", "wrong_type"),
    ("1 / 0 > 1", "division_by_zero"),
    ("1 % 0 > 1", "division_by_zero"),
    ("int(event.properties.items) / int(event.properties.zero) > 1", "division_by_zero"),
    ("9223372036854775807 + int(event.properties.items) > 0", "overflow"),
    ("event.properties.tags[7] == ''", "no_such_index"),
    ("int(event.properties.coupon) > 1", "not_convertible"),
    ("event.properties.coupon", "not_bool"),
    ("event.properties.nothing", "not_bool"),
])
def test_what_fails_at_run_time_has_a_word(text: str, word: str) -> None:
    """An error at run time is a word, never an exception."""

    assert Program(text, ROOTS).holds(GIVEN) == word


@pytest.mark.parametrize(("text", "part"), [
    ("event.properties.total >", "column 25: Syntax error"),
    ("event.properties.total > 1 &&\n  custmer.name == 'a'",
     "line 2, column 10: undeclared reference to 'custmer.name'; known are event, profile"),
    ("", "Syntax error"),
    ("__import__('os').system('true') == 0", "undeclared reference to '__import__'"),
    ("event.properties.total.__class__()", "undeclared reference to '__class__'"),
    ("1 + 'a' == 2", "column 3: found no matching overload"),
    ("event > 1", "column 7: found no matching overload"),
    ("event.properties.total + 1.0 > 2", "write 1.0 for 1"),
    ("event.properties.total + 1 > 2.0", "write 1.0 for 1"),
    ("event.properties.total + 1 > 2", "column 24: + has a whole number"),
    ("event.properties.items % 2 == 0", "column 24: % has a whole number"),
    ("size(event.properties.tags)", "gives INT, not true or false"),
    ("event.properties.coupon.matches('(')", "column 33: is no valid pattern: missing )"),
    ("'a'.matches(event.properties.coupon)", "column 29: is a pattern that is not written out"),
    ("matches(event.name, event.name)", "is a pattern that is not written out"),
    ("event.name.matches('(a{50}){50}')", "repeats a part 2500 times by count; at most 100"),
    ("event.name.matches('((a{,90}){9,})')", "repeats a part 810 times"),
    (r"event.name.matches('\\pL{50}')", "class of Unicode"),
    (f"event.name.matches('{'a' * 201}')", "is a pattern of 201 characters; at most 200"),
    ("google.protobuf.Timestamp{} == null", "makes a message"),
    ("event.properties.tags.all(a, event.properties.tags.all(b, a == b))",
     "column 55: is a loop within a loop"),
    ("event.properties.tags.map(a, a).map(a, a) == []", "is a loop within a loop"),
    ("event.properties.tags.map(a, a + a) == []", "column 32: + in a loop adds numbers only"),
    ("event.properties.tags.map(a, [a] + event.properties.tags) == []", "adds numbers only"),
    (" || ".join(["event.name in event.properties.tags"] * (LOOPS_MAX + 1)), "one loop too many"),
    ("(" * 400 + "true" + ")" * 400, "recursion limit exceeded"),
    ("[" * 40 + "]" * 40 + " == []", "recursion"),
    (" + ".join(["1"] * 200) + " == 1", "recursion"),
    ("true".ljust(CEL_CHARS_MAX + 1), "is 1001 characters long; at most 1000"),
    ("true || " * 125_000 + "true", "is 1000004 characters long; at most 1000"),
])
def test_a_bad_expression_is_refused_with_its_place(text: str, part: str) -> None:
    """What is wrong with an expression is said when it is loaded, with the column where known."""

    assert part in said_of(text)


def test_a_long_chain_of_conditions_is_taken() -> None:
    """&& and || of many are balanced by the parser: they are long, not deep."""
    text = " && ".join(f"event.a!={n}" for n in range(60))

    assert Program(text, ROOTS).holds({"event": {"a": -1}}) is True


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "^(a|a?)+$", "(.*)(.*)(.*)(.*)[^!]$",
                                     "((a+)+)+b", "^(a|b|ab)*c"])
def test_a_catastrophic_pattern_takes_linear_time(pattern: str) -> None:
    """Patterns that take 2^n steps elsewhere end at once on 9,000 characters."""
    program = Program(f"event.properties.long.matches('{pattern}')", ROOTS)
    began = time.perf_counter()

    assert program.holds(GIVEN) is False
    assert time.perf_counter() - began < 0.1


@pytest.mark.parametrize("total", [
    "a" * (TEXT_CHARS_MAX + 1), "a" * 1_000_000, [0] * (ELEMENTS_MAX + 1),
    {str(n): n for n in range(VALUES_MAX + 1)}, [[0] * 100] * 100, [{"a": ["b" * 20_000]}],
    10**400])
def test_data_beyond_a_limit_are_not_looked_at(total: object) -> None:
    """What is too large is a word, not a long evaluation."""

    assert Program("event.total == 'a'", ROOTS).holds({"event": {"total": total}}) == "too_large"


def test_data_at_the_limits_are_looked_at_in_bounded_time() -> None:
    """The longest lists, gone over by as many loops as there may be, end soon."""
    numbers = list(range(ELEMENTS_MAX))
    texts = " && ".join(["event.a.all(x, x in event.b)"] * (LOOPS_MAX // 2))
    began = time.perf_counter()

    assert Program(texts, ROOTS).holds({"event": {"a": numbers, "b": numbers[::-1]}}) is True
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize("given", [
    {}, {"event": None}, {"event": {}}, {"event": 5}, {"event": "text"}, {"event": []},
    {"event": {"a": None}}, {"event": {"a": "\ud800"}}, {"event": {"a": object()}},
    {"event": {"a": {2: 2}}}, {"event": {"a": b"x"}}, {"event": {"a": Decimal("Infinity")}},
    {"event": {"a": Decimal("1e9999")}}, {"event": {"a": [{}, [], [[]], {"b": {}}]}}])
def test_any_data_give_an_answer(given: dict[str, object]) -> None:
    """Whatever a value is, `holds` says so and does not raise."""
    for text in ("event.a == 1", "event.a.b == 'x'", "has(event.a.b)", "event.a.exists(x, x == 1)"):
        assert Program(text, ROOTS).holds(given) is not True


def test_ten_thousand_expressions_made_of_pieces_never_raise_anything_else() -> None:
    """Random text is refused with a `MisfitError` or gives an answer."""
    pieces = ["event", "profile", ".", "properties", "total", "(", ")", "[", "]", "{", "}", "'a'",
              "1", "1.5", "0", "/", "%", "+", "-", "*", "==", "<", "&&", "||", "!", "in", "?", ":",
              ".exists(x, x)", ".map(x, x)", ".matches('a+')", "has(", "null", "true", ",", "\n",
              "`a b`", "é", "\x00", "b'a'", "@", "//", '"""', "size(", "x", "9" * 30, "1u"]
    draw = random.Random(7)
    taken = 0
    for _ in range(10_000):
        text = "".join(draw.choice(pieces) for _ in range(draw.randrange(1, 9)))
        try:
            program = Program(text, ROOTS)
        except MisfitError:
            continue
        taken += 1
        assert isinstance(program.holds(GIVEN), bool | str)
    assert taken > 20


def test_the_binding_is_loaded_with_the_first_expression() -> None:
    """Importing the module does not need the binding."""
    code = ("import sys; import footfall.tables.rules_cel; "
            "sys.exit(any(name.startswith('cel_expr') for name in sys.modules))")

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

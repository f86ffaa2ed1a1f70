"""What a trigger carries is compared with texts: one meaning for subscribers and for routes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.view.trigger_fields import (
    DEPTH_MAX,
    PATH_CHARS_MAX,
    fits,
    is_any_of,
    path_of,
)


@pytest.mark.parametrize(("value", "texts", "expected"), [
    ("high", {"low", "high"}, True),
    ("High", {"high"}, False),
    ("9.90", {"9.9"}, False),  # a text is itself, amounts too
    (5, {"5"}, True),
    (5, {"5.0"}, True),
    (5, {"5e0"}, True),
    (0.1, {"0.10"}, True),
    (5, {"6", "x"}, False),
    (5, {"NaN", "sNaN", "Infinity"}, False),
    (10**400, {"1e400"}, True),
    (True, {"true"}, True),
    (True, {"1"}, False),
    (False, {"false"}, True),
    (None, {"null"}, True),
    (None, {""}, False),
    ([5], {"5"}, False),
    ({"a": 5}, {"5"}, False),
])
def test_a_value_is_one_that_was_asked_for(value: Any, texts: set[str], expected: bool) -> None:
    """Numbers however they are spelt, all else as it is."""
    assert expected == is_any_of(value, frozenset(texts))


def test_a_path_that_leads_nowhere_equals_nothing() -> None:
    """Not even null; nor does a list on the way."""
    data = {"level": "high", "cart": {"lines": [{"id": "p1"}]}, "none": None}

    assert fits(data, {("none",): frozenset({"null"})})
    for path in (("gone",), ("level", "x"), ("cart", "lines", "id"), ("none", "x")):
        assert not fits(data, {path: frozenset({"null", "p1", "high"})}), path


def test_all_fields_must_fit() -> None:
    """And nothing asked for fits all."""
    data = {"level": "high", "n": 2}

    assert fits(data, {("level",): frozenset({"high"}), ("n",): frozenset({"2", "3"})})
    assert not fits(data, {("level",): frozenset({"high"}), ("n",): frozenset({"3"})})
    assert fits(data, {})


@pytest.mark.parametrize(("text", "expected"), [
    ("level", ("level",)), ("cart.value", ("cart", "value")), ("", None), ("a..b", None),
    (".a", None), ("x" * PATH_CHARS_MAX, ("x" * PATH_CHARS_MAX,)),
    ("x" * (PATH_CHARS_MAX + 1), None),
    (".".join("a" * DEPTH_MAX), ("a",) * DEPTH_MAX), (".".join("a" * (DEPTH_MAX + 1)), None),
])
def test_paths_are_bounded(text: str, expected: tuple[str, ...] | None) -> None:
    """In depth and length."""
    assert expected == path_of(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-10**9,
                   max_value=10**9))
def test_every_spelling_of_a_number_is_that_number(number: Decimal) -> None:
    """Whole numbers as integers, the others as what JSON makes of them."""
    value = int(number) if number == number.to_integral_value() else float(number)
    for text in (str(number), f"{number:f}", f"{number:e}", f"{number}0" if "." in f"{number}"
                 else str(number)):
        assert (Decimal(str(value)) == Decimal(text)) == is_any_of(value, frozenset({text}))
    assert is_any_of(value, frozenset({f"{number:f}"}))

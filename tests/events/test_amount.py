"""Exact amounts: how they enter, and that nothing is lost on the way."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.events import amount

units = st.integers(1 - amount.LIMIT, amount.LIMIT - 1)


@given(units)
def test_text_and_back(value: int) -> None:
    """The shortest text of an amount is that amount."""
    assert value == amount.parse(amount.text(value))


@given(units)
def test_bytes_and_back(value: int) -> None:
    """Avro's two's complement, shortest, never more than 12 bytes."""
    data = amount.to_bytes(value)
    assert value == amount.from_bytes(data)
    assert len(data) <= 12
    assert data == value.to_bytes(len(data), "big", signed=True)


@given(st.decimals(min_value=-(10**18) + 1, max_value=10**18 - 1, allow_nan=False,
                   allow_infinity=False, places=14))
def test_rounds_half_even_to_nine_places(value: Decimal) -> None:
    """Against Decimal's own rounding."""
    with localcontext() as context:
        context.prec = 60
        wanted = value.quantize(Decimal("1e-9"), rounding=ROUND_HALF_EVEN)
        assert wanted == Decimal(amount.parse(value)).scaleb(-9)


@pytest.mark.parametrize(("sent", "text"), [
    ("1.99", "1.99"), ("1.990", "1.99"), ("1.", "1"), (".5", "0.5"), ("-0.50", "-0.5"),
    ("1e3", "1000"), ("1E-9", "0.000000001"), (0, "0"), (-7, "-7"), ("-0", "0"),
    ("0.0000000005", "0"), ("0.0000000015", "0.000000002"), ("0.0000000025", "0.000000002"),
    ("-0.0000000005", "0"), ("0.00000000050000000001", "0.000000001"),
    ("1e-400000000", "0"), ("9" * 18, "9" * 18), ("0." + "1" * 5000, "0.111111111"),
])
def test_enters_as(sent: str | int, text: str) -> None:
    """Ties go to the even neighbour."""
    assert text == amount.text(amount.parse(sent))


@pytest.mark.parametrize(("sent", "said"), [
    ("", "not a number"), ("abc", "not a number"), ("1,5", "not a number"),
    ("NaN", "not a finite"), ("sNaN", "not a finite"), ("Infinity", "not a finite"),
    ("-inf", "not a finite"), ("1e18", "18 digits"), ("-1e18", "18 digits"),
    (10**18, "18 digits"), ("1e999999999", "18 digits"), (10**4000, "18 digits"),
    ("999999999999999999.9999999999", "18 digits"),
])
def test_refused(sent: str | int, said: str) -> None:
    """Too large by value or by rounding, or no number; always a ValueError that says which."""
    with pytest.raises(ValueError, match=said):
        amount.parse(sent)


@given(st.text())
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    """Never another exception."""
    try:
        assert abs(amount.parse(text)) < amount.LIMIT
    except ValueError:
        return


def test_products_have_eighteen_places() -> None:
    """price x quantity stays exact."""
    product = amount.parse("0.1") * amount.parse("3.000000001")
    assert "0.3000000001" == amount.text(product, 2 * amount.PLACES)


@given(st.lists(units))
def test_sums_do_not_depend_on_order(values: list[int]) -> None:
    """Why they are integers."""
    assert sum(values) == sum(reversed(values)) == sum(sorted(values))

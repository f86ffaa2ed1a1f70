"""Exact amounts: integers of 10^-9.

Decides how money and quantities enter (law 3): rounded half-even to 9 places, more than 18 digits
before the point refused, so that sums and products are exact integers and no order of events
gives other bytes. Never a float.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Final

PLACES: Final = 9
ONE: Final = 10**PLACES
DIGITS_MAX: Final = 18
LIMIT: Final = 10 ** (DIGITS_MAX + PLACES)
_context = Context(prec=60, rounding=ROUND_HALF_EVEN)
_quantum = Decimal(1).scaleb(-PLACES)
# Methods of the context, given by position: a third of the time that keywords take.
_quantize = _context.quantize
_scaleb = _context.scaleb


def parse(value: Decimal | int | str) -> int:
    """Integer of 10^-9 for an amount as sent; raises ValueError with what is wrong."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("is not a number") from None
    if not number.is_finite():
        raise ValueError("is not a finite number")
    magnitude = number.adjusted()
    if magnitude >= DIGITS_MAX:
        raise ValueError(f"has more than {DIGITS_MAX} digits before the point")
    if magnitude < -2 * PLACES:
        return 0
    units = int(_scaleb(_quantize(number, _quantum), PLACES))
    if abs(units) >= LIMIT:
        raise ValueError(f"has more than {DIGITS_MAX} digits before the point")
    return units


def text(units: int, places: int = PLACES) -> str:
    """Shortest decimal text of an integer of 10^-places: 1990000000 -> "1.99"."""
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), 10**places)
    fraction = f"{part:0{places}d}".rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def to_bytes(units: int) -> bytes:
    """Avro's decimal: two's complement, big-endian, shortest."""
    return units.to_bytes(units.bit_length() // 8 + 1, "big", signed=True)


def from_bytes(data: bytes) -> int:
    """Inverse of `to_bytes`; any length is read, the bound is checked by the codec."""
    return int.from_bytes(data, "big", signed=True)

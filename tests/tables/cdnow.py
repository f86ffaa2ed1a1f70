"""The real orders of the CDNOW data set: read once, and what pandas makes of every customer.

CDNOW: every purchase, January 1997 to June 1998, of 23,570 customers of a music shop (Fader and
Hardie 2001); the file comes with the package `lifetimes`, which need not be imported. What is
expected is counted by pandas alone; `held` says what the product's row holds, in the same terms.
"""

from __future__ import annotations

from fractions import Fraction
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from footfall.tables.orders_facts import ORDERS_MAX, is_limited
from footfall.tables.orders_reading import money, summary
from footfall.tables.orders_row import OrdersFacts

PATH = Path(str(distribution("lifetimes").locate_file("lifetimes/datasets/CDNOW_master.txt")))
ROWS = 69_659
CUSTOMERS = 23_570
#: From the first purchase to the last one.
DAYS = 545
CURRENCY = "USD"
_UNITS_A_CENT = 10**16


class Orders(NamedTuple):
    """All orders of one customer; `value` is currency -> (orders, sum in cents), times in ms."""

    count: int
    value: dict[str, tuple[int, Fraction]]
    first: int
    last: int
    interval_count: int
    interval_sum: int
    interval_last: int | None
    #: Whether the limit on orders has touched them.
    limited: bool


def read() -> pd.DataFrame:
    """One row a purchase, as in the file: `customer_id`, `dollar_value` as text, `day` since the
    first of January 1997, exact `cents`.
    """
    frame = pd.read_csv(PATH, sep=r"\s+", dtype=str)
    frame["day"] = (pd.to_datetime(frame["date"], format="%Y%m%d")
                    - pd.Timestamp("1997-01-01")).dt.days
    frame["cents"] = [int(Fraction(v) * 100) for v in frame["dollar_value"]]
    assert (ROWS, CUSTOMERS) == (len(frame), frame["customer_id"].nunique())
    assert (0, DAYS) == (frame["day"].min(), frame["day"].max())
    return frame


def expected(frame: pd.DataFrame, start: int, day_ms: int) -> dict[str, Orders]:
    """By customer, with the first day at `start` and each day so long."""
    ordered = frame.sort_values("day", kind="stable")
    ordered["span"] = ordered.groupby("customer_id")["day"].diff()
    found = ordered.groupby("customer_id").agg(
        orders=("day", "size"), first=("day", "min"), last=("day", "max"), cents=("cents", "sum"),
        spans=("span", "count"), span_sum=("span", "sum"), span_last=("span", "last"))
    assert 8 == sum(found.orders > ORDERS_MAX)
    return {
        str(c.Index): Orders(
            int(c.orders), {CURRENCY: (int(c.orders), Fraction(int(c.cents)))},
            start + int(c.first) * day_ms, start + int(c.last) * day_ms, int(c.spans),
            int(c.span_sum) * day_ms, int(c.span_last) * day_ms if c.spans else None,
            bool(c.orders > ORDERS_MAX))
        for c in found.itertuples()
    }


def held(facts: OrdersFacts) -> Orders:
    """What a row holds."""
    found = summary(facts)
    assert found.first is not None
    assert found.last is not None
    value = {currency: (m["orders"], Fraction(m["value"], _UNITS_A_CENT))
             for currency, m in money(facts).items()}
    return Orders(found.count, value, found.first, found.last, found.count - 1,
                  found.interval_sum, found.interval_last, is_limited(facts))
